"""A tenant's place in the cluster: its namespace, what it may take, who may talk to whom, and its people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import LimitRange, Namespace, ResourceQuota, ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

from falaj_infra.admission import TENANT_LABEL
from falaj_platform.services import network, roles

__all__ = ["Quota", "Tenant", "TenantArgs"]

PODS = 30
CLAIMS = 10


@dataclass(frozen=True, kw_only=True)
class Quota:
    """Kubernetes quantities: CPU and memory that may be requested (memory also limits), storage of all claims; GPUs."""

    cpu: str
    memory: str
    storage: str
    gpu: int


@dataclass(frozen=True, kw_only=True)
class TenantArgs:
    """`members` maps names to roles; `control_plane` are the CIDRs of the API server and Vault, as pods see them."""

    tenant: str
    quota: Quota
    members: Mapping[str, Sequence[str]]
    control_plane: pulumi.Input[Sequence[str]]


class Tenant(pulumi.ComponentResource):
    """The namespace `tenant-<id>` with quota, limits, default-deny network policies, and a service account per member.

    Outputs: `namespace`, its name.
    """

    namespace: pulumi.Output[str]

    def __init__(self, name: str, args: TenantArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("falaj:tenant:Tenant", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        made = Namespace(
            f"tenant-{args.tenant}",
            metadata={"name": f"tenant-{args.tenant}", "labels": namespace_labels(args.tenant)},
            opts=child,
        )
        self.namespace = made.metadata["name"]
        ResourceQuota("tenant", metadata=self._metadata("tenant"), spec={"hard": hard_quota(args.quota)}, opts=child)
        LimitRange(
            "tenant",
            metadata=self._metadata("tenant"),
            # Pods that say nothing get little; without this, the quota would refuse them with a harder message.
            spec={
                "limits": [
                    {
                        "type": "Container",
                        "defaultRequest": {"cpu": "50m", "memory": "64Mi"},
                        "default": {"memory": "256Mi"},
                        "max": {"memory": args.quota.memory},
                    }
                ]
            },
            opts=child,
        )
        planes = pulumi.Output.from_input(args.control_plane).apply(network.planes)
        specs = network.policies(planes, planes.apply(network.resolvers))
        for policy in network.NAMES:
            NetworkPolicy(policy, metadata=self._metadata(policy), spec=specs[policy], opts=child)
        for member in sorted(args.members):
            ServiceAccount(
                member,
                metadata={
                    **self._metadata(member),
                    "labels": {"falaj.io/member": member},
                    # Where `falaj login --as ROLE` looks for somebody who has the role.
                    "annotations": {"falaj.io/roles": ",".join(args.members[member])},
                },
                automount_service_account_token=False,
                opts=child,
            )
        for role in roles.ROLES:
            self._grant(role, roles.members_of(role, args.members))
        self.register_outputs({"namespace": self.namespace})

    def _metadata(self, name: str) -> dict[str, Any]:
        return {"name": name, "namespace": self.namespace}

    def _grant(self, role: str, members: Sequence[str]) -> None:
        """The role, and its binding where somebody has it."""
        child = pulumi.ResourceOptions(parent=self)
        made = Role(role, metadata=self._metadata(role), rules=roles.rules(role), opts=child)
        if not members:
            return
        RoleBinding(
            role,
            metadata=self._metadata(role),
            role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": made.metadata["name"]},
            subjects=[{"kind": "ServiceAccount", "name": member, "namespace": self.namespace} for member in members],
            opts=child,
        )


def namespace_labels(tenant: str) -> dict[str, str]:
    """The tenant's label, and the restricted Pod Security Standard: enforced, and warned of to whoever applies."""
    standard = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return {TENANT_LABEL: tenant, **standard}


def hard_quota(quota: Quota) -> dict[str, str]:
    """The quota as Kubernetes counts it; what would leave the cluster's own network is not to be had at all."""
    return {
        "requests.cpu": quota.cpu,
        "requests.memory": quota.memory,
        "limits.memory": quota.memory,
        "requests.storage": quota.storage,
        "requests.nvidia.com/gpu": str(quota.gpu),
        "persistentvolumeclaims": str(CLAIMS),
        "pods": str(PODS),
        "services.nodeports": "0",
        "services.loadbalancers": "0",
    }
