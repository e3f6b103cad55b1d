"""One tenant's data scientist reaching for the other tenant, with their own valid tokens, wherever there is a door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from falaj import Tenant
from falaj.errors import FalajError, Forbidden
from falaj.kube import service_path
from falaj.vault import Vault, ca_file
from falaj_platform.quickstart.report import Attempt

__all__ = ["attempts"]


def attempts(owner: Tenant, stranger: Tenant, folder: Path) -> list[Attempt]:
    """What `stranger` tried on `owner`'s tenant, and the answers. Only a plain "forbidden" counts as
    refused; `folder` takes the vault's authority as a file."""
    home = owner.session.connection
    kube = stranger.session.kube.http
    services = home.services
    own_role = f"{stranger.session.connection.vault.role_prefix}{stranger.member}"
    their_role = f"{home.vault.role_prefix}{owner.member}"

    def vault(role: str) -> Vault:
        """The owner's mounts, asked with the stranger's token."""
        token = stranger.session.credentials.token.get_secret_value
        return Vault(home.vault.url, home.vault, role=role, read_token=token, ca=ca_file(folder, home.vault.ca))

    def door(service: Any, path: str) -> Callable[[], object]:
        where = service_path(home.namespace, service.service, service.port)
        return lambda: kube.request("GET", f"{where}/{path}")

    key = f"sign-{owner.member}"
    tries: list[tuple[str, str, Callable[[], object]]] = [
        (
            "Kubernetes",
            f"read the Secrets of {home.namespace}",
            lambda: kube.json("GET", f"api/v1/namespaces/{home.namespace}/secrets"),
        ),
        (
            "Kubernetes",
            f"read the ConfigMap falaj-connection of {home.namespace}",
            lambda: stranger.session.kube.config_map(home.namespace, "falaj-connection"),
        ),
        (
            "Kubernetes",
            f"deploy a model in {home.namespace}",
            lambda: stranger.session.kube.set_config_map_data(home.namespace, "serving", {"model": "x"}),
        ),
        ("Vault", f"log in as {their_role}", lambda: vault(their_role).read_secret("ray")),
        ("Vault", f"read {home.vault.kv_mount}/ray", lambda: vault(own_role).read_secret("ray")),
        ("Vault", f"sign with {key} of {home.tenant}", lambda: vault(own_role).sign(key, b"x")),
        ("MLflow", "list the experiments", door(services.mlflow, "api/2.0/mlflow/experiments/search?max_results=1")),
        ("Ray", "list the jobs", door(services.ray, "api/jobs/")),
        ("serving", "ask for the status", door(services.serving, "v1/status")),
        ("audit", "read the records", door(services.audit, "v1/records")),
    ]
    return [_attempt(where, tried, call) for where, tried, call in tries]


def _attempt(where: str, tried: str, call: Callable[[], object]) -> Attempt:
    try:
        call()
    except Forbidden as refused:
        return Attempt(where, tried, refused=True, answer=str(refused))
    except FalajError as error:
        # An outage is not a refusal: it proves nothing.
        return Attempt(where, tried, refused=False, answer=str(error))
    return Attempt(where, tried, refused=False, answer="it was allowed")
