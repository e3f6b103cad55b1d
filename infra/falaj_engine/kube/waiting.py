"""Waiting for objects: until a workload is ready, until an object is gone; and why it is not yet so.

What a kind needs is a pure function of the object. Only when it is not ready are its pods looked at, for the reason
people need.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from falaj_engine.errors import StepError
from falaj_engine.kube.client import ApiError, Client, Object
from falaj_engine.provider import Operation

WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"})
_DEFAULT_TIMEOUT = 600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """ready, or why not; failed: waiting longer is of no use."""

    ready: bool
    reason: str = ""
    failed: bool = False


READY = Verdict(True)


def judge(live: Mapping[str, Any]) -> Verdict:
    """Whether the object is ready for those that depend on it."""
    rule = _RULES.get(live.get("kind", ""))
    return READY if rule is None else rule(live)


def _count(part: Mapping[str, Any], key: str) -> int:
    return int(part.get(key) or 0)


def _condition(live: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    for condition in live.get("status", {}).get("conditions") or ():
        if condition.get("type") == type_:
            found: Mapping[str, Any] = condition
            return found
    return {}


def _observed(live: Mapping[str, Any]) -> bool:
    return _count(live.get("status", {}), "observedGeneration") >= _count(live["metadata"], "generation")


def _deployment(live: Mapping[str, Any]) -> Verdict:
    if not _observed(live):
        return Verdict(False, "the controller has not seen it yet")
    wanted = int(live["spec"].get("replicas", 1))
    status = live.get("status", {})
    progressing = _condition(live, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Verdict(False, str(progressing.get("message")), failed=True)
    failure = _condition(live, "ReplicaFailure")
    if failure.get("status") == "True":
        return Verdict(False, str(failure.get("message")))
    updated, available, total = (_count(status, key) for key in ("updatedReplicas", "availableReplicas", "replicas"))
    if updated >= wanted and available >= wanted and total == updated:
        return READY
    return Verdict(False, f"{min(updated, available)} of {wanted} replicas available")


def _stateful_set(live: Mapping[str, Any]) -> Verdict:
    if not _observed(live):
        return Verdict(False, "the controller has not seen it yet")
    wanted = int(live["spec"].get("replicas", 1))
    status = live.get("status", {})
    ready, updated = _count(status, "readyReplicas"), _count(status, "updatedReplicas")
    if status.get("updateRevision") and status.get("updateRevision") == status.get("currentRevision"):
        updated = max(updated, _count(status, "currentReplicas"))
    if ready >= wanted and updated >= wanted:
        return READY
    return Verdict(False, f"{min(ready, updated)} of {wanted} replicas ready")


def _daemon_set(live: Mapping[str, Any]) -> Verdict:
    if not _observed(live):
        return Verdict(False, "the controller has not seen it yet")
    status = live.get("status", {})
    wanted = _count(status, "desiredNumberScheduled")
    ready, updated = _count(status, "numberReady"), _count(status, "updatedNumberScheduled")
    return READY if min(ready, updated) >= wanted else Verdict(False, f"{min(ready, updated)} of {wanted} nodes ready")


def _job(live: Mapping[str, Any]) -> Verdict:
    if live["spec"].get("suspend"):
        return READY
    failed = _condition(live, "Failed")
    if failed.get("status") == "True":
        return Verdict(False, f"{failed.get('reason')}: {failed.get('message')}", failed=True)
    if _condition(live, "Complete").get("status") == "True":
        return READY
    status = live.get("status", {})
    return Verdict(False, f"{_count(status, 'active')} active, {_count(status, 'failed')} failed")


def _pod(live: Mapping[str, Any]) -> Verdict:
    phase = live.get("status", {}).get("phase")
    if phase == "Succeeded" or _condition(live, "Ready").get("status") == "True":
        return READY
    return Verdict(False, pod_reason(live) or f"phase {phase}", failed=phase == "Failed")


def _service(live: Mapping[str, Any]) -> Verdict:
    if live["spec"].get("type") != "LoadBalancer" or live.get("status", {}).get("loadBalancer", {}).get("ingress"):
        return READY
    return Verdict(False, "the load balancer has no address yet")


def _claim(live: Mapping[str, Any]) -> Verdict:
    phase = live.get("status", {}).get("phase")
    if phase == "Lost":
        return Verdict(False, "its volume is lost", failed=True)
    # Whether it binds at once or with its first pod is the storage class's; until_ready looks that up.
    return READY if phase == "Bound" else Verdict(False, f"phase {phase or 'Pending'}")


def _secret(live: Mapping[str, Any]) -> Verdict:
    # A service account's token is filled in by the cluster; everything else is there when the Secret is.
    if live.get("type") != "kubernetes.io/service-account-token" or "token" in (live.get("data") or {}):
        return READY
    return Verdict(False, "the cluster has not filled in the token yet")


def _definition(live: Mapping[str, Any]) -> Verdict:
    names = _condition(live, "NamesAccepted")
    if names.get("status") == "False":
        return Verdict(False, str(names.get("message")), failed=True)
    return READY if _condition(live, "Established").get("status") == "True" else Verdict(False, "not established yet")


_RULES: dict[str, Callable[[Mapping[str, Any]], Verdict]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "Pod": _pod,
    "Secret": _secret,
    "Service": _service,
    "PersistentVolumeClaim": _claim,
    "CustomResourceDefinition": _definition,
}


def pod_reason(pod: Mapping[str, Any]) -> str:
    """Why a pod is not ready, in one line, or nothing."""
    status = pod.get("status", {})
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"{condition.get('reason')}: {condition.get('message')}"
    for entry in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        state, last = entry.get("state", {}), entry.get("lastState", {})
        waiting = state.get("waiting")
        if waiting and waiting.get("reason") not in ("ContainerCreating", "PodInitializing"):
            ended = last.get("terminated") or {}
            detail = f"exit code {ended['exitCode']}" if "exitCode" in ended else waiting.get("message", "")
            return f"{entry['name']}: {waiting.get('reason')}: {detail}".rstrip(": ")
        ended = state.get("terminated")
        if ended and ended.get("exitCode"):
            detail = ended.get("message") or ended.get("reason") or ""
            return f"{entry['name']}: exit code {ended['exitCode']}: {detail}".rstrip(": ")
    for entry in status.get("containerStatuses") or ():
        if not entry.get("ready") and "running" in entry.get("state", {}):
            return f"{entry['name']}: running, not ready yet"
    return ""


def until_ready(
    client: Client, path: str, live: Object, operation: Operation, timeout: float | None
) -> tuple[Object, str | None]:
    """The object once it is ready, and None; or as it is when waiting ends, and why it is not ready."""
    verdict = judge(live)
    if verdict.ready:
        return live, None
    if live["kind"] == "PersistentVolumeClaim" and _binds_late(client, live):
        return live, None
    deadline = time.monotonic() + (timeout or _DEFAULT_TIMEOUT)
    pause = _FIRST_PAUSE
    told = ""
    while True:
        if operation.cancelled.wait(pause):
            return live, f"interrupted while waiting: {verdict.reason}"
        pause = min(pause * 1.5, _LONGEST_PAUSE)
        try:
            live = client.request("GET", path)
        except ApiError as error:
            return live, " ".join(str(error).split())
        verdict = judge(live)
        if verdict.ready:
            return live, None
        reason = verdict.reason
        if pause >= _LONGEST_PAUSE or verdict.failed:
            reason = f"{reason}; {why}" if (why := _pods(client, live)) else reason
        if reason != told:
            operation.tell(reason)
            told = reason
        if verdict.failed:
            return live, reason
        if time.monotonic() >= deadline:
            return live, f"not ready after {timeout or _DEFAULT_TIMEOUT:.0f} s: {reason}"


def _binds_late(client: Client, claim: Object) -> bool:
    name = claim["spec"].get("storageClassName")
    if not name:
        return False
    try:
        found = client.request("GET", f"/apis/storage.k8s.io/v1/storageclasses/{quote(name, safe='')}")
    except ApiError:
        return False
    return found.get("volumeBindingMode") == "WaitForFirstConsumer"


def _pods(client: Client, live: Object) -> str:
    """What is wrong with a workload's pods, the first that has something to say."""
    selector = live.get("spec", {}).get("selector", {})
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    if live["kind"] not in WORKLOADS or not labels:
        return ""
    query = {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items()), "limit": "20"}
    try:
        pods = client.request("GET", f"/api/v1/namespaces/{live['metadata']['namespace']}/pods", query=query)
    except (ApiError, StepError):
        return ""
    # The newest first: pods of an older revision may fail for reasons already mended.
    items = sorted(pods.get("items", ()), key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True)
    return next((f"{pod['metadata']['name']}: {reason}" for pod in items if (reason := pod_reason(pod))), "")


def until_gone(client: Client, path: str, live: Object, operation: Operation) -> None:
    """Return when the object no longer exists. Raises StepError when it does not go."""
    uid = live.get("metadata", {}).get("uid")
    deadline = time.monotonic() + (operation.timeout or _DEFAULT_TIMEOUT)
    pause, told = _FIRST_PAUSE / 2, ""
    while True:
        try:
            live = client.request("GET", path)
        except ApiError as error:
            if error.status == 404:
                return
            raise
        if live["metadata"].get("uid") != uid:
            return
        reason = _remaining(live)
        if reason != told and pause > _FIRST_PAUSE * 4:
            operation.tell(reason)
            told = reason
        if operation.cancelled.wait(pause):
            raise StepError(f"{path.rsplit('/', 1)[-1]}: interrupted while it is being deleted", uncertain=True)
        if time.monotonic() >= deadline:
            raise StepError(
                f"{path.rsplit('/', 1)[-1]}: not deleted after {operation.timeout or _DEFAULT_TIMEOUT:.0f} s: {reason}"
            )
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _remaining(live: Object) -> str:
    for type_ in ("NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure"):
        condition = _condition(live, type_)
        if condition.get("status") == "True":
            return str(condition.get("message"))
    finalizers = live["metadata"].get("finalizers") or live.get("spec", {}).get("finalizers")
    return f"waiting for {', '.join(finalizers)}" if finalizers else "being deleted"
