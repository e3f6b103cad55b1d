"""A cluster and Vault made known to each other: who may ask whose token it is, and where pods find Vault."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import Secret, Service, ServiceAccount
from pulumi_kubernetes.discovery.v1 import EndpointSlice
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding

from falaj_infra.vault.resources import AuthMethod, KubernetesAuthConfig

__all__ = ["ClusterVault", "ClusterVaultArgs"]

PORT = 8200
SERVICE = "openbao"
REVIEWER = "openbao-reviewer"
# Narrower than the cluster's own system:auth-delegator, which may also ask what others are allowed to do.
REVIEWER_ROLE = "falaj-token-reviewer"
MOUNT = "kubernetes"


@dataclass(frozen=True, kw_only=True)
class ClusterVaultArgs:
    """`address` is the IP address at which pods reach Vault, `kubernetes_url` the API server as Vault reaches it."""

    namespace: pulumi.Input[str]
    address: pulumi.Input[str]
    kubernetes_url: pulumi.Input[str]


class ClusterVault(pulumi.ComponentResource):
    """Vault's `kubernetes` auth method for this cluster, and the Service under which pods reach Vault.

    The reviewer's token has no end: Vault must be able to ask after years without a restart. It stands in one Secret of
    the system's namespace and in Vault's own configuration, and may do nothing but review tokens.

    Outputs: `auth_mount`, `token_reviewer_role` (a ClusterRole that may only review tokens), `internal_url`.
    """

    auth_mount: pulumi.Output[str]
    token_reviewer_role: pulumi.Output[str]
    internal_url: pulumi.Output[str]

    def __init__(self, name: str, args: ClusterVaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("falaj:vault:ClusterVault", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        service = Service(
            SERVICE,
            # A Service without a selector has its endpoints beside it: there is nothing to wait for.
            metadata={
                "name": SERVICE,
                "namespace": args.namespace,
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={"ports": [{"name": "https", "port": PORT, "targetPort": PORT}]},
            opts=child,
        )
        EndpointSlice(
            SERVICE,
            metadata={
                "name": SERVICE,
                "namespace": args.namespace,
                "labels": {"kubernetes.io/service-name": SERVICE, "endpointslice.kubernetes.io/managed-by": "falaj"},
            },
            address_type=pulumi.Output.from_input(args.address).apply(lambda at: "IPv6" if ":" in at else "IPv4"),
            endpoints=[{"addresses": [args.address], "conditions": {"ready": True}}],
            ports=[{"name": "https", "port": PORT, "protocol": "TCP"}],
            opts=child,
        )

        role = ClusterRole(
            REVIEWER_ROLE,
            metadata={"name": REVIEWER_ROLE},
            rules=[{"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}],
            opts=child,
        )
        account = ServiceAccount(
            REVIEWER,
            metadata={"name": REVIEWER, "namespace": args.namespace},
            automount_service_account_token=False,
            opts=child,
        )
        ClusterRoleBinding(
            REVIEWER,
            metadata={"name": REVIEWER},
            role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role.metadata["name"]},
            subjects=[{"kind": "ServiceAccount", "name": account.metadata["name"], "namespace": args.namespace}],
            opts=child,
        )
        token = Secret(
            REVIEWER,
            metadata={
                "name": REVIEWER,
                "namespace": args.namespace,
                "annotations": {"kubernetes.io/service-account.name": account.metadata["name"]},
            },
            type="kubernetes.io/service-account-token",
            opts=child,
        )

        method = AuthMethod(MOUNT, path=MOUNT, type="kubernetes", description="Falaj: service accounts", opts=child)
        config = KubernetesAuthConfig(
            MOUNT,
            mount=method.path,
            host=args.kubernetes_url,
            ca=token.data.apply(lambda data: _decoded(data, "ca.crt")),
            reviewer_token=token.data.apply(lambda data: _decoded(data, "token")),
            opts=child,
        )

        self.auth_mount = config.mount
        self.token_reviewer_role = role.metadata["name"]
        self.internal_url = pulumi.Output.format(
            "https://{0}.{1}.svc:{2}", SERVICE, service.metadata["namespace"], PORT
        )
        self.register_outputs(
            {
                "auth_mount": self.auth_mount,
                "token_reviewer_role": self.token_reviewer_role,
                "internal_url": self.internal_url,
            }
        )


def _decoded(data: dict[str, str] | None, key: str) -> str:
    """A Secret's value. Raises pulumi.RunError where the cluster has not filled it in."""
    if not data or key not in data:
        raise pulumi.RunError(f"the cluster has not filled in Secret {REVIEWER}: refresh the stack, then up again")
    return base64.b64decode(data[key]).decode()
