"""What can go wrong in a stack's program.

StackError          (a pulumi.RunError: the engine prints its one line and no traceback)
└── ConfigError     the stack's configuration is not what it must be
"""

from __future__ import annotations

import pulumi

__all__ = ["ConfigError", "StackError"]


class StackError(pulumi.RunError):
    """The root of the package's exceptions; its text is one line for the user."""


class ConfigError(StackError):
    """A key is unknown, missing or malformed; names the file, the line, the key and the remedy."""
