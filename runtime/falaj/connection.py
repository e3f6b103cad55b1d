"""The connection document: what a tenant's stack tells the tenant's people and workloads.

One JSON object with a version, exported as the stack output `connection` and stored in the tenant's namespace in the
ConfigMap `falaj-connection`, key `connection.json`. It names endpoints, roles and paths and holds no secret: whoever
reads it still has to log in with an identity of their own.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from falaj.errors import ConnectionDocumentError

__all__ = [
    "CONFIG_MAP",
    "CONFIG_MAP_KEY",
    "VERSION",
    "Connection",
    "Gate",
    "Jurisdiction",
    "Kubernetes",
    "Service",
    "Services",
    "Vault",
]

VERSION = 1
CONFIG_MAP = "falaj-connection"
CONFIG_MAP_KEY = "connection.json"

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+(/[^\s?#@]*)?$", max_length=500)]
HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https://[^\s/?#@]+(/[^\s?#@]*)?$", max_length=500)]
MountPath = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9_/]*[a-z0-9])?$", max_length=200)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Jurisdiction(_Model):
    """Where the tenant's data lives: one (cloud, region) pair of a named jurisdiction."""

    name: Label
    cloud: Label
    region: Label


class Kubernetes(_Model):
    """The API server as seen from outside; without it, a caller uses the one it logged in to."""

    url: HttpsUrl | None = None


class Service(_Model):
    """A Service in the tenant's namespace; plain HTTP inside, reached through the API server from outside."""

    service: Label
    port: Annotated[int, Field(ge=1, le=65535)]

    @property
    def internal_url(self) -> str:
        return f"http://{self.service}:{self.port}"


class Services(_Model):
    mlflow: Service = Service(service="mlflow", port=5000)
    ray: Service = Service(service="ray", port=8265)
    serving: Service = Service(service="serving", port=8080)
    audit: Service = Service(service="audit", port=8080)


class Vault(_Model):
    """`role_prefix` + service account name is the Kubernetes-auth role; `audience` is what its tokens must be for."""

    url: HttpsUrl
    internal_url: HttpsUrl
    ca: Annotated[str, StringConstraints(pattern=r"-----BEGIN CERTIFICATE-----", max_length=100_000)]
    auth_mount: MountPath = "kubernetes"
    kv_mount: MountPath
    transit_mount: MountPath
    role_prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][-a-z0-9]*$", max_length=200)]
    audience: str = "falaj-vault"


class Gate(_Model):
    """The version of the rules that the stack was provisioned under (`falaj_policies.RULE_SET_VERSION`)."""

    rule_set_version: str


class Connection(_Model):
    version: Literal[1] = 1
    tenant: Label
    namespace: Label
    jurisdiction: Jurisdiction
    regime: str | None = None
    kubernetes: Kubernetes = Kubernetes()
    services: Services = Services()
    vault: Vault
    gate: Gate

    @classmethod
    def parse(cls, text: str | bytes, *, where: str) -> Connection:
        """The document in `text`; `where` names its source in errors.

        Raises ConnectionDocumentError: not JSON, an unknown version, or a key that is missing, unknown or malformed.
        """
        try:
            data: Any = json.loads(text)
        except ValueError as error:
            raise ConnectionDocumentError(f"{where} is not JSON: {error}") from None
        if not isinstance(data, dict):
            raise ConnectionDocumentError(f"{where} must be a JSON object")
        if data.get("version") != VERSION:
            raise ConnectionDocumentError(
                f"{where} has version {data.get('version')!r}, this falaj reads {VERSION}: "
                "install the falaj that your platform team names"
            )
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ConnectionDocumentError(f"{where}: {key}: {first['msg']}; ask your platform team") from None

    def to_json(self) -> str:
        """Stable text: the same document gives the same bytes."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True), sort_keys=True, indent=2) + "\n"
