"""What a training job runs on, as one zip: the same files give the same bytes, so its digest says what was trained."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from falaj.errors import UsageError
from falaj.inside import JOB_FILE

__all__ = ["Package", "build"]

MAX_BYTES: Final = 100 * 1024 * 1024
_LEFT_OUT: Final = frozenset(
    {".git", ".hg", ".venv", "venv", "__pycache__", ".falaj", "node_modules", ".mypy_cache", ".ipynb_checkpoints"}
)
_DATA: Final = "falaj-data"


@dataclass(frozen=True, slots=True)
class Package:
    """`script` is the entry point's path in the zip; `data` maps each data file's name to its hex SHA-256."""

    content: bytes = field(repr=False)
    script: str
    data: Mapping[str, str]

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def build(
    script: str | Path, *, data: Sequence[str | Path], working_dir: str | Path | None, params: Mapping[str, Any]
) -> Package:
    """Raises UsageError: a file that is not there, two data files of one name, params that are not JSON, too much."""
    files: dict[str, bytes] = {}
    entry = Path(script)
    if working_dir is None:
        files[entry.name] = _read(entry)
        name = entry.name
    else:
        root = Path(working_dir)
        if not root.is_dir():
            raise UsageError(f"there is no working directory {root}")
        for path in _walk(root):
            files[path.relative_to(root).as_posix()] = _read(path)
        name = (entry.relative_to(root) if entry.is_absolute() or entry.is_relative_to(root) else entry).as_posix()
        if name not in files:
            raise UsageError(f"the script {name} is not in {root}")
    digests: dict[str, str] = {}
    for source in map(Path, data):
        if source.name in digests:
            raise UsageError(f"two data files are called {source.name}")
        content = _read(source)
        files[f"{_DATA}/{source.name}"] = content
        digests[source.name] = hashlib.sha256(content).hexdigest()
    try:
        description = {"params": dict(params), "data": [f"{_DATA}/{name}" for name in digests]}
        files[JOB_FILE] = json.dumps(description, sort_keys=True, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"params must be plain JSON values: {error}") from None
    total = sum(map(len, files.values()))
    if total > MAX_BYTES:
        raise UsageError(f"script and data are {total >> 20} MiB; a job takes at most {MAX_BYTES >> 20} MiB")
    return Package(content=_zip(files), script=name, data=digests)


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(item for item in folders if item not in _LEFT_OUT)
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and not name.endswith(".pyc"):
                yield path


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path} has more than {MAX_BYTES >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, files[name], compresslevel=6)
    return buffer.getvalue()
