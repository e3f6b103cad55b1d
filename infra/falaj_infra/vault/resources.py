"""The Vault resources that stacks declare. Every name and path is given; nothing is named automatically."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi.dynamic import Resource

from falaj_infra.vault import providers

__all__ = [
    "AuthMethod",
    "KubernetesAuthConfig",
    "KubernetesAuthRole",
    "KvSecret",
    "Policy",
    "SecretsEngine",
    "TransitKey",
]


class SecretsEngine(Resource, module="falaj", name="VaultSecretsEngine"):
    """A mounted secrets engine; deleting it deletes all that is in it. Output: `path`."""

    path: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        path: pulumi.Input[str],
        type: str,  # noqa: A002 - Vault's own name
        description: str,
        options: dict[str, str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"root": "sys/mounts", "path": path, "type": type, "description": description, "options": options}
        super().__init__(providers.MountProvider(), name, props, opts)


class AuthMethod(Resource, module="falaj", name="VaultAuthMethod"):
    """A mounted auth method; deleting it revokes every token that it gave. Output: `path`."""

    path: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        path: pulumi.Input[str],
        type: str,  # noqa: A002 - Vault's own name
        description: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"root": "sys/auth", "path": path, "type": type, "description": description, "options": None}
        super().__init__(providers.MountProvider(), name, props, opts)


class Policy(Resource, module="falaj", name="VaultPolicy"):
    """An ACL policy in Vault's HCL. Output: `name`."""

    name: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        name: pulumi.Input[str],
        document: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(providers.PolicyProvider(), resource_name, {"name": name, "document": document}, opts)


class TransitKey(Resource, module="falaj", name="VaultTransitKey"):
    """A key that Vault uses on request and never gives away. `type` is Vault's (`ecdsa-p256`). Output: `name`."""

    name: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        mount: pulumi.Input[str],
        name: pulumi.Input[str],
        type: str,  # noqa: A002 - Vault's own name
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            providers.TransitKeyProvider(), resource_name, {"mount": mount, "name": name, "type": type}, opts
        )


class KvSecret(Resource, module="falaj", name="VaultKvSecret"):
    """One secret in a KV version 2 mount. `data` is encrypted in the state, whatever it is made of. Output: `path`."""

    path: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        mount: pulumi.Input[str],
        path: pulumi.Input[str],
        data: pulumi.Input[dict[str, pulumi.Input[str]]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"mount": mount, "path": path, "data": pulumi.Output.secret(data)}
        secret = pulumi.ResourceOptions(additional_secret_outputs=["data"])
        super().__init__(providers.KvSecretProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))


class KubernetesAuthConfig(Resource, module="falaj", name="VaultKubernetesAuthConfig"):
    """Which cluster a `kubernetes` auth method asks, and with which reviewer token. Output: `mount`."""

    mount: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        mount: pulumi.Input[str],
        host: pulumi.Input[str],
        ca: pulumi.Input[str],
        reviewer_token: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"mount": mount, "host": host, "ca": ca, "reviewer_token": pulumi.Output.secret(reviewer_token)}
        secret = pulumi.ResourceOptions(additional_secret_outputs=["reviewer_token"])
        super().__init__(
            providers.KubernetesAuthConfigProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret)
        )


class KubernetesAuthRole(Resource, module="falaj", name="VaultKubernetesAuthRole"):
    """A role for one service account of one namespace. Output: `name`."""

    name: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        mount: pulumi.Input[str],
        name: pulumi.Input[str],
        service_account: pulumi.Input[str],
        namespace: pulumi.Input[str],
        audience: str,
        policies: Sequence[pulumi.Input[str]],
        ttl_seconds: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "mount": mount,
            "name": name,
            "service_account": service_account,
            "namespace": namespace,
            "audience": audience,
            "policies": list(policies),
            "ttl_seconds": ttl_seconds,
        }
        super().__init__(providers.KubernetesAuthRoleProvider(), resource_name, props, opts)
