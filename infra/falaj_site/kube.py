"""The few calls to the Kubernetes API that the site makes itself: JSON over HTTPS with a client certificate."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
import yaml

from falaj_site.errors import ComponentFailed, KubeError

__all__ = ["KubeClient"]

Json = dict[str, Any]
_MANAGER = "falaj-site"


class KubeClient:
    """One API server, as one user. Thread-safe."""

    def __init__(self, server: str, context: ssl.SSLContext, timeout: float = 10.0) -> None:
        self.server = server.rstrip("/")
        self._pool = urllib3.PoolManager(
            ssl_context=context, retries=False, timeout=urllib3.Timeout(connect=5.0, read=timeout), maxsize=4
        )

    @classmethod
    def from_kubeconfig(cls, path: Path, server: str | None = None) -> KubeClient:
        """A client for a kubeconfig of ours: its first cluster and user, certificates inside the file."""
        config = yaml.safe_load(path.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        # The standard library reads a key pair from files only.
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(base64.b64decode(user["client-certificate-data"]))
            pair.write(base64.b64decode(user["client-key-data"]))
            pair.flush()
            context.load_cert_chain(pair.name)
        return cls(server or cluster["server"], context)

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Json:
        """One request; the decoded answer. Raises KubeError if refused, ComponentFailed if there is no answer."""
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        try:
            answer = self._pool.request(method, url, body=data, headers={"Content-Type": content_type})
        except urllib3.exceptions.HTTPError as error:
            raise ComponentFailed(
                f"the API server at {self.server} does not answer ({type(error).__name__})"
            ) from error
        if answer.status >= 400:
            raise _refusal(method, path, answer.status, answer.data)
        return _decode(answer.data)

    def answers(self, path: str) -> bool:
        """Whether a GET of `path` succeeds."""
        try:
            self.request("GET", path)
        except ComponentFailed:
            return False
        return True

    def apply(self, path: str, body: Json) -> Json:
        """Server-side apply of one object at its own path."""
        return self.request(
            "PATCH",
            path,
            body,
            query={"fieldManager": _MANAGER, "force": "true"},
            content_type="application/apply-patch+yaml",
        )


def _decode(data: bytes) -> Json:
    try:
        decoded = json.loads(data)
    except ValueError:
        return {"text": data.decode(errors="replace")}
    return decoded if isinstance(decoded, dict) else {"value": decoded}


def _refusal(method: str, path: str, status: int, data: bytes) -> KubeError:
    said = _decode(data)
    message = str(said.get("message") or said.get("text") or "")[:300]
    return KubeError(f"{method} {path}: {status} {message}".strip(), status, str(said.get("reason", "")))
