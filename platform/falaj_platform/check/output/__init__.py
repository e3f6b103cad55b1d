"""A result as text: a table for people, JSON, SARIF and JUnit XML for machines."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from falaj_platform.check.result import CheckResult
from falaj_platform.errors import CheckError

__all__ = ["render", "write"]


def render(result: CheckResult, form: str, *, colour: bool = False) -> str:
    """The result in one of the forms `table`, `json`, `sarif` and `junit`, with a newline at its end."""
    # Each form loads what it needs only: rich is slower than a whole check of the others.
    if form == "json":
        from falaj_platform.check.output.machine import to_json

        return to_json(result)
    if form == "sarif":
        from falaj_platform.check.output.sarif import to_sarif

        return to_sarif(result)
    if form == "junit":
        from falaj_platform.check.output.junit import to_junit

        return to_junit(result)
    from falaj_platform.check.output.table import to_table

    # A name out of a program may hold half of a surrogate pair, which no terminal takes.
    return to_table(result, colour=colour).encode("utf-8", "replace").decode("utf-8")


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all; a device or pipe as it is. Raises CheckError: it cannot be written."""
    temporary: Path | None = None
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except (OSError, ValueError) as error:
        if temporary is not None:
            with suppress(OSError, ValueError):
                temporary.unlink()
        raise CheckError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from None
