"""The file behind the log: one writer, every record on disk before it is acknowledged.

A crash can leave a last line without its end; such a line was never acknowledged, so it is moved aside into
`torn-<offset>` and the log goes on. Anything else that does not verify stops the writer: it never appends to a broken
log.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from falaj.audit.record import GENESIS, MAX_RECORD_BYTES, Entry, Record, chain
from falaj.errors import AuditLogError

__all__ = ["Store"]

_NAME = "records.jsonl"


def _now() -> datetime:
    return datetime.now(UTC)


class Store:
    """The log in `folder`. Thread-safe. Raises AuditLogError when another writer has it or when it does not verify."""

    def __init__(self, folder: Path, clock: Callable[[], datetime] = _now) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / _NAME
        self.torn: Path | None = None
        self._clock = clock
        self._lock = threading.Lock()
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise AuditLogError(f"another process writes {self.path}") from None
        self._last: Record | None = None
        self._offsets: list[int] = []
        self._by_id: dict[tuple[str, str], int] = {}
        self._size = 0
        self._broken = ""
        try:
            self._load()
            _sync_folder(folder)
        except BaseException:
            os.close(self._descriptor)
            raise

    def close(self) -> None:
        """Lets another writer have the log; nothing is appended after."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1
            self._broken = "the log is closed"

    @property
    def head(self) -> Record | None:
        return self._last

    @property
    def problem(self) -> str:
        """Why nothing more is appended; empty while it is."""
        return self._broken

    def append(self, actor: str, entry: Entry) -> Record:
        """The record of `entry`, on disk. The same (actor, id) again is the record there already is.

        Raises AuditLogError: an id used for something else, a full disk, or a log that an earlier failure left in
        doubt.
        """
        with self._lock:
            if self._broken:
                raise AuditLogError(self._broken)
            known = self._by_id.get((actor, entry.id))
            if known is not None:
                record = self._read_at(known)
                if record.entry != entry:
                    raise AuditLogError("this id stands for another entry already")
                return record
            record = self._next(actor, entry)
            line = record.line + b"\n"
            if len(line) > MAX_RECORD_BYTES:
                raise AuditLogError(f"a record has at most {MAX_RECORD_BYTES} bytes")
            self._write(line)
            self._remember(record, len(line))
            return record

    def read(self, after: int = -1, limit: int = 1000) -> Iterator[bytes]:
        """Stored lines of the records numbered above `after`, at most `limit`, without newlines."""
        with self._lock:
            offsets = self._offsets[after + 1 : after + 1 + limit]
            end = self._offsets[after + 1 + limit] if after + 1 + limit < len(self._offsets) else self._size
        if not offsets:
            return
        content = os.pread(self._descriptor, end - offsets[0], offsets[0])
        yield from content.splitlines()

    def _next(self, actor: str, entry: Entry) -> Record:
        time = self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        last = self._last
        # A clock set back must not break the chain's order: the record then carries the time before it.
        return Record.make(
            sequence=last.sequence + 1 if last else 0,
            time=max(time, last.time) if last else time,
            actor=actor,
            entry=entry,
            previous=last.digest if last else GENESIS,
        )

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._descriptor, line)
            if written != len(line):
                raise OSError("short write")
            os.fsync(self._descriptor)
        except OSError as error:
            # Nothing was acknowledged, so what got through is taken back; if that fails too, no more is written.
            try:
                os.ftruncate(self._descriptor, self._size)
                os.fsync(self._descriptor)
            except OSError:
                self._broken = "an earlier record could not be written; restart the audit service"
            raise AuditLogError(f"the record could not be written: {error.strerror or error}") from None

    def _remember(self, record: Record, length: int) -> None:
        self._by_id[record.actor, record.entry.id] = record.sequence
        self._offsets.append(self._size)
        self._size += length
        self._last = record

    def _read_at(self, sequence: int) -> Record:
        end = self._offsets[sequence + 1] if sequence + 1 < len(self._offsets) else self._size
        start = self._offsets[sequence]
        return Record.parse(os.pread(self._descriptor, end - start, start).rstrip(b"\n"))

    def _load(self) -> None:
        with open(self.path, "rb") as stream:
            for line in stream:
                if not line.endswith(b"\n"):
                    self._set_aside(line)
                    return
                try:
                    record = Record.parse(line[:-1])
                    chain(record, self._last)
                except AuditLogError as error:
                    where = f"{self.path} line {len(self._offsets) + 1}"
                    raise AuditLogError(f"{where}: {error}; the log is evidence: restore it, do not edit it") from None
                self._remember(record, len(line))

    def _set_aside(self, line: bytes) -> None:
        self.torn = self.path.with_name(f"torn-{self._size}")
        with contextlib.suppress(FileExistsError), open(self.torn, "xb") as stream:
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
        os.ftruncate(self._descriptor, self._size)
        os.fsync(self._descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
