"""Where Falaj keeps what it makes on this machine."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["falaj_home", "private_folder", "write_private"]


def falaj_home() -> Path:
    """`$FALAJ_HOME`, else `.falaj` beside the nearest `Pulumi.yaml` upward from here, else `.falaj` here.

    Absolute; need not exist.
    """
    named = os.environ.get("FALAJ_HOME")
    if named:
        return Path(named).absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").is_file():
            return folder / ".falaj"
    return here / ".falaj"


def private_folder(path: Path) -> Path:
    """Makes the folder (and those above it) for its owner only, and returns it."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, content: bytes | str) -> None:
    """Writes a file that only its owner may read: whole or not at all, on disk before it has its name."""
    data = content.encode() if isinstance(content, str) else content
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.fchmod(handle, 0o600)
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    scratch.rename(path)
