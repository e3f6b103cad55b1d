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
    "kubernetes:rbac.authorization.k8s.io/v1:Role": {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "r", "namespace": "tenant-acme"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
    },
}
