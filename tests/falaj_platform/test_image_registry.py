"""Pushing, to a registry that stands in over loopback and checks what a real one checks."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from falaj_platform.errors import ImageError, RegistryError
from falaj_platform.image import build, oci, registry
from falaj_platform.image.credentials import find_credentials

USER, PASSWORD = "robot", "not-for-output"  # pragma: allowlist secret
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Registry(ThreadingHTTPServer):
    """Blobs and manifests in memory; `auth` is none, basic or bearer; `store` takes uploads elsewhere."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.auth = "none"
        self.realm: str | None = None
        self.store: str | None = None
        self.lie: str | None = None
        self.seen: list[tuple[str, str, str | None]] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Registry

    def log_message(self, *args: object) -> None:
        pass

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _welcome(self) -> bool:
        self.server.seen.append((self.command, self.path, self.headers.get("Authorization")))
        wanted = {"none": None, "basic": BASIC, "bearer": "Bearer pass"}[self.server.auth]
        if wanted is None or self.headers.get("Authorization") == wanted:
            return True
        realm = self.server.realm or f"http://{self.server.host}/token"
        challenge = 'Basic realm="x"' if self.server.auth == "basic" else f'Bearer realm="{realm}",service="reg"'
        self._answer(401, WWW_Authenticate=challenge)
        return False

    def do_HEAD(self) -> None:
        if self._welcome():
            self._answer(200 if self.path.rsplit("/", 1)[1] in self.server.blobs else 404)

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        ok = self.headers.get("Authorization") == BASIC and query["scope"][0].endswith(":pull,push")
        self._answer(200 if ok else 401, json.dumps({"token": "pass"}).encode() if ok else b"{}")

    def do_POST(self) -> None:
        self._body()
        if self._welcome():
            self._answer(202, Location=(self.server.store or "") + "/upload/1?state=abc")

    def do_PUT(self) -> None:
        body = self._body()
        if self.path.startswith("/upload/") or self._welcome():
            if self.path.startswith("/upload/"):
                self.server.seen.append((self.command, self.path, self.headers.get("Authorization")))
                query = parse_qs(urlsplit(self.path).query)
                digest = query["digest"][0]
                if query["state"] != ["abc"] or digest != f"sha256:{hashlib.sha256(body).hexdigest()}":
                    self._answer(400, json.dumps({"errors": [{"code": "DIGEST_INVALID"}]}).encode())
                    return
                self.server.blobs[digest] = body
                self._answer(201)
            else:
                self._manifest(body)

    def _manifest(self, body: bytes) -> None:
        document = json.loads(body)
        missing = [
            part for part in (document["config"], *document["layers"]) if part["digest"] not in self.server.blobs
        ]
        if missing:
            self._answer(400, json.dumps({"errors": [{"code": "MANIFEST_BLOB_UNKNOWN"}]}).encode())
            return
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self.server.manifests[self.path] = body
        self._answer(201, Docker_Content_Digest=self.server.lie or digest)


def serve() -> Iterator[Registry]:
    server = Registry()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server() -> Iterator[Registry]:
    yield from serve()


@pytest.fixture
def elsewhere() -> Iterator[Registry]:
    yield from serve()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a small built image, and no credentials of whoever runs the test."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("FALAJ_REGISTRY_USER", "FALAJ_REGISTRY_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home/image"
    folder.mkdir(parents=True)
    layers = []
    for name in ("first", "second"):
        content = name.encode() * 100_000
        (tmp_path / name).write_bytes(content)
        layers.append(oci.Layer(name, oci.blob_of(content), tmp_path / name))
    made = oci.documents(layers, {})
    oci.write_archive(made, layers, folder / build.ARCHIVE)
    (folder / build.BILL).write_text('{"bomFormat": "CycloneDX"}', encoding="utf-8")
    image = build.BuiltImage(
        reference=made.reference,
        digest=made.digest,
        archive=folder / build.ARCHIVE,
        bill=folder / build.BILL,
        size=(folder / build.ARCHIVE).stat().st_size,
        key="k",
    )
    (folder / build.RECORD).write_text(image.model_dump_json(), encoding="utf-8")
    return tmp_path / "home"


def log_in(monkeypatch: pytest.MonkeyPatch, password: str = PASSWORD) -> None:
    monkeypatch.setenv("FALAJ_REGISTRY_USER", USER)
    monkeypatch.setenv("FALAJ_REGISTRY_PASSWORD", password)


def test_the_image_arrives_under_its_own_digest(home: Path, server: Registry) -> None:
    pushed = registry.push_image(home, f"{server.host}/ml")
    digest = pushed.reference.partition("@")[2]
    manifest = server.manifests[f"/v2/ml/falaj/platform/manifests/{pushed.tag}"]
    assert pushed.reference == f"{server.host}/ml/falaj/platform@sha256:{hashlib.sha256(manifest).hexdigest()}"
    assert (pushed.blobs, pushed.sent) == (3, 3)
    bill = json.loads(server.manifests[f"/v2/ml/falaj/platform/manifests/{pushed.bill}"])
    assert bill["subject"]["digest"] == digest
    assert server.blobs[bill["layers"][0]["digest"]] == b'{"bomFormat": "CycloneDX"}'


def test_what_is_there_is_not_sent_again(home: Path, server: Registry) -> None:
    registry.push_image(home, server.host)
    again = registry.push_image(home, server.host)
    assert (again.sent, again.bytes_sent) == (0, 0)


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_challenge_is_answered(home: Path, server: Registry, monkeypatch: pytest.MonkeyPatch, auth: str) -> None:
    server.auth = auth
    log_in(monkeypatch)
    assert registry.push_image(home, server.host).sent == 3


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_without_credentials_the_line_says_how_to_log_in(home: Path, server: Registry, auth: str) -> None:
    server.auth = auth
    with pytest.raises(RegistryError, match="docker login") as caught:
        registry.push_image(home, server.host)
    assert "\n" not in str(caught.value)
    assert not server.blobs


def test_a_wrong_password_is_refused_and_not_shown(
    home: Path, server: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.auth = "bearer"
    log_in(monkeypatch, "wrong-secret")
    with pytest.raises(RegistryError) as caught:
        registry.push_image(home, server.host)
    assert "wrong-secret" not in str(caught.value)


def test_a_store_elsewhere_does_not_learn_who_we_are(
    home: Path, server: Registry, elsewhere: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.auth, server.store = "basic", f"http://{elsewhere.host}"
    log_in(monkeypatch)
    # The store keeps blobs for the registry.
    elsewhere.blobs = server.blobs
    registry.push_image(home, server.host)
    assert elsewhere.seen
    assert {authorization for _, _, authorization in elsewhere.seen} == {None}


def test_a_challenge_to_an_address_without_tls_is_not_answered(
    home: Path, server: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.auth, server.realm = "bearer", "ftp://elsewhere.test/token"
    log_in(monkeypatch)
    with pytest.raises(RegistryError, match="no https address"):
        registry.push_image(home, server.host)


def test_a_registry_that_keeps_another_digest_is_not_believed(home: Path, server: Registry) -> None:
    server.lie = "sha256:" + "0" * 64
    with pytest.raises(RegistryError, match="do not use it"):
        registry.push_image(home, server.host)


def test_an_altered_layer_is_refused_by_its_digest(home: Path, server: Registry) -> None:
    archive = home / "image" / build.ARCHIVE
    content = archive.read_bytes()
    archive.write_bytes(content.replace(b"firstfirst", b"firstFirst", 1))
    with pytest.raises(RegistryError, match="DIGEST_INVALID"):
        registry.push_image(home, server.host)
    assert not server.manifests


def test_an_archive_of_another_image_is_not_pushed(home: Path, server: Registry) -> None:
    record = home / "image" / build.RECORD
    document = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps({**document, "digest": "sha256:" + "0" * 64}), encoding="utf-8")
    with pytest.raises(ImageError, match="not the image that was built"):
        registry.push_image(home, server.host)
    assert not server.blobs


def test_a_registry_that_does_not_answer_is_one_line(home: Path, server: Registry) -> None:
    host = server.host
    server.server_close()
    with pytest.raises(RegistryError, match="does not answer") as caught:
        registry.push_image(home, host)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("target", ["https://registry.test/x", "registry.test/x:tag", "registry.test/X", "", "a b"])
def test_a_target_that_is_no_registry_is_refused(home: Path, target: str) -> None:
    with pytest.raises(RegistryError, match="is no registry"):
        registry.push_image(home, target)


def test_without_an_image_it_says_how_to_build_one(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="falaj image build"):
        registry.push_image(tmp_path, "registry.test")


def test_credentials_come_from_dockers_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FALAJ_REGISTRY_USER", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    entry = {"auth": base64.b64encode(b"me:se:cret").decode()}
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"registry.test": entry}}), encoding="utf-8")
    found = find_credentials("registry.test")
    assert found is not None
    assert (found.user, found.password) == ("me", "se:cret")
    assert "se:cret" not in repr(found)
    assert find_credentials("other.test") is None


def test_credentials_come_from_a_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FALAJ_REGISTRY_USER", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    helper = tmp_path / "docker-credential-test"
    helper.write_text('#!/bin/sh\necho "{\\"Username\\": \\"me\\", \\"Secret\\": \\"$(cat)\\"}"\n', encoding="utf-8")
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text('{"credHelpers": {"registry.test": "test"}}', encoding="utf-8")
    found = find_credentials("registry.test")
    assert found is not None
    assert (found.user, found.password) == ("me", "registry.test")


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": {"registry.test": {"auth": "%"}}}'])
def test_a_broken_docker_configuration_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.delenv("FALAJ_REGISTRY_USER", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(RegistryError, match=r"config\.json"):
        find_credentials("registry.test")
