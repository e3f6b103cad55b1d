"""Good Azure resources, by Pulumi type token: inputs as pulumi-azure-native 3 takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

GOOD: Final[Mapping[str, Mapping[str, Any]]] = {}
