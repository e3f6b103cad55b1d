"""A company's own rules, from its own packages: entry points of the group `falaj.rules`.

    [project.entry-points."falaj.rules"]
    acme = "acme_rules:RULES"

The value is a sequence of `falaj_policies.Rule`. Their ids are the company's own, never those of the control table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Final

from falaj_policies.catalogue import CONTROLS
from falaj_policies.errors import RulePackageError
from falaj_policies.model import Rule

__all__ = ["GROUP", "RulePackage", "extensions"]

GROUP: Final = "falaj.rules"
_ID = re.compile(r"[A-Z][A-Z0-9]{1,9}-[0-9]{2,3}")


@dataclass(frozen=True, slots=True)
class RulePackage:
    """An installed distribution with rules: its name, its version, what it declares."""

    name: str
    version: str
    rules: tuple[Rule, ...]


@cache
def extensions() -> tuple[RulePackage, ...]:
    """The installed rule packages, by name. Raises RulePackageError: one cannot be used, so nothing can be judged."""
    found = [_load(point) for point in metadata.entry_points(group=GROUP)]
    return tuple(sorted(found, key=lambda package: package.name))


def _load(point: metadata.EntryPoint) -> RulePackage:
    name = point.dist.name if point.dist is not None else point.name
    try:
        declared = tuple(point.load())
    except Exception as error:  # noqa: BLE001 - whatever a package raises, its rules are not there
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        raise RulePackageError(f"the rule package {name} cannot be loaded ({why}): repair it or uninstall it") from None
    for rule in declared:
        if not isinstance(rule, Rule):
            raise RulePackageError(f"the rule package {name}: {point.value} holds something that is not a Rule")
        if rule.id in CONTROLS or not _ID.fullmatch(rule.id):
            raise RulePackageError(
                f"the rule package {name}: {rule.id!r} must be an id of its own, such as ACME-01, not a control's"
            )
    return RulePackage(name, point.dist.version if point.dist is not None else "", declared)
