"""The region's program: what the cluster of a region needs before it can have tenants."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.storage.v1 import StorageClass

from falaj_infra import gate
from falaj_infra.admission import Admission, AdmissionArgs
from falaj_infra.vault.cluster import ClusterVault, ClusterVaultArgs
from falaj_stacks import outputs
from falaj_stacks.config import RegionConfig

__all__ = ["program"]

NAMESPACE = "falaj-system"
STORAGE_CLASS = "falaj-local"


def program(config: RegionConfig) -> None:
    """Declare the region. Raises pulumi.RunError: a rule refuses it."""
    gate.attach(gate.Place(cloud=config.cloud, region=config.region, jurisdiction=config.jurisdiction))

    namespace = Namespace(
        NAMESPACE,
        metadata={"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    )
    storage_class = config.storage_class or _site_storage()
    Admission("admission", AdmissionArgs(image=config.image))
    vault = ClusterVault(
        "vault",
        ClusterVaultArgs(
            namespace=namespace.metadata["name"],
            address=config.vault.address,
            kubernetes_url=config.vault.kubernetes_url,
        ),
    )

    prefix = 128 if ":" in config.vault.address else 32
    outputs.export(
        jurisdiction=config.jurisdiction,
        cloud=config.cloud,
        region=config.region,
        image=config.image,
        storage_class=storage_class,
        control_plane=[f"{config.vault.address}/{prefix}"],
        token_reviewer_role=vault.token_reviewer_role,
        vault_url=config.vault.url,
        vault_internal_url=vault.internal_url,
        vault_ca=config.vault.ca,
        vault_auth_mount=vault.auth_mount,
    )


def _site_storage() -> pulumi.Output[str]:
    """The storage class of the embedded site's local volumes."""
    storage = StorageClass(
        STORAGE_CLASS,
        metadata={"name": STORAGE_CLASS},
        provisioner="falaj.io/local",
        # A local volume lies on the node where its pod runs, so the pod is placed first.
        volume_binding_mode="WaitForFirstConsumer",
        reclaim_policy="Delete",
    )
    name: pulumi.Output[str] = storage.metadata["name"]
    return name
