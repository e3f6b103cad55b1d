"""The admission policies in a real API server: what a tenant's namespace takes, whoever asks, and what it refuses."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from falaj_engine.errors import EngineError
from falaj_engine.kube import config as kubeconfig
from falaj_engine.kube.client import ApiError, Client
from falaj_infra.admission import TENANT_LABEL, policies

pytestmark = pytest.mark.api

REPOSITORY = "localhost/falaj/platform"
IMAGE = f"{REPOSITORY}@sha256:" + "a" * 64
ACTIVE_WITHIN = 60.0

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "c",
                "image": IMAGE,
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    },
}


def _namespace(name: str, labels: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


RESTRICTED = {TENANT_LABEL: "demo", "pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="module")
def client(api_server: Any) -> Iterator[Client]:
    """An administrator of a cluster in which the policies are in force."""
    made = Client(kubeconfig.load(str(api_server.kubeconfig)))
    base = "/apis/admissionregistration.k8s.io/v1/"
    for name, spec in policies(IMAGE).items():
        made.request(
            "POST",
            base + "validatingadmissionpolicies",
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingAdmissionPolicy",
                "metadata": {"name": name},
                "spec": spec,
            },
        )
        made.request(
            "POST",
            base + "validatingadmissionpolicybindings",
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingAdmissionPolicyBinding",
                "metadata": {"name": name},
                "spec": {"policyName": name, "validationActions": ["Deny"]},
            },
        )
    made.request("POST", "/api/v1/namespaces", _namespace("tenant-demo", RESTRICTED))
    made.request("POST", "/api/v1/namespaces", _namespace("free", {}))
    _until_in_force(made)
    yield made
    # The server is the session's: what comes after is judged by none of them, which it takes a moment to know.
    for name in policies(IMAGE):
        for kind in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
            made.request("DELETE", f"{base}{kind}/{name}")
    deadline = time.monotonic() + ACTIVE_WITHIN
    while _refusal_of_namespace(made, {TENANT_LABEL: "x"}) and time.monotonic() < deadline:
        time.sleep(0.2)


def _until_in_force(client: Client) -> None:
    """Policies act a moment after they are stored: wait until each kind refuses what it should."""
    deadline = time.monotonic() + ACTIVE_WITHIN
    waiting: list[Callable[[], str]] = [
        lambda: _refusal(client, "pods", _pod(image="nginx")),
        lambda: _refusal(client, "services", _service(type="NodePort")),
        lambda: _refusal(client, "secrets", _secret("kubernetes.io/service-account-token")),
        lambda: _refusal_of_namespace(client, {TENANT_LABEL: "x"}),
    ]
    while any("-0" not in check() for check in waiting):
        if time.monotonic() > deadline:
            raise AssertionError("the policies did not come into force")
        time.sleep(0.2)


def _pod(**container: Any) -> dict[str, Any]:
    pod = copy.deepcopy(POD)
    pod["spec"]["containers"][0].update(container)
    return pod


def _service(**spec: Any) -> dict[str, Any]:
    ports = [{"port": 80}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": ports, **spec}}


def _secret(kind: str) -> dict[str, Any]:
    annotations = {"kubernetes.io/service-account.name": "default"}
    metadata = {"name": "s", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind}


def _refusal(client: Client, plural: str, manifest: dict[str, Any], namespace: str = "tenant-demo") -> str:
    """Why the server refuses to create `manifest`, or nothing; nothing is created."""
    return _ask(client, f"/api/v1/namespaces/{namespace}/{plural}", manifest)


def _refusal_of_namespace(client: Client, labels: dict[str, str]) -> str:
    return _ask(client, "/api/v1/namespaces", _namespace("tenant-new", labels))


def _ask(client: Client, path: str, manifest: dict[str, Any], method: str = "POST") -> str:
    try:
        client.request(method, path, manifest, {"dryRun": "All"})
    except (ApiError, EngineError) as error:
        return str(error)
    return ""


def test_a_good_pod_is_taken(client: Client) -> None:
    assert _refusal(client, "pods", POD) == ""


@pytest.mark.parametrize(
    "image", ["nginx", f"{REPOSITORY}:latest", "elsewhere/platform@sha256:" + "a" * 64, f"{REPOSITORY}@sha256:abc"]
)
def test_other_images_are_refused(client: Client, image: str) -> None:
    assert "SUP-04" in _refusal(client, "pods", _pod(image=image))


@pytest.mark.parametrize("kind", ["initContainers", "ephemeralContainers"])
def test_no_container_is_overlooked(client: Client, kind: str) -> None:
    pod = _pod()
    pod["spec"][kind] = [{**pod["spec"]["containers"][0], "name": "other", "image": "nginx"}]
    if kind == "initContainers":
        assert "SUP-04" in _refusal(client, "pods", pod)
        return
    # An ephemeral container is added to a pod that runs, through a subresource of its own.
    live = client.request("POST", "/api/v1/namespaces/tenant-demo/pods", POD)
    try:
        live["spec"]["ephemeralContainers"] = pod["spec"][kind]
        path = "/api/v1/namespaces/tenant-demo/pods/p/ephemeralcontainers"
        assert "SUP-04" in _ask(client, path, live, "PUT")
        live["spec"]["ephemeralContainers"][0]["image"] = IMAGE
        assert _ask(client, path, live, "PUT") == ""
    finally:
        client.request("DELETE", "/api/v1/namespaces/tenant-demo/pods/p", None, {"gracePeriodSeconds": "0"})


def test_a_mounted_token_must_be_asked_for(client: Client) -> None:
    for setting in ({"automountServiceAccountToken": True}, {}):
        pod = _pod()
        del pod["spec"]["automountServiceAccountToken"]
        pod["spec"].update(setting)
        assert "IAM-02" in _refusal(client, "pods", pod)


def test_the_pod_security_standard_holds_too(client: Client) -> None:
    pod = _pod()
    pod["spec"]["hostNetwork"] = True
    assert "restricted" in _refusal(client, "pods", pod)


def test_services_stay_inside(client: Client) -> None:
    assert _refusal(client, "services", _service()) == ""
    for spec in ({"type": "NodePort"}, {"type": "LoadBalancer"}, {"externalIPs": ["10.0.0.9"]}):
        assert "RES-04" in _refusal(client, "services", _service(**spec))


def test_no_long_lived_tokens(client: Client) -> None:
    assert "IAM-02" in _refusal(client, "secrets", _secret("kubernetes.io/service-account-token"))
    assert _refusal(client, "secrets", _secret("Opaque")) == ""


def test_a_tenants_namespace_is_restricted_and_stays_a_tenants(client: Client) -> None:
    assert _refusal_of_namespace(client, RESTRICTED) == ""
    assert "TEN-03" in _refusal_of_namespace(client, {TENANT_LABEL: "x"})
    path = "/api/v1/namespaces/tenant-demo"
    live = client.request("GET", path)
    for labels in (
        {"pod-security.kubernetes.io/enforce": "restricted"},
        {**RESTRICTED, "pod-security.kubernetes.io/enforce": "baseline"},
        {**RESTRICTED, TENANT_LABEL: "another"},
    ):
        changed = copy.deepcopy(live)
        changed["metadata"]["labels"] = {**labels, "kubernetes.io/metadata.name": "tenant-demo"}
        assert "TEN-03" in _ask(client, path, changed, "PUT"), labels


def test_other_namespaces_are_not_touched(client: Client) -> None:
    pod = {**copy.deepcopy(POD), "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    assert _refusal(client, "pods", pod, "free") == ""
    assert _refusal(client, "services", _service(type="NodePort"), "free") == ""
