"""The connection document in the tenant's namespace, where its workloads and people read it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap

from falaj.connection import CONFIG_MAP, CONFIG_MAP_KEY, Connection

__all__ = ["ConnectionDocument", "ConnectionDocumentArgs"]


@dataclass(frozen=True, kw_only=True)
class ConnectionDocumentArgs:
    """`connection` is the validated document; it holds no secret."""

    namespace: pulumi.Input[str]
    connection: pulumi.Output[Connection]


class ConnectionDocument(pulumi.ComponentResource):
    """ConfigMap `falaj-connection` with the document, `falaj-ca` with the certificates that Vault is checked against.

    Outputs: `config_map`, the first one's name.
    """

    config_map: pulumi.Output[str]

    def __init__(self, name: str, args: ConnectionDocumentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("falaj:connection:ConnectionDocument", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        document = ConfigMap(
            CONFIG_MAP,
            metadata={"name": CONFIG_MAP, "namespace": args.namespace},
            data={CONFIG_MAP_KEY: args.connection.apply(lambda connection: connection.to_json())},
            opts=child,
        )
        ConfigMap(
            "falaj-ca",
            metadata={"name": "falaj-ca", "namespace": args.namespace},
            data={"ca.crt": args.connection.apply(lambda connection: connection.vault.ca)},
            opts=child,
        )
        self.config_map = document.metadata["name"]
        self.register_outputs({"config_map": self.config_map})
