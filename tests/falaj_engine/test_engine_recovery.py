"""What the cluster wrote stays secret, what is not ready stays so, a lost answer is not taken for a no."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from falaj_engine.errors import StepError
from falaj_engine.goal import default_name
from falaj_engine.kube.client import ApiError, Client

TOKEN = "the-token-of-the-cluster"
DATA = {"data": {"token": base64.b64encode(TOKEN.encode()).decode()}}

ACCOUNT = """
import pulumi_kubernetes as k8s
k8s.core.v1.Secret("t", metadata={{"name": "t", "namespace": "{}",
    "annotations": {{"kubernetes.io/service-account.name": "default"}}}}, type="kubernetes.io/service-account-token")
"""

MAP = """
import pulumi_kubernetes as k8s
k8s.core.v1.ConfigMap("m", metadata={{"name": "m", "namespace": "{}"}}, data={{"a": "1"}})
"""

DEPLOYMENT = """
import pulumi, pulumi_kubernetes as k8s
k8s.apps.v1.Deployment("web", metadata={{"name": "web", "namespace": "{}"}}, spec={{
    "selector": {{"matchLabels": {{"app": "web"}}}},
    "template": {{"metadata": {{"labels": {{"app": "web"}}}},
                 "spec": {{"containers": [{{"name": "c", "image": "x:1"}}]}}}}}},
    opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="1s")))
"""


@pytest.fixture
def losing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Exception], None]:
    """The server carries out the next request of this kind on ConfigMaps or Secrets, and the answer is lost."""

    def arrange(method: str, error: Exception) -> None:
        real = Client.request
        left = [error]

        def request(self: Client, verb: str, path: str, *rest: Any, **named: Any) -> Any:
            answer = real(self, verb, path, *rest, **named)
            if verb == method and path.endswith(("/configmaps", "/secrets")) and left:
                raise left.pop()
            return answer

        monkeypatch.setattr(Client, "request", request)

    return arrange


def fill_in(client: Client, namespace: str) -> None:
    """As the controller of service account tokens does."""
    path = f"/api/v1/namespaces/{namespace}/secrets/t"
    client.request("PATCH", path, DATA, None, "application/merge-patch+json")


def state_text(space: Any) -> str:
    text: str = space.workspace.store.path("dev").read_text()
    return text


def assert_hidden(space: Any) -> None:
    text = state_text(space)
    assert TOKEN not in text
    assert DATA["data"]["token"] not in text


@pytest.mark.api
def test_a_token_the_cluster_filled_in_is_encrypted_by_refresh(
    cluster_space: Any, namespace: str, client: Client
) -> None:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    client.request("POST", path, {"metadata": {"name": "default"}})
    cluster_space.program(ACCOUNT.format(namespace))
    assert cluster_space.workspace.up("dev").ok
    fill_in(client, namespace)
    assert cluster_space.workspace.refresh("dev").error is None
    entry = cluster_space.workspace.export("dev")["deployment"]["resources"][-1]
    assert set(entry["outputs"]["data"]) >= {"ciphertext"}
    assert_hidden(cluster_space)
    assert cluster_space.workspace.preview("dev").changes == 0


@pytest.mark.api
@pytest.mark.parametrize("how", ["refresh", "destroy"])
def test_a_recovered_token_is_encrypted(
    how: str, cluster_space: Any, namespace: str, client: Client, losing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    client.request("POST", path, {"metadata": {"name": "default"}})
    cluster_space.program(ACCOUNT.format(namespace))
    losing("POST", StepError("lost", uncertain=True))
    assert not cluster_space.workspace.up("dev").ok
    fill_in(client, namespace)
    written = []
    store = type(cluster_space.workspace.store)
    write = store.write
    monkeypatch.setattr(
        store, "write", lambda self, stack, content: (written.append(content), write(self, stack, content))[1]
    )
    assert getattr(cluster_space.fresh(), how)("dev").error is None
    assert written
    assert not [content for content in written if DATA["data"]["token"].encode() in content]


@pytest.mark.api
def test_refresh_does_not_forget_what_is_not_ready(cluster_space: Any, namespace: str) -> None:
    cluster_space.program(DEPLOYMENT.format(namespace))
    assert not cluster_space.fresh(skip_await=False).up("dev").ok
    assert cluster_space.workspace.refresh("dev").error is None
    assert cluster_space.workspace.preview("dev").counts == {"same": 1, "update": 1}


@pytest.mark.api
@pytest.mark.parametrize(
    "error",
    [
        ApiError(504, "Timeout", "the server did not answer in time", {}),
        ApiError(500, "InternalError", "etcd has no leader", {}),
        StepError("POST: the connection was lost", uncertain=True),
    ],
)
def test_a_creation_whose_answer_is_lost_is_taken_up(
    error: Exception, cluster_space: Any, namespace: str, client: Client, losing: Any
) -> None:
    cluster_space.program(MAP.format(namespace))
    losing("POST", error)
    result = cluster_space.workspace.up("dev")
    assert not result.ok
    assert cluster_space.workspace.export("dev")["deployment"]["pending_operations"]
    uid = client.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/m")["metadata"]["uid"]
    assert cluster_space.fresh().up("dev").error is None
    assert client.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/m")["metadata"]["uid"] == uid
    deployment = cluster_space.workspace.export("dev")["deployment"]
    assert not deployment.get("pending_operations")
    assert cluster_space.workspace.preview("dev").changes == 0


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("default", True),
        ("default_4_34_2", True),
        ("default_4_34_2_rc_1", True),
        ("default-eu", False),
        ("default_eu", False),
        ("defaults", False),
        ("my-default", False),
    ],
)
def test_only_the_engines_own_names_are_default_providers(name: str, own: bool) -> None:
    assert default_name(name) is own
