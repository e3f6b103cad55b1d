"""A case: what a rule accepts, and the same with one thing broken, which that rule and no other refuses."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass

from falaj_policies.facts import Fact

__all__ = ["Case", "own_cases"]


@dataclass(frozen=True, slots=True)
class Case:
    """`rule` objects to `bad` and to nothing in `good`; `what` says in words what is broken."""

    rule: str
    what: str
    good: Fact
    bad: Fact

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


def own_cases() -> tuple[Case, ...]:
    """The cases of all of Falaj's own rules."""
    from falaj_policies.testing import cases as families

    modules = (
        importlib.import_module(f"{families.__name__}.{item.name}") for item in pkgutil.iter_modules(families.__path__)
    )
    return tuple(case for module in modules for case in module.CASES)
