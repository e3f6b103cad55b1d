"""What a deployment tells whoever is watching."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Protocol

from falaj_engine.diff import Path
from falaj_engine.state import ResourceState

CHANGING = ("create", "update", "replace", "delete", "refresh", "import")


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One decision about one resource. op: create, update, replace, delete, same, read, refresh, discard, refuse."""

    op: str
    urn: str
    old: ResourceState | None = None
    new: ResourceState | None = None
    paths: tuple[Path, ...] = ()
    replaces: tuple[Path, ...] = ()

    @property
    def hidden(self) -> bool:
        """Default providers are the engine's own bookkeeping."""
        return "::pulumi:providers:" in self.urn and "::default" in self.urn


class Events(Protocol):
    """Called from many threads."""

    def started(self, step: Step) -> None: ...

    def status(self, urn: str, text: str) -> None:
        """Why a step is still running."""

    def finished(self, step: Step, seconds: float) -> None: ...

    def failed(self, step: Step, message: str, seconds: float) -> None: ...

    def message(self, severity: str, text: str, urn: str = "") -> None:
        """A line from the program or the engine. severity: debug, info, warning, error."""


@dataclass
class Record:
    """Events kept for the result, passed on to a watcher.

    Every step of the deployment is in `steps`, in the order of finishing; failed ones also in `failures` with their
    message.
    """

    watcher: Events | None = None
    steps: list[Step] = field(default_factory=list)
    failures: list[tuple[Step, str]] = field(default_factory=list)
    messages: list[tuple[str, str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def started(self, step: Step) -> None:
        if self.watcher is not None and not step.hidden:
            self.watcher.started(step)

    def status(self, urn: str, text: str) -> None:
        if self.watcher is not None:
            self.watcher.status(urn, text)

    def finished(self, step: Step, seconds: float) -> None:
        with self._lock:
            self.steps.append(step)
        if self.watcher is not None and not step.hidden:
            self.watcher.finished(step, seconds)

    def failed(self, step: Step, message: str, seconds: float) -> None:
        with self._lock:
            self.steps.append(step)
            self.failures.append((step, message))
        if self.watcher is not None:
            self.watcher.failed(step, message, seconds)

    def message(self, severity: str, text: str, urn: str = "") -> None:
        if severity == "debug":
            return
        with self._lock:
            self.messages.append((severity, text, urn))
        if self.watcher is not None:
            self.watcher.message(severity, text, urn)

    def counts(self) -> dict[str, int]:
        """How many steps of each kind, default providers apart."""
        counted: dict[str, int] = {}
        failed = {id(step) for step, _ in self.failures}
        for step in self.steps:
            if not step.hidden and id(step) not in failed:
                counted[step.op] = counted.get(step.op, 0) + 1
        return counted


class Timer:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start
