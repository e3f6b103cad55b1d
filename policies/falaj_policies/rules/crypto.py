"""Crypto: data at rest and in flight, and the keys to it."""

from __future__ import annotations

from falaj_policies.model import Rule

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = ()
