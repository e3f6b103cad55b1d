"""One member's connections to one tenant's services, each made when it is first used."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from falaj.audit.client import AuditClient
from falaj.connection import CONFIG_MAP, CONFIG_MAP_KEY, Connection, Service
from falaj.credentials import Credentials
from falaj.errors import ConnectionDocumentError, NotFound
from falaj.http import Http
from falaj.kube import Kube, service_path
from falaj.registry import Registry
from falaj.training import Jobs
from falaj.vault import Vault, ca_file

__all__ = ["Session"]


class Session:
    """Everything goes through one door, the API server's service proxy, with the member's own token; the vault is asked
    directly, with that same token."""

    def __init__(self, credentials: Credentials, folder: Path) -> None:
        self.credentials = credentials
        self._folder = folder

    def __repr__(self) -> str:
        return f"Session(tenant={self.credentials.tenant!r}, member={self.credentials.member!r})"

    @cached_property
    def kube(self) -> Kube:
        return Kube(self._http("", "the API server"))

    @cached_property
    def connection(self) -> Connection:
        """Raises ConnectionDocumentError: the tenant has none, or it is malformed or too new."""
        namespace = self.credentials.namespace
        where = f"ConfigMap {CONFIG_MAP} in {namespace}"
        try:
            data = self.kube.config_map(namespace, CONFIG_MAP).get("data") or {}
        except NotFound:
            raise ConnectionDocumentError(f"there is no {where}: is the tenant provisioned?") from None
        document = Connection.parse(str(data.get(CONFIG_MAP_KEY, "")), where=where)
        if document.namespace != namespace or document.tenant != self.credentials.tenant:
            raise ConnectionDocumentError(f"{where} is another tenant's ({document.tenant})")
        return document

    @cached_property
    def registry(self) -> Registry:
        return Registry(self._door(self.connection.services.mlflow, "MLflow", timeout=120.0))

    @cached_property
    def jobs(self) -> Jobs:
        token = self.vault.read_secret("ray")["token"]
        services = self.connection.services
        http = self._door(services.ray, "Ray", {"X-Ray-Authorization": f"Bearer {token}"}, timeout=60.0)
        return Jobs(http, self.registry, services.mlflow.internal_url)

    @cached_property
    def serving(self) -> Http:
        return self._door(self.connection.services.serving, "the serving replica")

    @cached_property
    def audit(self) -> AuditClient:
        headers = {"X-Falaj-Token": self.credentials.audit_token.get_secret_value()}
        return AuditClient(self._door(self.connection.services.audit, "the audit service", headers))

    @cached_property
    def vault(self) -> Vault:
        vault = self.connection.vault
        return Vault(
            vault.url,
            vault,
            role=f"{vault.role_prefix}{self.credentials.member}",
            read_token=self.credentials.token.get_secret_value,
            ca=ca_file(self._folder, vault.ca),
        )

    def _door(
        self, service: Service, what: str, headers: dict[str, str] | None = None, *, timeout: float = 30.0
    ) -> Http:
        path = service_path(self.connection.namespace, service.service, service.port)
        return self._http(path, what, headers, timeout)

    def _http(self, path: str, what: str, headers: dict[str, str] | None = None, timeout: float = 30.0) -> Http:
        token = self.credentials.token.get_secret_value()
        return Http(
            f"{self.credentials.kubernetes.rstrip('/')}/{path}",
            what=what,
            headers={"Authorization": f"Bearer {token}"} | (headers or {}),
            ca=self.credentials.ca,
            timeout=timeout,
        )
