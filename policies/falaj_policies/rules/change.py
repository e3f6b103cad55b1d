"""Change: development, test and production stay apart, and changes are somebody's."""

from __future__ import annotations

from falaj_policies.model import Rule

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = ()
