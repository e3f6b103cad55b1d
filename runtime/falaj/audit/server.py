"""The audit service: `python3 -m falaj.audit.server`.

Environment
    FALAJ_NAMESPACE  the tenant's namespace: only its service accounts may write or read (required)
    FALAJ_DATA       folder of the log, on a volume that outlives the pod (default /var/lib/falaj)
    FALAJ_PORT       port to listen on, all addresses (default 8080)
Files
    /var/run/secrets/kubernetes.io/serviceaccount/{token,ca.crt}: its own identity. It needs the ClusterRole
    system:auth-delegator (TokenReview) and nothing else. Runs as any user that may write FALAJ_DATA, with a read-only
    root. One replica, strategy Recreate: a second writer refuses to start.

    POST /v1/records          {id, action, subject, detail} -> the record; the same id again: the same record
    GET  /v1/records?after=N  stored lines of the records above N, at most 1000, as application/x-ndjson
    GET  /v1/head             {records, head}
    GET  /healthz             200 while it can write

The caller's own token comes in `X-Falaj-Token` (the API server's proxy keeps `Authorization` for itself) and is
reviewed by the API server: the actor in a record is known, never claimed. It is a token for the audience `falaj-audit`,
so that nothing that passes through here opens anything else. Reviews are remembered for ten seconds.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final

from falaj.audit import AUDIENCE
from falaj.audit.record import GENESIS, MAX_RECORD_BYTES, Entry
from falaj.audit.store import Store
from falaj.errors import AuditLogError, FalajError
from falaj.httpserver import Answer, HttpProblem, Request, Server
from falaj.kube import Kube, in_cluster

__all__ = ["AuditService", "main"]

_REVIEW_SECONDS: Final = 10.0
_MAX_REVIEWS: Final = 1000


class AuditService:
    """Requests to answers, over a store and the API server that knows the callers."""

    def __init__(self, store: Store, kube: Kube, namespace: str) -> None:
        self._store = store
        self._kube = kube
        self._prefix = f"system:serviceaccount:{namespace}:"
        self._lock = threading.Lock()
        self._reviews: dict[bytes, tuple[float, str]] = {}

    def handle(self, request: Request) -> Answer:
        route = (request.method, request.path)
        if route == ("GET", "/healthz"):
            problem = self._store.problem
            return Answer({"status": problem or "ok"}, 503 if problem else 200)
        actor = self._actor(request.headers.get("x-falaj-token", ""))
        if route == ("POST", "/v1/records"):
            return self._append(actor, request)
        if route == ("GET", "/v1/records"):
            lines = list(self._store.read(_after(request.query.get("after", "-1"))))
            return Answer(None, raw=b"".join(line + b"\n" for line in lines), kind="application/x-ndjson")
        if route == ("GET", "/v1/head"):
            head = self._store.head
            return Answer({"records": head.sequence + 1 if head else 0, "head": head.digest if head else GENESIS})
        raise HttpProblem(404, f"there is no {request.method} {request.path}")

    def _append(self, actor: str, request: Request) -> Answer:
        try:
            entry = Entry.parse(request.json())
        except AuditLogError as error:
            raise HttpProblem(400, str(error)) from None
        try:
            return Answer(self._store.append(actor, entry).data, 201)
        except AuditLogError as error:
            raise HttpProblem(409 if "id stands for" in str(error) else 503, str(error)) from None

    def _actor(self, token: str) -> str:
        """The service account's name behind `token`. Raises HttpProblem 401, 403, or 503 when nobody can say."""
        if not token or len(token) > 16 * 1024:
            raise HttpProblem(401, f"send your own token for {AUDIENCE} in X-Falaj-Token")
        key = hashlib.sha256(token.encode()).digest()
        now = time.monotonic()
        with self._lock:
            until, user = self._reviews.get(key, (0.0, ""))
        if now >= until:
            try:
                reviewed = self._kube.review_token(token, AUDIENCE)
            except FalajError as error:
                raise HttpProblem(503, f"the API server cannot say whose token this is: {error}") from None
            if reviewed is None:
                raise HttpProblem(
                    401, f"the API server does not know this token, or it is not for {AUDIENCE} (expired?)"
                )
            user = reviewed[0]
            with self._lock:
                if len(self._reviews) >= _MAX_REVIEWS:
                    self._reviews.clear()
                self._reviews[key] = (now + _REVIEW_SECONDS, user)
        if not user.startswith(self._prefix):
            raise HttpProblem(403, f"{user} is not of this tenant")
        return user.removeprefix(self._prefix)


def _after(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -2
    if not -1 <= number < 2**53:
        raise HttpProblem(400, "after is the number of a record, or -1")
    return number


def main() -> int:
    """Serves until SIGTERM or SIGINT; 2 when it cannot start, with the reason on stderr."""
    namespace = os.environ.get("FALAJ_NAMESPACE", "")
    if not namespace:
        print("audit: FALAJ_NAMESPACE is not set", file=sys.stderr)
        return 2
    try:
        kube = in_cluster(os.environ)
        store = Store(Path(os.environ.get("FALAJ_DATA", "/var/lib/falaj")))
        service = AuditService(store, kube, namespace)
        port = int(os.environ.get("FALAJ_PORT", "8080"))
        server = Server(service.handle, host="0.0.0.0", port=port, max_body=MAX_RECORD_BYTES)  # noqa: S104 - a pod
    except (FalajError, OSError, ValueError) as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2
    if store.torn is not None:
        print(f"audit: the last line was torn by a crash and set aside in {store.torn}", file=sys.stderr, flush=True)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: threading.Thread(target=server.stop).start())
    print(f"audit: serving {namespace} on port {server.port}", file=sys.stderr, flush=True)
    server.serve()
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
