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
        yield from _items(spec, key, path)


def _items(value: object, key: str, path: str) -> Iterator[tuple[str, object]]:
    """The items of the list under `key`, each with where it is; one UNKNOWN for a list that is not known."""
    items = _get(value, key)
    if items is UNKNOWN:
        yield f"{path}.{key}", UNKNOWN
    for index, item in enumerate(items if isinstance(items, list | tuple) else ()):
        yield f"{path}.{key}[{index}]", item


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
    # `kubernetes:v1:Namespace` is the same object, declared as an apiextensions CustomResource.
    if re.fullmatch(r"kubernetes:(core/)?v1:Namespace", resource.type):
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
    for at, volume in _items(spec, "volumes", path):
        if volume is UNKNOWN:
            yield Objection("the volume is not known yet", path=at, undecided=True)
        kinds = set(volume) - {"name"} if isinstance(volume, Mapping) else set()
        if not kinds <= _VOLUMES:
            yield Objection(f"mounts a volume of type {', '.join(sorted(kinds - _VOLUMES))}", path=at)
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
    if (value := effective("runAsUser")) == 0 or value is UNKNOWN:
        yield _objection(value, "runs as root", f"{where}.runAsUser")
    if (value := effective("seccompProfile", "type")) not in ("RuntimeDefault", "Localhost"):
        yield _objection(value, "has no seccomp profile", f"{where}.seccompProfile")
    capabilities = _get(container, "securityContext", "capabilities")
    drop = [value for _, value in _items(capabilities, "drop", where)]
    if "ALL" not in drop:
        yield _objection(UNKNOWN if UNKNOWN in drop else drop, "keeps capabilities", f"{where}.capabilities.drop")
    for _, value in _items(capabilities, "add", where):
        if value != "NET_BIND_SERVICE":
            yield _objection(value, "adds capabilities", f"{where}.capabilities.add")
    for place, port in _items(container, "ports", at):
        if (value := _get(port, "hostPort")) not in (None, 0):
            yield _objection(value, "takes a port of the host", f"{place}.hostPort")


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
            values = [value for _, value in _items(rule, key, "rules")]
            if any(isinstance(value, str) and "*" in value for value in values):
                yield Objection("a wildcard in a role", path=f"rules[{index}].{key}")
            elif UNKNOWN in values:
                yield Objection("the rights are not known yet", path=f"rules[{index}].{key}", undecided=True)
