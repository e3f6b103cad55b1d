"""The one HTTP client: a base URL, fixed headers, TLS to a known authority, bounded answers, errors by table."""

from __future__ import annotations

import json
import os
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import urllib3

from falaj.errors import Forbidden, NotFound, NotLoggedIn, ServiceError, TooLarge, Unreachable

__all__ = ["Http", "client_context"]

_MAX_ANSWER = 64 * 1024 * 1024
_TRIES = urllib3.Retry(total=3, connect=3, read=0, status=0, redirect=0, backoff_factor=0.2)


def client_context(ca: str, certificate: tuple[str, str] | None = None) -> ssl.SSLContext:
    """TLS that trusts only `ca` (PEM), with a client certificate and key (PEM) if given."""
    context = ssl.create_default_context(cadata=ca)
    if certificate is not None:
        # ssl loads a key from a file only; it exists just for that.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "client.pem")
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
                stream.write("\n".join(certificate))
            context.load_cert_chain(path)
    return context


class Http:
    """A service at `url`. `what` names it in errors. Thread-safe. `headers` may hold secrets: they are never shown."""

    def __init__(
        self,
        url: str,
        *,
        what: str,
        headers: Mapping[str, str] | None = None,
        ca: str | None = None,
        certificate: tuple[str, str] | None = None,
        timeout: float = 30.0,
    ) -> None:
        self.url = url.rstrip("/")
        self.what = what
        self._headers = dict(headers or {})
        self._timeout = urllib3.Timeout(connect=min(5.0, timeout), read=timeout)
        options: dict[str, Any] = {} if ca is None else {"ssl_context": client_context(ca, certificate)}
        # A proxy in the environment is not asked: the tenant's services are addressed directly.
        self._pool = urllib3.PoolManager(maxsize=8, retries=_TRIES, **options)

    def __repr__(self) -> str:
        return f"Http({self.url!r})"

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        limit: int = _MAX_ANSWER,
    ) -> bytes:
        """The answer's body. Raises Forbidden, NotFound, Unreachable or another ServiceError."""
        response = self._open(method, path, query, body, headers)
        try:
            content = _bounded(response, limit, self.what)
        finally:
            response.release_conn()
        if response.status >= 300:
            raise self._error(response.status, content, method, path)
        return content

    def download(self, path: str, target: Path, *, query: Mapping[str, str] | None = None, limit: int) -> None:
        """Writes the answer's body to `target`, a new file, as it comes. Raises as `request` does."""
        response = self._open("GET", path, query, None, None)
        try:
            if response.status >= 300:
                raise self._error(response.status, response.read(4096), "GET", path)
            written = 0
            with target.open("xb") as stream:
                for chunk in _chunks(response, self.what):
                    written += len(chunk)
                    if written > limit:
                        raise TooLarge(f"{self.what} sent more than {limit} bytes")
                    stream.write(chunk)
        finally:
            response.release_conn()

    def json(
        self,
        method: str,
        path: str,
        data: object = None,
        *,
        query: Mapping[str, str] | None = None,
        kind: str = "application/json",
    ) -> Any:
        """Sends `data` as JSON and reads JSON. Raises as `request` does, and ServiceError when the answer is none."""
        body = None if data is None else json.dumps(data).encode()
        headers = {"Accept": "application/json"} | ({"Content-Type": kind} if body is not None else {})
        content = self.request(method, path, query=query, body=body, headers=headers)
        try:
            return json.loads(content) if content else None
        except ValueError:
            raise ServiceError(f"{self.what} did not answer in JSON to {method} {path}") from None

    def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> urllib3.BaseHTTPResponse:
        from urllib.parse import quote, urlencode

        url = f"{self.url}/{quote(path.lstrip('/'), safe='/:@')}" + (f"?{urlencode(query)}" if query else "")
        try:
            return self._pool.request(
                method,
                url,
                body=body,
                headers=self._headers | dict(headers or {}),
                timeout=self._timeout,
                preload_content=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            if isinstance(getattr(error, "reason", error), urllib3.exceptions.SSLError):
                raise Unreachable(f"{self.what} at {self.url} has a certificate that is not the tenant's") from None
            raise Unreachable(f"{self.what} at {self.url} does not answer: {_cause(error)}") from None

    def _error(self, status: int, content: bytes, method: str, path: str) -> Exception:
        reason = _reason(content)
        if status == 401:
            return NotLoggedIn(f"{self.what} does not accept the token (expired?): run `falaj login` again")
        if status == 403:
            return Forbidden(f"{self.what} refuses {method} {path}: {reason}", status=status)
        if status == 404:
            return NotFound(f"{self.what} has no {path}: {reason}", status=status)
        code = _field(content, "error_code")
        return ServiceError(f"{self.what} answered {status} to {method} {path}: {reason}", status=status, code=code)


def _bounded(response: urllib3.BaseHTTPResponse, limit: int, what: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    for chunk in _chunks(response, what):
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"{what} sent more than {limit} bytes")
        parts.append(chunk)
    return b"".join(parts)


def _chunks(response: urllib3.BaseHTTPResponse, what: str) -> Iterator[bytes]:
    try:
        # Not decompressed: nothing compressed was asked for, and a small answer could become a large one.
        yield from response.stream(1 << 20, decode_content=False)
    except urllib3.exceptions.HTTPError as error:
        raise Unreachable(f"{what} broke off its answer: {_cause(error)}") from None


def _cause(error: urllib3.exceptions.HTTPError) -> str:
    reason = getattr(error, "reason", None) or error
    text = str(reason)
    for mark in (
        "Connection refused",
        "timed out",
        "Name or service not known",
        "Temporary failure in name resolution",
    ):
        if mark in text:
            return mark.lower()
    return type(reason).__name__


def _reason(content: bytes) -> str:
    """The message in an error's body: Kubernetes and MLflow have `message`, Falaj's own services `error`."""
    text = _field(content, "message") or _field(content, "error") or content.decode("utf-8", "replace")
    return " ".join(text.split())[:300] or "no reason given"


def _field(content: bytes, key: str) -> str:
    try:
        data = json.loads(content)
    except ValueError:
        return ""
    return str(data.get(key) or "") if isinstance(data, dict) else ""
