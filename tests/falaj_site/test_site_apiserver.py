"""The bare API server."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import requests

from falaj_site.apiserver import ApiServer
from falaj_site.errors import KubeError
from falaj_site.kube import KubeClient
from falaj_site.volumes import Provisioner

pytestmark = pytest.mark.api


@pytest.fixture
def client(api_server: ApiServer) -> KubeClient:
    return KubeClient.from_kubeconfig(api_server.kubeconfig)


def test_objects_are_applied_and_refusals_say_why(client: KubeClient) -> None:
    path = "/api/v1/namespaces/default/configmaps/one"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "1"}}
    uid = client.apply(path, body)["metadata"]["uid"]
    assert client.apply(path, body)["metadata"]["uid"] == uid
    client.request("DELETE", path)
    with pytest.raises(KubeError) as refused:
        client.request("GET", path)
    assert (refused.value.status, refused.value.reason) == (404, "NotFound")
    assert not client.answers(path)


def test_nobody_without_a_certificate_is_answered(api_server: ApiServer) -> None:
    import yaml

    config = yaml.safe_load(api_server.kubeconfig.read_text())
    authority = api_server.kubeconfig.with_name("authority.pem")
    authority.write_bytes(base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]))
    assert requests.get(f"{api_server.url}/version", verify=str(authority), timeout=10).status_code == 401


def test_two_live_side_by_side_and_leave_nothing(api_server: ApiServer) -> None:
    with ApiServer() as other:
        assert other.url != api_server.url
        folder = other.kubeconfig.parent
        pids = [process.pid for process in other._processes]
        assert KubeClient.from_kubeconfig(other.kubeconfig).answers("/readyz")
    assert not folder.exists()
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def test_a_claim_gets_a_volume_and_a_released_volume_goes(client: KubeClient, tmp_path: Path) -> None:
    classes = "/apis/storage.k8s.io/v1/storageclasses"
    claims = "/api/v1/namespaces/default/persistentvolumeclaims"
    client.request("POST", classes, {"metadata": {"name": "here"}, "provisioner": "falaj.io/local"})
    client.request("POST", classes, {"metadata": {"name": "there"}, "provisioner": "example.com/else"})
    for name, storage_class, node in (("mine", "here", "falaj"), ("unplaced", "here", ""), ("other", "there", "falaj")):
        notes = {
            "volume.kubernetes.io/storage-provisioner": "falaj.io/local",
            **({"volume.kubernetes.io/selected-node": node} if node else {}),
        }
        spec = {
            "storageClassName": storage_class,
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        }
        client.request("POST", claims, {"metadata": {"name": name, "annotations": notes}, "spec": spec})
    # An unplaced claim waits only where its class says so.
    client.request("DELETE", f"{classes}/here")
    client.request(
        "POST",
        classes,
        {
            "metadata": {"name": "here"},
            "provisioner": "falaj.io/local",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    )
    provisioner = Provisioner(client, tmp_path)
    provisioner.run_once()
    provisioner.run_once()
    (volume,) = client.request("GET", "/api/v1/persistentvolumes")["items"]
    name = volume["metadata"]["name"]
    assert volume["spec"]["claimRef"]["name"] == "mine"
    assert volume["spec"]["local"]["path"] == str(tmp_path / name)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o770
    (tmp_path / name / "data").write_text("x")
    path = f"/api/v1/persistentvolumes/{name}"
    client.request(
        "PATCH",
        f"{path}/status",
        {"status": {"phase": "Released"}},
        content_type="application/merge-patch+json",
    )
    provisioner.run_once()
    assert not (tmp_path / name).exists()
    for claim in ("mine", "unplaced", "other"):
        client.request("DELETE", f"{claims}/{claim}")


def test_a_volume_that_is_not_ours_is_never_removed(client: KubeClient, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    volume = {
        "metadata": {"name": "precious", "annotations": {"pv.kubernetes.io/provisioned-by": "falaj.io/local"}},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete",
            "hostPath": {"path": "/nowhere"},
        },
    }
    client.request("POST", "/api/v1/persistentvolumes", volume)
    client.request(
        "PATCH",
        "/api/v1/persistentvolumes/precious/status",
        {"status": {"phase": "Released"}},
        content_type="application/merge-patch+json",
    )
    provisioner = Provisioner(client, tmp_path)
    provisioner.run_once()
    assert (tmp_path / "precious").is_dir()
    client.request("DELETE", "/api/v1/persistentvolumes/precious")
