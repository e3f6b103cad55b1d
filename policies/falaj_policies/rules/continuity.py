"""Continuity: a region can be lost."""

from __future__ import annotations

from falaj_policies.model import Rule

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = ()
