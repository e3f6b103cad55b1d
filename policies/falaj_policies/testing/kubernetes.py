"""Good Kubernetes objects, by Pulumi type token: inputs as pulumi-kubernetes 4 sends them."""

from __future__ import annotations

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

GOOD: Final[Mapping[str, Mapping[str, Any]]] = {
    "kubernetes:core/v1:Pod": {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "r", "namespace": "tenant-acme"},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [{"name": "c", "image": IMAGE, "securityContext": SECURITY}],
        },
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
