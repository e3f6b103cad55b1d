"""Tenancy: what keeps tenants apart on one cluster."""

from __future__ import annotations

from typing import Final

from falaj_policies.model import Rule
from falaj_policies.rules import namespaces, pods

__all__ = ["RULES"]

RULES: Final[tuple[Rule, ...]] = (*namespaces.RULES, *pods.RULES)
