"""Rules over Kubernetes objects as a program declares them: SUP-04, TEN-03, IAM-03."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ResourceFact
from falaj_policies.model import Objection

__all__ = ["images_by_digest", "no_wildcards", "restricted_pods"]

_BY_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
_POD_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")
_VOLUMES: Final = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
_PSS_LABEL: Final = "pod-security.kubernetes.io/enforce"


def _get(value: object, *keys: str) -> Any:
    """The value at a path of mappings; UNKNOWN wins over everything below it, None where there is nothing."""
    for key in keys:
        if value is UNKNOWN or not isinstance(value, Mapping):
            return UNKNOWN if value is UNKNOWN else None
        value = value.get(key)
    return value


def _pod_spec(resource: ResourceFact) -> tuple[str, object]:
    kind = resource.type.rsplit(":", 1)[-1].removesuffix("Patch")
    if not resource.type.startswith("kubernetes:"):
        return "", None
    if kind == "Pod":
        return "spec", resource.inputs.get("spec")
    if kind == "PodTemplate":
        return "template.spec", _get(resource.inputs, "template", "spec")
    if kind == "CronJob":
        path: tuple[str, ...] = ("spec", "jobTemplate", "spec", "template", "spec")
    elif kind in {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"}:
        path = ("spec", "template", "spec")
    else:
        return "", None
    return ".".join(path), _get(resource.inputs, *path)


def _containers(spec: object, path: str) -> Iterator[tuple[str, object]]:
    for key in _POD_LISTS:
        containers = _get(spec, key)
        if containers is UNKNOWN:
            yield f"{path}.{key}", UNKNOWN
        for index, container in enumerate(containers if isinstance(containers, list | tuple) else ()):
            yield f"{path}.{key}[{index}]", container


def images_by_digest(resource: ResourceFact) -> Iterator[Objection]:
    path, spec = _pod_spec(resource)
    if spec is UNKNOWN:
        yield Objection("its pods are not known yet", path=path, undecided=True)
        return
    for at, container in _containers(spec, path):
        image = _get(container, "image")
        if image is UNKNOWN:
            yield Objection("the image is not known yet", path=f"{at}.image", undecided=True)
        elif not isinstance(image, str) or not _BY_DIGEST.fullmatch(image):
            yield Objection(f"the image {image!r} is not pinned by digest", path=f"{at}.image")


def restricted_pods(resource: ResourceFact) -> Iterator[Objection]:
    """A tenant's namespace enforces the restricted standard, and a tenant's pods keep it."""
    if resource.tenant is None:
        return
    if resource.type.endswith("core/v1:Namespace"):
        level = _get(resource.inputs, "metadata", "labels", _PSS_LABEL)
        if level is UNKNOWN:
            yield Objection("the Pod Security Standard is not known yet", path="metadata.labels", undecided=True)
        elif level != "restricted":
            yield Objection(f"the namespace enforces {level or 'no Pod Security Standard'}", path="metadata.labels")
        return
    path, spec = _pod_spec(resource)
    if spec is None or spec is UNKNOWN:
        if spec is UNKNOWN:
            yield Objection("its pods are not known yet", path=path, undecided=True)
        return
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if _get(spec, key) not in (None, False):
            yield _objection(_get(spec, key), "shares the host's namespaces", f"{path}.{key}")
    volumes = _get(spec, "volumes")
    for index, volume in enumerate(volumes if isinstance(volumes, list | tuple) else ()):
        kinds = set(volume) - {"name"} if isinstance(volume, Mapping) else set()
        if not kinds <= _VOLUMES:
            yield Objection(
                f"mounts a volume of type {', '.join(sorted(kinds - _VOLUMES))}", path=f"{path}.volumes[{index}]"
            )
    for at, container in _containers(spec, path):
        yield from _restricted_container(spec, container, at)


def _restricted_container(spec: object, container: object, at: str) -> Iterator[Objection]:
    def effective(*keys: str) -> Any:
        own = _get(container, "securityContext", *keys)
        return own if own is not None else _get(spec, "securityContext", *keys)

    where = f"{at}.securityContext"
    if (value := _get(container, "securityContext", "privileged")) not in (None, False):
        yield _objection(value, "is privileged", f"{where}.privileged")
    if (value := _get(container, "securityContext", "allowPrivilegeEscalation")) is not False:
        yield _objection(value, "may gain privileges", f"{where}.allowPrivilegeEscalation")
    if (value := effective("runAsNonRoot")) is not True:
        yield _objection(value, "may run as root", f"{where}.runAsNonRoot")
    if (value := effective("runAsUser")) == 0:
        yield Objection("runs as root", path=f"{where}.runAsUser")
    if (value := effective("seccompProfile", "type")) not in ("RuntimeDefault", "Localhost"):
        yield _objection(value, "has no seccomp profile", f"{where}.seccompProfile")
    drop = _get(container, "securityContext", "capabilities", "drop")
    if drop is UNKNOWN or "ALL" not in (drop or ()):
        yield _objection(drop, "keeps capabilities", f"{where}.capabilities.drop")
    add = _get(container, "securityContext", "capabilities", "add")
    if add is UNKNOWN or set(add or ()) - {"NET_BIND_SERVICE"}:
        yield _objection(add, "adds capabilities", f"{where}.capabilities.add")
    for port in _get(container, "ports") or ():
        if _get(port, "hostPort") not in (None, 0):
            yield Objection("takes a port of the host", path=f"{at}.ports")


def _objection(value: object, message: str, path: str) -> Objection:
    if value is UNKNOWN:
        return Objection(f"it is not known yet whether it {message}", path=path, undecided=True)
    return Objection(f"a pod {message}", path=path)


def no_wildcards(resource: ResourceFact) -> Iterator[Objection]:
    """No Role grants everything of a kind; a wildcard there outlives every review of what it meant."""
    if not re.fullmatch(r"kubernetes:rbac\.authorization\.k8s\.io/v1:(Cluster)?Role(Patch)?", resource.type):
        return
    rules = resource.inputs.get("rules")
    if rules is UNKNOWN:
        yield Objection("the rights are not known yet", path="rules", undecided=True)
    for index, rule in enumerate(rules if isinstance(rules, list | tuple) else ()):
        for key in ("apiGroups", "resources", "verbs", "nonResourceURLs"):
            values = _get(rule, key)
            if values is UNKNOWN:
                yield Objection("the rights are not known yet", path=f"rules[{index}].{key}", undecided=True)
            elif any(isinstance(value, str) and "*" in value for value in values or ()):
                yield Objection("a wildcard in a role", path=f"rules[{index}].{key}")
