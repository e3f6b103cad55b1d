"""Reads the one kubeconfig that a platform engineer logs others in with."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from falaj.errors import UsageError
from falaj.home import falaj_home
from falaj.http import Http

__all__ = ["Cluster", "find_kubeconfig", "read_kubeconfig"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """An API server and how to be known to it: a client certificate and key (PEM) or a bearer token."""

    url: str
    ca: str
    certificate: tuple[str, str] | None = field(default=None, repr=False)
    token: str = field(default="", repr=False)

    def http(self) -> Http:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return Http(self.url, what="the API server", headers=headers, ca=self.ca, certificate=self.certificate)


def find_kubeconfig(given: Path | None) -> Path:
    """`given`, else KUBECONFIG (its first file), else the embedded site's. Raises UsageError: there is none."""
    named = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    path = given or (Path(named) if named else falaj_home() / "site" / "kubeconfig")
    if not path.is_file():
        raise UsageError(f"there is no kubeconfig {path}: give --kubeconfig or KUBECONFIG, or start the site")
    return path


def read_kubeconfig(path: Path) -> Cluster:
    """The current context's cluster. Raises UsageError: malformed, or a way to log in that this does not do."""
    import yaml

    try:
        data = yaml.safe_load(path.read_text())
        context = _named(data, "contexts", data["current-context"])["context"]
        cluster = _named(data, "clusters", context["cluster"])["cluster"]
        user = _named(data, "users", context["user"])["user"]
        url = str(cluster["server"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, StopIteration) as error:
        raise UsageError(f"{path} is not a kubeconfig with a current context ({type(error).__name__})") from None
    if "exec" in user or "auth-provider" in user:
        raise UsageError(f"{path} logs in through another program: make one with a token or a client certificate")
    if cluster.get("insecure-skip-tls-verify") or not url.startswith("https://"):
        raise UsageError(f"{path} does not verify its API server: use https and certificate-authority")
    ca = _material(cluster, "certificate-authority", path)
    certificate, key = _material(user, "client-certificate", path), _material(user, "client-key", path)
    token = str(user.get("token") or "")
    if not ca or not (token or (certificate and key)):
        raise UsageError(f"{path} lacks an authority, or a token or client certificate")
    return Cluster(url, ca, (certificate, key) if certificate and key else None, token)


def _named(data: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    return next(dict(item) for item in data[kind] if item["name"] == name)


def _material(data: Mapping[str, Any], key: str, path: Path) -> str:
    try:
        if data.get(f"{key}-data"):
            return base64.b64decode(data[f"{key}-data"], validate=True).decode()
        if data.get(key):
            return (path.parent / str(data[key])).read_text()
    except (OSError, ValueError, binascii.Error) as error:
        raise UsageError(f"{key} of {path} cannot be read ({type(error).__name__})") from None
    return ""
