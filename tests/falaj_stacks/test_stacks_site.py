"""The region and two tenants on the whole site: every pod ready, nothing to change again, nobody next door."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hvac
import pytest

from falaj_engine.governed import gate
from falaj_engine.kube import config as kubeconfig
from falaj_engine.kube.client import ApiError, Client
from falaj_engine.workspace import Workspace
from falaj_platform.image.build import build_image
from falaj_site.progress import Console

pytestmark = pytest.mark.site

ROOT = Path(__file__).resolve().parents[2]
STACKS = ["region-local", "tenant-demo", "tenant-other"]
AUDIENCES = ["https://kubernetes.default.svc.cluster.local", "falaj-vault"]
INPUT = base64.b64encode(b"a digest").decode()


@dataclass(frozen=True)
class Up:
    """The three stacks, up, and how to reach what they made."""

    workspace: Workspace
    admin: Client
    vault_url: str
    ca: Path

    def token(self, tenant: str, account: str) -> str:
        """A token of a tenant's service account, for the API server and Vault."""
        path = f"/api/v1/namespaces/tenant-{tenant}/serviceaccounts/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": AUDIENCES}}
        return str(self.admin.request("POST", path, body)["status"]["token"])

    def kubernetes(self, token: str) -> Client:
        trust = ssl.create_default_context(cafile=str(self.ca))
        headers = {"Authorization": f"Bearer {token}"}
        return Client(kubeconfig.Cluster(server=self.admin.cluster.server, tls=trust, headers=headers))

    def vault(self, tenant: str, account: str, token: str) -> hvac.Client:
        """Vault as that account; raises hvac's Forbidden where the role is not for it."""
        client = hvac.Client(url=self.vault_url, verify=str(self.ca))
        body = {"role": f"tenant-{tenant}-{account}", "jwt": token}
        client.token = client.write_data("auth/kubernetes/login", data=body)["auth"]["client_token"]
        return client


@pytest.fixture(scope="module")
def up(running_site: Any) -> Iterator[Up]:
    """Region and tenants on the running site; destroyed at the end, which must leave nothing."""
    image = build_image(running_site.home, Console())
    running_site.import_image(image.archive)
    before = dict(os.environ)
    os.environ.update(running_site.environment())
    ends = running_site.endpoints()
    workspace = Workspace(ROOT, running_site.home, gate=gate)
    for stack in STACKS:
        workspace.init(stack)
    vault = {
        "url": ends.openbao,
        "address": ends.node_ip,
        "kubernetes_url": f"https://{ends.node_ip}:6443",
        "ca": ends.ca.read_text(encoding="utf-8"),
    }
    workspace.set_config("region-local", "falaj:stack.image", image.reference, path=True)
    workspace.set_config("region-local", "falaj:stack.vault", vault, path=True)
    admin = Client(kubeconfig.load(str(ends.kubeconfig)))
    try:
        for stack in STACKS:
            result = workspace.up(stack)
            assert result.ok, result.error
        yield Up(workspace, admin, ends.openbao, ends.ca)
    finally:
        for stack in reversed(STACKS):
            result = workspace.destroy(stack)
            assert result.ok, result.error
        left = admin.request("GET", "/api/v1/namespaces")["items"]
        os.environ.clear()
        os.environ.update(before)
    assert not [item for item in left if item["metadata"]["name"].startswith(("tenant-", "falaj-"))]
    assert not admin.request("GET", "/api/v1/persistentvolumes")["items"], "a tenant's data went with it"


def _refused(call: Any) -> int:
    """The HTTP status of a refusal."""
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value.status


def test_every_pod_is_ready_and_nothing_is_left_to_do(up: Up) -> None:
    for tenant in ("demo", "other"):
        pods = up.admin.request("GET", f"/api/v1/namespaces/tenant-{tenant}/pods")["items"]
        names = {pod["metadata"]["labels"]["app.kubernetes.io/name"] for pod in pods}
        assert names == {"postgres", "mlflow", "ray", "serving", "audit"}
        for pod in pods:
            ready = {item["type"]: item["status"] for item in pod["status"]["conditions"]}["Ready"]
            assert ready == "True", pod["metadata"]["name"]
    for stack in STACKS:
        result = up.workspace.up(stack)
        assert result.ok, result.error
        assert result.changes == 0, [step.urn for step in result.steps if step.op not in ("same", "read")]


def test_what_is_deployed_is_not_the_stacks_business(up: Up) -> None:
    path = "/api/v1/namespaces/tenant-other/configmaps/serving"
    live = up.admin.request("GET", path)
    up.admin.request("PUT", path, {**live, "data": {"model": "m", "version": "1", "digest": "sha256:0"}})
    assert up.workspace.up("tenant-other").changes == 0
    assert up.workspace.refresh("tenant-other").ok
    assert up.workspace.up("tenant-other").changes == 0
    assert up.admin.request("GET", path)["data"]["model"] == "m"


def test_members_reach_their_own_tenant_through_the_door(up: Up) -> None:
    member = up.kubernetes(up.token("demo", "data-scientist"))
    services = "/api/v1/namespaces/tenant-demo/services"
    found = member.request("GET", f"{services}/http:mlflow:5000/proxy/api/2.0/mlflow/experiments/search?max_results=1")
    assert found["experiments"]
    assert member.request("GET", f"{services}/http:serving:8080/proxy/v1/status")["served"] is None
    assert _refused(lambda: member.request("GET", f"{services}/http:ray:8265/proxy/api/version")) == 401
    assert _refused(lambda: member.request("GET", f"{services}/http:audit:8080/proxy/v1/records")) == 401
    assert _refused(lambda: member.request("GET", f"{services}/http:postgres:5432/proxy/")) == 403
    assert _refused(lambda: member.request("GET", "/api/v1/namespaces/tenant-demo/secrets")) == 403
    assert _refused(lambda: member.request("GET", "/api/v1/namespaces/tenant-demo/configmaps/serving")) == 403
    approver = up.kubernetes(up.token("demo", "approver"))
    assert _refused(lambda: approver.request("GET", f"{services}/http:ray:8265/proxy/api/version")) == 403


def test_nobody_reaches_the_other_tenant(up: Up) -> None:
    token = up.token("demo", "data-scientist")
    member = up.kubernetes(token)
    for service in ("mlflow:5000", "ray:8265", "serving:8080", "audit:8080"):
        path = f"/api/v1/namespaces/tenant-other/services/http:{service}/proxy/"
        assert _refused(lambda path=path: member.request("GET", path)) == 403
    with pytest.raises(hvac.exceptions.Forbidden):
        up.vault("other", "data-scientist", token)
    vault = up.vault("demo", "data-scientist", token)
    assert vault.read("tenant-demo/kv/data/ray")["data"]["data"]["token"]
    for path in ("tenant-other/kv/data/ray", "tenant-other/transit/keys/sign-data-scientist"):
        with pytest.raises(hvac.exceptions.Forbidden):
            vault.read(path)


def test_a_member_signs_with_its_own_key_only(up: Up) -> None:
    lead = up.vault("demo", "lead", up.token("demo", "lead"))
    for key in ("sign-lead", "approve-lead"):
        signed = lead.secrets.transit.sign_data(name=key, hash_input=INPUT, mount_point="tenant-demo/transit")
        assert signed["data"]["signature"].startswith("vault:v1:")
    for key in ("sign-data-scientist", "approve-approver"):
        with pytest.raises(hvac.exceptions.Forbidden):
            lead.secrets.transit.sign_data(name=key, hash_input=INPUT, mount_point="tenant-demo/transit")
    with pytest.raises(hvac.exceptions.Forbidden):
        lead.read("tenant-demo/transit/export/signing-key/sign-lead")


def test_the_state_holds_no_secret_in_the_clear(up: Up) -> None:
    vault = up.vault("demo", "data-scientist", up.token("demo", "data-scientist"))
    token = vault.read("tenant-demo/kv/data/ray")["data"]["data"]["token"]
    state = up.workspace.home / "state"
    files = [path for path in state.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert token.encode() not in path.read_bytes(), path
        assert base64.b64encode(token.encode()) not in path.read_bytes(), path
