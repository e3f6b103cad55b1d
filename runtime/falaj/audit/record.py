"""Audit records and the chain that binds them.

A record is one line of canonical JSON. `digest` is the SHA-256 of the canonical form of its other keys, one
of which, `previous`, is the digest of the record before (GENESIS for the first): to alter, drop or move a record is to
break every record after it. What only a witness outside can show is a tail cut off: keep `Verdict.head`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from falaj.canonical import canonical, digest_of
from falaj.errors import AuditLogError

__all__ = ["GENESIS", "MAX_RECORD_BYTES", "Entry", "Record", "Verdict", "chain", "verify"]

GENESIS: Final = "sha256:" + "0" * 64
VERSION: Final = 1
MAX_RECORD_BYTES: Final = 16 * 1024
_KEYS: Final = frozenset(
    {"version", "sequence", "time", "id", "actor", "action", "subject", "detail", "previous", "digest"}
)
_ACTION = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*){1,3}")
_ID = re.compile(r"[0-9a-f]{32}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass(frozen=True, slots=True)
class Entry:
    """What a caller asks to have recorded: an action (`model.signed`), what it was done to (a digest, a name), and
    details.

    `id` (32 hex digits) is the caller's: the same entry sent again is recorded once. `detail` has a canonical form (no
    fractions) and no personal data: refer to payloads by digest.
    """

    id: str
    action: str
    subject: str
    detail: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: object) -> Entry:
        """The entry in decoded JSON. Raises AuditLogError, naming what is wrong."""
        if not isinstance(data, dict) or not set(data) <= {"id", "action", "subject", "detail"}:
            raise AuditLogError("an entry is a JSON object with id, action, subject and detail")
        identifier, action, subject = data.get("id"), data.get("action"), data.get("subject", "")
        detail = data.get("detail", {})
        if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
            raise AuditLogError("id must be 32 lower-case hex digits")
        if not isinstance(action, str) or len(action) > 64 or not _ACTION.fullmatch(action):
            raise AuditLogError("action must look like model.signed")
        if not isinstance(subject, str) or len(subject) > 512:
            raise AuditLogError("subject must be a string of at most 512 characters")
        if not isinstance(detail, dict):
            raise AuditLogError("detail must be an object")
        try:
            if len(canonical([subject, detail])) > MAX_RECORD_BYTES - 2048:
                raise AuditLogError(
                    f"an entry has at most {MAX_RECORD_BYTES - 2048} bytes: refer to payloads by digest"
                )
        except (ValueError, TypeError, RecursionError) as error:
            raise AuditLogError(f"detail has no canonical form: {error}") from None
        return cls(identifier, action, subject, detail)


@dataclass(frozen=True, slots=True)
class Record:
    """An entry in its place: `actor` is who the API server says the caller was, `time` the writer's, in UTC."""

    sequence: int
    time: str
    actor: str
    entry: Entry
    previous: str
    digest: str

    @classmethod
    def make(cls, *, sequence: int, time: str, actor: str, entry: Entry, previous: str) -> Record:
        return cls(sequence, time, actor, entry, previous, digest_of(_body(sequence, time, actor, entry, previous)))

    @property
    def data(self) -> dict[str, Any]:
        body = _body(self.sequence, self.time, self.actor, self.entry, self.previous)
        return body | {"digest": self.digest}

    @property
    def line(self) -> bytes:
        """The record as it is stored, without the newline."""
        return canonical(self.data)

    @classmethod
    def parse(cls, line: bytes) -> Record:
        """The record in a stored line. Raises AuditLogError: malformed, not canonical, or its digest does not fit."""
        try:
            data = json.loads(line)
            if not isinstance(data, dict) or set(data) != _KEYS or data["version"] != VERSION:
                raise AuditLogError("not an audit record of version 1")
            entry = Entry.parse({key: data[key] for key in ("id", "action", "subject", "detail")})
            sequence, time, actor, previous = (data[key] for key in ("sequence", "time", "actor", "previous"))
            if type(sequence) is not int or not isinstance(time, str) or not _TIME.fullmatch(time):
                raise AuditLogError("a record has a number and a time in UTC")
            if not isinstance(actor, str) or not isinstance(previous, str):
                raise AuditLogError("a record has an actor and the digest of the record before")
            record = cls.make(sequence=sequence, time=time, actor=actor, entry=entry, previous=previous)
            if record.digest != data["digest"]:
                raise AuditLogError("its digest does not fit its content: it was altered")
            if record.line != line:
                raise AuditLogError("it is not in canonical form")
        except (ValueError, TypeError, RecursionError) as error:
            raise AuditLogError(f"it cannot be read ({type(error).__name__})") from None
        return record


def _body(sequence: int, time: str, actor: str, entry: Entry, previous: str) -> dict[str, Any]:
    return {
        "version": VERSION,
        "sequence": sequence,
        "time": time,
        "id": entry.id,
        "actor": actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": entry.detail,
        "previous": previous,
    }


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of verifying a log: how many records hold, the last one's digest, what is wrong if anything."""

    records: int
    head: str
    problem: str = ""

    @property
    def ok(self) -> bool:
        return not self.problem


def chain(record: Record, after: Record | None) -> None:
    """Raises AuditLogError unless `record` may follow `after` (None: may be the first)."""
    sequence, previous = (after.sequence + 1, after.digest) if after else (0, GENESIS)
    if record.sequence != sequence:
        raise AuditLogError(f"it has number {record.sequence} where {sequence} belongs: records are missing or moved")
    if record.previous != previous:
        raise AuditLogError("it does not follow the record before: one of the two was altered or replaced")
    if after is not None and datetime.fromisoformat(record.time) < datetime.fromisoformat(after.time):
        raise AuditLogError("it is older than the record before")


def verify(lines: Iterable[bytes], expected_head: str | None = None) -> Verdict:
    """Checks stored lines (without newlines) from the first record on.

    `expected_head`, the digest of a record seen earlier, must be among them: that is how a tail cut off is noticed.
    """
    last: Record | None = None
    seen = expected_head in (None, GENESIS)
    count = 0
    for line in lines:
        try:
            record = Record.parse(line)
            chain(record, last)
        except AuditLogError as error:
            return Verdict(count, last.digest if last else GENESIS, f"record {count}: {error}")
        last, count = record, count + 1
        seen = seen or record.digest == expected_head
    head = last.digest if last else GENESIS
    if not seen:
        return Verdict(count, head, f"the record {expected_head} seen earlier is not in the log: its end was cut off")
    return Verdict(count, head)
