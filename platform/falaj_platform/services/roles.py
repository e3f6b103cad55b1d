"""What a tenant's people may do in its namespace, by role. Pure functions from roles to Kubernetes rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["ROLES", "members_of", "rules"]

MLFLOW, RAY, SERVING, AUDIT = "http:mlflow:5000", "http:ray:8265", "http:serving:8080", "http:audit:8080"

ROLES: dict[str, tuple[str, ...]] = {
    "data-scientist": (MLFLOW, RAY, SERVING, AUDIT),
    "approver": (MLFLOW, AUDIT),
    "operator": (MLFLOW, SERVING, AUDIT),
}

# What the API server makes of GET and HEAD, POST, PUT, PATCH and DELETE.
PROXY_VERBS = ("get", "create", "update", "patch", "delete")


def rules(role: str) -> list[dict[str, Any]]:
    """The RBAC rules of `role`: its services by name through the proxy, the tenant's own facts, no secrets.

    Raises KeyError: no such role.
    """
    granted: list[dict[str, Any]] = [
        {
            "apiGroups": [""],
            "resources": ["services/proxy"],
            "resourceNames": list(ROLES[role]),
            "verbs": list(PROXY_VERBS),
        },
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": ["falaj-connection", "falaj-ca"],
            "verbs": ["get"],
        },
    ]
    if role == "operator":
        granted.append(
            {
                "apiGroups": [""],
                "resources": ["configmaps"],
                "resourceNames": ["serving"],
                "verbs": ["get", "patch", "update"],
            }
        )
    return granted


def members_of(role: str, members: Mapping[str, Sequence[str]]) -> list[str]:
    """The members that have `role`, in order of name."""
    return sorted(member for member, roles in members.items() if role in roles)
