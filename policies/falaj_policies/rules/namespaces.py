"""TEN-01, TEN-02, TEN-04: a tenant has one namespace, which lets nobody else in and takes no more than its share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ResourceFact, StackFact
from falaj_policies.model import Objection, Severity
from falaj_policies.rules.declare import rule
from falaj_policies.rules.exposure import is_open
from falaj_policies.rules.networks import blocks
from falaj_policies.rules.pairing import of_kind
from falaj_policies.rules.reading import LISTS, POD_KINDS, containers, get, items, pod_spec, selects_all
from falaj_policies.rules.requiring import one_of, undecided

__all__ = ["RULES", "TENANT_LABEL"]

# The label that makes a namespace a tenant's: its value is the tenant's id.
TENANT_LABEL: Final = "falaj.io/tenant"
_NAMESPACE: Final = "kubernetes:core:Namespace"
# Objects of the whole cluster, by group and kind: a tenant's stack has none of its own.
_OF_THE_CLUSTER: Final = frozenset(
    f"kubernetes:{group}:{kind}"
    for group, kinds in {
        "core": "Node PersistentVolume",
        "rbac": "ClusterRole ClusterRoleBinding",
        "storage": "StorageClass CSIDriver CSINode VolumeAttachment VolumeAttributesClass",
        "scheduling": "PriorityClass",
        "node": "RuntimeClass",
        "apiextensions": "CustomResourceDefinition",
        "apiregistration": "APIService",
        "networking": "IngressClass IPAddress ServiceCIDR",
        "admissionregistration": (
            "MutatingWebhookConfiguration ValidatingWebhookConfiguration ValidatingAdmissionPolicy"
            " ValidatingAdmissionPolicyBinding MutatingAdmissionPolicy MutatingAdmissionPolicyBinding"
        ),
        "certificates": "CertificateSigningRequest ClusterTrustBundle",
        "flowcontrol.apiserver": "FlowSchema PriorityLevelConfiguration",
        "resource": "DeviceClass ResourceSlice",
        "gateway.networking": "GatewayClass",
    }.items()
    for kind in kinds.split()
)
# Roles of the whole cluster that a tenant's own account may have: this one only asks whose token it was given.
_SHARED_ROLES: Final = frozenset({"falaj-token-reviewer"})
_GPU: Final = "nvidia.com/gpu"
# Accounts as users and groups: one of a namespace, and all of a namespace.
_ACCOUNTS: Final = re.compile(r"system:serviceaccounts?:([^:]*).*")
# The label that every namespace has.
_NAME_LABEL: Final = "kubernetes.io/metadata.name"
_ALL_BUT: Final = ("Exists", "NotIn")


def in_own_namespace(resource: ResourceFact) -> Iterator[Objection]:
    """A tenant's objects are in `tenant-<id>`, and give rights to accounts of that namespace alone."""
    if resource.tenant is None or not resource.type.startswith("kubernetes:"):
        return
    own, kind = f"tenant-{resource.tenant}", resource.kind
    if kind == "kubernetes:rbac:ClusterRoleBinding":
        yield from _shared_role(resource)
    elif kind in _OF_THE_CLUSTER:
        yield Objection(f"is an object of the whole cluster, in the stack of the tenant {resource.tenant}")
        return
    elif kind == _NAMESPACE:
        yield from _is(get(resource.inputs, "metadata", "name"), own, "metadata.name", "the namespace is")
    elif kind == "kubernetes:helm.sh:Release":
        yield from _is(resource.inputs.get("namespace"), own, "namespace", "is in the namespace")
    else:
        namespace = get(resource.inputs, "metadata", "namespace")
        yield from _is(namespace, own, "metadata.namespace", "is in the namespace")
    if kind in ("kubernetes:rbac:RoleBinding", "kubernetes:rbac:ClusterRoleBinding"):
        for at, subject in items(resource.inputs, "subjects", ""):
            if get(subject, "kind") == "ServiceAccount":
                place = get(subject, "namespace")
                yield from _is(place, own, f"{at}.namespace", "gives rights to an account of")
            elif isinstance(name := get(subject, "name"), str) and (accounts := _ACCOUNTS.fullmatch(name)):
                yield from _is(accounts[1], own, f"{at}.name", "gives rights to accounts of")


def _shared_role(resource: ResourceFact) -> Iterator[Objection]:
    role = get(resource.inputs, "roleRef", "name")
    if role is UNKNOWN:
        yield undecided("roleRef.name")
    elif not isinstance(role, str) or role not in _SHARED_ROLES:
        yield Objection(f"gives the role {role} in the whole cluster", path="roleRef.name")


def _is(value: Any, wanted: str, path: str, what: str) -> Iterator[Objection]:
    if value is UNKNOWN:
        yield undecided(path)
    elif value != wanted:
        yield Objection(f"{what} {value or 'default'}, not {wanted}", path=path)


def no_strangers(resource: ResourceFact) -> Iterator[Objection]:
    """No NetworkPolicy of a tenant lets in whoever comes, or every namespace's pods."""
    if resource.tenant is None:
        return
    spec = resource.inputs.get("spec")
    if spec is UNKNOWN:
        yield undecided("spec")
    for at, entry in items(spec, "ingress", "spec"):
        if entry is UNKNOWN:
            yield undecided(at)
            continue
        sources = get(entry, "from")
        if sources is None or sources in ([], ()):
            yield Objection("lets in whoever comes", path=f"{at}.from")
        for place, source in items(entry, "from", at):
            if source is UNKNOWN:
                yield undecided(place)
                continue
            yield from _not_all_namespaces(get(source, "namespaceSelector"), f"{place}.namespaceSelector")
            yield from blocks(get(source, "ipBlock"), f"{place}.ipBlock", "cidr", wide=is_open, says="lets in")


def _not_all_namespaces(selector: Any, path: str) -> Iterator[Objection]:
    """A selector of namespaces has a condition that not every namespace meets."""
    labels, conditions = get(selector, "matchLabels"), get(selector, "matchExpressions")
    listed = conditions if isinstance(conditions, LISTS) else ()
    if selector is None or (isinstance(labels, Mapping) and labels) or any(_chooses(one) for one in listed):
        return
    said = [get(one, key) for one in listed for key in ("key", "operator")]
    if any(value is UNKNOWN for value in (labels, conditions, *said)):
        yield undecided(path)
    else:
        yield Objection("lets in the pods of every namespace", path=path)


def _chooses(condition: Any) -> bool:
    """Whether a condition is not one that every namespace meets (it has a name), or all but some."""
    key, operator = get(condition, "key"), get(condition, "operator")
    return (isinstance(key, str) and key != _NAME_LABEL) or (isinstance(operator, str) and operator not in _ALL_BUT)


def gpus_are_limited(resource: ResourceFact) -> Iterator[Objection]:
    """GPUs are asked for by a limit, and no other number is requested: they cannot be shared out twice."""
    path, spec = pod_spec(resource)
    if spec is UNKNOWN:
        yield undecided(path)
        return
    for at, container in containers(spec, path):
        asked = get(container, "resources", "requests", _GPU)
        limit = get(container, "resources", "limits", _GPU)
        if asked is None:
            continue
        if asked is UNKNOWN or limit is UNKNOWN:
            yield undecided(f"{at}.resources")
        elif str(asked) != str(limit):
            yield Objection(f"asks for {asked} GPUs with a limit of {limit or 'none'}", path=f"{at}.resources")


def _of_tenants(stack: StackFact) -> Iterator[tuple[ResourceFact, str | None]]:
    """The tenants' namespaces that a stack makes, each with its name where that is known."""
    for namespace in of_kind(stack, _NAMESPACE):
        labels = get(namespace.inputs, "metadata", "labels")
        if stack.tenant is not None or namespace.tenant is not None or get(labels, TENANT_LABEL) is not None:
            name = get(namespace.inputs, "metadata", "name")
            yield namespace, name if isinstance(name, str) else None


def _inside(stack: StackFact, kind: str, namespace: ResourceFact, name: str | None) -> Iterator[ResourceFact]:
    """What a stack puts into a namespace: by its literal name, else by the program's graph."""
    for resource in of_kind(stack, kind):
        said = get(resource.inputs, "metadata", "namespace")
        literal = name is not None and isinstance(said, str) and said == name
        if literal or (not isinstance(said, str) and namespace.urn in resource.references.get("metadata", ())):
            yield resource


def default_deny(stack: StackFact) -> Iterator[Objection]:
    """Every tenant's namespace has a NetworkPolicy that selects all pods and allows nothing, in or out."""
    for namespace, name in _of_tenants(stack):
        policies = list(_inside(stack, "kubernetes:networking:NetworkPolicy", namespace, name))
        if not any(_denies_all(policy.inputs.get("spec")) for policy in policies):
            unknown = any(policy.inputs.get("spec") is UNKNOWN for policy in policies)
            yield Objection("no NetworkPolicy denies by default", subject=namespace.urn, undecided=unknown)


def _denies_all(spec: Any) -> bool:
    types = get(spec, "policyTypes")
    return (
        selects_all(get(spec, "podSelector"))
        and isinstance(types, list | tuple)
        and "Ingress" in types
        and "Egress" in types
        and all(get(spec, key) in (None, [], ()) for key in ("ingress", "egress"))
    )


def has_quota(stack: StackFact) -> Iterator[Objection]:
    """Every tenant's namespace has a ResourceQuota over CPU, memory and GPUs."""
    for namespace, name in _of_tenants(stack):
        quotas = [
            get(q.inputs, "spec", "hard") for q in _inside(stack, "kubernetes:core:ResourceQuota", namespace, name)
        ]
        if any(hard is UNKNOWN for hard in quotas):
            yield Objection("its quota is not known yet", subject=namespace.urn, undecided=True)
            continue
        counted = {key for hard in quotas if isinstance(hard, Mapping) for key in hard}
        for what, keys in (
            ("CPU", {"cpu", "requests.cpu", "limits.cpu"}),
            ("memory", {"memory", "requests.memory", "limits.memory"}),
            ("GPUs", {f"requests.{_GPU}"}),
        ):
            if not keys & counted:
                yield Objection(f"no ResourceQuota counts its {what}", subject=namespace.urn)


_APART: Final = "What one tenant can reach of another's is shared, whatever the contract says."

RULES = (
    rule(
        "TEN-01",
        rationale=_APART,
        severity=Severity.CRITICAL,
        remedy="put it into the tenant's namespace, tenant-<id>; what is the cluster's belongs to the region's stack",
        check=in_own_namespace,
    ),
    rule(
        "TEN-02",
        rationale=_APART,
        severity=Severity.HIGH,
        remedy="name who may come in (pods by label, networks that have to), and let the cluster's network enforce it",
        check={
            "kubernetes:networking:NetworkPolicy": no_strangers,
            "azure-native:containerservice:ManagedCluster": one_of(
                "networkProfile.networkPolicy", ("azure", "calico", "cilium"), "enforces no NetworkPolicy"
            ),
        },
    ),
    rule(
        "TEN-02",
        rationale="Pods talk to everyone until a policy selects them.",
        severity=Severity.HIGH,
        remedy="add a NetworkPolicy with podSelector {} and policyTypes Ingress and Egress, without any rule",
        check=default_deny,
        applies_to=StackFact,
    ),
    rule(
        "TEN-04",
        rationale="A tenant without a limit takes what others paid for.",
        severity=Severity.MEDIUM,
        remedy="set the limit of nvidia.com/gpu to what is requested",
        check=gpus_are_limited,
        kinds=POD_KINDS,
    ),
    rule(
        "TEN-04",
        rationale="A tenant without a quota takes what others paid for.",
        severity=Severity.MEDIUM,
        remedy="add a ResourceQuota with requests.cpu, requests.memory and requests.nvidia.com/gpu",
        check=has_quota,
        applies_to=StackFact,
    ),
)
