"""The built image in real pods: every program of it, non-root, under the restricted standard, with a read-only root."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from falaj_platform.image.build import build_image
from falaj_site.kube import KubeClient
from falaj_site.progress import Console
from falaj_site.site import Site

pytestmark = pytest.mark.site

NAMESPACE = "image-test"
API = f"/api/v1/namespaces/{NAMESPACE}"

SCRIPTS = {
    "python": """
python3 -c 'import falaj, falaj_policies, hvac, mlflow, onnx, onnxruntime, psycopg, ray, skl2onnx, sklearn'
test "$(id -u)" = 65532
! touch /opt/x 2>/dev/null
touch "$HOME/x"
python3 -c 'import mlflow, os; assert os.path.exists(mlflow.__cached__)'
python3 -c 'import ssl; assert ssl.create_default_context().get_ca_certs()'
echo ok
""",
    "postgres": """
echo secret > /tmp/pw
initdb -D /tmp/pg --locale=C.UTF-8 -E UTF8 -U postgres --auth=scram-sha-256 --pwfile=/tmp/pw > /dev/null
pg_ctl -D /tmp/pg -w -l /tmp/log -o "-c unix_socket_directories=/tmp" start > /dev/null
export PGPASSWORD=secret
psql -h /tmp -U postgres -Atc "select 'o' || 'k'"
# pragma: allowlist nextline secret
python3 -c 'import psycopg; psycopg.connect("postgresql://postgres:secret@127.0.0.1/postgres").execute("select 1")'
pg_ctl -D /tmp/pg -w stop > /dev/null
""",
    "mlflow": """
mlflow server --backend-store-uri sqlite:////tmp/x.db --artifacts-destination /tmp/a --workers 1 > /tmp/log 2>&1 &
server=$!
until python3 -c 'import urllib.request as r; print(r.urlopen("http://127.0.0.1:5000/health").read())' 2> /dev/null
do kill -0 $server || { cat /tmp/log; exit 1; }; sleep 1; done
MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python3 - <<END
import mlflow
with mlflow.start_run() as run:
    mlflow.log_text("hello", "model/a.txt")
assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/model/a.txt") == "hello"
print("ok")
END
""",
    "ray": """
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=0123456789abcdef0123456789abcdef
ray start --head --num-cpus=1 --temp-dir=/tmp/ray --object-store-memory=80000000 > /tmp/log 2>&1 \\
    || { cat /tmp/log; exit 1; }
cat > /tmp/job.py <<END
import ray
ray.init(log_to_driver=False)
print(ray.get(ray.remote(lambda: "o" + "k").remote()))
END
ray job submit --address http://127.0.0.1:8265 -- python3 /tmp/job.py
RAY_AUTH_TOKEN=wrong-wrong-wrong-wrong-wrong-wrong ray job list --address http://127.0.0.1:8265 > /tmp/log 2>&1 \\
    && { echo "a wrong token was let in"; exit 1; }
ray stop > /dev/null 2>&1
""",
}


@pytest.fixture(scope="module")
def image(running_site: Site) -> str:
    return running_site.import_image(build_image(running_site.home, Console()).archive)


@pytest.fixture(scope="module")
def cluster(running_site: Site) -> Iterator[KubeClient]:
    client = KubeClient.from_kubeconfig(running_site.endpoints().kubeconfig)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    client.request("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE, "labels": labels}})
    while not client.answers(f"{API}/serviceaccounts/default"):
        time.sleep(0.2)
    yield client
    client.request("DELETE", f"/api/v1/namespaces/{NAMESPACE}")


def pod(name: str, image: str, script: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            # Keeps a broken image from hanging the run; says nothing of how fast it is.
            "activeDeadlineSeconds": 400,
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "shm", "emptyDir": {"medium": "Memory"}}],
            "containers": [
                {
                    "name": "program",
                    "image": image,
                    "imagePullPolicy": "Never",
                    "args": ["bash", "-ec", script],
                    "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}},
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "shm", "mountPath": "/dev/shm"}],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


@pytest.mark.parametrize("name", list(SCRIPTS))
def test_a_program_runs(cluster: KubeClient, image: str, name: str) -> None:
    cluster.request("POST", f"{API}/pods", pod(name, image, SCRIPTS[name]))
    while (found := cluster.request("GET", f"{API}/pods/{name}")["status"]).get("phase") not in ("Succeeded", "Failed"):
        time.sleep(0.5)
    log = cluster.request("GET", f"{API}/pods/{name}/log").get("text", "")
    assert found["phase"] == "Succeeded", log
    assert "ok\n" in log
    assert found["containerStatuses"][0]["imageID"] == image
