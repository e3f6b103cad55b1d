"""Writing and reading the audit log over HTTP, through the API server's door or inside the cluster."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

from falaj.audit.record import Entry
from falaj.errors import AuditLogError, ServiceError
from falaj.http import Http

__all__ = ["AuditClient"]

# Long enough for the service's pod to be replaced.
_PATIENCE_SECONDS = 25.0
_NAP_SECONDS = 0.2
_LONGEST_NAP_SECONDS = 2.0


class AuditClient:
    """`http` must carry the caller's own token for the audience `falaj-audit` in `X-Falaj-Token`."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def append(self, action: str, subject: str, detail: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The record of what was done. Tried again while the service does not answer: the id keeps it one record.

        Raises AuditLogError: a malformed entry; ServiceError: it could not be recorded.
        """
        entry = Entry.parse(
            {"id": secrets.token_hex(16), "action": action, "subject": subject, "detail": dict(detail or {})}
        )
        body = {"id": entry.id, "action": entry.action, "subject": entry.subject, "detail": dict(entry.detail)}
        until, nap = time.monotonic() + _PATIENCE_SECONDS, _NAP_SECONDS
        while True:
            try:
                return dict(self._http.json("POST", "v1/records", body))
            except ServiceError as error:
                if 0 < error.status < 500 or time.monotonic() + nap > until:
                    raise
            time.sleep(nap)
            nap = min(nap * 2, _LONGEST_NAP_SECONDS)

    def lines(self, after: int = -1) -> Iterator[bytes]:
        """Stored lines of the records above number `after`, all of them."""
        while True:
            content = self._http.request("GET", "v1/records", query={"after": str(after)})
            lines = content.splitlines()
            if not lines:
                return
            yield from lines
            after += len(lines)

    def head(self) -> tuple[int, str]:
        """(how many records, the last one's digest)."""
        answer = self._http.json("GET", "v1/head")
        try:
            return int(answer["records"]), str(answer["head"])
        except (TypeError, KeyError, ValueError):
            raise AuditLogError("the audit service did not say where its log ends") from None
