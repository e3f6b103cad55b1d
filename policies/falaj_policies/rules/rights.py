"""IAM-03: rights are named, one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ResourceFact
from falaj_policies.model import Admission, Check, Objection, Severity
from falaj_policies.rules.declare import rule
from falaj_policies.rules.policy_documents import narrow_rights, statements, trusted_callers
from falaj_policies.rules.reading import LISTS, get, items, selects_all
from falaj_policies.rules.requiring import undecided

__all__ = ["RULES"]

# Verbs by which a right gives itself more: to make stronger roles, bind them, or act as another.
_ESCALATING: Final = frozenset({"escalate", "bind", "impersonate"})
# Resources with which a right is more than it says, and the verbs that make it so: reading what other accounts log in
# with, making tokens and certificates, reaching the kubelet around the API server, rewriting what others ask for.
_READ: Final = ("get", "list", "watch")
_WRITE: Final = ("create", "update", "patch", "delete", "deletecollection")
_POWERS: Final[Mapping[str, tuple[str, ...]]] = {
    "secrets": _READ,
    "nodes/proxy": (*_READ, *_WRITE),
    "serviceaccounts/token": ("create",),
    "certificatesigningrequests/approval": ("update", "patch"),
    "validatingwebhookconfigurations": _WRITE,
    "mutatingwebhookconfigurations": _WRITE,
    "persistentvolumes": ("create",),
}
_ALL_ROLES: Final = frozenset({"cluster-admin", "system:masters"})
_EVERYBODY: Final = frozenset(
    {
        "system:anonymous", "system:unauthenticated", "system:authenticated", "system:masters",
        "system:serviceaccounts",
    }
)  # fmt: skip
_AWS_MANAGED: Final = re.compile(
    r"arn:aws[a-z-]*:iam::aws:policy/(.*/)?(AdministratorAccess\S*|PowerUserAccess|IAMFullAccess|\w*FullAccess)"
)
_EKS_ADMINISTRATORS: Final = re.compile(r"arn:aws[a-z-]*:eks::aws:cluster-access-policy/AmazonEKS(Cluster)?AdminPolicy")
# Owner, Contributor, User Access Administrator, Role Based Access Control Administrator: the same everywhere in Azure.
_AZURE_ADMINISTRATORS: Final = (
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
)
_WIDE_SCOPE: Final = re.compile(
    r"/?(subscriptions/[^/]+|providers/microsoft\.management/managementgroups/[^/]+)?/?", re.IGNORECASE
)


def no_wildcards(resource: ResourceFact) -> Iterator[Objection]:
    """No Role grants everything of a kind, or the right to grant itself more."""
    for at, right in items(resource.inputs, "rules", ""):
        if right is UNKNOWN:
            yield undecided(at)
        for key in ("apiGroups", "resources", "verbs", "nonResourceURLs"):
            found = get(right, key)
            values = found if isinstance(found, list | tuple) else [found]
            if any(isinstance(value, str) and "*" in value for value in values):
                yield Objection("a wildcard in a role", path=f"{at}.{key}")
            elif key == "verbs" and (more := [v for v in values if isinstance(v, str) and v in _ESCALATING]):
                yield Objection(f"the verb {more[0]} lets the role grant itself more", path=f"{at}.{key}")
            elif any(value is UNKNOWN for value in values):
                yield undecided(f"{at}.{key}")
        yield from _powers(right, at)


def _cluster_role(resource: ResourceFact) -> Iterator[Objection]:
    """As `no_wildcards`, and it is not made of whatever other roles there are."""
    yield from no_wildcards(resource)
    path = "aggregationRule"
    aggregation = resource.inputs.get(path)
    if aggregation is UNKNOWN:
        yield undecided(path)
    for at, selector in items(aggregation, "clusterRoleSelectors", path):
        if selector is UNKNOWN or any(value is UNKNOWN for value in _values(selector)):
            yield undecided(at)
        elif selects_all(selector):
            yield Objection("takes the rights of every other role", path=at)


def _values(mapping: Any) -> tuple[Any, ...]:
    return tuple(mapping.values()) if isinstance(mapping, Mapping) else ()


def _powers(right: Any, at: str) -> Iterator[Objection]:
    """A right over all of these, not over some by name."""
    resources, verbs = get(right, "resources"), get(right, "verbs")
    if not isinstance(resources, LISTS) or not isinstance(verbs, LISTS) or get(right, "resourceNames"):
        return
    for resource in resources:
        known = _POWERS.get(resource, ()) if isinstance(resource, str) else ()
        if known and any(isinstance(verb, str) and verb in known for verb in verbs):
            yield Objection(f"a right over all {resource}", path=f"{at}.resources")


def no_administrators(resource: ResourceFact) -> Iterator[Objection]:
    """No binding makes anybody the cluster's administrator, or gives something to everybody."""
    role = get(resource.inputs, "roleRef", "name")
    if role is UNKNOWN:
        yield undecided("roleRef.name")
    elif isinstance(role, str) and role in _ALL_ROLES:
        yield Objection(f"binds {role}", path="roleRef.name")
    for at, subject in items(resource.inputs, "subjects", ""):
        name = get(subject, "name")
        if name is UNKNOWN and get(subject, "kind") not in ("ServiceAccount",):
            yield undecided(f"{at}.name")
        elif isinstance(name, str) and name in _EVERYBODY:
            yield Objection(f"gives rights to {name}", path=f"{at}.name")
        elif isinstance(name, str) and name == "default" and get(subject, "kind") == "ServiceAccount":
            yield Objection("gives rights to every pod that names no account of its own", path=f"{at}.name")


def _policy(key: str) -> Check:
    """The document under `key` gives rights that are named."""

    def check(resource: ResourceFact) -> Iterator[Objection]:
        yield from statements(resource.inputs.get(key), key, narrow_rights)

    return check


def _aws_role(resource: ResourceFact) -> Iterator[Objection]:
    yield from statements(resource.inputs.get("assumeRolePolicy"), "assumeRolePolicy", trusted_callers)
    for at, policy in items(resource.inputs, "inlinePolicies", ""):
        yield from statements(policy if policy is UNKNOWN else get(policy, "policy"), f"{at}.policy", narrow_rights)
    for at, arn in items(resource.inputs, "managedPolicyArns", ""):
        yield from _attached(arn, at)


def _attachment(key: str) -> Check:
    def check(resource: ResourceFact) -> Iterator[Objection]:
        yield from _attached(resource.inputs.get(key), key)

    return check


def _attachments(resource: ResourceFact) -> Iterator[Objection]:
    for at, arn in items(resource.inputs, "policyArns", ""):
        yield from _attached(arn, at)


def _cluster_access(resource: ResourceFact) -> Iterator[Objection]:
    """EKS's own policies of access to a cluster: those of administrators are for a namespace at the most."""
    arn, scope = resource.inputs.get("policyArn"), get(resource.inputs, "accessScope", "type")
    if (isinstance(arn, str) and not _EKS_ADMINISTRATORS.fullmatch(arn)) or scope == "namespace":
        return
    if arn is UNKNOWN or scope is UNKNOWN:
        yield undecided("policyArn" if arn is UNKNOWN else "accessScope.type")
    elif arn is not None:
        yield Objection("makes an administrator of the whole cluster", path="policyArn")


def _attached(arn: Any, at: str) -> Iterator[Objection]:
    """A policy of the customer's own is judged where it is declared, so one that is only known later is content."""
    if isinstance(arn, str) and _AWS_MANAGED.fullmatch(arn):
        yield Objection(f"attaches {arn.rpartition('/')[2]}", path=at)


def _azure_assignment(resource: ResourceFact) -> Iterator[Objection]:
    role, scope = resource.inputs.get("roleDefinitionId"), resource.inputs.get("scope")
    if isinstance(role, str) and not role.lower().endswith(_AZURE_ADMINISTRATORS):
        return
    if isinstance(scope, str) and not _WIDE_SCOPE.fullmatch(scope):
        return
    if role is UNKNOWN or scope is UNKNOWN:
        yield undecided("roleDefinitionId" if role is UNKNOWN else "scope")
    else:
        yield Objection("makes an administrator of a whole subscription", path="roleDefinitionId")


def _azure_role(resource: ResourceFact) -> Iterator[Objection]:
    for at, permission in items(resource.inputs, "permissions", ""):
        if permission is UNKNOWN:
            yield undecided(at)
        for key in ("actions", "dataActions"):
            for place, action in items(permission, key, at):
                if action is UNKNOWN:
                    yield undecided(place)
                elif isinstance(action, str) and "*" in action and not action.lower().endswith("/read"):
                    yield Objection(f"allows {action}", path=place)


_CHECKS: Final[Mapping[str, Check]] = {
    "kubernetes:rbac:Role": no_wildcards,
    "kubernetes:rbac:ClusterRole": _cluster_role,
    "kubernetes:rbac:RoleBinding": no_administrators,
    "kubernetes:rbac:ClusterRoleBinding": no_administrators,
    **dict.fromkeys(
        ("aws:iam:Policy", "aws:iam:RolePolicy", "aws:iam:UserPolicy", "aws:iam:GroupPolicy"), _policy("policy")
    ),
    "aws:ssoadmin:PermissionSetInlinePolicy": _policy("inlinePolicy"),
    "aws:iam:Role": _aws_role,
    **dict.fromkeys(
        (
            "aws:iam:RolePolicyAttachment", "aws:iam:UserPolicyAttachment", "aws:iam:GroupPolicyAttachment",
            "aws:iam:PolicyAttachment",
        ),
        _attachment("policyArn"),
    ),
    **dict.fromkeys(
        (
            "aws:iam:RolePolicyAttachmentsExclusive", "aws:iam:UserPolicyAttachmentsExclusive",
            "aws:iam:GroupPolicyAttachmentsExclusive",
        ),
        _attachments,
    ),
    "aws:ssoadmin:ManagedPolicyAttachment": _attachment("managedPolicyArn"),
    "aws:eks:AccessPolicyAssociation": _cluster_access,
    "azure-native:authorization:RoleAssignment": _azure_assignment,
    "azure-native:authorization:RoleDefinition": _azure_role,
}  # fmt: skip
_RBAC: Final = "rbac.authorization.k8s.io"
_NO_WILDCARDS: Final = (
    "!has(object.rules) || object.rules.all(r,"
    " (!has(r.apiGroups) || r.apiGroups.all(v, !v.contains('*')))"
    " && (!has(r.resources) || r.resources.all(v, !v.contains('*')))"
    " && (!has(r.nonResourceURLs) || r.nonResourceURLs.all(v, !v.contains('*')))"
    f" && r.verbs.all(v, !v.contains('*') && !(v in {sorted(_ESCALATING)}))"
    " && ((has(r.resourceNames) && r.resourceNames.size() > 0) || !has(r.resources) || ("
    + " && ".join(
        f"!('{resource}' in r.resources && r.verbs.exists(v, v in {list(verbs)}))"
        for resource, verbs in _POWERS.items()
    )
    + ")))"
)
_NO_ADMINISTRATORS: Final = (
    f"!(object.roleRef.name in {sorted(_ALL_ROLES)})"
    f" && (!has(object.subjects) || object.subjects.all(s, !(s.name in {sorted(_EVERYBODY)})"
    " && !(s.kind == 'ServiceAccount' && s.name == 'default')))"
)

RULES = (
    rule(
        "IAM-03",
        rationale="A wildcard grants what did not exist when it was reviewed.",
        severity=Severity.HIGH,
        remedy="name the actions, the resources and the callers; what is powerful by name (resourceNames)",
        check=_CHECKS,
        admission=(
            Admission(
                ("roles",),
                _NO_WILDCARDS,
                "a role names its groups, resources and verbs, and secrets by name",
                group=_RBAC,
            ),
            Admission(("rolebindings",), _NO_ADMINISTRATORS, "a binding makes nobody administrator", group=_RBAC),
        ),
    ),
)
