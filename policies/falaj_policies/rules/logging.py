"""Logging: what was done is written down, kept, and cannot be unwritten."""

from __future__ import annotations

from falaj_policies.model import Rule

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = ()
