"""What a cluster needs in its API before pods can run: rights of the site's own parts, and the DNS service.

Applied with every `site up`; applying again changes nothing.
"""

from __future__ import annotations

from typing import Any

from falaj_site.kube import KubeClient
from falaj_site.layout import DNS_IP, NODE_IP

__all__ = ["apply", "objects"]

Json = dict[str, Any]
_RBAC = "rbac.authorization.k8s.io"
_LABELS = {"app.kubernetes.io/managed-by": "falaj-site"}


def _role(name: str, *rules: tuple[str, list[str], list[str]]) -> Json:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": _LABELS},
        "rules": [{"apiGroups": [group], "resources": resources, "verbs": verbs} for group, resources, verbs in rules],
    }


def _binding(name: str, role: str, user: str) -> Json:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name, "labels": _LABELS},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user}],
    }


def objects() -> list[tuple[str, Json]]:
    """Each object with its path in the API."""
    watch, ports = ["get", "list", "watch"], [("dns", "UDP"), ("dns-tcp", "TCP")]
    roles = [
        _role(
            "falaj:coredns",
            ("", ["services", "pods", "namespaces"], watch),
            ("discovery.k8s.io", ["endpointslices"], watch),
        ),
        _role(
            "falaj:volumes",
            ("", ["persistentvolumeclaims"], watch),
            ("", ["persistentvolumes"], [*watch, "create", "delete"]),
            ("storage.k8s.io", ["storageclasses"], watch),
        ),
    ]
    bindings = [
        # Without it the API server's requests for logs and exec are refused by the kubelet.
        _binding("falaj:kubelet-client", "system:kubelet-api-admin", "falaj:kubelet-client"),
        _binding("falaj:coredns", "falaj:coredns", "falaj:coredns"),
        _binding("falaj:volumes", "falaj:volumes", "falaj:volumes"),
    ]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": {**_LABELS, "k8s-app": "kube-dns"}},
        "spec": {
            "clusterIP": DNS_IP,
            "ports": [{"name": name, "port": 53, "protocol": protocol} for name, protocol in ports],
        },
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kube-dns-site",
            "namespace": "kube-system",
            "labels": {**_LABELS, "kubernetes.io/service-name": "kube-dns"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [NODE_IP], "conditions": {"ready": True}}],
        "ports": [{"name": name, "port": 53, "protocol": protocol} for name, protocol in ports],
    }
    rbac = f"/apis/{_RBAC}/v1"
    return [
        *((f"{rbac}/clusterroles/{item['metadata']['name']}", item) for item in roles),
        *((f"{rbac}/clusterrolebindings/{item['metadata']['name']}", item) for item in bindings),
        ("/api/v1/namespaces/kube-system/services/kube-dns", service),
        ("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns-site", endpoints),
    ]


def apply(client: KubeClient) -> None:
    """Applies every object. Raises ComponentFailed if the API server refuses one or does not answer."""
    for path, body in objects():
        client.apply(path, body)
