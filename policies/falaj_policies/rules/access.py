"""Access: who may do what, and how they prove who they are."""

from __future__ import annotations

from typing import Final

from falaj_policies.model import Rule
from falaj_policies.rules import exposure, identity, ml_apis, rights

__all__ = ["RULES"]

RULES: Final[tuple[Rule, ...]] = (*exposure.RULES, *identity.RULES, *rights.RULES, *ml_apis.RULES)
