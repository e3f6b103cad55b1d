"""A run may end anywhere; the next one converges: nothing twice, nothing left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from falaj_engine.errors import InterruptedError_, ProtectedError
from falaj_engine.kube.client import Client

pytestmark = pytest.mark.api

CHILD = """
import sys
from falaj_engine.workspace import Workspace
result = Workspace(sys.argv[1], sys.argv[2], gate=None, kubeconfig=sys.argv[3], skip_await=True).up("dev")
print(result.error)
sys.exit(0 if result.ok else 1)
"""

PROGRAM = """
import pulumi, pulumi_kubernetes as k8s
from pulumi import ResourceOptions

previous = None
for number in range({count}):
    # Generated and given names, chains and leaves.
    named = {{"name": f"n-{{number}}"}} if number % 2 else {{}}
    last = k8s.core.v1.ConfigMap(
        f"m-{{number}}",
        metadata={{"namespace": "{namespace}", **named}},
        data={{"text": "{text}", "previous": previous.metadata.name if previous and number % 5 == 0 else "none"}},
    )
    previous = last if number % 3 == 0 else previous
"""


def start(space: Any) -> subprocess.Popen[str]:
    arguments = [str(space.root), str(space.home), str(space.kubeconfig)]
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, text=True)


def converged(space: Any, names: list[str], count: int) -> None:
    """State and cluster hold the same objects, as many as the program has, and nothing is left to explain."""
    deployment = space.workspace.export("dev")["deployment"]
    ids = [entry["id"] for entry in deployment["resources"] if entry["type"].endswith(":ConfigMap")]
    assert sorted(id_.split("/")[1] for id_ in ids) == names
    assert len(ids) == count
    assert not deployment.get("pending_operations")
    assert not [entry for entry in deployment["resources"] if entry.get("delete") or entry.get("pendingReplacement")]
    check_order(deployment["resources"])
    assert space.fresh().preview("dev").changes == 0


def check_order(resources: list[dict[str, Any]]) -> None:
    """Pulumi's own rule: whatever a resource refers to stands before it."""
    seen: set[str] = set()
    for entry in resources:
        referred = [entry.get("parent"), *entry.get("dependencies", [])]
        provider = entry.get("provider")
        referred.append(provider.rsplit("::", 1)[0] if provider else None)
        for sources in entry.get("propertyDependencies", {}).values():
            referred.extend(sources)
        assert {urn for urn in referred if urn} <= seen, entry["urn"]
        seen.add(entry["urn"])


@pytest.mark.parametrize("seed", range(4))
def test_killed_anywhere_and_run_again(
    seed: int, cluster_space: Any, namespace: str, config_maps: Callable[[str], list[str]]
) -> None:
    chance = random.Random(seed)
    count = 25
    for text in ("one", "two"):  # creates, then replacements of both kinds
        cluster_space.program(PROGRAM.format(count=count, namespace=namespace, text=text))
        state = cluster_space.workspace.store.path("dev")
        for _ in range(3):
            before = state.read_bytes() if state.exists() else b""
            child = start(cluster_space)
            # Wait for the first change of the state: the signal falls among the steps on a machine of any speed.
            while child.poll() is None and (state.read_bytes() if state.exists() else b"") == before:
                time.sleep(0.005)
            time.sleep(0.5 * chance.random() ** 3)
            child.send_signal(signal.SIGKILL)
            child.wait()
            resources = json.loads(state.read_bytes())["checkpoint"]["latest"].get("resources", [])
            check_order(resources)
        result = cluster_space.fresh().up("dev")
        assert result.error is None
        converged(cluster_space, config_maps(namespace), count)
    cluster_space.program("")
    assert cluster_space.fresh().up("dev").ok
    assert config_maps(namespace) == []


def test_killed_and_the_program_changed(
    cluster_space: Any, namespace: str, config_maps: Callable[[str], list[str]]
) -> None:
    cluster_space.program(PROGRAM.format(count=20, namespace=namespace, text="one"))
    child = start(cluster_space)
    while child.poll() is None and not config_maps(namespace):
        time.sleep(0.005)
    child.kill()
    child.wait()
    cluster_space.program("")
    assert cluster_space.fresh().up("dev").ok
    assert config_maps(namespace) == []


def test_an_object_of_someone_else_is_not_taken(cluster_space: Any, namespace: str, client: Client) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    client.request("POST", path, {"metadata": {"name": "n-1"}, "data": {"text": "theirs"}})
    cluster_space.program(PROGRAM.format(count=2, namespace=namespace, text="ours"))
    result = cluster_space.workspace.up("dev")
    assert not result.ok
    assert "already exists" in str(result.error)
    assert client.request("GET", f"{path}/n-1")["data"] == {"text": "theirs"}
    assert not cluster_space.workspace.export("dev")["deployment"].get("pending_operations")


def test_after_a_failed_step_nothing_new_starts(
    cluster_space: Any, namespace: str, config_maps: Callable[[str], list[str]]
) -> None:
    cluster_space.program(
        f"""
import pulumi_kubernetes as k8s
from pulumi import ResourceOptions
def cm(name, **opts):
    metadata = {{"name": name, "namespace": "{namespace}"}}
    return k8s.core.v1.ConfigMap(name, metadata=metadata, opts=ResourceOptions(**opts))
a = cm("a")
bad = cm("Bad_Name", depends_on=[a])
c = cm("c", depends_on=[bad])
"""
    )
    result = cluster_space.workspace.up("dev")
    assert not result.ok
    assert "Bad_Name" in str(result.error)
    assert result.error is not None
    assert result.error.exit_code == 1
    assert config_maps(namespace) == ["a"]
    types = [
        entry["urn"].rsplit("::", 1)[1] for entry in cluster_space.workspace.export("dev")["deployment"]["resources"]
    ]
    assert types == ["case-dev", "default_4_34_2", "a"] or set(types) >= {"case-dev", "a"}


def test_a_signal_finishes_what_is_in_flight(cluster_space: Any, namespace: str) -> None:
    cluster_space.program(PROGRAM.format(count=200, namespace=namespace, text="one"))
    child = start(cluster_space)
    state = cluster_space.workspace.store.path("dev")
    while child.poll() is None and not (state.exists() and b"ConfigMap" in state.read_bytes()):
        time.sleep(0.002)
    os.kill(child.pid, signal.SIGTERM)
    output, _ = child.communicate(timeout=120)
    deployment = json.loads(state.read_bytes())["checkpoint"]["latest"]
    assert not deployment.get("pending_operations")
    check_order(deployment["resources"])
    assert child.returncode == 0 or "stopped on request" in output
    assert cluster_space.fresh().up("dev").counts["same"] >= 1


def test_cancelled_before_it_starts(cluster_space: Any, namespace: str) -> None:
    import threading

    cluster_space.program(PROGRAM.format(count=3, namespace=namespace, text="one"))
    cancelled = threading.Event()
    cancelled.set()
    result = cluster_space.workspace.up("dev", cancelled=cancelled)
    assert isinstance(result.error, InterruptedError_)


def test_a_protected_resource_is_not_replaced(cluster_space: Any, namespace: str, client: Client) -> None:
    program = """
import pulumi_kubernetes as k8s, pulumi
k8s.core.v1.ConfigMap("x", metadata={{"name": "x", "namespace": "{}"}}, data={{"a": "{}"}},
    opts=pulumi.ResourceOptions(protect=True))
"""
    cluster_space.program(program.format(namespace, "1"))
    assert cluster_space.workspace.up("dev").ok
    cluster_space.program(program.format(namespace, "2"))
    result = cluster_space.workspace.up("dev")
    assert isinstance(result.error, ProtectedError)
    assert client.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/x")["data"] == {"a": "1"}
