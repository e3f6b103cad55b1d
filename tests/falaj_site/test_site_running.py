"""The whole site, for real: pods, names, volumes, filters, and what is left when it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hvac
import pytest
import requests

from falaj_site import cgroups, openbao, process, render
from falaj_site.errors import CannotRun
from falaj_site.facts import Facts
from falaj_site.home import write_private
from falaj_site.images import program_archive
from falaj_site.kube import KubeClient
from falaj_site.layout import Layout
from falaj_site.site import Site

pytestmark = pytest.mark.site

NAMESPACE = "site-test"
_API = f"/api/v1/namespaces/{NAMESPACE}"
_PROBE = Path(__file__).with_name("probe.c")


def until(holds: Callable[[], Any], what: str) -> Any:
    """Waits until `holds()` is true and returns what it returned; the bound only keeps a broken site from hanging."""
    deadline = time.monotonic() + 120
    while not (found := holds()):
        assert time.monotonic() < deadline, what
        time.sleep(0.3)
    return found


@pytest.fixture(scope="module")
def image(running_site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("image")
    program = folder / "probe"
    subprocess.run(["cc", "-Os", "-static", "-s", "-w", "-o", program, _PROBE], check=True, capture_output=True)
    program_archive(program, "localhost/falaj/probe:v1", folder / "probe.tar")
    return running_site.import_image(folder / "probe.tar")


@pytest.fixture(scope="module")
def cluster(running_site: Site) -> Iterator[KubeClient]:
    client = KubeClient.from_kubeconfig(running_site.endpoints().kubeconfig)
    client.request(
        "POST",
        "/api/v1/namespaces",
        {"metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
    )
    client.request(
        "POST",
        "/apis/storage.k8s.io/v1/storageclasses",
        {
            "metadata": {"name": "site-test"},
            "provisioner": "falaj.io/local",
            "volumeBindingMode": "WaitForFirstConsumer",
            "reclaimPolicy": "Delete",
        },
    )
    until(lambda: client.answers(f"{_API}/serviceaccounts/default"), "the namespace got no default service account")
    yield client
    client.request("DELETE", f"/api/v1/namespaces/{NAMESPACE}")
    client.request("DELETE", "/apis/storage.k8s.io/v1/storageclasses/site-test")
    until(lambda: not client.answers(f"/api/v1/namespaces/{NAMESPACE}"), "the namespace does not go")


def pod(name: str, image: str, *words: str, claim: str = "", labels: dict[str, str] | None = None) -> dict[str, Any]:
    """A pod as the `restricted` Pod Security Standard allows it."""
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels or {}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": volumes,
            "containers": [
                {
                    "name": "probe",
                    "image": image,
                    "args": list(words),
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}] if claim else [],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


def run(client: KubeClient, manifest: dict[str, Any]) -> tuple[str, str]:
    """Runs a pod to its end; phase and log."""
    name = manifest["metadata"]["name"]
    client.request("POST", f"{_API}/pods", manifest)
    phase = until(lambda: ended(client, name), f"pod {name} did not end")
    log = client.request("GET", f"{_API}/pods/{name}/log").get("text", "")
    client.request("DELETE", f"{_API}/pods/{name}")
    return phase, log


def ended(client: KubeClient, name: str) -> str:
    phase = client.request("GET", f"{_API}/pods/{name}")["status"]["phase"]
    return phase if phase in ("Succeeded", "Failed") else ""


def ready(client: KubeClient, name: str) -> bool:
    status = client.request("GET", f"{_API}/pods/{name}")["status"]
    return any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions", []))


def claim(client: KubeClient, name: str) -> None:
    client.request(
        "POST",
        f"{_API}/persistentvolumeclaims",
        {
            "metadata": {"name": name},
            "spec": {
                "storageClassName": "site-test",
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "10Mi"}},
            },
        },
    )


def init_of(site: Site) -> process.InitProcess:
    found = process.find(Layout(site.home / "site"))
    assert found is not None
    return found


def test_every_component_answers(running_site: Site) -> None:
    status = running_site.status()
    assert {part.name: part.answers for part in status.components if not part.answers} == {}
    assert status.ready
    assert status.enforces_seccomp
    assert not status.enforces_network_policy
    versions = {part.name: part.version for part in status.components}
    client = KubeClient.from_kubeconfig(running_site.endpoints().kubeconfig)
    assert client.request("GET", "/version")["gitVersion"] == versions["kube-apiserver"]
    node = client.request("GET", "/api/v1/nodes/falaj")["status"]["nodeInfo"]
    assert node["kubeletVersion"] == versions["kubelet"]
    assert node["containerRuntimeVersion"] == f"containerd://{versions['containerd'].lstrip('v')}"


def test_up_again_changes_nothing(running_site: Site) -> None:
    before = init_of(running_site)
    assert running_site.up() is False
    assert init_of(running_site) == before


def test_a_restricted_pod_runs_and_its_log_is_read(cluster: KubeClient, image: str) -> None:
    assert run(cluster, pod("log", image, "keyring"))[0] == "Succeeded"


def test_system_calls_are_filtered(cluster: KubeClient, image: str) -> None:
    """The same call is refused under the default filter and allowed without one, so the filter does it."""
    assert run(cluster, pod("filtered", image, "keyring")) == ("Succeeded", "refused\n")
    cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": "site-test-open"}})
    try:
        until(lambda: cluster.answers("/api/v1/namespaces/site-test-open/serviceaccounts/default"), "no account")
        open_pod = pod("unfiltered", image, "keyring")
        open_pod["metadata"]["namespace"] = "site-test-open"
        open_pod["spec"]["securityContext"]["seccompProfile"] = {"type": "Unconfined"}
        path = "/api/v1/namespaces/site-test-open/pods"
        cluster.request("POST", path, open_pod)
        until(lambda: cluster.request("GET", f"{path}/unfiltered")["status"]["phase"] == "Succeeded", "did not end")
        assert cluster.request("GET", f"{path}/unfiltered/log")["text"] == "allowed\n"
    finally:
        cluster.request("DELETE", "/api/v1/namespaces/site-test-open")


def test_a_service_is_found_by_name_and_through_the_api(cluster: KubeClient, image: str) -> None:
    cluster.request("POST", f"{_API}/pods", pod("web", image, "serve", "8080", "from the pod", labels={"app": "web"}))
    cluster.request(
        "POST",
        f"{_API}/services",
        {
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    )
    until(lambda: ready(cluster, "web"), "the server is not ready")
    address = cluster.request("GET", f"{_API}/services/web")["spec"]["clusterIP"]
    assert run(cluster, pod("resolve", image, "resolve", f"web.{NAMESPACE}.svc.cluster.local"))[1].strip() == address
    assert run(cluster, pod("get", image, "get", "web", "80"))[1].endswith("from the pod")
    proxied = until(
        lambda: (
            cluster.answers(f"{_API}/services/http:web:80/proxy/")
            and cluster.request("GET", f"{_API}/services/http:web:80/proxy/")
        ),
        "the API server's proxy does not reach the pod",
    )
    assert proxied == {"text": "from the pod"}


def test_a_pod_cannot_reach_out_of_the_site(cluster: KubeClient, image: str) -> None:
    with socket.socket() as outside:
        # A listener of this machine's own, on an address other than the loopback where it has one.
        outside.bind(("0.0.0.0", 0))
        outside.listen()
        address, port = _own_address(), outside.getsockname()[1]
        with socket.create_connection((address, port), timeout=5):
            pass
        phase, log = run(cluster, pod("out", image, "get", address, str(port)))
    assert phase == "Failed"
    assert "HTTP" not in log


def _own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.connect(("192.0.2.1", 9))  # sends nothing; only asks which address would be used
        except OSError:
            return "127.0.0.1"
        return str(trial.getsockname()[0])


def test_a_volume_outlives_its_pod_and_the_site(running_site: Site, cluster: KubeClient, image: str) -> None:
    claim(cluster, "kept")
    assert run(cluster, pod("writer", image, "write", "/data/note", "still here", claim="kept"))[0] == "Succeeded"
    assert running_site.down() is True
    assert running_site.status().running is False
    ports = Facts.load(running_site.home / "site" / "site.json")
    assert running_site.up() is True
    assert ports is not None
    assert running_site.endpoints().kubernetes.endswith(str(ports.ports["kubernetes"]))
    assert run(cluster, pod("reader", image, "read", "/data/note", claim="kept")) == ("Succeeded", "still here")
    volume = cluster.request("GET", f"{_API}/persistentvolumeclaims/kept")["spec"]["volumeName"]
    assert (running_site.home / "site" / "volumes" / volume).is_dir()
    cluster.request("DELETE", f"{_API}/persistentvolumeclaims/kept")
    until(lambda: not cluster.answers(f"/api/v1/persistentvolumes/{volume}"), "the volume was not removed")
    assert not (running_site.home / "site" / "volumes" / volume).exists()


def test_a_component_that_is_killed_is_started_again(running_site: Site) -> None:
    def state() -> dict[str, Any]:
        said = json.loads((running_site.home / "site" / "state.json").read_text())
        return dict(said["kube-scheduler"])

    before = state()
    subprocess.run(
        ["nsenter", f"--target={init_of(running_site).pid}", "--pid", "--mount", "kill", "-KILL", str(before["pid"])],
        check=True,
    )
    until(lambda: state()["restarts"] > before["restarts"], "the scheduler was not started again")
    until(lambda: running_site.status().ready, "the site is not whole again")


def test_secrets_are_encrypted_in_etcd_and_absent_from_the_audit_log(running_site: Site, cluster: KubeClient) -> None:
    cluster.request(
        "POST", f"{_API}/secrets", {"metadata": {"name": "hush"}, "stringData": {"word": "open-sesame-8731"}}
    )
    root = running_site.home / "site"
    stored = b"".join(path.read_bytes() for path in (root / "etcd").rglob("*") if path.is_file())
    assert b"site-test/hush" in stored
    assert b"k8s:enc:secretbox" in stored
    assert b"open-sesame-8731" not in stored
    audited = until(
        lambda: "site-test" in (log := (root / "logs" / "kube-audit.log").read_text()) and '"hush"' in log and log,
        "the secret's creation was not audited",
    )
    assert "open-sesame-8731" not in audited
    assert "b3Blbi1zZXNhbWUtODczMQ" not in audited


def test_files_with_secrets_are_the_owners_only(running_site: Site) -> None:
    root = running_site.home / "site"
    assert root.stat().st_mode & 0o777 == 0o700
    private = [*root.glob("pki/*.key"), *root.glob("openbao/*.key"), root / "openbao/recovery.json"]
    private += [root / "kubeconfig", root / "encryption.yaml", *root.glob("config/*.kubeconfig")]
    assert len(private) > 15
    assert [path for path in private if path.stat().st_mode & 0o777 != 0o600] == []
    assert not (root / "openbao" / "root-token").exists()


def test_openbao_takes_the_platform_engineers_certificate_and_nobody_else(running_site: Site) -> None:
    at = running_site.endpoints()
    client = hvac.Client(at.openbao, verify=str(at.ca), cert=(str(at.client_certificate), str(at.client_key)))
    login = client.auth.cert.login(name="platform")
    assert "falaj-platform" in login["auth"]["policies"]
    client.token = login["auth"]["client_token"]
    client.sys.enable_secrets_engine("transit", path="tenant-probe/transit")
    client.secrets.transit.create_key("sign-x", key_type="ecdsa-p256", mount_point="tenant-probe/transit")
    with pytest.raises(hvac.exceptions.Forbidden):
        client.secrets.transit.sign_data("sign-x", "aGVsbG8=", mount_point="tenant-probe/transit")
    with pytest.raises(hvac.exceptions.Forbidden):
        client.sys.create_or_update_acl_policy("falaj-platform", {"path": {"*": {"capabilities": ["sudo"]}}})
    with pytest.raises(hvac.exceptions.Forbidden):
        client.sys.enable_secrets_engine("kv", path="elsewhere")
    client.sys.disable_secrets_engine("tenant-probe/transit")
    pki = running_site.home / "site" / "pki"
    other = hvac.Client(at.openbao, verify=str(at.ca), cert=(str(pki / "coredns.crt"), str(pki / "coredns.key")))
    with pytest.raises(hvac.exceptions.VaultError):
        other.auth.cert.login(name="platform")
    assert "tenant-probe" in (running_site.home / "site/openbao/audit-1.log").read_text()


def test_nobody_without_a_certificate_is_answered(running_site: Site) -> None:
    at = running_site.endpoints()
    assert requests.get(f"{at.kubernetes}/api", verify=str(at.ca), timeout=10).status_code == 401
    assert requests.get(f"{at.openbao}/v1/sys/mounts", verify=str(at.ca), timeout=10).status_code == 403


def test_a_second_site_lives_beside_the_first_and_leaves_nothing_when_killed(
    running_site: Site, tmp_path: Path
) -> None:
    mounts = Path("/proc/self/mounts").read_text()
    links = set(os.listdir("/sys/class/net"))
    rules = subprocess.run(["iptables-save"], capture_output=True, check=True).stdout
    second = Site(tmp_path / "another home")
    try:
        _cut_off_before_the_keys_are_kept(second)
        assert second.up() is True
        assert second.status().ready
        assert running_site.status().ready
        assert second.endpoints().kubernetes != running_site.endpoints().kubernetes
        assert Path("/proc/self/mounts").read_text() == mounts
        assert set(os.listdir("/sys/class/net")) == links
        assert subprocess.run(["iptables-save"], capture_output=True, check=True).stdout == rules
        # Losing the recovery key later is no reason to forget what is stored.
        (second.home / "site/openbao/recovery.json").unlink()
        assert second.up() is False
        init = init_of(second)
        namespace = os.readlink(f"/proc/{init.pid}/ns/pid")
        os.kill(init.pid, signal.SIGKILL)
        until(lambda: process.gone(init), "the first process does not end")
        assert _in_namespace(namespace) == []
        with pytest.raises(CannotRun):
            second.images()
        assert second.up() is True
        assert second.status().ready
        assert second.down() is True
        facts = Facts.load(tmp_path / "another home" / "site" / "site.json")
        assert facts is not None
        group = render.cgroup_root(facts.id).lstrip("/")
        assert [path for path in cgroups.hierarchies() if (path / group).exists()] == []
    finally:
        second.down(purge=True)
    assert not (tmp_path / "another home" / "site").exists()
    assert running_site.status().ready
    assert Path("/proc/self/mounts").read_text() == mounts


def _cut_off_before_the_keys_are_kept(site: Site) -> None:
    """As if `up` had been killed between initialising OpenBao and keeping its keys: nobody can ever log in."""

    def write(path: Path, content: bytes | str) -> None:
        if path.name == "root-token":
            raise InterruptedError
        write_private(path, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openbao, "write_private", write)
        with pytest.raises(InterruptedError):
            site.up()


def _in_namespace(name: str) -> list[str]:
    """The processes in a PID namespace, without what has ended and only waits to be asked how."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            ended = (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            if entry.name.isdigit() and not ended and os.readlink(entry / "ns" / "pid") == name:
                found.append(entry.name)
        except OSError:
            continue
    return found
