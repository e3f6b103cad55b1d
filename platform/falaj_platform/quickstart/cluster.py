"""The cluster as the quickstart looks at it: nodes, pods, and whether a tenant's services answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from falaj.kube import Kube
from falaj_platform.errors import QuickstartError
from falaj_site.progress import Progress

__all__ = ["await_services", "nodes", "pods"]

_READY_SECONDS = 300.0


def nodes(kube: Kube) -> list[dict[str, Any]]:
    """Every node as Kubernetes reports it."""
    items = kube.http.json("GET", "api/v1/nodes")["items"]
    return [
        {
            "name": node["metadata"]["name"],
            "ready": _condition(node, "Ready"),
            "kubelet": node["status"]["nodeInfo"]["kubeletVersion"],
            "runtime": node["status"]["nodeInfo"]["containerRuntimeVersion"],
        }
        for node in items
    ]


def pods(kube: Kube) -> list[dict[str, Any]]:
    """Every pod as Kubernetes reports it."""
    items = kube.http.json("GET", "api/v1/pods")["items"]
    return [
        {
            "namespace": pod["metadata"]["namespace"],
            "name": pod["metadata"]["name"],
            "phase": pod["status"].get("phase"),
            "ready": _condition(pod, "Ready"),
            "restarts": sum(part.get("restartCount", 0) for part in pod["status"].get("containerStatuses") or ()),
        }
        for pod in items
    ]


def await_services(kube: Kube, namespace: str, progress: Progress) -> None:
    """Waits until every Service of the namespace has a pod to answer from.

    A stack waits for what it changes only: after a restart of the site its pods come back by themselves. Raises
    QuickstartError: one does not.
    """
    deadline, said = time.monotonic() + _READY_SECONDS, ""
    while waiting := _silent(
        kube.http.json("GET", f"api/v1/namespaces/{namespace}/services"),
        kube.http.json("GET", f"apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"),
        kube.http.json("GET", f"api/v1/namespaces/{namespace}/pods"),
    ):
        text = f"{namespace}: waiting for {', '.join(waiting)}"
        if time.monotonic() > deadline:
            raise QuickstartError(f"{text}: not ready after {_READY_SECONDS:.0f} s; see `falaj site logs kubelet`")
        if text != said:
            said = text
            progress.note(f"  … {text}")
        time.sleep(0.5)


def _silent(services: Mapping[str, Any], slices: Mapping[str, Any], pods: Mapping[str, Any]) -> list[str]:
    """The Services, by name, that have no ready endpoint, and the pods that are not ready."""
    answered = {
        item["metadata"].get("labels", {}).get("kubernetes.io/service-name")
        for item in slices["items"]
        if any((endpoint.get("conditions") or {}).get("ready") for endpoint in item.get("endpoints") or ())
    }
    names = {item["metadata"]["name"] for item in services["items"]}
    unready = {item["metadata"]["name"] for item in pods["items"] if not _condition(item, "Ready")}
    return sorted(names - answered) + sorted(unready)


def _condition(item: Mapping[str, Any], kind: str) -> bool:
    conditions: Sequence[Mapping[str, Any]] = item["status"].get("conditions") or ()
    return any(condition["type"] == kind and condition["status"] == "True" for condition in conditions)
