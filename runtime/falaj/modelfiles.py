"""A model is a directory of files; its digest is the SHA-256 of its canonical list of (name, size, SHA-256).

Names are relative POSIX paths. The list is the JSON array of `[name, size, hex digest]` sorted by name in canonical
form, so that anyone can recompute it with nothing but a JSON writer and SHA-256.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from falaj.canonical import digest_of
from falaj.errors import UsageError

__all__ = [
    "MAX_FILES",
    "MAX_FILE_BYTES",
    "MAX_MODEL_BYTES",
    "ModelFile",
    "digest_of_files",
    "model_digest",
    "read_model",
]

MAX_FILES = 1000
MAX_FILE_BYTES = 2 * 1024**3
MAX_MODEL_BYTES = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file: its name in the model, bytes, hex SHA-256, the format its content has, and where it lies."""

    name: str
    size: int
    sha256: str
    format: str
    path: Path


def model_digest(files: Iterable[tuple[str, int, str]]) -> str:
    """`sha256:<hex>` of a model given as (name, size in bytes, hex SHA-256), in any order."""
    return digest_of(sorted([name, size, sha256] for name, size, sha256 in files))


def digest_of_files(files: Iterable[ModelFile]) -> str:
    """`model_digest` of files that were read."""
    return model_digest((file.name, file.size, file.sha256) for file in files)


def read_model(directory: Path) -> tuple[ModelFile, ...]:
    """Every file below `directory`, sorted by name, read through once.

    Raises UsageError: no such directory, no file in it, a link or device in it, more or larger than the limits.
    """
    from falaj_policies import sniff

    if not directory.is_dir():
        raise UsageError(f"there is no model directory {directory}")
    files: list[ModelFile] = []
    total = 0
    for path in sorted(_walk(directory)):
        content = _map(path)
        total += len(content)
        if len(files) >= MAX_FILES or total > MAX_MODEL_BYTES:
            raise UsageError(f"the model in {directory} has more than {MAX_FILES} files or {MAX_MODEL_BYTES >> 30} GiB")
        name = path.relative_to(directory).as_posix()
        sha256 = hashlib.sha256(content).hexdigest()
        files.append(ModelFile(name, len(content), sha256, str(sniff(name, content)), path))
    if not files:
        raise UsageError(f"the model directory {directory} is empty")
    return tuple(sorted(files, key=lambda file: file.name))


def _walk(directory: Path) -> Iterable[Path]:
    for root, folders, names in os.walk(directory, followlinks=False):
        for folder in folders:
            if os.path.islink(os.path.join(root, folder)):
                raise UsageError(f"{os.path.join(root, folder)} is a link: a model holds plain files only")
        for name in names:
            yield Path(root, name)


def _map(path: Path) -> memoryview:
    """The file's bytes as the system pages them in, not as a copy in memory."""
    # O_NOFOLLOW and the check on the open descriptor: nothing can be swapped between looking and reading.
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise UsageError(f"{path} cannot be read as a plain file: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path} is not a plain file")
        if status.st_size > MAX_FILE_BYTES:
            raise UsageError(f"{path} has more than {MAX_FILE_BYTES >> 30} GiB")
        if status.st_size == 0:
            return memoryview(b"")
        try:
            return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from None
