"""Who may talk to whom in a tenant's namespace: nobody, except the few flows written here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from falaj_platform.services.pods import labels

__all__ = ["NAMES", "planes", "policies", "resolvers"]

DNS_PORT = 53
API_PORTS = (6443, 443)
VAULT_PORT = 8200

# Ports that the API server's service proxy reaches from outside.
FRONT = {"mlflow": 5000, "ray": 8265, "serving": 8080, "audit": 8080}
# Workload to workload: who calls, whom, on which port.
INSIDE = (
    ("mlflow", "postgres", 5432),
    ("ray", "mlflow", 5000),
    ("ray", "audit", 8080),
    ("serving", "mlflow", 5000),
    ("serving", "audit", 8080),
)
# Workloads that log in to the API server or to Vault with their own identity.
OUTSIDE = {"serving": (*API_PORTS, VAULT_PORT), "audit": API_PORTS}


NAMES = ("default-deny", "dns", *sorted({*FRONT, "postgres"}))


def planes(control_plane: Sequence[str]) -> list[dict[str, Any]]:
    """The peers that the API server, Vault and DNS are, by their CIDRs."""
    return [{"ipBlock": {"cidr": cidr}} for cidr in control_plane]


def resolvers(planes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The peers that answer for DNS."""
    return [*planes, _namespace("kube-system")]


def policies(planes: Any, resolvers: Any) -> dict[str, dict[str, Any]]:
    """NetworkPolicy specs by name. Both are lists of peers, or outputs of those: all else is known without them."""
    dns = {"ports": [_port(DNS_PORT, "UDP"), _port(DNS_PORT)], "to": resolvers}
    made: dict[str, dict[str, Any]] = {
        "default-deny": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        "dns": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [dns]},
    }
    for name in NAMES[2:]:
        callers = [(who, port) for who, whom, port in INSIDE if whom == name]
        called = [(whom, port) for who, whom, port in INSIDE if who == name]
        ingress = [{"from": [_pods(who)], "ports": [_port(port)]} for who, port in callers]
        if name in FRONT:
            ingress.append({"from": planes, "ports": [_port(FRONT[name])]})
        egress = [{"to": [_pods(whom)], "ports": [_port(port)]} for whom, port in called]
        if name in OUTSIDE:
            egress.append({"to": planes, "ports": [_port(port) for port in OUTSIDE[name]]})
        if name == "ray":
            # Head and workers are one cluster, on ports of Ray's own choosing.
            ingress.append({"from": [_pods(name)]})
            egress.append({"to": [_pods(name)]})
        made[name] = {
            "podSelector": {"matchLabels": labels(name)},
            "policyTypes": ["Ingress", *(["Egress"] if egress else [])],
            "ingress": ingress,
            **({"egress": egress} if egress else {}),
        }
    return made


def _port(port: int, protocol: str = "TCP") -> dict[str, Any]:
    return {"port": port, "protocol": protocol}


def _pods(name: str) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": labels(name)}}


def _namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
