"""Good Kubernetes objects, by Pulumi type token: inputs as pulumi-kubernetes 4 sends them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

IMAGE: Final = "registry.example/platform@sha256:" + "a" * 64
SECURITY: Final[Mapping[str, Any]] = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "seccompProfile": {"type": "RuntimeDefault"},
    "capabilities": {"drop": ["ALL"]},
}

POD: Final[Mapping[str, Any]] = {
    "automountServiceAccountToken": False,
    "containers": [{"name": "c", "image": IMAGE, "securityContext": SECURITY}],
}
_TEMPLATE: Final[Mapping[str, Any]] = {"metadata": {"labels": {"app": "acme"}}, "spec": POD}
# Head and worker are apart, so that changing the one does not change the other.
_RAY: Final[Mapping[str, Any]] = {
    "rayVersion": "2.60.0",
    "authOptions": {"mode": "token"},
    "headGroupSpec": {"rayStartParams": {}, "template": {"spec": POD}},
    "workerGroupSpecs": [{"groupName": "w", "rayStartParams": {}, "template": {"spec": copy.deepcopy(POD)}}],
}
_RBAC: Final = "rbac.authorization.k8s.io"

GOOD: Final[Mapping[str, Mapping[str, Any]]] = {
    "kubernetes:core/v1:Pod": {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "r", "namespace": "tenant-acme"},
        "spec": POD,
    },
    "kubernetes:apps/v1:Deployment": {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "r", "namespace": "tenant-acme"},
        "spec": {"selector": {"matchLabels": {"app": "acme"}}, "template": _TEMPLATE},
    },
    "kubernetes:batch/v1:CronJob": {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "r", "namespace": "tenant-acme"},
        "spec": {
            "schedule": "0 2 * * *",
            "jobTemplate": {"spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}}},
        },
    },
    "kubernetes:core/v1:Namespace": {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": "tenant-acme",
            "labels": {"falaj.io/tenant": "acme", "pod-security.kubernetes.io/enforce": "restricted"},
        },
    },
    "kubernetes:core/v1:ResourceQuota": {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "r", "namespace": "tenant-acme"},
        "spec": {"hard": {"requests.cpu": "2", "requests.memory": "8Gi", "requests.nvidia.com/gpu": "0"}},
    },
    "kubernetes:core/v1:Secret": {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "r", "namespace": "tenant-acme"},
        "type": "Opaque",
    },
    f"kubernetes:{_RBAC}/v1:RoleBinding": {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "r", "namespace": "tenant-acme"},
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "serving", "namespace": "tenant-acme"}],
    },
    f"kubernetes:{_RBAC}/v1:ClusterRoleBinding": {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "r"},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "falaj-token-reviewer"},
        "subjects": [{"kind": "ServiceAccount", "name": "audit", "namespace": "tenant-acme"}],
    },
    **{
        f"kubernetes:ray.io/v1:{kind}": {
            "apiVersion": "ray.io/v1",
            "kind": kind,
            "metadata": {"name": "r", "namespace": "tenant-acme"},
            "spec": spec,
        }
        for kind, spec in {
            "RayCluster": _RAY,
            "RayJob": {"entrypoint": "python train.py", "rayClusterSpec": _RAY},
            "RayService": {"rayClusterConfig": _RAY},
        }.items()
    },
    "kubernetes:core/v1:Service": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "r", "namespace": "tenant-acme"},
        "spec": {"type": "ClusterIP", "ports": [{"port": 443}]},
    },
    "kubernetes:networking.k8s.io/v1:NetworkPolicy": {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "r", "namespace": "tenant-acme"},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.7/32"}}], "ports": [{"port": 5432, "protocol": "TCP"}]}],
        },
    },
    "kubernetes:networking.k8s.io/v1:Ingress": {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "r", "namespace": "tenant-acme"},
        "spec": {"tls": [{"hosts": ["acme.example"], "secretName": "acme"}], "rules": [{"host": "acme.example"}]},
    },
    "kubernetes:rbac.authorization.k8s.io/v1:Role": {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "r", "namespace": "tenant-acme"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
    },
}
