"""Change: development, test and production stay apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from falaj_policies.facts import ResourceFact, StackFact
from falaj_policies.model import Objection, Severity
from falaj_policies.rules.declare import rule
from falaj_policies.rules.reading import get

__all__ = ["RULES"]

_KEYS: Final = frozenset({"environment", "env", "stage", "app.kubernetes.io/environment"})
_ENVIRONMENTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("prod", "production", "prd", "live"), "production"),
    **dict.fromkeys(("dev", "development", "sandbox"), "development"),
    **dict.fromkeys(("test", "testing", "qa", "staging", "stage", "uat", "acceptance"), "test"),
}


def environments_apart(stack: StackFact) -> Iterator[Objection]:
    """No stack holds production and something else: who may change the one may not therefore change the other.

    Judged by what the resources say of themselves (tags, labels); what says nothing is not guessed.
    """
    said = {resource.urn: environment for resource in stack.resources if (environment := _environment(resource))}
    if "production" in said.values():
        for urn, environment in said.items():
            if environment != "production":
                yield Objection(f"is {environment} in a stack that holds production", subject=urn)


def _environment(resource: ResourceFact) -> str:
    for marks in (get(resource.inputs, "tags"), get(resource.inputs, "metadata", "labels")):
        for key, value in marks.items() if isinstance(marks, Mapping) else ():
            if str(key).lower() in _KEYS and isinstance(value, str) and value.lower() in _ENVIRONMENTS:
                return _ENVIRONMENTS[value.lower()]
    return ""


RULES = (
    rule(
        "CHG-02",
        rationale="Whoever may try things in a stack may change all of it.",
        severity=Severity.HIGH,
        remedy="give each environment a stack of its own",
        check=environments_apart,
        applies_to=StackFact,
    ),
)
