"""Kubernetes objects on a real API server: updates by apply, drift, readiness, previews."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from falaj_engine.kube import waiting
from falaj_engine.kube.client import ApiError, Client

SERVICE = """
import pulumi, pulumi_kubernetes as k8s
s = k8s.core.v1.Service("s", metadata={{"name": "s", "namespace": "{namespace}", "labels": {labels}}},
    spec={{"selector": {{"app": "x"}}, "ports": [{{"port": 80}}]}})
pulumi.export("address", s.spec.cluster_ip)
"""

DEPLOYMENT = """
import pulumi_kubernetes as k8s
from pulumi import ResourceOptions, CustomTimeouts
def metadata(name):
    return {{"name": name, "namespace": "{namespace}"}}
labels = {{"app": "web"}}
template = {{"metadata": {{"labels": labels}}, "spec": {{"containers": [{{"name": "c", "image": "x:{tag}"}}]}}}}
web = k8s.apps.v1.Deployment("web", metadata=metadata("web"),
    spec={{"selector": {{"matchLabels": labels}}, "template": template}},
    opts=ResourceOptions(custom_timeouts=CustomTimeouts(create="{seconds}s", update="{seconds}s")))
k8s.core.v1.ConfigMap("after", metadata=metadata("after"), opts=ResourceOptions(depends_on=[web]))
"""


@pytest.mark.api
def test_an_update_is_an_apply_and_takes_away_what_is_left_out(
    cluster_space: Any, namespace: str, client: Client
) -> None:
    path = f"/api/v1/namespaces/{namespace}/services/s"
    cluster_space.program(SERVICE.format(namespace=namespace, labels={"a": "1", "b": "1"}))
    assert cluster_space.workspace.up("dev").ok
    made = client.request("GET", path)
    # Another manager's label is not ours to take away.
    client.request("PATCH", path, {"metadata": {"labels": {"theirs": "1"}}}, None, "application/merge-patch+json")
    cluster_space.program(SERVICE.format(namespace=namespace, labels={"a": "2"}))
    preview = cluster_space.workspace.preview("dev")
    assert preview.counts == {"same": 1, "update": 1}
    assert client.request("GET", path)["metadata"]["labels"] == {"a": "1", "b": "1", "theirs": "1"}
    result = cluster_space.workspace.up("dev")
    assert result.error is None
    live = client.request("GET", path)
    assert live["metadata"]["uid"] == made["metadata"]["uid"]
    assert live["metadata"]["labels"] == {"a": "2", "theirs": "1"}
    managers = {(entry["manager"], entry["operation"]) for entry in live["metadata"]["managedFields"]}
    state = cluster_space.workspace.export("dev")["deployment"]["resources"][-1]
    assert (state["outputs"]["__fieldManager"], "Apply") in managers
    assert cluster_space.workspace.outputs("dev") == {"address": live["spec"]["clusterIP"]}
    # A second update finds the fields handed over already.
    cluster_space.program(SERVICE.format(namespace=namespace, labels={}))
    assert cluster_space.workspace.up("dev").ok
    assert client.request("GET", path)["metadata"]["labels"] == {"theirs": "1"}


@pytest.mark.api
def test_a_field_of_another_manager_is_a_conflict(cluster_space: Any, namespace: str, client: Client) -> None:
    path = f"/api/v1/namespaces/{namespace}/services/s"
    cluster_space.program(SERVICE.format(namespace=namespace, labels={"a": "1"}))
    assert cluster_space.workspace.up("dev").ok
    change = {"apiVersion": "v1", "kind": "Service", "metadata": {"labels": {"a": "theirs"}}}
    query = {"fieldManager": "someone", "force": "true"}
    client.request("PATCH", path, change, query, "application/apply-patch+yaml")
    cluster_space.program(SERVICE.format(namespace=namespace, labels={"a": "2"}))
    result = cluster_space.workspace.up("dev")
    assert "conflict" in str(result.error)
    assert "pulumi.com/patchForce" in str(result.error)
    assert client.request("GET", path)["metadata"]["labels"] == {"a": "theirs"}


@pytest.mark.api
def test_refresh_sees_drift_and_what_is_gone(cluster_space: Any, namespace: str, client: Client) -> None:
    path = f"/api/v1/namespaces/{namespace}/services/s"
    cluster_space.program(SERVICE.format(namespace=namespace, labels={"a": "1"}))
    assert cluster_space.workspace.up("dev").ok
    assert cluster_space.workspace.refresh("dev").counts == {"same": 1}
    client.request("PATCH", path, {"metadata": {"labels": {"a": "9"}}}, None, "application/merge-patch+json")
    assert cluster_space.workspace.refresh("dev").counts == {"update": 1}
    assert cluster_space.workspace.preview("dev").counts == {"same": 1, "update": 1}
    client.request("DELETE", path)
    assert cluster_space.workspace.refresh("dev").counts == {"delete": 1}
    assert cluster_space.workspace.preview("dev").counts == {"same": 1, "create": 1}


@pytest.mark.api
def test_destroy_leaves_nothing_and_is_repeatable(cluster_space: Any, namespace: str, client: Client) -> None:
    cluster_space.program(SERVICE.format(namespace=namespace, labels={"a": "1"}))
    assert cluster_space.workspace.up("dev").ok
    assert cluster_space.workspace.destroy("dev", preview=True).counts == {"delete": 2}
    assert cluster_space.workspace.destroy("dev").counts == {"delete": 2}
    assert cluster_space.workspace.export("dev")["deployment"].get("resources", []) == []
    assert cluster_space.workspace.destroy("dev").counts == {}
    with pytest.raises(ApiError, match="not found"):
        client.request("GET", f"/api/v1/namespaces/{namespace}/services/s")


def become_ready(client: Client, path: str) -> threading.Thread:
    """Writes the status that the deployment controller would write."""

    def work() -> None:
        while True:
            try:
                live = client.request("GET", path)
            except ApiError:
                time.sleep(0.05)
                continue
            count = live["spec"]["replicas"]
            status = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count)
            live["status"] = {**status, "observedGeneration": live["metadata"]["generation"]}
            client.request("PUT", f"{path}/status", live)
            return

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.api
def test_a_deployment_is_waited_for(cluster_space: Any, namespace: str, client: Client) -> None:
    cluster_space.program(DEPLOYMENT.format(namespace=namespace, tag="1", seconds=60))
    thread = become_ready(client, f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    result = cluster_space.fresh(skip_await=False).up("dev")
    thread.join()
    assert result.error is None
    assert result.counts == {"create": 3}


@pytest.mark.api
def test_a_deployment_that_does_not_become_ready(cluster_space: Any, namespace: str, client: Client) -> None:
    cluster_space.program(DEPLOYMENT.format(namespace=namespace, tag="1", seconds=1))
    result = cluster_space.fresh(skip_await=False).up("dev")
    assert not result.ok
    assert "not ready after 1 s" in str(result.error)
    entries = {
        entry["urn"].rsplit("::", 1)[1]: entry
        for entry in cluster_space.workspace.export("dev")["deployment"]["resources"]
    }
    assert entries["web"]["initErrors"]
    assert "after" not in entries
    # The next run waits again, and does not make it anew.
    uid = client.request("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/web")["metadata"]["uid"]
    thread = become_ready(client, f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    again = cluster_space.fresh(skip_await=False).up("dev")
    thread.join()
    assert again.error is None
    assert again.counts == {"same": 1, "update": 1, "create": 1}
    live = client.request("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    assert live["metadata"]["uid"] == uid


@pytest.mark.api
def test_a_preview_asks_the_server_and_changes_nothing(cluster_space: Any, namespace: str, client: Client) -> None:
    cluster_space.program(
        f"""
import pulumi_kubernetes as k8s
space = k8s.core.v1.Namespace("made", metadata={{"name": "made-by-{namespace}"}})
k8s.core.v1.ConfigMap("in-it", metadata={{"namespace": space.metadata.name}}, data={{"uid": space.metadata.uid}})
k8s.apps.v1.Deployment("bad", metadata={{"namespace": "{namespace}"}}, spec={{
    "selector": {{"matchLabels": {{"app": "x"}}}}, "template": {{"metadata": {{"labels": {{"app": "y"}}}},
    "spec": {{"containers": [{{"name": "c", "image": "x"}}]}}}}}})
"""
    )
    result = cluster_space.workspace.preview("dev")
    assert "does not match template `labels`" in str(result.error)
    with pytest.raises(ApiError, match="not found"):
        client.request("GET", f"/api/v1/namespaces/made-by-{namespace}")


POD = {"metadata": {"name": "p"}, "kind": "Pod"}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
                ]
            },
            "Unschedulable: 0/1 nodes",
        ),
        (
            {
                "containerStatuses": [
                    {"name": "c", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such"}}}
                ]
            },
            "c: ImagePullBackOff: no such",
        ),
        (
            {
                "containerStatuses": [
                    {
                        "name": "c",
                        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                        "lastState": {"terminated": {"exitCode": 3}},
                    }
                ]
            },
            "c: CrashLoopBackOff: exit code 3",
        ),
        ({"containerStatuses": [{"name": "c", "ready": False, "state": {"running": {}}}]}, "c: running, not ready yet"),
        ({"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
    ],
)
def test_why_a_pod_is_not_ready(status: dict[str, Any], reason: str) -> None:
    assert waiting.pod_reason({**POD, "status": status}) == reason


def workload(kind: str, spec: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"generation": 2}, "spec": spec, "status": {"observedGeneration": 2, **status}}


@pytest.mark.parametrize(
    ("live", "ready", "failed"),
    [
        (workload("Deployment", {"replicas": 1}, updatedReplicas=1, availableReplicas=1, replicas=1), True, False),
        (workload("Deployment", {"replicas": 1}, updatedReplicas=1, availableReplicas=1, replicas=2), False, False),
        (workload("Deployment", {"replicas": 0}), True, False),
        (
            workload("Deployment", {}, conditions=[{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]),
            False,
            True,
        ),
        (workload("StatefulSet", {"replicas": 2}, readyReplicas=2, updatedReplicas=2), True, False),
        (workload("StatefulSet", {"replicas": 2}, readyReplicas=1, updatedReplicas=2), False, False),
        (
            {**workload("StatefulSet", {}, readyReplicas=1, updatedReplicas=1), "metadata": {"generation": 3}},
            False,
            False,
        ),
        (workload("Job", {}, conditions=[{"type": "Complete", "status": "True"}]), True, False),
        (workload("Job", {}, conditions=[{"type": "Failed", "status": "True", "reason": "BackoffLimit"}]), False, True),
        (workload("PersistentVolumeClaim", {}, phase="Bound"), True, False),
        (workload("Service", {"type": "LoadBalancer"}), False, False),
        (workload("ConfigMap", {}), True, False),
    ],
)
def test_when_a_workload_is_ready(live: dict[str, Any], ready: bool, failed: bool) -> None:
    verdict = waiting.judge(live)
    assert (verdict.ready, verdict.failed) == (ready, failed)
