"""The serving replica: `python3 -m falaj.serving`.

Environment
    FALAJ_NAMESPACE    the tenant's namespace (required)
    FALAJ_CONNECTION   the connection document, a mounted ConfigMap (default /etc/falaj/connection.json)
    FALAJ_VAULT_TOKEN  file with its service account token for the vault, a projected volume with the audience of the
                       connection document (default /var/run/secrets/falaj/vault-token)
    FALAJ_AUDIT_TOKEN  the same for the audit service, audience falaj-audit (default
                       /var/run/secrets/falaj/audit-token)
    FALAJ_ACCOUNT      its service account's name; the vault role is role_prefix + this (default serving)
    FALAJ_PORT         port to listen on, all addresses (default 8080)
    FALAJ_POLL         seconds between two looks at the desired state (default 1)
    FALAJ_THREADS      threads of ONNX Runtime for one request (default 1)
    FALAJ_MAX_MODEL_BYTES  the largest model that is fetched (default 160 MiB). While one replaces another, memory
                       holds up to four times that beside 256 MiB, TMPDIR once
    TMPDIR             scratch for models while they are verified, an emptyDir (default /tmp)
Files
    /var/run/secrets/kubernetes.io/serviceaccount/{token,ca.crt}: its own identity, the token for the API server's
    default audience.
Rights
    Kubernetes: get on the ConfigMap `serving`. Vault: read on the tenant's transit/keys/*. Network: API server,
    MLflow, vault, audit. Any user, read-only root.
Probes
    /healthz for readiness and liveness: a replica with nothing to serve is ready to be told.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from falaj.audit.client import AuditClient
from falaj.connection import Connection
from falaj.deployment import CONFIG_MAP
from falaj.errors import ConnectionDocumentError, FalajError, UsageError
from falaj.http import Http
from falaj.httpserver import Server
from falaj.kube import in_cluster
from falaj.registry import Registry
from falaj.serving.loader import Loader
from falaj.serving.replica import Replica, last_served
from falaj.serving.routes import MAX_BODY, Routes
from falaj.serving.tally import Tally
from falaj.vault import Vault, ca_file

__all__ = ["main"]

_FLUSH_SECONDS = 10.0
_MAX_MODEL_BYTES = 160 * 1024 * 1024


def build(environment: Mapping[str, str], scratch: Path) -> tuple[Replica, Tally, Server]:
    """The replica's parts from its environment. Raises FalajError: something required is missing or malformed."""
    namespace = environment.get("FALAJ_NAMESPACE", "")
    if not namespace:
        raise UsageError("FALAJ_NAMESPACE is not set")
    connection = _connection(Path(environment.get("FALAJ_CONNECTION", "/etc/falaj/connection.json")), namespace)
    kube = in_cluster(environment)
    vault_token = Path(environment.get("FALAJ_VAULT_TOKEN", "/var/run/secrets/falaj/vault-token"))
    audit_token = Path(environment.get("FALAJ_AUDIT_TOKEN", "/var/run/secrets/falaj/audit-token"))
    account = environment.get("FALAJ_ACCOUNT", "serving")
    vault = Vault(
        connection.vault.internal_url,
        connection.vault,
        role=f"{connection.vault.role_prefix}{account}",
        read_token=lambda: _text(vault_token),
        ca=ca_file(scratch, connection.vault.ca),
    )
    services = connection.services

    def audit() -> AuditClient:
        # The token is renewed by the kubelet, so it is read each time.
        headers = {"X-Falaj-Token": _text(audit_token)}
        return AuditClient(Http(services.audit.internal_url, what="the audit service", headers=headers, timeout=10.0))

    def record(action: str, subject: str, detail: Mapping[str, Any]) -> None:
        audit().append(action, subject, detail)

    registry = Registry(Http(services.mlflow.internal_url, what="MLflow", timeout=60.0))
    loader = Loader(
        registry,
        vault.public_key,
        scratch,
        threads=_number(environment, "FALAJ_THREADS", 1),
        max_bytes=_number(environment, "FALAJ_MAX_MODEL_BYTES", _MAX_MODEL_BYTES),
    )
    replica = Replica(
        lambda: kube.config_map(namespace, CONFIG_MAP),
        loader,
        record,
        lambda: last_served(map(json.loads, audit().lines()), account),
    )
    tally = Tally(record)
    port = _number(environment, "FALAJ_PORT", 8080)
    try:
        server = Server(Routes(replica, tally).handle, host="0.0.0.0", port=port, max_body=MAX_BODY)  # noqa: S104 - a pod
    except OSError as error:
        raise UsageError(f"port {port} cannot be listened on: {error.strerror}") from None
    return replica, tally, server


def main() -> int:
    """Serves until SIGTERM or SIGINT; 2 when it cannot start, with the reason on stderr."""
    with tempfile.TemporaryDirectory(prefix="falaj-serving-") as folder:
        try:
            replica, tally, server = build(os.environ, Path(folder))
            every = float(_number(os.environ, "FALAJ_POLL", 1))
        except FalajError as error:
            print(f"serving: {error}", file=sys.stderr)
            return 2
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        server.start()
        print(f"serving: listening on port {server.port}", file=sys.stderr, flush=True)
        flusher = threading.Thread(target=_flush, args=(tally, stop), name="tally", daemon=True)
        flusher.start()
        _run(replica, stop, every)
        server.stop()
        tally.flush()
    return 0


def _run(replica: Replica, stop: threading.Event, every: float) -> None:
    said = ""
    while not stop.is_set():
        replica.tick()
        state = replica.state
        refused = "; ".join(f"{item['rule']} {item['message']}" for item in (state.refused or {}).get("findings", ()))
        model = state.model
        line = " | ".join(
            part
            for part in (
                f"serving {model.name} version {model.version} {model.digest}" if model else "serving nothing",
                f"refused: {refused}" if refused else "",
                state.problem,
            )
            if part
        )
        if line != said:
            print(f"serving: {line}", file=sys.stderr, flush=True)
            said = line
        stop.wait(every)


def _flush(tally: Tally, stop: threading.Event) -> None:
    while not stop.wait(_FLUSH_SECONDS):
        tally.flush()


def _connection(path: Path, namespace: str) -> Connection:
    try:
        text = path.read_text()
    except OSError as error:
        raise ConnectionDocumentError(f"{path} cannot be read: {error.strerror}") from None
    connection = Connection.parse(text, where=str(path))
    if connection.namespace != namespace:
        raise ConnectionDocumentError(f"{path} is of {connection.namespace}, this is {namespace}")
    return connection


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise FalajError(f"the token {path} cannot be read: {error.strerror}") from None


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, str(default))
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"{name} must be a positive number, not {text[:40]!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
