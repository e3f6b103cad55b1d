"""Runs the programs that the build needs; their failures become one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from falaj_platform.errors import ToolError


def find(program: str, remedy: str) -> str:
    """The path of `program`: beside the running Python, else on PATH. Raises ToolError with the remedy."""
    beside = Path(sys.executable).parent / program
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(program)
    if found is None:
        raise ToolError(f"`{program}` is not installed: {remedy}")
    return found


def output(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None, check: bool = True
) -> str:
    """Run a command to its end and return its standard output. `env` is added to the caller's. Raises ToolError."""
    try:
        done = subprocess.run(
            list(command),
            env={**os.environ, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise ToolError(f"`{command[0]}` cannot be run: {error.strerror}") from error
    if check and done.returncode != 0:
        raise ToolError(f"`{Path(command[0]).name} {command[1]}` failed: {reason(done.stderr or done.stdout)}")
    return done.stdout


def reason(text: str) -> str:
    """The line of a program's output that says most about its failure."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if line.lower().startswith(("e:", "error", "× ", "fatal"))]
    return (telling or lines[-1:] or ["no reason given"])[0][:300]
