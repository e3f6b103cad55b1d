"""Reading a kubeconfig."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from falaj_engine.errors import ClusterError


@dataclass(frozen=True, slots=True)
class Cluster:
    """How to reach an API server. namespace: where objects without one go."""

    server: str
    tls: ssl.SSLContext | None = field(repr=False)
    server_name: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    namespace: str = "default"


def load(source: str | None, context: str | None = None) -> Cluster:
    """The cluster of a kubeconfig.

    source: a path, the document itself (YAML or JSON), or None for KUBECONFIG and then ~/.kube/config. Raises
    ClusterError.
    """
    text, where = _read(source)
    try:
        document = yaml.safe_load(text)
        if not isinstance(document, dict):
            raise ClusterError(f"{where}: not a kubeconfig")
        name = context or document.get("current-context")
        if not name:
            raise ClusterError(f"{where}: no current-context; name one with `kubernetes:context`")
        chosen = _named(document, "contexts", "context", name, where)
        cluster = _named(document, "clusters", "cluster", chosen.get("cluster"), where)
        user = _named(document, "users", "user", chosen["user"], where) if chosen.get("user") else {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise ClusterError(f"{where}{line}: not valid YAML") from None
    folder = Path(where).parent if source is None or where == source else Path.cwd()
    return _cluster(cluster, user, chosen.get("namespace") or "default", folder, where)


def _read(source: str | None) -> tuple[str, str]:
    if source and ("\n" in source or source.lstrip().startswith("{")):
        return source, "the kubeconfig"
    path = source or os.environ.get("KUBECONFIG", "").split(os.pathsep)[0] or str(Path("~/.kube/config").expanduser())
    try:
        return Path(path).expanduser().read_text(), path
    except OSError as error:
        raise ClusterError(
            f"kubeconfig {path}: {error.strerror}: "
            "start the site with `falaj site up`, or name a cluster with --kubeconfig"
        ) from None


def _named(document: Mapping[str, Any], group: str, key: str, name: object, where: str) -> Mapping[str, Any]:
    for entry in document.get(group) or ():
        if isinstance(entry, dict) and entry.get("name") == name:
            return entry.get(key) or {}
    raise ClusterError(f"{where}: {group} has no {name!r}")


def _cluster(cluster: Mapping[str, Any], user: Mapping[str, Any], namespace: str, folder: Path, where: str) -> Cluster:
    server = cluster.get("server")
    if not isinstance(server, str) or not server:
        raise ClusterError(f"{where}: the cluster has no server")
    for key, part in (("proxy-url", cluster), ("auth-provider", user), ("username", user), ("as", user)):
        if part.get(key):
            raise ClusterError(f"{where}: {key!r} is not supported by the embedded engine")
    headers = {}
    credential = _run_exec(user["exec"], where) if user.get("exec") else {}
    token = user.get("token") or credential.get("token")
    if not token and user.get("tokenFile"):
        token = (folder / user["tokenFile"]).read_text().strip()
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if not server.startswith("https:"):
        return Cluster(server.rstrip("/"), None, None, headers, namespace)
    try:
        tls = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
        if (authority := _bytes(cluster, "certificate-authority", folder)) is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            tls.load_verify_locations(cadata=authority.decode())
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        certificate = _bytes(user, "client-certificate", folder) or _encoded(credential.get("clientCertificateData"))
        key_bytes = _bytes(user, "client-key", folder) or _encoded(credential.get("clientKeyData"))
        if certificate and key_bytes:
            _load_pair(tls, certificate, key_bytes)
    except (OSError, ValueError) as error:
        raise ClusterError(f"{where}: certificates cannot be used: {error}") from None
    return Cluster(server.rstrip("/"), tls, cluster.get("tls-server-name"), headers, namespace)


def _bytes(part: Mapping[str, Any], key: str, folder: Path) -> bytes | None:
    if part.get(f"{key}-data"):
        return base64.b64decode(part[f"{key}-data"], validate=True)
    return (folder / part[key]).read_bytes() if part.get(key) else None


def _encoded(text: str | None) -> bytes | None:
    return text.encode() if text else None


def _load_pair(tls: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # The ssl module reads key pairs from files only.
    handle, name = tempfile.mkstemp(prefix="falaj-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(certificate.rstrip() + b"\n" + key)
        tls.load_cert_chain(name)
    finally:
        Path(name).unlink()


def _run_exec(spec: Mapping[str, Any], where: str) -> dict[str, str]:
    command = [spec["command"], *(spec.get("args") or ())]
    environment = {**os.environ, **{entry["name"]: entry["value"] for entry in spec.get("env") or ()}}
    info = {"apiVersion": spec.get("apiVersion"), "kind": "ExecCredential", "spec": {"interactive": False}}
    environment["KUBERNETES_EXEC_INFO"] = json.dumps(info)
    try:
        result = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
        status = json.loads(result.stdout)["status"]
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        raise ClusterError(
            f"{where}: the credential command {spec['command']!r} failed: {type(error).__name__}"
        ) from None
    return {key: value for key, value in status.items() if isinstance(value, str)}
