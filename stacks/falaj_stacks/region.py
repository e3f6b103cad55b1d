"""The region's program: what the cluster of a region needs before it can have tenants."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.storage.v1 import StorageClass

from falaj_infra import gate
from falaj_infra.admission import Admission, AdmissionArgs
from falaj_infra.vault.cluster import ClusterVault, ClusterVaultArgs
from falaj_policies import Place
from falaj_stacks import outputs
from falaj_stacks.config import RegionConfig, of_site

__all__ = ["program"]

NAMESPACE = "falaj-system"
STORAGE_CLASS = "falaj-local"


def program(config: RegionConfig) -> None:
    """Declare the region. Raises pulumi.RunError: a rule refuses it."""
    gate.attach(Place(cloud=config.cloud, region=config.region, jurisdiction=config.jurisdiction))

    namespace = Namespace(
        NAMESPACE,
        metadata={"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    )
    storage_class = config.storage_class or _site_storage()
    image, site = of_site(config.image, "image"), of_site(config.vault, "vault")
    Admission("admission", AdmissionArgs(image=image))
    vault = ClusterVault(
        "vault",
        ClusterVaultArgs(
            namespace=namespace.metadata["name"],
            address=_known(site.address if site else None),
            kubernetes_url=_known(site.kubernetes_url if site else None),
        ),
    )

    outputs.export(
        jurisdiction=config.jurisdiction,
        cloud=config.cloud,
        region=config.region,
        image=_known(image),
        storage_class=storage_class,
        control_plane=[_known(f"{site.address}/{128 if ':' in site.address else 32}" if site else None)],
        token_reviewer_role=vault.token_reviewer_role,
        vault_url=_known(site.url if site else None),
        vault_internal_url=vault.internal_url,
        vault_ca=_known(site.ca if site else None),
        vault_auth_mount=vault.auth_mount,
    )


def _known(value: str | None) -> pulumi.Output[str]:
    """A value of the site, unknown in the preview of a region whose site is not there yet."""
    known: Any = pulumi.UNKNOWN if value is None else value
    return pulumi.Output.from_input(known)


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
