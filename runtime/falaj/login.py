"""Short-lived tokens for a member of a tenant, asked for by someone who may: the platform engineer's kubeconfig.

A member is a service account in the tenant's namespace. Its roles stand in the annotation `falaj.io/roles`,
comma-separated.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import SecretStr

from falaj.audit import AUDIENCE
from falaj.credentials import Credentials
from falaj.errors import Forbidden, NotFound, UsageError
from falaj.kube import Kube
from falaj.kubeconfig import Cluster

__all__ = ["AUDIENCES", "ROLES_ANNOTATION", "log_in"]

ROLES_ANNOTATION = "falaj.io/roles"
# The API server's own and the vault's. The audit service gets a token of its own, which opens nothing else.
AUDIENCES = ("https://kubernetes.default.svc.cluster.local", "falaj-vault")
SECONDS = 3600


def log_in(cluster: Cluster, tenant: str, member_or_role: str) -> Credentials:
    """Raises UsageError: no such tenant, member or role; Forbidden: the kubeconfig's user may not."""
    kube, namespace = Kube(cluster.http()), f"tenant-{tenant}"
    members = _members(kube.service_accounts(namespace))
    if not members:
        raise UsageError(f"{cluster.url} has no members in {namespace}: is the tenant provisioned?")
    member = _choose(members, member_or_role, namespace)
    try:
        token, expires = kube.request_token(namespace, member, list(AUDIENCES), SECONDS)
        audit_token, audit_expires = kube.request_token(namespace, member, [AUDIENCE], SECONDS)
    except NotFound:
        raise UsageError(f"{namespace} has no member {member}") from None
    except Forbidden as error:
        raise Forbidden(f"this kubeconfig may not log members of {namespace} in: {error}", status=403) from None
    return Credentials(
        tenant=tenant,
        member=member,
        kubernetes=cluster.url,
        ca=cluster.ca,
        token=SecretStr(token),
        audit_token=SecretStr(audit_token),
        expires=min(datetime.fromisoformat(expires), datetime.fromisoformat(audit_expires)),
    )


def _members(accounts: list[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    members = {}
    for account in accounts:
        metadata = account["metadata"]
        roles = (metadata.get("annotations") or {}).get(ROLES_ANNOTATION)
        if roles:
            members[metadata["name"]] = tuple(role.strip() for role in roles.split(",") if role.strip())
    return members


def _choose(members: dict[str, tuple[str, ...]], wanted: str, namespace: str) -> str:
    """The member of that name, else the one with that role: the one with the fewest roles, the first by name."""
    if wanted in members:
        return wanted
    having = sorted(
        (name for name, roles in members.items() if wanted in roles), key=lambda name: (len(members[name]), name)
    )
    if having:
        return having[0]
    known = ", ".join(f"{name} ({', '.join(roles)})" for name, roles in sorted(members.items()))
    raise UsageError(f"{namespace} has no member or role {wanted!r}; it has {known}")
