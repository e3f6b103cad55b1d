"""`falaj login` and `falaj audit`: what a tenant's people type besides Python."""

from __future__ import annotations

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the runtime's commands; nothing else is imported until one runs."""
