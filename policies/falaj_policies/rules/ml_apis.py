"""IAM-04: every machine-learning API asks who is calling."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ResourceFact
from falaj_policies.model import Admission, Check, Objection, Severity
from falaj_policies.rules.declare import rule
from falaj_policies.rules.reading import POD_KINDS, containers, get, items, pod_spec
from falaj_policies.rules.requiring import all_of, one_of, undecided, unless

__all__ = ["RULES"]

# Flags by which a notebook server is told to ask nobody: an empty token or password.
_OPEN: Final = r"""--\w+(App|Provider)\.(token|password|hashed_password)=(''|"")?( |$)"""
_OPEN_NOTEBOOK: Final = re.compile(_OPEN)
_RAY: Final = "ray start"


def _pods(resource: ResourceFact) -> Iterator[Objection]:
    """Ray asks for its token, notebooks for theirs."""
    path, spec = pod_spec(resource)
    if spec is UNKNOWN:
        yield undecided(path)
    for at, container in containers(spec, path):
        words = [word for key in ("command", "args") for _, word in items(container, key, at)]
        said = " ".join(word for word in words if isinstance(word, str))
        if _RAY in said:
            yield from _asks(container, at)
        elif container is UNKNOWN or any(word is UNKNOWN for word in words):
            yield Objection("it is not known yet what it starts", path=at, undecided=True)
        if _OPEN_NOTEBOOK.search(said):
            yield Objection("starts a notebook server that asks nobody for a token", path=f"{at}.args")


def _asks(container: Any, at: str) -> Iterator[Objection]:
    """`ray start` without a mode only warns, and opens the whole cluster to whoever reaches it."""
    modes = [get(item, "value") for _, item in items(container, "env", at) if get(item, "name") == "RAY_AUTH_MODE"]
    if any(isinstance(mode, str) and mode == "token" for mode in modes):
        return
    if any(mode is UNKNOWN for mode in modes) or get(container, "env") is UNKNOWN:
        yield Objection("it is not known yet whether Ray asks for its token", path=f"{at}.env", undecided=True)
    else:
        yield Objection("starts Ray without RAY_AUTH_MODE=token", path=f"{at}.env")


def _ray_resource(*keys: str) -> Check:
    """A resource of KubeRay's: its operator gives out tokens, or every container of the cluster asks for one."""

    def check(resource: ResourceFact) -> Iterator[Objection]:
        cluster, path = get(resource.inputs, *keys), ".".join(keys)
        mode = get(cluster, "authOptions", "mode")
        if isinstance(mode, str) and mode == "token":
            return
        if cluster is UNKNOWN or mode is UNKNOWN:
            yield Objection("it is not known yet whether Ray asks for its token", path=path, undecided=True)
            return
        head = get(cluster, "headGroupSpec", "template", "spec")
        pools = [get(pool, "template", "spec") for _, pool in items(cluster, "workerGroupSpecs", path)]
        found = [container for spec in (head, *pools) for _, container in containers(spec, path)]
        if not found:
            yield Objection("starts Ray without RAY_AUTH_MODE=token", path=f"{path}.authOptions.mode")
        for container in found:
            yield from _asks(container, path)

    return check


def _is_preflight(resource: ResourceFact) -> bool:
    """A browser asks by OPTIONS what it may ask, and cannot say who it is."""
    method = resource.inputs.get("httpMethod")
    return isinstance(method, str) and method == "OPTIONS"


_CHECKS: Final[Mapping[str, Check]] = {
    **dict.fromkeys(POD_KINDS, _pods),
    "kubernetes:ray.io:RayCluster": _ray_resource("spec"),
    "kubernetes:ray.io:RayJob": _ray_resource("spec", "rayClusterSpec"),
    "kubernetes:ray.io:RayService": _ray_resource("spec", "rayClusterConfig"),
    "aws:lambda:FunctionUrl": one_of("authorizationType", ("AWS_IAM",), "lets anyone call the function"),
    "aws:apigatewayv2:Route": one_of("authorizationType", ("AWS_IAM", "JWT", "CUSTOM"), "asks nobody who is calling"),
    "aws:apigateway:Method": unless(
        _is_preflight,
        one_of("authorization", ("AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS"), "asks nobody who is calling"),
    ),
    "aws:sagemaker:NotebookInstance": all_of(
        one_of("directInternetAccess", ("Disabled",), "has a way of its own to the internet, around the VPC"),
        one_of("rootAccess", ("Disabled",), "makes its users root"),
    ),
    "aws:sagemaker:Domain": one_of("appNetworkAccessType", ("VpcOnly",), "has a way of its own to the internet"),
}


def _of_containers(holds: str) -> str:
    """CEL that is true where `holds` is of every container `c` of a pod, of each of the three lists."""
    lists = ("containers", "initContainers", "ephemeralContainers")
    return " && ".join(f"(!has(object.spec.{key}) || object.spec.{key}.all(c, {holds}))" for key in lists)


_WORDS: Final = "((has(c.command) ? c.command : []) + (has(c.args) ? c.args : [])).join(' ')"
_RAY_ASKS: Final = _of_containers(
    f"!{_WORDS}.contains('{_RAY}') || (has(c.env)"
    " && c.env.exists(e, e.name == 'RAY_AUTH_MODE' && has(e.value) && e.value == 'token'))"
)
_NOTEBOOKS_ASK: Final = _of_containers(f"!{_WORDS}.matches(r'''{_OPEN}''')")
_PODS: Final = ("pods", "pods/ephemeralcontainers")

RULES = (
    rule(
        "IAM-04",
        rationale="Whoever reaches an open machine-learning API runs code on it: Ray's is one by design.",
        severity=Severity.CRITICAL,
        remedy="let the API ask who is calling: RAY_AUTH_MODE=token, AWS_IAM, a notebook's own token",
        check=_CHECKS,
        admission=(
            Admission(_PODS, _RAY_ASKS, "Ray is started with RAY_AUTH_MODE=token"),
            Admission(_PODS, _NOTEBOOKS_ASK, "a notebook server keeps its token"),
        ),
    ),
)
