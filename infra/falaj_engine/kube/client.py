"""A small Kubernetes client: JSON over pooled connections, one error type, REST paths by discovery."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

from falaj_engine.errors import ClusterError, StepError
from falaj_engine.kube.config import Cluster
from falaj_engine.values import open_json

Object = dict[str, Any]

_CONNECTIONS = 12
_RETRIES = 5


class ApiError(StepError):
    """The API server's refusal.

    status: HTTP code; reason: Kubernetes' (NotFound, AlreadyExists, Conflict, Invalid, Forbidden, ...).
    """

    def __init__(self, status: int, reason: str, message: str, details: Mapping[str, Any]) -> None:
        super().__init__(message or f"{reason} ({status})")
        self.status = status
        self.reason = reason
        self.details = details


@dataclass(frozen=True, slots=True)
class Rest:
    """Where a kind is served."""

    prefix: str
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str = "") -> str:
        """The URL path of a collection, or of an object in it."""
        parts = [self.prefix]
        if self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        return "/".join(parts)


class Client:
    """Talks to one API server; safe for many threads."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        extra: dict[str, Any] = {}
        if cluster.server_name:
            extra = {"server_hostname": cluster.server_name, "assert_hostname": cluster.server_name}
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=_CONNECTIONS,
            block=True,
            retries=False,
            headers={"User-Agent": "falaj", "Accept": "application/json", **cluster.headers},
            timeout=urllib3.Timeout(connect=10, read=90),
            ssl_context=cluster.tls,
            **extra,
        )
        self._lock = threading.Lock()
        self._groups: dict[str, dict[str, Rest]] = {}

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """One call.

        Raises ApiError, ClusterError when the server cannot be reached, StepError (uncertain) when the answer is lost.
        """
        url = f"{self.cluster.server}{path}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else open_json(body).encode()
        headers = {**self._pool.headers, "Content-Type": content_type} if data is not None else None
        for attempt in range(_RETRIES):
            last = attempt == _RETRIES - 1
            try:
                response = self._pool.request(method, url, body=data, headers=headers)
            except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
                # Nothing was sent.
                if last:
                    raise ClusterError(f"{self.cluster.server} does not answer: {_cause(error)}") from None
                time.sleep(0.2 * 2**attempt)
                continue
            except urllib3.exceptions.HTTPError as error:
                if isinstance(error, urllib3.exceptions.SSLError):
                    raise ClusterError(f"{self.cluster.server}: TLS failed: {_cause(error)}") from None
                if method == "GET" and not last:
                    time.sleep(0.2 * 2**attempt)
                    continue
                raise StepError(f"{method} {path}: the connection was lost: {_cause(error)}", uncertain=True) from None
            if response.status == 429 and not last:
                time.sleep(float(response.headers.get("Retry-After") or 1))
                continue
            if 200 <= response.status < 300:
                return json.loads(response.data) if response.data else {}
            raise _refusal(response)
        raise AssertionError("unreachable")

    def rest(self, api_version: str, kind: str) -> Rest:
        """Where the kind is served. Raises ApiError (NotFound) for one the server does not have."""
        with self._lock:
            found = self._groups.get(api_version, {}).get(kind)
            if found is None:
                self._groups[api_version] = self._discover(api_version)
                found = self._groups[api_version].get(kind)
        if found is None:
            raise ApiError(404, "NotFound", f"the server has no kind {kind!r} in {api_version!r}", {"kind": "kinds"})
        return found

    def _discover(self, api_version: str) -> dict[str, Rest]:
        prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        try:
            listing = self.request("GET", prefix)
        except ApiError as error:
            if error.status == 404:
                return {}
            raise
        return {
            entry["kind"]: Rest(prefix, entry["name"], bool(entry["namespaced"]))
            for entry in listing.get("resources", ())
            if "/" not in entry["name"]
        }


def _refusal(response: urllib3.BaseHTTPResponse) -> ApiError:
    try:
        status = json.loads(response.data)
        if status.get("kind") == "Status":
            return ApiError(
                response.status,
                status.get("reason") or "Unknown",
                status.get("message") or "",
                status.get("details") or {},
            )
    except (ValueError, AttributeError):
        pass
    text = response.data.decode(errors="replace").strip()[:200]
    return ApiError(response.status, response.reason or "Unknown", text, {})


def _cause(error: BaseException) -> str:
    while isinstance(inner := getattr(error, "reason", None), BaseException):
        error = inner
    text = str(error)
    return text.rsplit(": ", 1)[-1] if "object at 0x" in text else text
