"""Cases of the tenancy rules."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from falaj_policies.facts import ResourceFact, StackFact
from falaj_policies.testing.build import HERE, REMOVED, broken, good, stack
from falaj_policies.testing.case import Case

_POD: Final = "kubernetes:core:Pod"
_NAMESPACE: Final = "kubernetes:core:Namespace"
_POLICY: Final = "kubernetes:networking:NetworkPolicy"
_QUOTA: Final = "kubernetes:core:ResourceQuota"
_AKS: Final = "azure-native:containerservice:ManagedCluster"
_PSS: Final = "metadata.labels.'pod-security.kubernetes.io/enforce'"
_CONTAINER: Final = "spec.containers[0].securityContext"
_NAME_LABEL: Final = "kubernetes.io/metadata.name"
_GPU: Final = "nvidia.com/gpu"

# Rule, kind, the input that is broken, its value, what that is in words; all of them in a tenant's stack.
_BROKEN: Final[tuple[tuple[str, str, str, Any, str], ...]] = (
    ("TEN-01", _POD, "metadata.namespace", "tenant-other", "a pod in another tenant's namespace"),
    ("TEN-01", _POD, "metadata.namespace", REMOVED, "a pod in the default namespace"),
    (
        "TEN-01",
        "kubernetes:apps:Deployment",
        "metadata.namespace",
        "kube-system",
        "a workload beside the cluster's own",
    ),
    ("TEN-01", _NAMESPACE, "metadata.name", "acme", "a namespace of another name"),
    (
        "TEN-01",
        "kubernetes:rbac:RoleBinding",
        "subjects[0].namespace",
        "tenant-other",
        "rights for another tenant's account",
    ),
    (
        "TEN-01",
        "kubernetes:rbac:RoleBinding",
        "subjects[0]",
        {"kind": "Group", "name": "system:serviceaccounts:tenant-other"},
        "rights for all of another tenant's accounts",
    ),
    (
        "TEN-01",
        "kubernetes:rbac:RoleBinding",
        "subjects[0]",
        {"kind": "User", "name": "system:serviceaccount:tenant-other:x"},
        "rights for another tenant's account by its user's name",
    ),
    ("TEN-01", "kubernetes:rbac:ClusterRoleBinding", "roleRef.name", "view", "rights in the whole cluster"),
    ("TEN-02", _POLICY, "spec.ingress", [{}], "a policy that lets in whoever comes"),
    ("TEN-02", _POLICY, "spec.ingress", [{"from": [{"namespaceSelector": {}}]}], "a policy for every namespace's pods"),
    ("TEN-02", _POLICY, "spec.ingress", [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}], "a policy for everybody"),
    *(
        (
            "TEN-02",
            _POLICY,
            "spec.ingress",
            [{"from": [{"namespaceSelector": {"matchExpressions": [{"key": _NAME_LABEL, **condition}]}}]}],
            what,
        )
        for condition, what in (
            ({"operator": "Exists"}, "a policy for the pods of every namespace that has a name"),
            ({"operator": "NotIn", "values": ["acme"]}, "a policy for the pods of all namespaces but one"),
        )
    ),
    ("TEN-03", _NAMESPACE, _PSS, "baseline", "a namespace that enforces less"),
    ("TEN-03", _NAMESPACE, _PSS, REMOVED, "a namespace that enforces nothing"),
    ("TEN-03", _POD, "spec.hostNetwork", True, "a pod in the host's network"),
    ("TEN-03", _POD, "spec.hostPID", True, "a pod among the host's processes"),
    ("TEN-03", _POD, "spec.hostIPC", True, "a pod in the host's memory"),
    ("TEN-03", _POD, "spec.volumes", [{"name": "v", "hostPath": {"path": "/"}}], "a pod with the host's files"),
    ("TEN-03", _POD, f"{_CONTAINER}.privileged", True, "a privileged container"),
    ("TEN-03", _POD, f"{_CONTAINER}.allowPrivilegeEscalation", True, "a container that may gain privileges"),
    ("TEN-03", _POD, f"{_CONTAINER}.runAsNonRoot", REMOVED, "a container that may run as root"),
    ("TEN-03", _POD, f"{_CONTAINER}.runAsUser", 0, "a container that runs as root"),
    ("TEN-03", _POD, f"{_CONTAINER}.windowsOptions", {"hostProcess": True}, "a container that is the host's process"),
    ("TEN-03", _POD, f"{_CONTAINER}.procMount", "Unmasked", "a container that sees all of /proc"),
    ("TEN-03", _POD, f"{_CONTAINER}.appArmorProfile", {"type": "Unconfined"}, "a container without AppArmor"),
    ("TEN-03", _POD, f"{_CONTAINER}.seLinuxOptions", {"type": "spc_t"}, "a container that SELinux lets do anything"),
    ("TEN-03", _POD, "spec.securityContext", {"seLinuxOptions": {"user": "acme"}}, "a pod of an SELinux user"),
    ("TEN-03", _POD, "spec.securityContext", {"seLinuxOptions": {"role": "acme"}}, "a pod of an SELinux role"),
    ("TEN-03", _POD, "spec.securityContext", {"appArmorProfile": {"type": "Unconfined"}}, "a pod without AppArmor"),
    (
        "TEN-03",
        _POD,
        "spec.securityContext",
        {"windowsOptions": {"hostProcess": True}},
        "a pod of the host's processes",
    ),
    (
        "TEN-03",
        _POD,
        "spec.securityContext",
        {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]},
        "a kernel's setting",
    ),
    *(
        (
            "TEN-03",
            f"kubernetes:ray.io:{kind}",
            f"{path}.template.spec.hostNetwork",
            True,
            f"a {kind} in the host's network",
        )
        for kind, path in (
            ("RayCluster", "spec.headGroupSpec"),
            ("RayCluster", "spec.workerGroupSpecs[0]"),
            ("RayJob", "spec.rayClusterSpec.headGroupSpec"),
            ("RayService", "spec.rayClusterConfig.headGroupSpec"),
        )
    ),
    ("TEN-03", _POD, f"{_CONTAINER}.seccompProfile", REMOVED, "a container without a filter of system calls"),
    ("TEN-03", _POD, f"{_CONTAINER}.capabilities.drop", ["NET_RAW"], "a container that keeps capabilities"),
    ("TEN-03", _POD, f"{_CONTAINER}.capabilities.add", ["SYS_ADMIN"], "a container with more capabilities"),
    ("TEN-03", _POD, "spec.containers[0].ports", [{"hostPort": 80, "containerPort": 80}], "a port of the host"),
    (
        "TEN-04",
        _POD,
        "spec.containers[0].resources",
        {"requests": {_GPU: 1}, "limits": {_GPU: 2}},
        "GPUs that are shared out twice",
    ),
    ("TEN-04", _POD, "spec.containers[0].resources", {"requests": {_GPU: 1}}, "GPUs without a limit"),
)


def _cluster_role(tenant: str | None) -> ResourceFact:
    token = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole"  # noqa: S105 - a type token
    here = dataclasses.replace(HERE["kubernetes"], tenant=tenant)
    rules = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]
    return here.resource(
        token, "r", {"metadata": {"name": "r"}, "rules": rules}, urn=f"urn:pulumi:dev::acme::{token}::r"
    )


def _tenant(*changed: ResourceFact, without: str = "") -> StackFact:
    """A tenant's stack; `changed` stand in the place of what is good of their kind."""
    deny = broken(_POLICY, "spec.egress")
    made = {one.kind: one for one in (good(_NAMESPACE), deny, good(_QUOTA), *changed)}
    return stack(*(one for kind, one in made.items() if kind != without), tenant="acme")


CASES = (
    *(
        Case(rule, what, good(kind, tenant="acme"), broken(kind, path, value, tenant="acme"))
        for rule, kind, path, value, what in _BROKEN
    ),
    Case("TEN-01", "an object of the whole cluster in a tenant's stack", _cluster_role(None), _cluster_role("acme")),
    *(
        Case("TEN-02", what, good(_AKS), broken(_AKS, "networkProfile.networkPolicy", value))
        for value, what in ((REMOVED, "a cluster without NetworkPolicies"), ("none", "a cluster with them off"))
    ),
    Case("TEN-02", "a tenant's namespace without a default", _tenant(), _tenant(without=_POLICY)),
    Case("TEN-02", "a default that allows something out", _tenant(), _tenant(good(_POLICY))),
    Case(
        "TEN-02",
        "a default for what comes in alone",
        _tenant(),
        _tenant(good(_POLICY, spec={"podSelector": {}, "policyTypes": ["Ingress"]})),
    ),
    Case(
        "TEN-02",
        "a default for some pods alone",
        _tenant(),
        _tenant(
            good(
                _POLICY,
                spec={"podSelector": {"matchLabels": {"app": "acme"}}, "policyTypes": ["Ingress", "Egress"]},
            )
        ),
    ),
    Case(
        "TEN-02",
        "a default in another namespace",
        _tenant(),
        _tenant(
            good(
                _POLICY,
                metadata={"name": "r", "namespace": "tenant-other"},
                spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
            )
        ),
    ),
    Case("TEN-04", "a tenant's namespace without a quota", _tenant(), _tenant(without=_QUOTA)),
    *(
        Case("TEN-04", f"a quota that does not count {what}", _tenant(), _tenant(broken(_QUOTA, f"spec.hard.'{key}'")))
        for key, what in (("requests.cpu", "CPU"), ("requests.memory", "memory"), (f"requests.{_GPU}", "GPUs"))
    ),
)
