"""The vault as one member or workload sees it: logs in with its own Kubernetes token; signs, reads keys and secrets."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from falaj.connection import Vault as VaultConnection
from falaj.dsse import PublicKey
from falaj.errors import FalajError, Forbidden, NotFound, ServiceError, StatementError, Unreachable

__all__ = ["Vault", "ca_file"]

_RENEW_BEFORE = 60.0


def ca_file(folder: Path, ca: str) -> Path:
    """`ca` (PEM) as a file in `folder`, named by its content: hvac takes authorities as a file only."""
    import hashlib
    import os

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"ca-{hashlib.sha256(ca.encode()).hexdigest()[:16]}.crt"
    if not path.exists():
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(ca)
        temporary.replace(path)
    return path


class Vault:
    """Logs in on first use and again before its token ends; `read_token` gives the caller's Kubernetes token."""

    def __init__(
        self, url: str, connection: VaultConnection, *, role: str, read_token: Callable[[], str], ca: Path
    ) -> None:
        self._url = url
        self._connection = connection
        self._role = role
        self._read_token = read_token
        self._ca = ca
        self._lock = threading.Lock()
        self._client: Any = None
        self._until = 0.0

    def __repr__(self) -> str:
        return f"Vault({self._url!r}, role={self._role!r})"

    def sign(self, key: str, message: bytes) -> tuple[int, bytes]:
        """(key version, ASN.1 DER signature) of `message` under the P-256 key `key`."""
        answer = self._call(
            f"sign with the key {key}",
            lambda client: client.secrets.transit.sign_data(
                name=key,
                hash_input=base64.b64encode(message).decode(),
                hash_algorithm="sha2-256",
                prehashed=False,
                marshaling_algorithm="asn1",
                mount_point=self._connection.transit_mount,
            ),
        )
        _, version, signature = str(answer["data"]["signature"]).split(":", 2)
        return int(version.removeprefix("v")), base64.b64decode(signature)

    def public_key(self, key: str, version: int) -> PublicKey:
        """The public half of a version of `key`. Raises StatementError when there is no such key or version."""
        try:
            answer = self._call(
                f"read the key {key}",
                lambda client: client.secrets.transit.read_key(name=key, mount_point=self._connection.transit_mount),
            )
        except NotFound:
            raise StatementError(f"the vault has no key {key!r}") from None
        data = answer["data"]
        entry = (data.get("keys") or {}).get(str(version))
        if data.get("type") != "ecdsa-p256" or not isinstance(entry, dict) or not entry.get("public_key"):
            raise StatementError(f"the vault has no version {version} of a P-256 key {key!r}")
        copied = data.get("exportable") is not False or data.get("allow_plaintext_backup") is not False
        # Whoever brought a key in from outside had it, and may have it still.
        copied = copied or data.get("imported_key") not in (None, False)
        return PublicKey(pem=str(entry["public_key"]), exportable=copied)

    def read_secret(self, path: str) -> dict[str, str]:
        """A secret of the tenant's KV mount."""
        answer = self._call(
            f"read the secret {path}",
            lambda client: client.secrets.kv.v2.read_secret_version(
                path=path, mount_point=self._connection.kv_mount, raise_on_deleted_version=True
            ),
        )
        return {str(key): str(value) for key, value in answer["data"]["data"].items()}

    def _call(self, what: str, call: Callable[[Any], Any]) -> Any:
        try:
            try:
                return call(self._logged_in())
            except ServiceError:
                raise
            except Exception as error:
                # A revoked or expired token looks like any other refusal: one new login tells them apart.
                if type(error).__name__ != "Forbidden":
                    raise
                return call(self._logged_in(again=True))
        except FalajError:
            raise
        except Exception as error:  # noqa: BLE001 - a border: hvac and requests raise many kinds
            raise _translated(error, what, self._url) from None

    def _logged_in(self, again: bool = False) -> Any:
        with self._lock:
            if self._client is not None and not again and time.monotonic() < self._until:
                return self._client
            import hvac

            # This is one member and no other: where these are None, hvac takes the token of VAULT_TOKEN or
            # ~/.vault-token and the certificate that VAULT_CLIENT_CERT named when it was imported.
            client = hvac.Client(url=self._url, token="", cert=(), verify=str(self._ca), timeout=10)
            client.session.trust_env = False
            try:
                answer = client.auth.kubernetes.login(
                    role=self._role, jwt=self._read_token(), mount_point=self._connection.auth_mount
                )
            except FalajError:
                raise
            except Exception as error:  # noqa: BLE001 - the same
                raise _translated(error, f"log in as {self._role}", self._url) from None
            self._client = client
            self._until = time.monotonic() + max(float(answer["auth"]["lease_duration"]) - _RENEW_BEFORE, 1.0)
            return client


def _translated(error: Exception, what: str, url: str) -> FalajError:
    """hvac's and requests' errors by their names, so that neither has to be imported to be recognised."""
    text = "; ".join(str(part) for part in getattr(error, "errors", None) or [])[:300]
    name = type(error).__name__
    if name in {"Forbidden", "Unauthorized"}:
        return Forbidden(f"the vault refuses to {what}: {text or 'permission denied'}", status=403)
    if name == "InvalidPath":
        return NotFound(f"the vault has nothing to {what}", status=404)
    if name in {"VaultDown", "InternalServerError", "BadGateway", "RateLimitExceeded"}:
        return Unreachable(f"the vault at {url} cannot {what} now ({name}): {text or 'sealed or failing'}")
    if name in {"SSLError"}:
        return Unreachable(f"the vault at {url} has a certificate that is not the tenant's")
    if name in {"ConnectionError", "ConnectTimeout", "ReadTimeout", "Timeout", "ChunkedEncodingError"}:
        return Unreachable(f"the vault at {url} does not answer")
    if name == "InvalidRequest":
        return ServiceError(f"the vault cannot {what}: {text or 'invalid request'}", status=400)
    return ServiceError(f"the vault failed to {what}: {name}")
