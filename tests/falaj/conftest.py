"""A stand-in tenant on loopback, for tests only: one TLS server that plays the API server (with its service proxy), the
vault, MLflow and Ray. Behind its proxy run the real audit service and the real serving replica, in this process.

It lives in the tests and speaks only HTTP, so nothing that is deployed can ever pick it.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import io
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from onnx import TensorProto, helper, numpy_helper
from pydantic import SecretStr

from falaj.audit.client import AuditClient
from falaj.audit.server import AuditService
from falaj.audit.store import Store
from falaj.connection import Connection, Gate, Jurisdiction, Vault
from falaj.credentials import Credentials
from falaj.http import Http
from falaj.httpserver import Server
from falaj.kube import Kube
from falaj.modelfiles import model_digest
from falaj.registry import Registry
from falaj.serving.loader import Loader
from falaj.serving.replica import Replica, last_served
from falaj.serving.routes import MAX_BODY, Routes
from falaj.serving.tally import Tally
from falaj.session import Session
from falaj.tenant import Tenant
from falaj.vault import Vault as VaultClient
from falaj.vault import ca_file

NAMESPACE = "tenant-demo"
AUDIENCES = ("https://kubernetes.default.svc.cluster.local", "falaj-vault", "falaj-audit")
ROLES = {
    "alice": ("data-scientist",),
    "bob": ("approver",),
    "omar": ("operator",),
    "lead": ("data-scientist", "approver"),
}


def onnx_bytes(weight: float = 1.0, bias: float = 0.0) -> bytes:
    """y = [x0, x1] · [weight, weight] + bias, and label = y > 0."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["m"]),
            helper.make_node("Add", ["m", "b"], ["score"]),
            helper.make_node("Greater", ["score", "zero"], ["g"]),
            helper.make_node("Cast", ["g"], ["label"], to=TensorProto.INT64),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None, 1]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1]),
        ],
        [
            numpy_helper.from_array(numpy.full((2, 1), weight, dtype=numpy.float32), "w"),
            numpy_helper.from_array(numpy.full((1,), bias, dtype=numpy.float32), "b"),
            numpy_helper.from_array(numpy.zeros((1,), dtype=numpy.float32), "zero"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return model.SerializeToString()


def make_tls(folder: Path) -> tuple[str, Path]:
    """(CA certificate as PEM, file with the server's certificate and key) for 127.0.0.1."""
    now = datetime.datetime.now(datetime.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def build(subject: str, public: Any, ca: bool) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ca")])
        builder = x509.CertificateBuilder(
            issuer, name, public, x509.random_serial_number(), now, now.replace(year=2099)
        )
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        if ca:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        else:
            import ipaddress

            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(ca_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    ca_pem = build("ca", ca_key.public_key(), True).public_bytes(pem).decode()
    path = folder / "server.pem"
    path.write_bytes(
        build("server", key.public_key(), False).public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return ca_pem, path


class World:
    """The tenant's state, and what tests do to it. `refuse` maps a path prefix to a status to answer with instead."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config_maps: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.exportable: set[str] = set()
        self.imported: set[str] = set()
        self.vault_tokens: list[str | None] = []
        self.tokens: dict[str, str] = {}
        self.audiences: dict[str, tuple[str, ...]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.artifacts: dict[str, bytes] = {}
        self.models: dict[str, list[dict[str, Any]]] = {}
        self.experiments: dict[str, str] = {}
        self.packages: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.refuse: dict[str, int] = {}
        self.stops: list[Callable[[], None]] = []
        self.lock = threading.RLock()
        self.version = 100
        (folder / "tls").mkdir()
        self.ca, certificate = make_tls(folder / "tls")
        self.port = self._listen(certificate)
        self.plain_port = self._listen(None)
        self.url = f"https://127.0.0.1:{self.port}"
        self.put_config_map("serving", {})
        self._connect()
        for member, roles in ROLES.items():
            for role, prefix in (("data-scientist", "sign-"), ("approver", "approve-")):
                if role in roles:
                    self.keys[prefix + member] = ec.generate_private_key(ec.SECP256R1())
            self.token(member)

    def _connect(self) -> None:
        self.connection = Connection(
            tenant="demo",
            namespace=NAMESPACE,
            jurisdiction=Jurisdiction(name="uae", cloud="on-premises", region="local"),
            vault=Vault(
                url=self.url,
                internal_url=self.url,
                ca=self.ca,
                kv_mount="tenant-demo/kv",
                transit_mount="tenant-demo/transit",
                role_prefix="tenant-demo-",
            ),
            gate=Gate(rule_set_version="sha256:0"),
        )
        self.put_config_map("falaj-connection", {"connection.json": self.connection.to_json()})

    # Used by tests

    def token(self, account: str, namespace: str = NAMESPACE, audiences: tuple[str, ...] = AUDIENCES) -> str:
        token = f"token-of-{account}-{len(self.tokens)}"
        self.audiences[token] = audiences
        self.tokens[token] = f"system:serviceaccount:{namespace}:{account}"
        return token

    def credentials(self, member: str) -> Credentials:
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
        return Credentials(
            tenant="demo",
            member=member,
            kubernetes=self.url,
            ca=self.ca,
            token=SecretStr(self.token(member, audiences=AUDIENCES[:2])),
            audit_token=SecretStr(self.token(member, audiences=AUDIENCES[2:])),
            expires=expires,
        )

    def tenant(self, member: str) -> Tenant:
        return Tenant(Session(self.credentials(member), self.folder / "credentials"))

    def add_run(self, files: dict[str, bytes], metrics: dict[str, float] | None = None, member: str = "alice") -> str:
        """A finished run of `member`, as if trained, with these files as its model."""
        registry = self.registry()
        run_id = str(registry.create_run(registry.experiment("e"), "r", {})["info"]["run_id"])
        for name, content in files.items():
            registry.upload(run_id, f"model/{name}", content)
        digest = model_digest(
            (name, len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items()
        )
        registry.log(run_id, metrics=metrics, tags={"falaj.digest": digest})
        registry.end_run(run_id, "FINISHED")
        self.tenant(member).session.audit.append("model.trained", digest, {"run": run_id})
        return run_id

    def registry(self) -> Registry:
        return Registry(Http(f"http://127.0.0.1:{self.plain_port}/mlflow", what="MLflow"))

    def kube(self, account: str) -> Kube:
        headers = {"Authorization": f"Bearer {self.token(account)}"}
        return Kube(Http(self.url, what="the API server", headers=headers, ca=self.ca))

    def alter(self, run_id: str, name: str, content: bytes) -> None:
        self.artifacts[f"1/{run_id}/artifacts/model/{name}"] = content

    def put_config_map(self, name: str, data: dict[str, str]) -> None:
        with self.lock:
            self.version += 1
            metadata = {"name": name, "resourceVersion": str(self.version)}
            self.config_maps[name] = {"metadata": metadata, "data": dict(data)}

    # The server

    def _listen(self, certificate: Path | None) -> int:
        world = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = 65536

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                url = urlsplit(self.path)
                status, answer = world.answer(
                    self.command, url.path, dict(parse_qsl(url.query)), body, dict(self.headers)
                )
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = _serve  # noqa: N815 - the base class's names

            def log_message(self, *_: Any) -> None:
                pass

        httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        httpd.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
        threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
        self.stops.append(lambda: (httpd.shutdown(), httpd.server_close()))
        return int(httpd.server_address[1])

    def answer(
        self, method: str, path: str, query: dict[str, str], body: bytes, headers: dict[str, str]
    ) -> tuple[int, Any]:
        for prefix, status in self.refuse.items():
            if path.startswith(prefix):
                return status, {"message": "refused by the test"}
        if path.startswith("/mlflow/"):
            return self.mlflow(method, path.removeprefix("/mlflow"), query, body)
        if path.startswith("/v1/"):
            return self.vault(method, path.removeprefix("/v1"), json.loads(body or b"{}"), headers)
        bearer = headers.get("Authorization", "").removeprefix("Bearer ")
        user = self.tokens.get(bearer)
        if user is None or AUDIENCES[0] not in self.audiences[bearer]:
            return 401, {"message": "Unauthorized"}
        proxied = re.fullmatch(rf"/api/v1/namespaces/{NAMESPACE}/services/http:(\w+):\d+/proxy(/.*)", path)
        if proxied:
            return self.proxy(user, proxied[1], method, proxied[2], query, body, headers)
        if path.startswith("/apis/authentication.k8s.io/v1/tokenreviews"):
            spec = json.loads(body)["spec"]
            name = self.tokens.get(spec["token"])
            audiences = [item for item in spec["audiences"] if item in self.audiences.get(spec["token"], ())]
            status = {"authenticated": True, "user": {"username": name}, "audiences": audiences}
            return 201, {"status": status if name and audiences else {"authenticated": False}}
        return self.kubernetes(user, method, path, body)

    def kubernetes(self, user: str, method: str, path: str, body: bytes) -> tuple[int, Any]:
        match = re.fullmatch(rf"/api/v1/namespaces/{NAMESPACE}/configmaps/([\w-]+)", path)
        if match and match[1] in self.config_maps:
            if method == "PATCH":
                return self._patch(user, match[1], json.loads(body))
            return 200, self.config_maps[match[1]]
        if path == f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts":
            items: list[dict[str, Any]] = [
                {"metadata": {"name": name, "annotations": {"falaj.io/roles": ",".join(roles)}}}
                for name, roles in ROLES.items()
            ]
            return 200, {"items": [*items, {"metadata": {"name": "mlflow"}}]}
        match = re.fullmatch(rf"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/(\w+)/token", path)
        if match:
            expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
            token = self.token(match[1], audiences=tuple(json.loads(body)["spec"]["audiences"]))
            return 201, {"status": {"token": token, "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}}
        return 404, {"message": f"there is no {path}"}

    def _patch(self, user: str, name: str, patch: dict[str, Any]) -> tuple[int, Any]:
        with self.lock:
            if not user.endswith(":omar"):
                return 403, {"message": f"{user} cannot patch configmaps"}
            found = self.config_maps[name]
            if patch["metadata"].get("resourceVersion") not in (None, found["metadata"]["resourceVersion"]):
                return 409, {"message": "conflict"}
            data = found["data"] | patch["data"]
            self.put_config_map(name, {key: value for key, value in data.items() if value is not None})
            return 200, self.config_maps[name]

    def proxy(
        self,
        user: str,
        service: str,
        method: str,
        path: str,
        query: dict[str, str],
        body: bytes,
        headers: dict[str, str],
    ) -> tuple[int, Any]:
        if service == "mlflow":
            return self.mlflow(method, path, query, body)
        if service == "ray":
            if headers.get("X-Ray-Authorization") != "Bearer ray-token":
                return 401, {"message": "no token"}
            return self.ray(method, path, body)
        port = {"audit": self.audit_port, "serving": self.serving_port}[service]
        from urllib.parse import urlencode

        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}?{urlencode(query)}", method=method, data=body or None
        )
        if "X-Falaj-Token" in headers:
            request.add_header("X-Falaj-Token", headers["X-Falaj-Token"])
        try:
            with urllib.request.urlopen(request) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def vault(self, method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[int, Any]:
        self.vault_tokens.append(headers.get("X-Vault-Token"))
        if path == "/auth/kubernetes/login":
            user = self.tokens.get(body["jwt"], "") if AUDIENCES[1] in self.audiences[body["jwt"]] else ""
            if body["role"] != f"tenant-demo-{user.rsplit(':', 1)[-1]}":
                return 403, {"errors": ["permission denied"]}
            return 200, {"auth": {"client_token": f"vault-{user}", "lease_duration": 900}}
        user = headers.get("X-Vault-Token", "").rsplit(":", 1)[-1]
        if not user:
            return 403, {"errors": ["permission denied"]}
        if path == "/tenant-demo/kv/data/ray":
            return 200, {"data": {"data": {"token": "ray-token"}, "metadata": {}}}
        match = re.fullmatch(r"/tenant-demo/transit/sign/([\w-]+)(/sha2-256)?", path)
        if match:
            if match[1].split("-", 1)[1] != user or match[1] not in self.keys:
                return 403, {"errors": ["permission denied"]}
            signature = self.keys[match[1]].sign(base64.b64decode(body["input"]), ec.ECDSA(hashes.SHA256()))
            return 200, {"data": {"signature": f"vault:v1:{base64.b64encode(signature).decode()}"}}
        match = re.fullmatch(r"/tenant-demo/transit/keys/([\w-]+)", path)
        if match and match[1] in self.keys:
            pem = (
                self.keys[match[1]]
                .public_key()
                .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            )
            return 200, {
                "data": {
                    "type": "ecdsa-p256",
                    "exportable": match[1] in self.exportable,
                    "allow_plaintext_backup": False,
                    "imported_key": match[1] in self.imported,
                    "keys": {"1": {"public_key": pem.decode()}},
                }
            }
        return 404, {"errors": []}

    def ray(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path.startswith("/api/packages/gcs/"):
            name = path.rsplit("/", 1)[-1]
            if method == "PUT":
                self.packages[name] = body
            return (200, {}) if name in self.packages else (404, {"message": "no package"})
        if method == "POST" and path == "/api/jobs/":
            job = json.loads(body)
            threading.Thread(target=self._run_job, args=(job,), daemon=True).start()
            self.jobs[job["submission_id"]] = {"status": "RUNNING", "message": "", "logs": ""}
            return 200, {"submission_id": job["submission_id"]}
        match = re.fullmatch(r"/api/jobs/([\w-]+)(/logs|/stop)?", path)
        if match and match[1] in self.jobs:
            found = self.jobs[match[1]]
            if match[2] == "/stop":
                found["status"] = "STOPPED"
            return 200, {"logs": found["logs"]} if match[2] == "/logs" else found
        return 404, {"message": "no job"}

    def _run_job(self, job: dict[str, Any]) -> None:
        folder = self.folder / job["submission_id"]
        package = self.packages[job["runtime_env"]["working_dir"].rsplit("/", 1)[-1]]
        zipfile.ZipFile(io.BytesIO(package)).extractall(folder)
        env = os.environ | job["runtime_env"]["env_vars"]
        env["FALAJ_MLFLOW_URL"] = f"http://127.0.0.1:{self.plain_port}/mlflow"
        command = [sys.executable, *job["entrypoint"].split()[1:]]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
        self.jobs[job["submission_id"]] |= {
            "logs": done.stdout + done.stderr,
            "status": "SUCCEEDED" if done.returncode == 0 else "FAILED",
        }

    def mlflow(self, method: str, path: str, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        artifacts = "/api/2.0/mlflow-artifacts/artifacts/"
        if path.startswith(artifacts):
            name = path.removeprefix(artifacts)
            if method == "PUT":
                self.artifacts[name] = body
                return 200, {}
            return (200, self.artifacts[name]) if name in self.artifacts else (404, {"message": "no artifact"})
        call = path.removeprefix("/api/2.0/mlflow/").replace("/", "_").replace("-", "_")
        with self.lock:
            return getattr(self, f"_mlflow_{call}")(query | (json.loads(body) if body else {}))

    def _mlflow_experiments_get_by_name(self, q: dict[str, Any]) -> tuple[int, Any]:
        if q["experiment_name"] not in self.experiments:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no experiment"}
        return 200, {"experiment": {"experiment_id": self.experiments[q["experiment_name"]]}}

    def _mlflow_experiments_create(self, q: dict[str, Any]) -> tuple[int, Any]:
        self.experiments[q["name"]] = "1"
        return 200, {"experiment_id": "1"}

    def _mlflow_runs_create(self, q: dict[str, Any]) -> tuple[int, Any]:
        run_id = f"{len(self.runs):032x}"
        info = {"run_id": run_id, "status": "RUNNING", "artifact_uri": f"mlflow-artifacts:/1/{run_id}/artifacts"}
        self.runs[run_id] = {"info": info, "data": {"tags": q["tags"], "metrics": [], "params": []}}
        return 200, {"run": self.runs[run_id]}

    def _mlflow_runs_get(self, q: dict[str, Any]) -> tuple[int, Any]:
        if q["run_id"] not in self.runs:
            return 404, {"message": "no run"}
        return 200, {"run": self.runs[q["run_id"]]}

    def _mlflow_runs_search(self, q: dict[str, Any]) -> tuple[int, Any]:
        match = re.fullmatch(r"tags\.`(.+)` = '(.+)'", q["filter"])
        assert match
        wanted = {"key": match[1], "value": match[2]}
        return 200, {"runs": [run for run in self.runs.values() if wanted in run["data"]["tags"]]}

    def _mlflow_runs_update(self, q: dict[str, Any]) -> tuple[int, Any]:
        self.runs[q["run_id"]]["info"]["status"] = q["status"]
        return 200, {}

    def _mlflow_runs_log_batch(self, q: dict[str, Any]) -> tuple[int, Any]:
        for kind in ("tags", "metrics", "params"):
            self.runs[q["run_id"]]["data"][kind].extend(q[kind])
        return 200, {}

    def _mlflow_artifacts_list(self, q: dict[str, Any]) -> tuple[int, Any]:
        base = f"1/{q['run_id']}/artifacts/"
        names = [name.removeprefix(base) for name in self.artifacts if name.startswith(f"{base}{q['path']}/")]
        depth = q["path"].count("/") + 2
        entries = {"/".join(name.split("/")[:depth]): name.count("/") >= depth for name in names}
        return 200, {"files": [{"path": path, "is_dir": is_dir} for path, is_dir in entries.items()]}

    def _mlflow_registered_models_create(self, q: dict[str, Any]) -> tuple[int, Any]:
        if q["name"] in self.models:
            return 400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "there already"}
        self.models[q["name"]] = []
        return 200, {}

    def _mlflow_model_versions_create(self, q: dict[str, Any]) -> tuple[int, Any]:
        version = {**q, "version": str(len(self.models[q["name"]]) + 1)}
        self.models[q["name"]].append(version)
        return 200, {"model_version": version}

    def _mlflow_model_versions_get(self, q: dict[str, Any]) -> tuple[int, Any]:
        for version in self.models.get(q["name"], []):
            if version["version"] == q["version"]:
                return 200, {"model_version": version}
        return 404, {"message": "no version"}

    def _mlflow_model_versions_search(self, q: dict[str, Any]) -> tuple[int, Any]:
        name = q["filter"].removeprefix("name='").removesuffix("'")
        return 200, {"model_versions": self.models.get(name, [])}

    def _mlflow_model_versions_set_tag(self, q: dict[str, Any]) -> tuple[int, Any]:
        _, answer = self._mlflow_model_versions_get(q)
        tags = answer["model_version"]["tags"]
        tags[:] = [tag for tag in tags if tag["key"] != q["key"]] + [{"key": q["key"], "value": q["value"]}]
        return 200, {}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A tenant with its real audit service and replica; everything that waits a while looks more often."""
    monkeypatch.setattr("falaj.deployment._POLL_SECONDS", 0.02)
    monkeypatch.setattr("falaj.training._POLL_SECONDS", 0.05)
    monkeypatch.setattr("falaj.serving.replica._FIRST_RETRY", 0.1)
    monkeypatch.setattr("falaj.audit.client._NAP_SECONDS", 0.02)
    monkeypatch.setattr("falaj.audit.client._PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr("falaj.httpserver.NOTICE_SECONDS", 0.02)
    world = World(tmp_path)
    store = Store(tmp_path / "audit")
    audit = Server(AuditService(store, world.kube("audit"), NAMESPACE).handle, host="127.0.0.1", port=0, max_body=16384)
    world.audit_port, world.store = audit.port, store  # type: ignore[attr-defined]
    audit.start()
    token = world.token("serving")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    vault = VaultClient(
        world.url,
        world.connection.vault,
        role="tenant-demo-serving",
        read_token=lambda: token,
        ca=ca_file(scratch, world.ca),
    )
    client = AuditClient(Http(f"http://127.0.0.1:{audit.port}", what="audit", headers={"X-Falaj-Token": token}))

    def record(action: str, subject: str, detail: Any) -> None:
        client.append(action, subject, detail)

    kube = world.kube("serving")
    loader = Loader(world.registry(), vault.public_key, scratch)

    def make_replica() -> Replica:
        return Replica(
            lambda: kube.config_map(NAMESPACE, "serving"),
            loader,
            record,
            lambda: last_served(map(json.loads, client.lines()), "serving"),
        )

    replica = make_replica()
    world.make_replica = make_replica  # type: ignore[attr-defined]
    tally = Tally(record)
    serving = Server(Routes(replica, tally).handle, host="127.0.0.1", port=0, max_body=MAX_BODY)
    world.serving_port, world.replica, world.tally = serving.port, replica, tally  # type: ignore[attr-defined]
    serving.start()
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(0.02):
            replica.tick()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    yield world
    stop.set()
    thread.join(10)
    # Each waits for its own loop to notice, so they are stopped together.
    stopping = [threading.Thread(target=one) for one in (serving.stop, audit.stop, *world.stops)]
    for one in stopping:
        one.start()
    for one in stopping:
        one.join(10)
    store.close()


@pytest.fixture
def onnx_file() -> Callable[..., bytes]:
    return onnx_bytes


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits for a condition; the time is only how long to wait before giving up."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.02)


@pytest.fixture
def eventually() -> Callable[..., None]:
    return wait_for


@pytest.fixture
def make_authority() -> Callable[[Path], tuple[str, Path]]:
    return make_tls
