"""Logins, reviews and the deployment's ConfigMap against a real API server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from falaj.audit.record import verify
from falaj.audit.server import AuditService
from falaj.audit.store import Store
from falaj.errors import Forbidden, NotFound, NotLoggedIn, ServiceError, UsageError
from falaj.http import Http
from falaj.httpserver import HttpProblem, Request
from falaj.kube import Kube
from falaj.kubeconfig import Cluster, read_kubeconfig
from falaj.login import ROLES_ANNOTATION, log_in

pytestmark = pytest.mark.api


@pytest.fixture
def tenant(api_server: Any) -> Iterator[tuple[Cluster, str]]:
    """A cluster with a tenant of one member, who may read the ConfigMap `serving`; another tenant beside it."""
    cluster = read_kubeconfig(api_server.kubeconfig)
    http = cluster.http()
    name = f"t{os.urandom(4).hex()}"
    namespaces = [f"tenant-{name}", f"tenant-{name}-other"]
    for namespace in namespaces:
        http.json("POST", "api/v1/namespaces", {"metadata": {"name": namespace}})
        base = f"api/v1/namespaces/{namespace}"
        account = {"metadata": {"name": "alice", "annotations": {ROLES_ANNOTATION: "data-scientist, operator"}}}
        http.json("POST", f"{base}/serviceaccounts", account)
        http.json("POST", f"{base}/serviceaccounts", {"metadata": {"name": "mlflow"}})
    base = f"api/v1/namespaces/{namespaces[0]}"
    http.json("POST", f"{base}/configmaps", {"metadata": {"name": "serving"}, "data": {}})
    rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["serving"], "verbs": ["get", "patch"]}
    rbac = f"apis/rbac.authorization.k8s.io/v1/namespaces/{namespaces[0]}"
    http.json("POST", f"{rbac}/roles", {"metadata": {"name": "r"}, "rules": [rule]})
    subject = {"kind": "ServiceAccount", "name": "alice", "namespace": namespaces[0]}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    http.json("POST", f"{rbac}/rolebindings", {"metadata": {"name": "r"}, "subjects": [subject], "roleRef": role})
    yield cluster, name
    for namespace in namespaces:
        http.json("DELETE", f"api/v1/namespaces/{namespace}")


def as_member(cluster: Cluster, token: str) -> Kube:
    return Kube(Http(cluster.url, what="the API server", headers={"Authorization": f"Bearer {token}"}, ca=cluster.ca))


def test_a_members_token_is_theirs_and_does_what_they_may(tenant: tuple[Cluster, str]) -> None:
    cluster, name = tenant
    for wanted in ("alice", "operator"):
        credentials = log_in(cluster, name, wanted)
        assert credentials.member == "alice"
    token = credentials.token.get_secret_value()
    audit_token = credentials.audit_token.get_secret_value()
    assert Kube(cluster.http()).review_token(audit_token, "falaj-audit") is not None
    assert Kube(cluster.http()).review_token(token, "falaj-audit") is None
    with pytest.raises(NotLoggedIn):
        as_member(cluster, audit_token).config_map(f"tenant-{name}", "serving")
    kube, namespace = as_member(cluster, token), f"tenant-{name}"
    before = kube.config_map(namespace, "serving")
    version = before["metadata"]["resourceVersion"]
    wanted_data = {"model": "m", "version": "1", "digest": "sha256:x"}
    after = kube.set_config_map_data(namespace, "serving", wanted_data, version)
    assert after["data"] == wanted_data
    assert int(after["metadata"]["resourceVersion"]) > int(version)
    with pytest.raises(ServiceError) as conflict:
        kube.set_config_map_data(namespace, "serving", {"model": "other"}, version)
    assert conflict.value.status == 409
    cleared = kube.set_config_map_data(namespace, "serving", dict.fromkeys(wanted_data))
    assert not cleared.get("data")
    for other in (namespace, f"{namespace}-other"):
        with pytest.raises(Forbidden):
            kube.config_map(other, "falaj-connection")
    with pytest.raises(Forbidden):
        kube.request_token(namespace, "alice", ["x"], 600)
    with pytest.raises(NotLoggedIn):
        as_member(cluster, token[:-4] + "AAAA").config_map(namespace, "serving")


def test_who_is_not_a_member_cannot_be_logged_in(tenant: tuple[Cluster, str]) -> None:
    cluster, name = tenant
    with pytest.raises(UsageError, match=r"no member or role 'mlflow'; it has alice \(data-scientist, operator\)"):
        log_in(cluster, name, "mlflow")
    with pytest.raises(UsageError, match="is the tenant provisioned"):
        log_in(cluster, "nothing", "alice")
    with pytest.raises(NotFound):
        Kube(cluster.http()).config_map(f"tenant-{name}", "nothing")


def test_the_audit_service_knows_its_callers(tenant: tuple[Cluster, str], tmp_path: Path) -> None:
    cluster, name = tenant
    store = Store(tmp_path)
    service = AuditService(store, Kube(cluster.http()), f"tenant-{name}")

    def post(token: str) -> Any:
        body = b'{"id":"%032x","action":"model.signed","subject":"s"}' % 1
        return service.handle(Request("POST", "/v1/records", {}, {"x-falaj-token": token}, body)).data

    login = log_in(cluster, name, "alice")
    token = login.audit_token.get_secret_value()
    assert post(token)["actor"] == "alice"
    stranger = log_in(cluster, f"{name}-other", "alice").audit_token.get_secret_value()
    vault_only, _ = Kube(cluster.http()).request_token(f"tenant-{name}", "alice", ["falaj-vault"], 600)
    not_for_audit = login.token.get_secret_value()
    for wrong, status in (
        (stranger, 403),
        (not_for_audit, 401),
        (vault_only, 401),
        (token[:-4] + "AAAA", 401),
        ("x", 401),
    ):
        with pytest.raises(HttpProblem) as problem:
            post(wrong)
        assert problem.value.status == status
    assert verify(store.read()).records == 1
    store.close()
