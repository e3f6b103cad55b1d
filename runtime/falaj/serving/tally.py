"""What was decided, counted: by model digest, how many requests, rows and errors, and how often each decision came out.

No input and no row is kept (LOG-06). A decision is a value of an output that the model's author declared as one, in
`falaj.json`, and whose type is a whole number, a truth value or text: what is not declared could be anything, such as a
row given back, so it is only counted.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from falaj.errors import FalajError
from falaj.serving.replica import Record

__all__ = ["Tally"]

_MAX_DECISIONS: Final = 50
_DECISIONS: Final = frozenset(
    {"BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "BYTES"}
)


@dataclass(slots=True)
class _Count:
    requests: int = 0
    rows: int = 0
    errors: int = 0
    decisions: Counter[str] = field(default_factory=Counter)

    def add(self, other: _Count) -> None:
        self.requests += other.requests
        self.rows += other.rows
        self.errors += other.errors
        self.decisions.update(other.decisions)


class Tally:
    """Counts in memory and hands them to the audit log; what could not be handed over is kept for the next time."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._lock = threading.Lock()
        self._counts: dict[str, _Count] = {}
        self._total = 0

    @property
    def total(self) -> int:
        """Requests answered since the start."""
        return self._total

    def count(self, digest: str, rows: int, outputs: Sequence[Mapping[str, Any]], decisions: Collection[str]) -> None:
        """One request's `outputs`; those named in `decisions` are counted by value."""
        one = _Count(requests=1, rows=rows)
        for output in outputs:
            if output["name"] in decisions and output["datatype"] in _DECISIONS:
                one.decisions.update(f"{output['name']}={str(value)[:64]}" for value in output["data"])
        self._add(digest, one)

    def count_error(self, digest: str) -> None:
        self._add(digest, _Count(requests=1, errors=1))

    def flush(self) -> None:
        """One audit record for each model since the last time. Never raises."""
        with self._lock:
            counts, self._counts = self._counts, {}
        for digest, count in counts.items():
            decisions = dict(sorted(count.decisions.most_common(_MAX_DECISIONS)))
            detail = {"requests": count.requests, "rows": count.rows, "errors": count.errors, "decisions": decisions}
            try:
                self._record("serving.inferences", digest, detail)
            except FalajError:
                self._keep(digest, count)

    def _add(self, digest: str, one: _Count) -> None:
        with self._lock:
            self._total += 1
        self._keep(digest, one)

    def _keep(self, digest: str, count: _Count) -> None:
        with self._lock:
            self._counts.setdefault(digest, _Count()).add(count)
