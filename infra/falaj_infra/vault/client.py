"""How the platform engineer's programs reach Vault: settings from the environment, one logged-in client per process."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from falaj_infra.errors import VaultDenied, VaultError, VaultUnreachable

__all__ = ["Vault", "VaultSettings", "connect"]

CERT_MOUNT = "cert"
CERT_ROLE = "platform"
TIMEOUT_SECONDS = 30.0
REMEDY = "start the site (`falaj site up`), or set VAULT_ADDR and VAULT_CACERT"


@dataclass(frozen=True, kw_only=True)
class VaultSettings:
    """Where Vault is and who asks. A client certificate logs in by the `cert` method; a token is used as it is."""

    address: str
    ca_file: str | None = None
    client_cert_file: str | None = None
    client_key_file: str | None = None
    token: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> VaultSettings:
        """Read VAULT_ADDR, VAULT_CACERT, and VAULT_CLIENT_CERT with VAULT_CLIENT_KEY, or VAULT_TOKEN.

        The certificate wins over a token: a token left in a shell is seldom the one that is meant.

        Raises VaultError: no address, or no way to log in.
        """
        address = environment.get("VAULT_ADDR")
        if not address:
            raise VaultError(f"VAULT_ADDR is not set, so there is no Vault to write to: {REMEDY}")
        certificate, key = environment.get("VAULT_CLIENT_CERT"), environment.get("VAULT_CLIENT_KEY")
        token = environment.get("VAULT_TOKEN")
        if bool(certificate) != bool(key):
            raise VaultError("VAULT_CLIENT_CERT and VAULT_CLIENT_KEY go together: set both or neither")
        if not certificate and not token:
            raise VaultError("no login for Vault: set VAULT_CLIENT_CERT and VAULT_CLIENT_KEY, or VAULT_TOKEN")
        return cls(
            address=address.rstrip("/"),
            ca_file=environment.get("VAULT_CACERT") or None,
            client_cert_file=certificate or None,
            client_key_file=key or None,
            token=None if certificate else token,
        )


class Vault:
    """A thin, thread-safe layer over hvac: paths in, plain data out, one line when it fails."""

    def __init__(self, settings: VaultSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._client: Any = None
        self._renew_at = 0.0

    def read(self, path: str) -> dict[str, Any] | None:
        """The `data` at `path`, or None where there is nothing."""
        return self._ask("read", path, lambda client: client.read(path))

    def write(self, path: str, data: Mapping[str, object]) -> dict[str, Any] | None:
        """POST `data` to `path`; the `data` of the answer, if it has any."""
        return self._ask("write", path, lambda client: client.write_data(path, data=dict(data)))

    def delete(self, path: str) -> None:
        """Delete what is at `path`; nothing there is as good as deleted."""
        self._ask("delete", path, lambda client: client.delete(path))

    def _ask(self, verb: str, path: str, request: Callable[[Any], Any]) -> dict[str, Any] | None:
        import requests
        from hvac import exceptions

        try:
            answer = request(self._logged_in())
        except exceptions.InvalidPath:
            if verb == "write":
                raise VaultError(f"Vault has no {path} to write to") from None
            return None
        except (exceptions.Forbidden, exceptions.Unauthorized):
            raise VaultDenied(f"Vault refuses to {verb} {path}: this login has no right to it") from None
        except exceptions.VaultError as error:
            raise VaultError(f"Vault could not {verb} {path}: {_reason(error)}") from None
        except (requests.exceptions.RequestException, OSError) as error:
            raise VaultUnreachable(
                f"Vault at {self._settings.address} does not answer ({_kind(error)}): {REMEDY}"
            ) from None
        data = answer.get("data") if isinstance(answer, dict) else None
        return data if isinstance(data, dict) else None

    def _logged_in(self) -> Any:
        with self._lock:
            if self._client is None or self._clock() >= self._renew_at:
                self._client, self._renew_at = self._log_in()
            return self._client

    def _log_in(self) -> tuple[Any, float]:
        """A fresh client and when to log in again: half-way through its token's life."""
        import hvac

        settings = self._settings
        certificate = (settings.client_cert_file, settings.client_key_file) if settings.client_cert_file else None
        client = hvac.Client(
            url=settings.address,
            token=settings.token or "",
            verify=settings.ca_file or True,
            cert=certificate,
            timeout=TIMEOUT_SECONDS,
        )
        if settings.client_cert_file is None:
            return client, float("inf")
        # hvac's own helper for this login takes PEM text only; the session has the certificate anyway.
        login = client.write_data(f"auth/{CERT_MOUNT}/login", data={"name": CERT_ROLE})["auth"]
        client.token = login["client_token"]
        return client, self._clock() + login["lease_duration"] / 2


def _kind(error: Exception) -> str:
    return type(error).__name__


def _reason(error: Exception) -> str:
    """Vault's own words; it quotes paths and names, never values."""
    errors = getattr(error, "errors", None)
    return "; ".join(str(item).strip() for item in errors) if errors else _kind(error)


_connected: dict[VaultSettings, Vault] = {}
_connected_lock = threading.Lock()


def connect(environment: Mapping[str, str] | None = None) -> Vault:
    """The process's client for the Vault that the environment names; asked on each call, so that a change counts.

    Raises VaultError: the environment names no Vault or no login.
    """
    settings = VaultSettings.from_environment(os.environ if environment is None else environment)
    with _connected_lock:
        return _connected.setdefault(settings, Vault(settings))
