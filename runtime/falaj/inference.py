"""Rows to the Open Inference Protocol's tensors and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from falaj.errors import ServiceError, UsageError

__all__ = ["request_body", "rows_of"]


def request_body(model: Mapping[str, Any], rows: Sequence[Any]) -> dict[str, Any]:
    """An inference request for `rows` against a model's metadata.

    With one input of several columns a row is a list in column order, or a dict by the names that the model was logged
    with; with several inputs a row is a dict by input name. Raises UsageError: rows that do not fit.
    """
    if not rows:
        raise UsageError("there are no rows to predict")
    inputs = list(model.get("inputs") or ())
    columns = list((model.get("parameters") or {}).get("features") or ())
    if len(inputs) == 1 and len(inputs[0].get("shape") or ()) == 2:
        lists = [_as_list(row, columns, number) for number, row in enumerate(rows)]
        width = len(lists[0])
        if any(len(row) != width for row in lists):
            raise UsageError("the rows have different lengths")
        flat = [value for row in lists for value in row]
        return {"inputs": [_tensor(inputs[0], [len(rows), width], flat)]}
    tensors = []
    for spec in inputs:
        name = str(spec.get("name"))
        try:
            values = [row[name] for row in rows]
        except (KeyError, TypeError, IndexError):
            raise UsageError(f"every row must be a dict with a value for the input {name!r}") from None
        shape = [len(rows)] + [1] * (len(spec.get("shape") or ()) - 1)
        tensors.append(_tensor(spec, shape, values))
    return {"inputs": tensors}


def rows_of(answer: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """The outputs of an inference answer by row: {output: value, or list of values}. Raises ServiceError: malformed."""
    rows: list[dict[str, Any]] = [{} for _ in range(count)]
    try:
        for output in answer["outputs"]:
            data = list(output["data"])
            width, rest = divmod(len(data), count)
            if rest or not width:
                raise ServiceError(f"the output {output['name']!r} does not have one part for each row")
            for index, row in enumerate(rows):
                part = data[index * width : (index + 1) * width]
                row[str(output["name"])] = part[0] if len(output["shape"]) == 1 or width == 1 else part
    except (KeyError, TypeError):
        raise ServiceError("the replica's answer is not in the Open Inference Protocol") from None
    return rows


def _as_list(row: Any, columns: list[str], number: int) -> list[Any]:
    if isinstance(row, Mapping):
        if not columns:
            raise UsageError("the model was logged without column names: give rows as lists")
        missing = [name for name in columns if name not in row]
        extra = [str(name) for name in row if name not in columns]
        if missing or extra:
            what = f"lacks {', '.join(missing)}" if missing else f"has the unknown column {', '.join(extra)}"
            raise UsageError(f"row {number} {what}; the columns are {', '.join(columns)}")
        return [row[name] for name in columns]
    if isinstance(row, str) or not isinstance(row, Sequence):
        raise UsageError(f"row {number} is neither a list nor a dict")
    return list(row)


def _tensor(spec: Mapping[str, Any], shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": spec.get("name"), "datatype": spec.get("datatype"), "shape": shape, "data": data}
