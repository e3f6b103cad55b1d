"""The small parts: canonical JSON, digests, statements, the connection document, logins, the command line's start."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

import falaj
from falaj.canonical import canonical, digest_of
from falaj.connection import Connection
from falaj.credentials import Credentials, find
from falaj.dsse import Envelope, PublicKey, make_statement, pae, seal, verify
from falaj.errors import ConnectionDocumentError, NotLoggedIn, ServiceError, StatementError, UsageError
from falaj.kubeconfig import find_kubeconfig, read_kubeconfig
from falaj.modelfiles import model_digest, read_model
from falaj.package import build
from falaj.session import Session
from falaj.tenant import Tenant

DIGEST = "sha256:" + "a" * 64
HEAVY = (
    "pulumi",
    "ray",
    "mlflow",
    "pandas",
    "numpy",
    "onnxruntime",
    "hvac",
    "requests",
    "grpc",
    "pydantic",
    "cryptography",
)

# Canonical JSON and digests

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_canonical_json_reads_back_and_is_stable(value: Any) -> None:
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


@given(st.dictionaries(st.text(), st.integers(0, 9), min_size=2))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert canonical(dict(reversed(value.items()))) == canonical(value)


def test_canonical_json_as_the_rfc_has_it() -> None:
    assert canonical({"b": [1, True, None], "a": "é\n"}) == '{"a":"é\\n","b":[1,true,null]}'.encode()
    # By UTF-16 code units: the emoji (a surrogate pair from D83D) comes before U+FB33.
    assert canonical({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


@pytest.mark.parametrize("value", [0.5, 2**53, {1: 2}, b"x", {"a": {1, 2}}, float("nan")])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical(value)


FILE = st.tuples(st.text(min_size=1), st.integers(0, 2**40), st.text("0123456789abcdef", min_size=64, max_size=64))


@given(st.lists(FILE, min_size=1, max_size=5, unique_by=lambda file: file[0]), st.randoms())
def test_a_models_digest_does_not_depend_on_order_and_does_on_everything_else(files: list[Any], random: Any) -> None:
    digest = model_digest(files)
    shuffled = list(files)
    random.shuffle(shuffled)
    assert model_digest(shuffled) == digest
    name, size, sha256 = files[0]
    for changed in ((name + "x", size, sha256), (name, size + 1, sha256), (name, size, sha256[:-1] + "g")):
        assert model_digest([changed, *files[1:]]) != digest
    assert model_digest([*files, (name + "y", 0, sha256)]) != digest


def test_a_models_digest_can_be_recomputed_by_hand(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b/two.json").write_text("{}")
    (tmp_path / "a.onnx").write_bytes(b"x")
    listed = [["a.onnx", 1, hashlib.sha256(b"x").hexdigest()], ["b/two.json", 2, hashlib.sha256(b"{}").hexdigest()]]
    text = json.dumps(listed, separators=(",", ":"))
    files = read_model(tmp_path)
    assert (
        model_digest((f.name, f.size, f.sha256) for f in files) == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    )


def test_links_and_pipes_are_no_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model directory"):
        read_model(tmp_path / "nothing")
    with pytest.raises(UsageError, match="empty"):
        read_model(tmp_path)
    (tmp_path / "link.onnx").symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match="plain file"):
        read_model(tmp_path)
    (tmp_path / "link.onnx").unlink()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="not a plain file"):
        read_model(tmp_path)
    (tmp_path / "pipe").unlink()
    (tmp_path / "folder").symlink_to("/etc")
    with pytest.raises(UsageError, match="is a link"):
        read_model(tmp_path)


# Statements


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public(key: Any) -> PublicKey:
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(pem.decode(), exportable=False)


def sealed(key: ec.EllipticCurvePrivateKey, **predicate: Any) -> Envelope:
    payload = make_statement("model", DIGEST, "https://falaj.io/x/v1", predicate)
    return seal(payload, "sign-alice", lambda message: (1, key.sign(message, ec.ECDSA(hashes.SHA256()))))


def test_dsse_as_its_specification_has_it() -> None:
    assert pae(b"hello").startswith(b"DSSEv1 28 application/vnd.in-toto+json 5 hello")


def test_a_statement_travels_and_verifies(key: ec.EllipticCurvePrivateKey) -> None:
    envelope = Envelope.parse(sealed(key, author="alice").to_json())
    verify(envelope, public(key))
    statement = envelope.statement()
    assert (statement.subject, statement.predicate["author"], envelope.key) == (DIGEST, "alice", "sign-alice")


def test_another_key_or_payload_does_not_verify(key: ec.EllipticCurvePrivateKey) -> None:
    envelope = sealed(key)
    with pytest.raises(StatementError, match="does not match"):
        verify(envelope, public(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(StatementError, match="not a P-256 key"):
        verify(envelope, public(ec.generate_private_key(ec.SECP384R1())))
    import dataclasses

    altered = dataclasses.replace(envelope, payload=envelope.payload.replace(b"aaaa", b"aaab", 1))
    with pytest.raises(StatementError, match="does not match"):
        verify(altered, public(key))


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e | {"payloadType": "text/plain"},
        lambda e: e | {"signatures": []},
        lambda e: e | {"signatures": e["signatures"] * 2},
        lambda e: e | {"more": 1},
        lambda e: e | {"payload": "!"},
        lambda e: e | {"signatures": [e["signatures"][0] | {"keyid": "sign-alice"}]},
        lambda e: e | {"signatures": [e["signatures"][0] | {"keyid": "../sign-alice:v1"}]},
        lambda e: e | {"signatures": [e["signatures"][0] | {"keyid": "sign-alice:v0"}]},
        lambda e: e | {"signatures": [e["signatures"][0] | {"sig": 1}]},
        lambda e: [e],
    ],
)
def test_malformed_envelopes_are_refused(key: ec.EllipticCurvePrivateKey, change: Callable[[Any], Any]) -> None:
    with pytest.raises(StatementError):
        Envelope.parse(json.dumps(change(json.loads(sealed(key).to_json()))))


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s | {"_type": "x"},
        lambda s: s | {"subject": []},
        lambda s: s | {"subject": s["subject"] * 2},
        lambda s: s | {"subject": [{"digest": {"sha1": "a" * 64}}]},
        lambda s: s | {"subject": [{"digest": {"sha256": "a" * 63}}]},
        lambda s: s | {"subject": [{"digest": {"sha256": "a" * 64, "sha512": "b"}}]},
        lambda s: s | {"predicate": []},
        lambda s: s | {"predicateType": 1},
        lambda s: [s],
    ],
)
def test_malformed_statements_are_refused(key: ec.EllipticCurvePrivateKey, change: Callable[[Any], Any]) -> None:
    data = json.loads(sealed(key).to_json())
    payload = json.dumps(change(json.loads(base64.b64decode(data["payload"]))))
    data["payload"] = base64.b64encode(payload.encode()).decode()
    with pytest.raises(StatementError):
        Envelope.parse(json.dumps(data)).statement()


@given(st.text() | st.binary().map(lambda b: b.decode("latin-1")))
def test_any_text_is_an_envelope_or_a_clear_error(text: str) -> None:
    with pytest.raises(StatementError):
        Envelope.parse(text)


# The connection document


def document() -> dict[str, Any]:
    return {
        "version": 1,
        "tenant": "demo",
        "namespace": "tenant-demo",
        "jurisdiction": {"name": "uae", "cloud": "on-premises", "region": "local"},
        "regime": "pdpl",
        "services": {"mlflow": {"service": "mlflow", "port": 5000}},
        "vault": {
            "url": "https://127.0.0.1:8200",
            "internal_url": "https://openbao.falaj-system.svc:8200",
            "ca": "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n",
            "kv_mount": "tenant-demo/kv",
            "transit_mount": "tenant-demo/transit",
            "role_prefix": "tenant-demo-",
        },
        "gate": {"rule_set_version": "sha256:0123"},
    }


def test_the_connection_document_reads_back() -> None:
    connection = Connection.parse(json.dumps(document()), where="here")
    assert Connection.parse(connection.to_json(), where="here") == connection
    assert connection.services.ray.port == 8265


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("version",), 2, "this falaj reads 1"),
        (("tenant",), "Demo!", "tenant"),
        (("tenat",), "demo", "tenat: Extra inputs"),
        (("vault", "url"), "http://127.0.0.1", r"vault\.url"),
        (("vault", "url"), "https://user:pass@host", r"vault\.url"),
        (("vault", "kv_mount"), "../kv", r"vault\.kv_mount"),
        (("services", "mlflow", "port"), 0, r"services\.mlflow\.port"),
        (("jurisdiction", "region"), None, r"jurisdiction\.region"),
    ],
)
def test_a_malformed_document_names_the_key(path: tuple[str, ...], value: Any, message: str) -> None:
    data: Any = document()
    at = data
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    with pytest.raises(ConnectionDocumentError, match=message):
        Connection.parse(json.dumps(data), where="here")


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "1"])
def test_no_document_at_all(text: str) -> None:
    with pytest.raises(ConnectionDocumentError, match="here"):
        Connection.parse(text, where="here")


@given(
    st.sampled_from(["tenant", "namespace", "jurisdiction", "services", "vault", "gate", "regime", "version", "new"]),
    JSON,
)
def test_any_document_is_read_or_refused_in_one_line(key: str, value: Any) -> None:
    try:
        Connection.parse(json.dumps(document() | {key: value}), where="here")
    except ConnectionDocumentError as error:
        assert "here" in str(error)  # noqa: PT017 - most are refused, some are valid


# Logins


def test_logins_are_private_found_and_expire(world: Any, tmp_path: Path) -> None:
    folder = tmp_path / "logins"
    folder.mkdir()
    with pytest.raises(NotLoggedIn, match="falaj login --tenant TENANT --as ROLE"):
        find(folder, None, None)
    alice = world.credentials("alice")
    path = alice.save(folder)
    assert path.stat().st_mode & 0o777 == 0o600
    assert find(folder, None, None) == alice
    world.credentials("bob").save(folder)
    with pytest.raises(NotLoggedIn, match="several logins fit"):
        find(folder, None, None)
    assert find(folder, "demo", "alice").member == "alice"
    assert find(folder, None, "bob").member == "bob"
    with pytest.raises(NotLoggedIn, match="not logged in: falaj login --tenant demo --as eve"):
        find(folder, "demo", "eve")
    old = alice.model_copy(update={"expires": alice.expires.replace(year=2020)})
    old.save(folder)
    with pytest.raises(NotLoggedIn, match="expired: falaj login --tenant demo --as alice"):
        find(folder, "demo", "alice")
    path.chmod(0o644)
    with pytest.raises(NotLoggedIn, match="read by others"):
        Credentials.load(path)
    path.chmod(0o600)
    path.write_text("{}")
    with pytest.raises(NotLoggedIn, match="not a login"):
        Credentials.load(path)


def kubeconfig(world: Any, path: Path, user: dict[str, Any], **cluster: Any) -> Path:
    import yaml

    data = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [
            {
                "name": "k",
                "cluster": {
                    "server": world.url,
                    "certificate-authority-data": base64.b64encode(world.ca.encode()).decode(),
                }
                | cluster,
            }
        ],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(data))
    return path


def test_login_by_member_and_by_role(world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from falaj.cli import build as build_cli

    monkeypatch.setenv("FALAJ_HOME", str(tmp_path / "home"))
    config = kubeconfig(world, tmp_path / "kubeconfig", {"token": world.token("engineer")})
    app, runner = build_cli(), CliRunner()
    for wanted, member in (("alice", "alice"), ("data-scientist", "alice"), ("approver", "bob"), ("lead", "lead")):
        result = runner.invoke(
            app, ["login", "--tenant", "demo", "--as", wanted, "--kubeconfig", str(config), "--json"]
        )
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["member"] == member
    assert falaj.connect(tenant="demo", member="alice").status()["served"] is None
    result = runner.invoke(app, ["login", "--tenant", "demo", "--as", "nobody", "--kubeconfig", str(config)])
    assert isinstance(result.exception, UsageError)
    assert "it has alice (data-scientist), bob (approver)" in str(result.exception)


@pytest.mark.parametrize(
    ("user", "cluster", "message"),
    [
        ({"exec": {}}, {}, "another program"),
        ({}, {}, "lacks"),
        ({"token": "t"}, {"insecure-skip-tls-verify": True}, "does not verify"),
        ({"token": "t"}, {"server": "http://127.0.0.1"}, "does not verify"),
        ({"token": "t"}, {"certificate-authority-data": "%"}, "cannot be read"),
        ({"client-certificate": "nothing.pem", "client-key": "nothing.pem"}, {}, "cannot be read"),
    ],
)
def test_kubeconfigs_that_do_not_do(world: Any, tmp_path: Path, user: Any, cluster: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_kubeconfig(kubeconfig(world, tmp_path / "kubeconfig", user, **cluster))


@pytest.mark.parametrize("text", ["", "[]", "a: [", "current-context: x\ncontexts: []\n"])
def test_files_that_are_no_kubeconfig(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(UsageError, match="not a kubeconfig"):
        read_kubeconfig(path)


def test_no_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALAJ_HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(UsageError, match="no kubeconfig"):
        find_kubeconfig(None)


def test_a_server_of_another_authority_is_not_trusted(
    world: Any, tmp_path: Path, make_authority: Callable[..., Any]
) -> None:
    (tmp_path / "other").mkdir()
    other, _ = make_authority(tmp_path / "other")
    session = Session(world.credentials("alice").model_copy(update={"ca": other}), tmp_path)
    with pytest.raises(ServiceError, match="certificate that is not the tenant's"):
        Tenant(session).status()


# Packages


def test_the_same_files_make_the_same_package(tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / ".git").mkdir(parents=True)
        (folder / ".git/config").write_text("secret")
        (folder / ".falaj").mkdir()
        (folder / ".falaj/passphrase").write_text("secret")
        (folder / "train.py").write_text("print(1)")
        (folder / "helper.py").write_text("x = 1")
        (folder / "rows.csv").write_text("a\n1\n")
    packages = [
        build(
            tmp_path / name / "train.py",
            data=[tmp_path / name / "rows.csv"],
            working_dir=tmp_path / name,
            params={"n": 1},
        )
        for name in ("one", "two")
    ]
    assert packages[0].content == packages[1].content
    assert packages[0].data == {"rows.csv": hashlib.sha256(b"a\n1\n").hexdigest()}
    names = zipfile.ZipFile(BytesIO(packages[0].content)).namelist()
    assert names == ["falaj-data/rows.csv", "falaj-job.json", "helper.py", "rows.csv", "train.py"]
    other = build(tmp_path / "one/train.py", data=[], working_dir=tmp_path / "one", params={"n": 2})
    assert other.digest != packages[0].digest


def test_packages_that_cannot_be(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    with pytest.raises(UsageError, match="cannot be read"):
        build(script, data=[], working_dir=None, params={})
    script.write_text("")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/train.py").write_text("")
    with pytest.raises(UsageError, match="two data files"):
        build(script, data=[script, tmp_path / "sub/train.py"], working_dir=None, params={})
    with pytest.raises(UsageError, match="plain JSON"):
        build(script, data=[], working_dir=None, params={"x": {1}})
    with pytest.raises(UsageError, match="not in"):
        build("other.py", data=[], working_dir=tmp_path, params={})


# Starting


def loaded(*command: str) -> set[str]:
    code = (
        f"import sys; sys.argv[1:] = {list(command[1:])!r}\n{command[0]}\nprint(' '.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stderr.split()}


def test_importing_falaj_loads_nothing_heavy() -> None:
    assert not loaded("import falaj") & {*HEAVY, "typer", "rich", "urllib3"}


def test_help_loads_nothing_heavy() -> None:
    start = "from falaj.cli import build\ntry: build()(prog_name='falaj')\nexcept SystemExit: pass"
    assert not loaded(start, "--help") & {*HEAVY, "urllib3"}


def test_every_exported_name_is_there() -> None:
    for name in falaj.__all__:
        assert getattr(falaj, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = falaj.nothing


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["audit", "show"], 2, "not logged in"),
        (["login", "--tenant", "x", "--as", "y", "--kubeconfig", "/nonexistent"], 2, "no kubeconfig"),
        (["controls", "show", "SUP-1"], 2, "did you mean SUP-01?"),
        (["audit", "verify", "--file", "/nonexistent"], 2, "cannot be read"),
    ],
)
def test_errors_are_one_line(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("FALAJ", "KUBE"))}
    environment["FALAJ_HOME"] = str(tmp_path / "a home")
    done = subprocess.run(
        [sys.executable, "-m", "falaj.cli", *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == code
    lines = [line for line in done.stderr.splitlines() if "could not be loaded" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("falaj: ")
    assert message in lines[0]
    assert done.stdout == ""


def test_an_unexpected_error_is_no_finding() -> None:
    start = (
        "import sys, typer\nfrom falaj import cli\n"
        "app = typer.Typer(pretty_exceptions_enable=False)\n"
        "@app.command()\ndef fail() -> None:\n    raise ValueError('odd')\n"
        "sys.argv[1:] = []\ncli.build = lambda: app\ncli.main()\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "FALAJ_DEBUG"}
    done = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2
    assert "unexpected ValueError: odd" in done.stderr


def test_controls_in_json() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "falaj.cli", "controls", "--json"], capture_output=True, text=True, check=True
    )
    rows = {row["id"]: row for row in json.loads(done.stdout)["controls"]}
    assert rows["SUP-01"]["enforced"]
    assert not rows["LOG-02"]["enforced"]
    assert rows["LOG-02"]["disposition"] == "detected"


def test_a_job_outside_a_job_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FALAJ_RUN_ID", raising=False)
    for _ in range(2):
        with pytest.raises(UsageError, match=r"tenant\.train\(\)"):
            falaj.job()


def test_a_digest_is_of_the_canonical_form() -> None:
    assert digest_of({"a": 1}) == "sha256:" + hashlib.sha256(b'{"a":1}').hexdigest()
