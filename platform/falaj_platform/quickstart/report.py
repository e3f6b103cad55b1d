"""What a quickstart did, for machines and for people."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from falaj_site.progress import Progress

__all__ = ["Attempt", "Recorder", "Refusal", "Report", "Step"]


@dataclass(frozen=True)
class Step:
    """One step of the way; `detail` is what it found or changed."""

    name: str
    seconds: float
    ok: bool
    detail: str = ""


@dataclass(frozen=True)
class Refusal:
    """A model that must not serve: what was wrong with it, and what the replica itself answered."""

    case: str
    rule: str
    reason: str


@dataclass(frozen=True)
class Attempt:
    """One tenant's member reaching for another tenant's part, and the answer."""

    where: str
    tried: str
    refused: bool
    answer: str


@dataclass
class Report:
    """Everything a quickstart saw; filled step by step, so that a failure still shows what came before it."""

    steps: list[Step] = field(default_factory=list)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    pods: list[dict[str, Any]] = field(default_factory=list)
    model: dict[str, Any] = field(default_factory=dict)
    prediction: dict[str, Any] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    isolation: list[Attempt] = field(default_factory=list)
    rollback: dict[str, Any] = field(default_factory=dict)
    audit: dict[str, Any] = field(default_factory=dict)
    site: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def ok(self) -> bool:
        return (
            not self.error
            and all(step.ok for step in self.steps)
            and all(attempt.refused for attempt in self.isolation)
        )

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps({"ok": self.ok, **dataclasses.asdict(self)}, default=str)


class Recorder:
    """Times the steps into a report and shows them."""

    def __init__(self, report: Report, progress: Progress) -> None:
        self._report = report
        self._progress = progress

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """One step; what the body appends is its detail. A step that raises is recorded as not ok."""
        detail: list[str] = []
        began = time.monotonic()
        self._progress.started(name)
        ok = False
        try:
            yield detail
            ok = True
        finally:
            seconds = round(time.monotonic() - began, 1)
            self._report.steps.append(Step(name, seconds, ok, "; ".join(detail)))
            if ok:
                self._progress.finished(name)
                for line in detail:
                    self._progress.note(f"  {line}")
