"""The Vault resources against a real OpenBao: made, adopted, changed, drifted, removed, refused."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path
from typing import Any

import dill
import pytest

from falaj_infra.errors import VaultConflict, VaultDenied, VaultError, VaultUnreachable
from falaj_infra.vault import providers
from falaj_infra.vault.client import Vault, VaultSettings, connect

pytestmark = pytest.mark.usefixtures("environment")

_numbers = itertools.count()


@pytest.fixture
def scope() -> str:
    """A part of Vault that no other test uses."""
    return f"tenant-t{next(_numbers)}"


def _mount(scope: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"root": "sys/mounts", "path": f"{scope}/{kind}", "type": kind, "description": "a test's", **more}


def _cases(scope: str) -> dict[str, tuple[providers.VaultProvider, dict[str, Any], dict[str, Any]]]:
    """Provider, properties, and a change that updates in place."""
    role = {
        "mount": f"{scope}-kubernetes",
        "name": f"{scope}-lead",
        "service_account": "lead",
        "namespace": scope,
        "audience": "falaj-vault",
        "policies": [f"{scope}-lead"],
        "ttl_seconds": 900,
    }
    return {
        "mount": (providers.MountProvider(), _mount(scope, "transit"), {"description": "another's"}),
        "kv mount": (
            providers.MountProvider(),
            _mount(scope, "kv", options={"version": "2"}),
            {"description": "another's"},
        ),
        "policy": (
            providers.PolicyProvider(),
            {"name": f"{scope}-lead", "document": 'path "a" {\n  capabilities = ["read"]\n}\n'},
            {"document": 'path "b" {\n  capabilities = ["read"]\n}\n'},
        ),
        "secret": (
            providers.KvSecretProvider(),
            {"mount": f"{scope}/kv", "path": "ray", "data": {"token": "first"}},
            {"data": {"token": "second"}},
        ),
        "role": (providers.KubernetesAuthRoleProvider(), role, {"ttl_seconds": 600, "namespace": f"{scope}-b"}),
    }


@pytest.fixture
def mounted(scope: str, bao: Any) -> str:
    """The mounts that secrets, keys and roles stand in."""
    mount = providers.MountProvider()
    mount.create(_mount(scope, "kv", options={"version": "2"}))
    mount.create(_mount(scope, "transit"))
    auth = {"root": "sys/auth", "path": f"{scope}-kubernetes", "type": "kubernetes", "description": "a test's"}
    mount.create(auth)
    host = {
        "mount": f"{scope}-kubernetes",
        "host": "https://127.0.0.1:1",
        "ca": bao.ca_file.read_text(),
        "reviewer_token": "",
    }
    assert providers.KubernetesAuthConfigProvider().create(host).id == f"auth/{scope}-kubernetes/config"
    return scope


@pytest.mark.parametrize("case", ["mount", "kv mount", "policy", "secret", "role"])
def test_a_whole_life(case: str, scope: str, request: pytest.FixtureRequest) -> None:
    if case in {"secret", "role"}:
        request.getfixturevalue("mounted")
    provider, props, change = _cases(scope)[case]

    made = provider.create(props)
    assert made.outs == props
    assert provider.read(made.id, props).outs == props
    assert not provider.diff(made.id, props, props).changes
    assert provider.create(props).id == made.id, "what is already so is adopted: the run before may have been killed"

    news = {**props, **change}
    assert provider.diff(made.id, props, news).changes
    assert not provider.diff(made.id, props, news).replaces
    assert provider.update(made.id, props, news).outs == news
    assert provider.read(made.id, news).outs == news

    provider.delete(made.id, news)
    assert provider.read(made.id, news).id is None
    provider.delete(made.id, news)


def test_a_secret_right_after_its_mount(scope: str) -> None:
    providers.MountProvider().create(_mount(scope, "kv", options={"version": "2"}))
    secret = {"mount": f"{scope}/kv", "path": "p", "data": {"k": "v"}}
    providers.KvSecretProvider().create(secret)
    assert providers.KvSecretProvider().read("", secret).outs == secret


def test_a_key_never_leaves(mounted: str) -> None:
    key = {"mount": f"{mounted}/transit", "name": "sign-lead", "type": "ecdsa-p256"}
    provider = providers.TransitKeyProvider()
    made = provider.create(key)
    vault = connect()
    found = vault.read(made.id)
    assert found is not None
    assert (found["exportable"], found["allow_plaintext_backup"], found["deletion_allowed"]) == (False, False, False)
    with pytest.raises(VaultError):
        vault.read(f"{mounted}/transit/export/signing-key/sign-lead")
    with pytest.raises(VaultError):
        vault.delete(made.id)
    assert provider.create(key).id == made.id
    found_again = vault.read(made.id)
    assert found_again is not None
    assert found_again["keys"] == found["keys"], "adopting keeps the key: signatures made with it go on to verify"
    provider.delete(made.id, key)
    assert provider.read(made.id, key).id is None
    provider.delete(made.id, key)


def test_something_elses_mount_or_key_is_a_conflict(mounted: str, bao: Any) -> None:
    with pytest.raises(VaultConflict, match="another mount"):
        providers.MountProvider().create({**_mount(mounted, "transit"), "description": "mine"})
    bao.admin.write_data(f"{mounted}/transit/keys/open", data={"type": "ecdsa-p256", "exportable": True})
    with pytest.raises(VaultConflict, match="exported"):
        providers.TransitKeyProvider().create({"mount": f"{mounted}/transit", "name": "open", "type": "ecdsa-p256"})


def test_drift_is_seen(mounted: str, bao: Any) -> None:
    provider, props, _ = _cases(mounted)["role"]
    provider.create(props)
    body = {"bound_service_account_names": ["lead", "eve"], "token_policies": ["root-like"]}
    bao.admin.write_data(provider.id_of(props), data=body)
    found = provider.read("", props).outs
    assert found is not None
    assert found["service_account"] == "lead,eve"
    assert provider.diff("", found, props).changes


def test_changes_of_identity_replace() -> None:
    _, props, _ = _cases("tenant-x")["secret"]
    diff = providers.KvSecretProvider().diff("", props, {**props, "path": "elsewhere"})
    assert diff.replaces == ["path"]


def test_a_login_without_the_right_is_denied_in_one_line(bao: Any) -> None:
    token = bao.admin.auth.token.create(policies=["default"])["auth"]["client_token"]
    vault = Vault(VaultSettings(address=bao.address, ca_file=str(bao.ca_file), token=token))
    for refused in (
        lambda: vault.write("sys/mounts/x", {"type": "kv"}),
        lambda: vault.read("sys/policies/acl/default"),
        lambda: vault.delete("sys/mounts/x"),
    ):
        with pytest.raises(VaultDenied) as caught:
            refused()
        assert "\n" not in str(caught.value)
        assert token not in str(caught.value)


def test_nothing_answers() -> None:
    vault = Vault(VaultSettings(address="https://127.0.0.1:9", token="t"))
    with pytest.raises(VaultUnreachable, match="falaj site up"):
        vault.read("sys/mounts")


def test_a_certificate_that_is_not_trusted(bao: Any) -> None:
    vault = Vault(VaultSettings(address=bao.address, token="t"))
    with pytest.raises(VaultUnreachable):
        vault.read("sys/mounts")


def test_the_client_certificate_logs_in_and_again_half_way(bao: Any, client_certificate: tuple[Path, Path]) -> None:
    certificate, key = client_certificate
    if "cert/" not in bao.admin.sys.list_auth_methods()["data"]:
        bao.admin.sys.enable_auth_method("cert")
    bao.admin.sys.create_or_update_policy("platform", 'path "sys/mounts/*" { capabilities = ["read"] }')
    bao.admin.write_data(
        "auth/cert/certs/platform",
        data={"certificate": certificate.read_text(), "token_policies": ["platform"], "token_ttl": 600},
    )
    environment = {
        "VAULT_ADDR": bao.address,
        "VAULT_CACERT": str(bao.ca_file),
        "VAULT_CLIENT_CERT": str(certificate),
        "VAULT_CLIENT_KEY": str(key),
    }
    now = 1000.0
    vault = Vault(VaultSettings.from_environment(environment), clock=lambda: now)

    def token() -> str:
        vault.read("sys/mounts/secret")
        return str(vault._client.token)

    first = token()
    now += 299
    assert token() == first
    now += 2
    assert token() != first


@pytest.mark.parametrize(
    ("environment_given", "said"),
    [
        ({}, "VAULT_ADDR is not set"),
        ({"VAULT_ADDR": "https://v"}, "no login for Vault"),
        ({"VAULT_ADDR": "https://v", "VAULT_CLIENT_CERT": "c"}, "go together"),
    ],
)
def test_settings_say_what_is_missing(environment_given: dict[str, str], said: str) -> None:
    with pytest.raises(VaultError, match=said):
        VaultSettings.from_environment(environment_given)


def test_settings_prefer_the_certificate_and_hide_the_token() -> None:
    both = {"VAULT_ADDR": "https://v", "VAULT_CLIENT_CERT": "c", "VAULT_CLIENT_KEY": "k", "VAULT_TOKEN": "hidden"}
    assert VaultSettings.from_environment(both).token is None
    token = VaultSettings.from_environment({"VAULT_ADDR": "https://v", "VAULT_TOKEN": "hidden"})
    assert "hidden" not in repr(token)


def test_the_state_holds_providers_by_name_only() -> None:
    for provider in (providers.KvSecretProvider(), providers.TransitKeyProvider(), providers.MountProvider()):
        pickled = dill.dumps(provider, recurse=True)
        assert b"falaj_infra.vault.providers" in pickled
        assert len(pickled) < 200, "a reference, no code"
        assert provider.serialize_as_secret_always is False


def test_signing_works_as_the_runtime_will_use_it(mounted: str, bao: Any) -> None:
    providers.TransitKeyProvider().create({"mount": f"{mounted}/transit", "name": "sign-a", "type": "ecdsa-p256"})
    answer = bao.admin.secrets.transit.sign_data(
        name="sign-a",
        mount_point=f"{mounted}/transit",
        hash_input=base64.b64encode(b"text").decode(),
        marshaling_algorithm="asn1",
    )
    assert answer["data"]["signature"].startswith("vault:v1:")
