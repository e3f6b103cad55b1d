"""Paths of findings: where in a resource's inputs something is."""

from __future__ import annotations

import re

__all__ = ["steps"]

_STEP = re.compile(r"'[^']+'|\[\d+\]|[^.\[\]']+")


def steps(path: str) -> list[str | int]:
    """The steps of a path: `spec.containers[0].image`, with names that hold dots in quotes."""
    return [int(part[1:-1]) if part.startswith("[") else part.strip("'") for part in _STEP.findall(path)]
