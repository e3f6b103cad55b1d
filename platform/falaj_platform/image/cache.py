"""Layers kept by the hash of what they are made from, so that a second build, in any checkout, makes nothing."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from falaj_platform.errors import SpaceError
from falaj_platform.image.lockfile import DebianPackage, Wheel
from falaj_platform.image.tarball import Blob

_KEPT = 3
_NEEDED = 5 * 1024**3


class LayerRecord(BaseModel):
    """What is known of a cached layer: its blob, and what really went into it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str
    size: int
    debian: tuple[DebianPackage, ...] = ()
    wheels: tuple[Wheel, ...] = ()
    substitutes: tuple[tuple[str, str, str], ...] = ()

    @property
    def blob(self) -> Blob:
        return Blob(self.digest, self.size)


class Cache:
    """The image cache: `debs/` by SHA-256, `layers/` by key, `work/` for what is being made. One build at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.debs, self.layers, self._work = root / "debs", root / "layers", root / "work"

    @contextmanager
    def locked(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the cache for one build; `waiting` is called first if another holds it. Raises SpaceError."""
        for folder in (self.debs, self.layers):
            folder.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
            # What a killed build left behind.
            shutil.rmtree(self._work, ignore_errors=True)
            try:
                yield
            finally:
                shutil.rmtree(self._work, ignore_errors=True)

    def room(self) -> None:
        """Raise SpaceError unless there is room for a whole build."""
        free = shutil.disk_usage(self.root).free
        if free < _NEEDED:
            raise SpaceError(
                f"{self.root}: {free / 1e9:.1f} GB free, the image needs {_NEEDED / 1e9:.1f} GB; "
                "free some, or set XDG_CACHE_HOME to a larger disk"
            )

    def work(self, name: str) -> Path:
        """A new empty folder that is gone after the build."""
        folder = self._work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def tar(self, key: str) -> Path:
        return self.layers / f"{key}.tar"

    def record(self, key: str) -> LayerRecord | None:
        """The cached layer of this key, or None."""
        try:
            found = LayerRecord.model_validate_json((self.layers / f"{key}.json").read_bytes())
            if self.tar(key).stat().st_size != found.size:
                return None
        except (OSError, ValidationError):
            return None
        os.utime(self.tar(key))
        return found

    def keep(self, key: str, record: LayerRecord, draft: Path) -> None:
        """Put a finished, flushed tar under its key; the record last, so that there is none without its tar."""
        draft.replace(self.tar(key))
        note = draft.with_suffix(".json")
        note.write_text(record.model_dump_json(), encoding="utf-8")
        note.replace(self.layers / f"{key}.json")

    def prune(self, kinds: Iterable[str]) -> None:
        """Of each kind of layer remove all but those used last."""
        for kind in kinds:
            tars = sorted(self.layers.glob(f"{kind}-*.tar"), key=lambda path: path.stat().st_mtime, reverse=True)
            for path in tars[_KEPT:]:
                path.with_suffix(".json").unlink(missing_ok=True)
                path.unlink()


def cache_root() -> Path:
    """Where images' parts are kept for every checkout of this user."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "falaj" / "image"


def digest_of(paths: Iterable[Path], base: Path) -> str:
    """One SHA-256 (hexadecimal) over files' names, relative to `base`, and contents."""
    total = hashlib.sha256()
    for path in sorted(paths):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{content}  {path.relative_to(base).as_posix()}\n".encode())
    return total.hexdigest()
