"""A verified ONNX model in memory, with its inputs and outputs as the Open Inference Protocol names them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from falaj.errors import FalajError
from falaj.httpserver import HttpProblem
from falaj.inside import METADATA_FILE
from falaj.modelfiles import ModelFile

__all__ = ["MAX_ROWS", "Model", "TensorSpec", "UnservableModel"]

MAX_ROWS: Final = 10_000

# Open Inference Protocol datatype -> (ONNX type, numpy dtype).
_TYPES: Final = {
    "BOOL": ("bool", "bool"),
    "INT8": ("int8", "int8"),
    "INT16": ("int16", "int16"),
    "INT32": ("int32", "int32"),
    "INT64": ("int64", "int64"),
    "UINT8": ("uint8", "uint8"),
    "UINT16": ("uint16", "uint16"),
    "UINT32": ("uint32", "uint32"),
    "UINT64": ("uint64", "uint64"),
    "FP16": ("float16", "float16"),
    "FP32": ("float", "float32"),
    "FP64": ("double", "float64"),
    "BYTES": ("string", "object"),
}
_OF_ONNX: Final = {f"tensor({onnx})": name for name, (onnx, _) in _TYPES.items()}


class UnservableModel(FalajError):
    """It may be signed and approved, but this replica cannot run it."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """`shape` has -1 where any length fits."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    @property
    def data(self) -> dict[str, Any]:
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


class Model:
    """Thread-safe: a session of ONNX Runtime may be run by many threads."""

    def __init__(self, name: str, version: str, digest: str, files: Sequence[ModelFile], threads: int = 1) -> None:
        """Loads the one ONNX file among `files`, whose bytes must still be those that were verified.

        Raises UnservableModel: none or several ONNX files, or ONNX Runtime cannot load it.
        """
        import onnxruntime

        self.name, self.version, self.digest = name, version, digest
        weights = [file for file in files if file.format == "onnx"]
        if len(weights) != 1:
            raise UnservableModel(f"a model that is served has one ONNX file, this one has {len(weights)}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                _verified(weights[0]), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except UnservableModel:
            raise
        except Exception as error:  # noqa: BLE001 - ONNX Runtime raises its own kinds; any of them means the same
            raise UnservableModel(f"ONNX Runtime cannot load it ({type(error).__name__})") from None
        self.inputs = tuple(_spec(item) for item in self._session.get_inputs())
        self.outputs = tuple(_spec(item) for item in self._session.get_outputs())
        described = _description(files)
        self.features = _names(described, "features")
        self.decisions = frozenset(_names(described, "decisions"))
        unknown = self.decisions - {spec.name for spec in self.outputs}
        if unknown:
            raise UnservableModel(
                f"{METADATA_FILE} declares decisions that are no outputs: {', '.join(sorted(unknown))}"
            )

    @property
    def metadata(self) -> dict[str, Any]:
        """The model's metadata in the Open Inference Protocol; `parameters.features` names the columns, if known."""
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": "onnx_onnxruntime",
            "inputs": [spec.data for spec in self.inputs],
            "outputs": [spec.data for spec in self.outputs],
            "parameters": {"digest": self.digest} | ({"features": list(self.features)} if self.features else {}),
        }

    def infer(self, body: object) -> tuple[list[dict[str, Any]], int]:
        """(output tensors, number of rows) for a request's decoded body. Raises HttpProblem 400: it does not fit."""
        feeds, rows, wanted = self._feeds(body)
        try:
            results = self._session.run(wanted, feeds)
        except Exception as error:  # noqa: BLE001 - see above; the text could repeat the caller's values
            raise HttpProblem(400, f"the model cannot compute on these inputs ({type(error).__name__})") from None
        specs = {spec.name: spec for spec in self.outputs}
        outputs = []
        for name, value in zip(wanted, results, strict=True):
            data = value.reshape(-1).tolist()
            if any(
                isinstance(item, float) and (item != item or item in (float("inf"), float("-inf"))) for item in data
            ):
                raise HttpProblem(422, "the model's answer is not a number")
            outputs.append({"name": name, "datatype": specs[name].datatype, "shape": list(value.shape), "data": data})
        return outputs, rows

    def _feeds(self, body: object) -> tuple[dict[str, Any], int, list[str]]:
        if not isinstance(body, Mapping) or not isinstance(body.get("inputs"), list):
            raise HttpProblem(400, "the body must be an object with a list `inputs`")
        given: dict[str, Any] = {}
        for tensor in body["inputs"]:
            if not isinstance(tensor, Mapping) or not isinstance(tensor.get("name"), str) or tensor["name"] in given:
                raise HttpProblem(400, "every input is an object with a name of its own")
            given[tensor["name"]] = tensor
        names = [spec.name for spec in self.inputs]
        if sorted(given) != sorted(names):
            raise HttpProblem(400, f"the model's inputs are {', '.join(names)}")
        feeds = {spec.name: _array(spec, given[spec.name]) for spec in self.inputs}
        rows = max((int(array.shape[0]) for array in feeds.values() if array.ndim), default=1)
        known = [spec.name for spec in self.outputs]
        wanted = [item.get("name") for item in body.get("outputs") or () if isinstance(item, Mapping)] or known
        if any(name not in known for name in wanted):
            raise HttpProblem(400, f"the model's outputs are {', '.join(known)}")
        return feeds, rows, [str(name) for name in wanted]


def _verified(file: ModelFile) -> bytes:
    content = file.path.read_bytes()
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise UnservableModel(f"{file.name} changed while it was loaded")
    return content


def _spec(item: Any) -> TensorSpec:
    datatype = _OF_ONNX.get(item.type)
    if datatype is None:
        raise UnservableModel(
            f"{item.name} is a {item.type}: inputs and outputs must be tensors (skl2onnx: zipmap off)"
        )
    return TensorSpec(item.name, datatype, tuple(size if isinstance(size, int) else -1 for size in item.shape))


def _description(files: Sequence[ModelFile]) -> Mapping[str, Any]:
    """What the author said about the model; empty when nothing. Raises UnservableModel: it is no JSON object."""
    for file in files:
        if file.name == METADATA_FILE:
            try:
                described = json.loads(_verified(file))
            except (ValueError, RecursionError):
                described = None
            if not isinstance(described, dict):
                raise UnservableModel(f"{METADATA_FILE} is no JSON object")
            return described
    return {}


def _names(described: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = described.get(key) or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UnservableModel(f"{METADATA_FILE} does not have a list of names `{key}`")
    return tuple(names)


def _array(spec: TensorSpec, tensor: Mapping[str, Any]) -> Any:
    import numpy

    shape, data = tensor.get("shape"), tensor.get("data")
    if tensor.get("datatype") != spec.datatype:
        raise HttpProblem(400, f"the input {spec.name} is {spec.datatype}")
    if not isinstance(shape, list) or not all(type(size) is int and 0 < size <= 1_000_000 for size in shape):
        raise HttpProblem(400, f"the input {spec.name} needs a shape of positive numbers")
    if len(shape) != len(spec.shape) or any(
        want not in (-1, have) for want, have in zip(spec.shape, shape, strict=True)
    ):
        raise HttpProblem(400, f"the input {spec.name} has the shape {list(spec.shape)}, not {shape}")
    if shape and shape[0] > MAX_ROWS:
        raise HttpProblem(400, f"at most {MAX_ROWS} rows are taken at once")
    try:
        if spec.datatype == "BYTES":
            array = numpy.array(_flat(data), dtype=object)
            if not all(isinstance(item, str) for item in array.flat):
                raise ValueError
        else:
            array = numpy.asarray(data)
            if array.dtype.kind not in ("b" if spec.datatype == "BOOL" else "iufb"):
                raise ValueError
            # An integer input must not lose a fraction or overflow on the way in.
            array = array.astype(
                _TYPES[spec.datatype][1], casting="unsafe" if spec.datatype.startswith("FP") else "same_kind"
            )
        return array.reshape(shape)
    except (ValueError, TypeError, OverflowError):
        raise HttpProblem(400, f"the data of {spec.name} are not {spec.datatype} values of the shape {shape}") from None


def _flat(data: object) -> list[Any]:
    if isinstance(data, list):
        return [leaf for item in data for leaf in (_flat(item) if isinstance(item, list) else [item])]
    raise ValueError("no list")
