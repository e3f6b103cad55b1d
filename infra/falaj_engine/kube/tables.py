"""What the kubernetes provider knows about kinds: which properties cannot change in place."""

from __future__ import annotations

from falaj_engine.diff import Path, parse_path

_ALWAYS = ("metadata.name", "metadata.namespace")

# By kind. ConfigMaps and Secrets are replaced by default, as by the Kubernetes provider: what mounts them then sees a
# new object.
_REPLACES: dict[str, tuple[str, ...]] = {
    "ConfigMap": ("data", "binaryData", "immutable"),
    "Secret": ("data", "stringData", "type", "immutable"),
    "Deployment": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "ReplicaSet": ("spec.selector",),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.podManagementPolicy", "spec.volumeClaimTemplates"),
    "Job": ("spec.selector", "spec.template", "spec.completions", "spec.completionMode", "spec.manualSelector"),
    "Pod": (
        "spec.containers[*].name",
        "spec.containers[*].env",
        "spec.containers[*].command",
        "spec.containers[*].args",
        "spec.containers[*].ports",
        "spec.containers[*].volumeMounts",
        "spec.containers[*].securityContext",
        "spec.containers[*].resources",
        "spec.initContainers",
        "spec.volumes",
        "spec.nodeName",
        "spec.nodeSelector",
        "spec.restartPolicy",
        "spec.serviceAccountName",
        "spec.securityContext",
    ),
    "PersistentVolumeClaim": (
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
        "spec.volumeMode",
    ),
    "PersistentVolume": ("spec.local", "spec.hostPath", "spec.csi", "spec.nodeAffinity", "spec.volumeMode"),
    "Service": ("spec.clusterIP", "spec.type"),
    "ResourceQuota": ("spec.scopes",),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "StorageClass": ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
    "PriorityClass": ("value", "preemptionPolicy"),
    "RuntimeClass": ("handler",),
    "CSIDriver": ("spec.attachRequired", "spec.volumeLifecycleModes"),
    "CustomResourceDefinition": ("spec.group", "spec.scope", "spec.names.plural"),
}


def replacing(kind: str) -> tuple[Path, ...]:
    """The paths whose change needs a new object."""
    return tuple(parse_path(text) for text in (*_ALWAYS, *_REPLACES.get(kind, ())))
