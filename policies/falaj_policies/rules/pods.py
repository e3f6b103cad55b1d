"""TEN-03: a tenant's namespace enforces the restricted Pod Security Standard, and its pods keep it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ResourceFact
from falaj_policies.model import Admission, Objection, Severity
from falaj_policies.rules.declare import rule
from falaj_policies.rules.namespaces import TENANT_LABEL
from falaj_policies.rules.reading import POD_KINDS, RAY_KINDS, containers, get, items, objection, pod_specs

__all__ = ["RULES"]

_VOLUMES: Final = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
# Settings of the kernel that a namespace of its own keeps apart, and labels of SELinux that confine.
_SYSCTLS: Final = frozenset(
    {"kernel.shm_rmid_forced"}
    | {
        f"net.ipv4.{name}"
        for name in (
            "ip_local_port_range", "ip_local_reserved_ports", "ip_unprivileged_port_start", "ping_group_range",
            "tcp_syncookies", "tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes", "tcp_fin_timeout",
        )
    }
)  # fmt: skip
_SELINUX: Final = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_PSS_LABEL: Final = "pod-security.kubernetes.io/enforce"
# What the API server says itself of a pod (the standard's own admission) is not written again as CEL; that the
# namespace turns it on, and goes on being a tenant's, is.
_STAYS_RESTRICTED: Final = (
    f"has(object.metadata.labels) && '{TENANT_LABEL}' in object.metadata.labels"
    f" && '{_PSS_LABEL}' in object.metadata.labels"
    f" && object.metadata.labels['{_PSS_LABEL}'] == 'restricted'"
    " && (oldObject == null || !has(oldObject.metadata.labels)"
    f" || !('{TENANT_LABEL}' in oldObject.metadata.labels)"
    f" || oldObject.metadata.labels['{TENANT_LABEL}'] == object.metadata.labels['{TENANT_LABEL}'])"
)


def restricted_pods(resource: ResourceFact) -> Iterator[Objection]:
    """A tenant's namespace enforces the restricted standard, and a tenant's pods keep it."""
    if resource.tenant is None:
        return
    if resource.kind == "kubernetes:core:Namespace":
        level = get(resource.inputs, "metadata", "labels", _PSS_LABEL)
        if level is UNKNOWN:
            yield Objection("the Pod Security Standard is not known yet", path="metadata.labels", undecided=True)
        elif level != "restricted":
            yield Objection(f"the namespace enforces {level or 'no Pod Security Standard'}", path="metadata.labels")
        return
    for path, spec in pod_specs(resource):
        if spec is UNKNOWN:
            yield Objection("its pods are not known yet", path=path, undecided=True)
        elif spec is not None:
            yield from _restricted_pod(spec, path)


def _restricted_pod(spec: object, path: str) -> Iterator[Objection]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if get(spec, key) not in (None, False):
            yield objection(get(spec, key), "shares the host's namespaces", f"{path}.{key}")
    for at, volume in items(spec, "volumes", path):
        if volume is UNKNOWN:
            yield Objection("the volume is not known yet", path=at, undecided=True)
        kinds = set(volume) - {"name"} if isinstance(volume, Mapping) else set()
        if not kinds <= _VOLUMES:
            yield Objection(f"mounts a volume of type {', '.join(sorted(kinds - _VOLUMES))}", path=at)
    shared, where = get(spec, "securityContext"), f"{path}.securityContext"
    yield from _confined(shared, where)
    for at, sysctl in items(shared, "sysctls", where):
        if not isinstance(name := get(sysctl, "name"), str) or name not in _SYSCTLS:
            yield objection(name, "changes a setting of the host's kernel", at)
    for at, container in containers(spec, path):
        yield from _restricted_container(spec, container, at)


def _restricted_container(spec: object, container: object, at: str) -> Iterator[Objection]:
    own, shared = get(container, "securityContext"), get(spec, "securityContext")
    where = f"{at}.securityContext"

    def effective(key: str) -> Any:
        """The container's own setting, else its pod's."""
        value = get(own, key)
        return value if value is not None else get(shared, key)

    if (value := get(own, "privileged")) not in (None, False):
        yield objection(value, "is privileged", f"{where}.privileged")
    if (value := get(own, "allowPrivilegeEscalation")) is not False:
        yield objection(value, "may gain privileges", f"{where}.allowPrivilegeEscalation")
    if (value := effective("runAsNonRoot")) is not True:
        yield objection(value, "may run as root", f"{where}.runAsNonRoot")
    if (value := effective("runAsUser")) == 0 or value is UNKNOWN:
        yield objection(value, "runs as root", f"{where}.runAsUser")
    yield from _confined(own, where)
    if (value := get(own, "procMount")) not in (None, "Default"):
        yield objection(value, "sees what the runtime hides of /proc", f"{where}.procMount")
    if (value := _profile(own, shared)) not in ("RuntimeDefault", "Localhost"):
        yield objection(value, "has no seccomp profile", f"{where}.seccompProfile")
    capabilities = get(own, "capabilities")
    drop = [value for _, value in items(capabilities, "drop", where)]
    if "ALL" not in drop:
        yield objection(UNKNOWN if UNKNOWN in drop else drop, "keeps capabilities", f"{where}.capabilities.drop")
    for _, value in items(capabilities, "add", where):
        if value != "NET_BIND_SERVICE":
            yield objection(value, "adds capabilities", f"{where}.capabilities.add")
    for place, port in items(container, "ports", at):
        if (value := get(port, "hostPort")) not in (None, 0):
            yield objection(value, "takes a port of the host", f"{place}.hostPort")


def _confined(context: object, where: str) -> Iterator[Objection]:
    """What a security context must not say, be it a pod's or a container's."""
    if (value := get(context, "windowsOptions", "hostProcess")) not in (None, False):
        yield objection(value, "runs as a process of the host", f"{where}.windowsOptions.hostProcess")
    if (value := get(context, "appArmorProfile", "type")) not in (None, "RuntimeDefault", "Localhost"):
        yield objection(value, "has its AppArmor profile off", f"{where}.appArmorProfile.type")
    for key, allowed in (("type", _SELINUX), ("user", ("",)), ("role", ("",))):
        if (value := get(context, "seLinuxOptions", key)) is not None and value not in allowed:
            yield objection(value, "chooses its SELinux label", f"{where}.seLinuxOptions.{key}")


def _profile(own: object, shared: object) -> Any:
    value = get(own, "seccompProfile", "type")
    return value if value is not None else get(shared, "seccompProfile", "type")


RULES = (
    rule(
        "TEN-03",
        rationale="A container that can become root on the node reaches every tenant on it.",
        severity=Severity.CRITICAL,
        remedy="keep the restricted Pod Security Standard",
        check=restricted_pods,
        kinds=POD_KINDS | RAY_KINDS | {"kubernetes:core:Namespace"},
        admission=(
            Admission(
                ("namespaces",),
                _STAYS_RESTRICTED,
                "a tenant's namespace keeps its label and enforces the restricted Pod Security Standard",
                namespaces=True,
            ),
        ),
    ),
)
