"""What every service's component is made of: its account, its claim, its workload, its Service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import PersistentVolumeClaim, Service, ServiceAccount

from falaj_platform.services.pods import Manifest, labels

__all__ = ["ServiceArgs", "account", "claim", "cluster_service", "workload_spec"]


@dataclass(frozen=True, kw_only=True)
class ServiceArgs:
    """What every service of a tenant needs: its namespace, the image by digest, and the class of its volumes."""

    namespace: pulumi.Input[str]
    image: pulumi.Input[str]
    storage_class: pulumi.Input[str]


def account(name: str, namespace: pulumi.Input[str], opts: pulumi.ResourceOptions) -> Any:
    """The service's own identity; a pod gets a token of it only by asking."""
    return ServiceAccount(
        name,
        metadata={"name": name, "namespace": namespace},
        automount_service_account_token=False,
        opts=opts,
    )


def claim(name: str, size: str, args: ServiceArgs, opts: pulumi.ResourceOptions) -> Any:
    """A volume of `size`. It binds when its pod is placed, so there is nothing to wait for before that."""
    return PersistentVolumeClaim(
        name,
        metadata={"name": name, "namespace": args.namespace, "annotations": {"pulumi.com/skipAwait": "true"}},
        spec={
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": args.storage_class,
            "resources": {"requests": {"storage": size}},
        },
        opts=opts,
    )


def cluster_service(
    name: str, ports: dict[str, int], namespace: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> Any:
    """The Service under which the tenant's own pods and the API server's proxy find the pods labelled `name`."""
    return Service(
        name,
        metadata={"name": name, "namespace": namespace, "labels": labels(name)},
        spec={
            "type": "ClusterIP",
            "selector": labels(name),
            "ports": [{"name": key, "port": port, "targetPort": port} for key, port in ports.items()],
        },
        opts=opts,
    )


def workload_spec(name: str, template: Manifest, *, stateful: bool = False) -> Manifest:
    """One replica that is stopped before its successor starts: none of the services shares its data with a second."""
    common = {"replicas": 1, "selector": {"matchLabels": labels(name)}, "template": template}
    if stateful:
        return {**common, "serviceName": name, "updateStrategy": {"type": "RollingUpdate"}}
    return {**common, "strategy": {"type": "Recreate"}, "revisionHistoryLimit": 3, "progressDeadlineSeconds": 600}
