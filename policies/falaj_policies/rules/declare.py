"""How a family declares its rules: metadata beside the function, title and clauses from the control table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from falaj_policies.catalogue import CONTROLS
from falaj_policies.facts import Fact, ModelFact, ResourceFact
from falaj_policies.model import Admission, Check, Objection, Rule, Severity, Stage

__all__ = ["DECLARED", "LOADED", "by_kind", "rule"]

DECLARED: Final = frozenset({Stage.PULL_REQUEST, Stage.PROVISION})
LOADED: Final = frozenset({Stage.DEPLOY, Stage.RUNTIME})


def by_kind(checks: Mapping[str, Check]) -> Check:
    """One check out of one for each resource kind."""

    def check(resource: ResourceFact) -> Iterator[Objection]:
        yield from checks[resource.kind](resource)

    return check


def rule(
    control: str,
    *,
    rationale: str,
    severity: Severity,
    remedy: str,
    check: Check | Mapping[str, Check],
    applies_to: type[Fact] = ResourceFact,
    kinds: Iterable[str] | None = None,
    stages: frozenset[Stage] | None = None,
    admission: tuple[Admission, ...] = (),
) -> Rule:
    """A rule for `control`. A mapping as `check` is from resource kinds to checks and says the `kinds` itself."""
    if isinstance(check, Mapping):
        kinds, check = check.keys(), by_kind(check)
    return Rule(
        id=control,
        title=CONTROLS[control].title,
        rationale=rationale,
        severity=severity,
        remedy=remedy,
        stages=stages or (LOADED if applies_to is ModelFact else DECLARED),
        applies_to=applies_to,
        check=check,
        references=CONTROLS[control].references,
        kinds=None if kinds is None else frozenset(kinds),
        admission=admission,
    )
