"""What a rule is: one function from facts to findings, and what an auditor asks about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from falaj_policies.facts import Fact

__all__ = ["CRASHED", "Admission", "Control", "Finding", "Objection", "Reference", "Rule", "Severity", "Stage"]


# The remedy of a finding that says a rule could not be applied; such a finding is never waived.
CRASHED: Final = "report this; nothing passes a rule that crashes"


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
    """A clause of a framework. `verified` is False for one from memory; see `catalogue` for what others
    were compared with."""

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
    advisory: bool = False

    @property
    def denies(self) -> bool:
        return not (self.undecided or self.advisory)

    def __str__(self) -> str:
        at = f" at {self.path}" if self.path else ""
        return f"{self.rule} {self.subject}{at}: {self.message} ({self.remedy})"


@dataclass(frozen=True, slots=True)
class Objection:
    """What a check yields; the rule adds its metadata and makes a Finding of it.

    `path` is the input at fault, from the resource's inputs (`spec.containers[0].image`); `subject` another resource
    than the fact's own, by URN, where a whole stack is judged; `remedy` what helps in this very case, instead of the
    rule's.
    """

    message: str
    path: str = ""
    undecided: bool = False
    advisory: bool = False
    subject: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Admission:
    """A rule as the Kubernetes API server enforces it in tenants' namespaces.

    `resources` are plural names of one API group, `expression` is CEL over `object` (and `oldObject`), true where the
    object keeps the rule; `message` is what the refused caller reads after the rule's id. `namespaces` is for the
    namespace objects themselves, which no namespace selector finds.
    """

    resources: tuple[str, ...]
    expression: str
    message: str
    group: str = ""
    version: str = "v1"
    namespaces: bool = False


Check = Callable[[Any], Iterator[Objection]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A control made executable.

    `applies_to` is the fact type that `check` takes; a control may have a rule for each of several. `kinds` are the
    resource kinds (`falaj_policies.facts.kind_of`) that it looks at, None for all. `admission` is the same rule for
    the Kubernetes API server, where one can be written.
    """

    id: str
    title: str
    rationale: str
    severity: Severity
    remedy: str
    stages: frozenset[Stage]
    applies_to: type[Fact]
    check: Check
    references: tuple[Reference, ...] = ()
    kinds: frozenset[str] | None = None
    admission: tuple[Admission, ...] = ()
