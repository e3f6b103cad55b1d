"""The few calls that Falaj makes to the Kubernetes API server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from falaj.errors import FalajError, UsageError
from falaj.http import Http

__all__ = ["SERVICE_ACCOUNT", "Kube", "in_cluster", "service_path"]

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def service_path(namespace: str, service: str, port: int) -> str:
    """The door to a Service: the API server's proxy, where its TLS, RBAC and audit apply."""
    return f"api/v1/namespaces/{namespace}/services/http:{service}:{port}/proxy"


class Kube:
    """An API server as one caller sees it."""

    def __init__(self, http: Http) -> None:
        self.http = http

    def config_map(self, namespace: str, name: str) -> dict[str, Any]:
        return dict(self.http.json("GET", f"api/v1/namespaces/{namespace}/configmaps/{name}"))

    def set_config_map_data(
        self, namespace: str, name: str, data: Mapping[str, str | None], resource_version: str | None = None
    ) -> dict[str, Any]:
        """Sets (or with None removes) keys of a ConfigMap; with `resource_version` only if it has not changed since."""
        metadata = {"resourceVersion": resource_version} if resource_version else {}
        patch = {"metadata": metadata, "data": dict(data)}
        path = f"api/v1/namespaces/{namespace}/configmaps/{name}"
        return dict(self.http.json("PATCH", path, patch, kind="application/merge-patch+json"))

    def service_accounts(self, namespace: str) -> list[dict[str, Any]]:
        return list(self.http.json("GET", f"api/v1/namespaces/{namespace}/serviceaccounts").get("items") or [])

    def request_token(self, namespace: str, account: str, audiences: list[str], seconds: int) -> tuple[str, str]:
        """A short-lived token of a service account and when it expires (RFC 3339)."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": audiences, "expirationSeconds": seconds},
        }
        status = self.http.json("POST", f"api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", body)[
            "status"
        ]
        return str(status["token"]), str(status["expirationTimestamp"])

    def review_token(self, token: str, audience: str) -> tuple[str, tuple[str, ...]] | None:
        """Whose token it is (user name, groups), or None if the API server does not know it or it is not for
        `audience`."""
        spec = {"token": token, "audiences": [audience]}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        status = self.http.json("POST", "apis/authentication.k8s.io/v1/tokenreviews", body).get("status") or {}
        user = status.get("user") or {}
        if status.get("authenticated") is not True or not user.get("username"):
            return None
        # A server that does not look at audiences names none.
        if audience not in (status.get("audiences") or ()):
            return None
        return str(user["username"]), tuple(user.get("groups") or ())


def in_cluster(environment: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Kube:
    """The API server as the pod that this runs in sees it; the token is read for each call, because it is renewed.

    Raises UsageError outside a pod.
    """
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        ca = (folder / "ca.crt").read_text()
    except OSError:
        raise UsageError(f"this is not a pod with a service account: {folder} cannot be read") from None
    if not host:
        raise UsageError("this is not a pod: KUBERNETES_SERVICE_HOST is not set")
    if ":" in host:
        host = f"[{host}]"
    return Kube(_PodHttp(f"https://{host}:{port}", ca=ca, token_file=folder / "token"))


class _PodHttp(Http):
    def __init__(self, url: str, *, ca: str, token_file: Path) -> None:
        super().__init__(url, what="the API server", ca=ca, timeout=10.0)
        self._token_file = token_file

    def _open(self, method: str, path: str, query: Any, body: Any, headers: Any) -> Any:
        try:
            token = self._token_file.read_text().strip()
        except OSError as error:
            raise FalajError(f"the pod's own token cannot be read: {error.strerror}") from None
        return super()._open(method, path, query, body, dict(headers or {}) | {"Authorization": f"Bearer {token}"})
