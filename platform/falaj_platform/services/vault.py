"""A tenant's part of Vault: its mounts, its keys, and one role for each identity that may use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from falaj_infra.vault.resources import KubernetesAuthRole, KvSecret, Policy, SecretsEngine, TransitKey
from falaj_platform.services.pods import VAULT_AUDIENCE

__all__ = ["VaultTenant", "VaultTenantArgs", "member_policy", "serving_policy"]

ROLE_SECONDS = 15 * 60
SIGNING_KEY = "ecdsa-p256"
ENCRYPTION_KEY = "aes256-gcm96"
# Whose members sign with which key: the key's name carries the member's, which is what proves who signed.
SIGNING_ROLES = {"data-scientist": "sign", "approver": "approve"}


@dataclass(frozen=True, kw_only=True)
class VaultTenantArgs:
    """`auth_mount` is the region's `kubernetes` auth method; `secrets` are the KV secrets by path."""

    tenant: str
    namespace: pulumi.Input[str]
    auth_mount: pulumi.Input[str]
    members: Mapping[str, Sequence[str]]
    secrets: Mapping[str, Mapping[str, pulumi.Input[str]]]


class VaultTenant(pulumi.ComponentResource):
    """Mounts `tenant-<id>/kv` and `tenant-<id>/transit`, keys, policies, and Kubernetes-auth roles.

    A member may sign only with the keys of its own name. Outputs: `kv_mount`, `transit_mount`, `role_prefix`.
    """

    kv_mount: pulumi.Output[str]
    transit_mount: pulumi.Output[str]
    role_prefix: str

    def __init__(self, name: str, args: VaultTenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("falaj:vault:VaultTenant", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        scope = f"tenant-{args.tenant}"

        kv = SecretsEngine(
            "kv",
            path=f"{scope}/kv",
            type="kv",
            description=f"Falaj: secrets of tenant {args.tenant}",
            options={"version": "2"},
            opts=child,
        )
        transit = SecretsEngine(
            "transit",
            path=f"{scope}/transit",
            type="transit",
            description=f"Falaj: keys of tenant {args.tenant}",
            opts=child,
        )
        for path, data in sorted(args.secrets.items()):
            KvSecret(f"kv-{path}", mount=kv.path, path=path, data=dict(data), opts=child)
        TransitKey("encryption", mount=transit.path, name="encryption", type=ENCRYPTION_KEY, opts=child)
        # Whoever leaves loses the right to sign, in the policy; what they signed must still verify, so the key stays
        # until the tenant's mount goes.
        kept = pulumi.ResourceOptions(parent=self, retain_on_delete=True)
        for member, roles in sorted(args.members.items()):
            for key in signing_keys(member, roles):
                TransitKey(key, mount=transit.path, name=key, type=SIGNING_KEY, opts=kept)

        documents = {member: member_policy(scope, member, roles) for member, roles in sorted(args.members.items())}
        documents["serving"] = serving_policy(scope)
        for account, document in documents.items():
            policy = Policy(account, name=f"{scope}-{account}", document=document, opts=child)
            KubernetesAuthRole(
                account,
                mount=args.auth_mount,
                name=f"{scope}-{account}",
                service_account=account,
                namespace=args.namespace,
                audience=VAULT_AUDIENCE,
                policies=[policy.name],
                ttl_seconds=ROLE_SECONDS,
                opts=child,
            )

        self.kv_mount = kv.path
        self.transit_mount = transit.path
        self.role_prefix = f"{scope}-"
        self.register_outputs(
            {"kv_mount": self.kv_mount, "transit_mount": self.transit_mount, "role_prefix": self.role_prefix}
        )


def signing_keys(member: str, roles: Sequence[str]) -> list[str]:
    """The names of the member's own keys: `sign-<member>`, `approve-<member>`, or none."""
    return [f"{verb}-{member}" for role, verb in SIGNING_ROLES.items() if role in roles]


def member_policy(scope: str, member: str, roles: Sequence[str]) -> str:
    """What a member may do in Vault: use its own keys, read all public keys, and with the role for it, Ray's token.

    Paths are exact: a prefix such as `sign-an*` would also be the key of the next member whose name begins so.
    """
    grants = [_grant(f"{scope}/transit/keys/+", "read")]
    for key in signing_keys(member, roles):
        grants += [_grant(f"{scope}/transit/sign/{key}", "update"), _grant(f"{scope}/transit/sign/{key}/+", "update")]
    if "data-scientist" in roles:
        grants.append(_grant(f"{scope}/kv/data/ray", "read"))
    return "\n".join(grants) + "\n"


def serving_policy(scope: str) -> str:
    """The replica reads public keys, to verify; it can sign nothing and reads no secret."""
    return _grant(f"{scope}/transit/keys/+", "read") + "\n"


def _grant(path: str, capability: str) -> str:
    return f'path "{path}" {{\n  capabilities = ["{capability}"]\n}}'
