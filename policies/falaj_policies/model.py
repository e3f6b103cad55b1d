"""What a rule is: one function from facts to findings, and what an auditor asks about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from falaj_policies.facts import Fact, ModelFact, ResourceFact

__all__ = ["Control", "Finding", "Reference", "Rule", "Severity", "Stage"]


class Severity(StrEnum):
    """How bad it is; every severity of a mandatory rule denies, the order is for reading."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class Stage(StrEnum):
    """Where a rule is applied."""

    PULL_REQUEST = "pull-request"
    PROVISION = "provision"
    DEPLOY = "deploy"
    RUNTIME = "runtime"


@dataclass(frozen=True, slots=True)
class Reference:
    """A clause of a framework. `verified` is False where nobody has compared it with the framework's text."""

    framework: str
    clause: str
    verified: bool

    def __str__(self) -> str:
        return f"{self.framework} {self.clause}{'' if self.verified else '?'}"


@dataclass(frozen=True, slots=True)
class Control:
    """One line of the control table, whether or not a rule enforces it yet."""

    id: str
    title: str
    area: str
    stages: tuple[Stage, ...]
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule objects to.

    `undecided` marks a value that is not known yet (a preview): it neither passes nor denies, until the stage is one
    where everything must be known, where it denies.
    """

    rule: str
    subject: str
    message: str
    severity: Severity
    remedy: str
    path: str = ""
    undecided: bool = False

    def __str__(self) -> str:
        at = f" at {self.path}" if self.path else ""
        return f"{self.rule} {self.subject}{at}: {self.message} ({self.remedy})"


@dataclass(frozen=True, slots=True)
class Objection:
    """What a check yields; the rule adds its metadata and makes a Finding of it."""

    message: str
    path: str = ""
    undecided: bool = False


ResourceCheck = Callable[[ResourceFact], Iterator[Objection]]
ModelCheck = Callable[[ModelFact], Iterator[Objection]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A control made executable.

    `applies_to` is the fact type that `check` takes. `cel` is the same rule as a Kubernetes ValidatingAdmissionPolicy
    expression over a pod's spec (variable `spec`), where one can be written.
    """

    id: str
    title: str
    rationale: str
    severity: Severity
    remedy: str
    stages: frozenset[Stage]
    applies_to: type[Fact]
    check: ResourceCheck | ModelCheck
    references: tuple[Reference, ...] = ()
    cel: str | None = None
