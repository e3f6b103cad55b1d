"""What a deployment asks before it does anything: a judge, whoever made it.

This package knows no rules. `falaj_engine.governed` makes the judge that the commands use.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from falaj_engine.errors import RefusedError
from falaj_engine.events import Record, Step
from falaj_engine.project import Project
from falaj_engine.values import Props

__all__ = ["Gate", "Hearing", "Judge", "Opinion", "Registration", "Scene"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A custom resource as the program registers it, providers included.

    `inputs` and `provider`, the configuration of its provider, hold `falaj_engine.values.UNKNOWN` for what is not
    known and Secret for what is secret. `references` are the URNs that each input was computed from. `position` is
    `project:///PATH#LINE`, empty for code outside the project.
    """

    urn: str
    type: str
    name: str
    inputs: Props
    provider: Props = field(default_factory=dict)
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    position: str = ""


@dataclass(frozen=True, slots=True)
class Opinion:
    """`refused`: why it may not be done, a line each; nothing is where it may. `notes`: a severity and a line each."""

    refused: tuple[str, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()


class Judge(Protocol):
    """Judges what one run of a program registers. Called from many threads. Raises EngineError: it cannot judge."""

    def resource(self, registration: Registration, *, preview: bool) -> Opinion:
        """Whether this resource may be registered."""

    def stack(self, registrations: Sequence[Registration], *, preview: bool) -> Opinion:
        """Whether these, which are all that the program registers, may stand together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is to be judged: a stack of a project.

    `config`: text by full key, secrets opened. `home` has its state, `backend` is the URL of that; `encryption` what
    the secrets in it are under.
    """

    stack: str
    project: Project
    home: Path
    config: Mapping[str, str]
    backend: str = ""
    encryption: str = "passphrase"


Gate = Callable[[Scene], Judge]
"""Makes the judge of one run. Raises EngineError: it cannot, so nothing is run."""


class Hearing:
    """One run before its judge. Methods are called from many threads.

    In a preview the run goes on after a refusal, so that `refusals` has them all; otherwise it ends there.
    """

    def __init__(self, judge: Judge, record: Record, *, preview: bool) -> None:
        self._judge = judge
        self._record = record
        self._preview = preview
        self._lock = threading.Lock()
        self._registrations: list[Registration] = []
        self.refusals: list[RefusedError] = []

    def resource(self, registration: Registration) -> None:
        """Ask about a registration. Raises RefusedError where the run ends with it."""
        with self._lock:
            self._registrations.append(registration)
        self._hear(self._judge.resource(registration, preview=self._preview), registration.urn)

    def stack(self, urn: str) -> None:
        """Ask about all registrations together, when there are no more; `urn` is the stack's. Raises RefusedError."""
        with self._lock:
            registrations = sorted(self._registrations, key=lambda registration: registration.urn)
        self._hear(self._judge.stack(registrations, preview=self._preview), urn)

    def _hear(self, opinion: Opinion, urn: str) -> None:
        for severity, text in opinion.notes:
            self._record.message(severity, text)
        refusals = [RefusedError(line) for line in opinion.refused]
        for refusal in refusals:
            self._record.failed(Step("refuse", urn), str(refusal), 0.0)
        with self._lock:
            self.refusals += refusals
        if refusals and not self._preview:
            raise refusals[0]
