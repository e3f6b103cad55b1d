"""Pulumi's file backend: `.pulumi/stacks/<project>/<stack>.json` with its backups and locks.

A checkpoint is written to a temporary file, flushed to disk and renamed, so a reader never sees half of one.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from falaj_engine.errors import LockedError, StackNotFoundError, StateError

_BACKUPS_KEPT = 20
# Marks this engine's locks; the Pulumi CLI reads past it.
_ENGINE = "falaj"


@dataclass(frozen=True, slots=True)
class Store:
    """The stacks of one project under one backend directory."""

    root: Path
    project: str

    @property
    def _pulumi(self) -> Path:
        return self.root / ".pulumi"

    def path(self, stack: str) -> Path:
        """Where the stack's checkpoint is."""
        return self._pulumi / "stacks" / self.project / f"{stack}.json"

    def names(self) -> list[str]:
        """The stacks that have a checkpoint, sorted."""
        folder = self._pulumi / "stacks" / self.project
        return sorted(path.stem for path in folder.glob("*.json"))

    def read(self, stack: str) -> dict[str, Any]:
        """The checkpoint document. Raises StackNotFoundError or StateError."""
        path = self.path(stack)
        try:
            document = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise StackNotFoundError(
                f"no stack {stack!r} of project {self.project!r} in {self.root}: "
                f"create it with `falaj stack init -s {stack}`"
            ) from None
        except (OSError, ValueError) as error:
            raise StateError(f"{path}: the state cannot be read: {error}") from None
        if not isinstance(document, dict) or document.get("version") != 3:
            raise StateError(f"{path}: not a version 3 checkpoint; this engine reads only those")
        return document

    def write(self, stack: str, content: bytes) -> None:
        """Replace the checkpoint durably."""
        path = self.path(stack)
        if not path.parent.is_dir():
            self._prepare(path.parent)
        temporary = path.with_suffix(f".json.{os.getpid()}.tmp")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        temporary.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self, stack: str) -> None:
        """Forget the stack."""
        self.path(stack).unlink(missing_ok=True)

    def back_up(self, stack: str) -> None:
        """Keep a copy of the checkpoint as it is now; the oldest copies go."""
        try:
            content = self.path(stack).read_bytes()
        except FileNotFoundError:
            return
        folder = self._pulumi / "backups" / self.project / stack
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp = int(datetime.now(UTC).timestamp() * 1e9)
        copy = folder / f"{stack}.{stamp}.json"
        with os.fdopen(os.open(copy, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(content)
        for old in sorted(folder.glob("*.json"))[:-_BACKUPS_KEPT]:
            old.unlink(missing_ok=True)

    def _prepare(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        meta = self._pulumi / "meta.yaml"
        if not meta.exists():
            meta.write_text("version: 1\n")

    @contextlib.contextmanager
    def lock(self, stack: str, tell: Callable[[str], None]) -> Iterator[None]:
        """Hold the stack, for this engine and for the Pulumi CLI.

        tell: receives one line when a lock left behind is taken over. Raises LockedError.
        """
        folder = self._pulumi / "locks" / "organization" / self.project / stack
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Between processes of this engine the kernel's lock decides and dies with its holder; the JSON file is
        # Pulumi's convention.
        guard = os.open(folder / ".guard", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise LockedError(f"stack {stack!r} is being updated by another process{_owner(folder)}") from None
            for path in folder.glob("*.json"):
                self._take_over(stack, path, tell)
            mine = folder / f"{uuid.uuid4()}.json"
            mine.write_text(json.dumps(_lock_content()))
            try:
                yield
            finally:
                mine.unlink(missing_ok=True)
        finally:
            os.close(guard)

    @staticmethod
    def _take_over(stack: str, path: Path, tell: Callable[[str], None]) -> None:
        try:
            owner = json.loads(path.read_text())
            pid, host, ours = int(owner["pid"]), str(owner["hostname"]), owner.get("engine") == _ENGINE
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise LockedError(
                f"stack {stack!r} has a lock that cannot be read; if nothing is running, remove {path}"
            ) from None
        # One of ours was left behind, whoever has its process id by now: its holder would hold the guard.
        if not ours and (host != socket.gethostname() or _alive(pid)):
            raise LockedError(
                f"stack {stack!r} is locked by process {pid} on {host}; if it is not running there, remove {path}"
            )
        path.unlink(missing_ok=True)
        tell(f"took over the lock of process {pid}, which has ended")


def _lock_content() -> dict[str, Any]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    moment = datetime.now(UTC).isoformat()
    return {
        "pid": os.getpid(),
        "username": user,
        "hostname": socket.gethostname(),
        "timestamp": moment,
        "engine": _ENGINE,
    }


def _owner(folder: Path) -> str:
    for path in folder.glob("*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            return f" (pid {json.loads(path.read_text())['pid']})"
    return ""


def _alive(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
