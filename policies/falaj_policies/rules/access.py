"""Access: who may do what, and how they prove who they are."""

from __future__ import annotations

from collections.abc import Iterator

from falaj_policies.facts import UNKNOWN, ResourceFact
from falaj_policies.model import Objection, Severity
from falaj_policies.rules.declare import rule
from falaj_policies.rules.reading import items

__all__ = ["RULES"]


def no_wildcards(resource: ResourceFact) -> Iterator[Objection]:
    """No Role grants everything of a kind; a wildcard there outlives every review of what it meant."""
    rules = resource.inputs.get("rules")
    if rules is UNKNOWN:
        yield Objection("the rights are not known yet", path="rules", undecided=True)
    for index, right in enumerate(rules if isinstance(rules, list | tuple) else ()):
        for key in ("apiGroups", "resources", "verbs", "nonResourceURLs"):
            values = [value for _, value in items(right, key, "rules")]
            if any(isinstance(value, str) and "*" in value for value in values):
                yield Objection("a wildcard in a role", path=f"rules[{index}].{key}")
            elif UNKNOWN in values:
                yield Objection("the rights are not known yet", path=f"rules[{index}].{key}", undecided=True)


RULES = (
    rule(
        "IAM-03",
        rationale="A wildcard grants what did not exist when it was reviewed.",
        severity=Severity.HIGH,
        remedy="name the groups, resources and verbs",
        check={"kubernetes:rbac:Role": no_wildcards, "kubernetes:rbac:ClusterRole": no_wildcards},
    ),
)
