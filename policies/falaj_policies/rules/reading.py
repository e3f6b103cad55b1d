"""Reading a resource's inputs, where any part may be missing or not known yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ResourceFact
from falaj_policies.model import Objection

__all__ = [
    "LISTS", "POD_KINDS", "RAY_KINDS", "containers", "get", "items", "objection", "pod_spec", "pod_specs",
    "selects_all",
]  # fmt: skip

# What lists arrive as; `list | tuple` would be made anew with every question.
LISTS: Final = (list, tuple)
_POD_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")
_TEMPLATE: Final = ("spec", "template", "spec")
_POD_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "kubernetes:core:Pod": ("spec",),
    "kubernetes:core:PodTemplate": ("template", "spec"),
    "kubernetes:core:ReplicationController": _TEMPLATE,
    "kubernetes:batch:CronJob": ("spec", "jobTemplate", *_TEMPLATE),
    "kubernetes:batch:Job": _TEMPLATE,
    **{
        f"kubernetes:{group}:{kind}": _TEMPLATE
        for group in ("apps", "extensions")
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
    },
}
POD_KINDS: Final = frozenset(_POD_PATHS)
# Where KubeRay's resources describe a cluster, whose head and groups of workers are pods each.
_RAY_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "kubernetes:ray.io:RayCluster": ("spec",),
    "kubernetes:ray.io:RayJob": ("spec", "rayClusterSpec"),
    "kubernetes:ray.io:RayService": ("spec", "rayClusterConfig"),
}
RAY_KINDS: Final = frozenset(_RAY_PATHS)


def get(value: object, *keys: str) -> Any:
    """The value at a path of mappings; UNKNOWN wins over everything below it, None where there is nothing."""
    for key in keys:
        # Nearly all are plain dicts, and asking for that is several times as fast as asking for a Mapping.
        if type(value) is not dict and (value is UNKNOWN or not isinstance(value, Mapping)):
            return UNKNOWN if value is UNKNOWN else None
        value = value.get(key)
    return value


def items(value: object, key: str, path: str) -> Iterator[tuple[str, Any]]:
    """The items of the list under `key`, each with where it is; one UNKNOWN for a list that is not known."""
    found = get(value, key)
    if found is None:
        return
    at = f"{path}.{key}" if path else key
    if found is UNKNOWN:
        yield at, UNKNOWN
    elif isinstance(found, LISTS):
        for index, item in enumerate(found):
            yield f"{at}[{index}]", item


def pod_spec(resource: ResourceFact) -> tuple[str, Any]:
    """Where the pods of a workload are described, and that; None for what has no pods."""
    path = _POD_PATHS.get(resource.kind)
    return ("", None) if path is None else (".".join(path), get(resource.inputs, *path))


def pod_specs(resource: ResourceFact) -> Iterator[tuple[str, Any]]:
    """All pods that a workload describes, each as `pod_spec` has it: one, or those of a Ray cluster and its job."""
    keys = _RAY_PATHS.get(resource.kind)
    if keys is None:
        yield pod_spec(resource)
        return
    cluster, path = get(resource.inputs, *keys), ".".join(keys)
    yield f"{path}.headGroupSpec.template.spec", get(cluster, "headGroupSpec", "template", "spec")
    for at, group in items(cluster, "workerGroupSpecs", path):
        yield f"{at}.template.spec", get(group, "template", "spec")
    # The pod that hands in a job; other kinds have none.
    yield "spec.submitterPodTemplate.spec", get(resource.inputs, "spec", "submitterPodTemplate", "spec")


def containers(spec: object, path: str) -> Iterator[tuple[str, Any]]:
    """All containers of a pod's spec, of each of the three lists, with where they are."""
    for key in _POD_LISTS:
        yield from items(spec, key, path)


def selects_all(selector: object) -> bool:
    """A label selector without any condition."""
    return isinstance(selector, Mapping) and all(value is not UNKNOWN and not value for value in selector.values())


def objection(value: object, message: str, path: str, *, who: str = "a pod") -> Objection:
    """`who message` where the value is known, undecided where it is not."""
    if value is UNKNOWN:
        return Objection(f"it is not known yet whether {who} {message}", path=path, undecided=True)
    return Objection(f"{who} {message}", path=path)
