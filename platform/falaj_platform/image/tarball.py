"""Deterministic tar archives: the same tree gives the same bytes, whoever packs it and whenever."""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from falaj_platform.image.contents import EPOCH


@dataclass(frozen=True)
class Blob:
    """Content by its digest: `digest` is `sha256:<hex>`, `size` in bytes."""

    digest: str
    size: int


class HashingWriter:
    """A write-only file that knows the SHA-256 and the size of what went through it."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self._size += len(data)
        return self._raw.write(data)

    def tell(self) -> int:
        return self._size

    @property
    def blob(self) -> Blob:
        return Blob(f"sha256:{self._hash.hexdigest()}", self._size)


def pack(tree: Path, target: Path, special: Mapping[str, tuple[int, int]] | None = None) -> Blob:
    """Write the tree as an uncompressed tar to `target`, flushed to disk; return its digest and size.

    Entries are sorted; times, names, owners (0) and modes (0755 or 0644: the builder's umask must not count) are fixed.
    `special` maps paths inside the tree to (mode, owner). Nothing is set-user-id. Not compressed: a compressor's
    version must not change the digest.
    """
    with target.open("wb") as raw:
        writer = HashingWriter(raw)
        with tarfile.open(fileobj=cast(BinaryIO, writer), mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path, name in _walk(tree):
                _add(archive, path, name, (special or {}).get(name))
        raw.flush()
        os.fsync(raw.fileno())
    return writer.blob


def _walk(tree: Path) -> Iterator[tuple[Path, str]]:
    for entry in sorted(os.scandir(tree), key=lambda item: os.fsencode(item.name)):
        path = Path(entry.path)
        yield path, entry.name
        if entry.is_dir(follow_symlinks=False):
            for child, name in _walk(path):
                yield child, f"{entry.name}/{name}"


def _add(archive: tarfile.TarFile, path: Path, name: str, special: tuple[int, int] | None) -> None:
    info = tarfile.TarInfo(name)
    facts = path.lstat()
    executable = stat.S_ISDIR(facts.st_mode) or facts.st_mode & stat.S_IXUSR
    info.mode, owner = special or (0o755 if executable else 0o644, 0)
    info.mtime, info.uid, info.gid = EPOCH, owner, owner
    if stat.S_ISLNK(facts.st_mode):
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, os.readlink(path), 0o777
        archive.addfile(info)
    elif stat.S_ISDIR(facts.st_mode):
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    else:
        info.size = facts.st_size
        with path.open("rb") as content:
            archive.addfile(info, content)
