"""Who we are to a registry: from the environment, else as Docker's own configuration says."""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from falaj_platform.errors import RegistryError

USER_VARIABLE, PASSWORD_VARIABLE = "FALAJ_REGISTRY_USER", "FALAJ_REGISTRY_PASSWORD"


@dataclass(frozen=True)
class Credentials:
    """A user and a password, which no text shows."""

    user: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of a Basic Authorization header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def find_credentials(host: str) -> Credentials | None:
    """Credentials for a registry's host, or None for an anonymous push. Raises RegistryError on a broken file."""
    if user := os.environ.get(USER_VARIABLE):
        return Credentials(user, os.environ.get(PASSWORD_VARIABLE, ""))
    path = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_bytes())
        helper = config.get("credHelpers", {}).get(host) or config.get("credsStore")
        entry = config.get("auths", {}).get(host, {})
        if entry.get("auth"):
            user, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
            return Credentials(user, password)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, binascii.Error) as error:
        raise RegistryError(
            f"{path} cannot be read as Docker's configuration; put it right with `docker login`"
        ) from error
    return _ask(str(helper), host) if helper else None


def _ask(helper: str, host: str) -> Credentials | None:
    """What a Docker credential helper has for the host; None if it has nothing."""
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run([program, "get"], input=host, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RegistryError(f"`{program}`, which Docker's configuration names, cannot be run; install it") from error
    if done.returncode != 0:
        return None
    try:
        answer = json.loads(done.stdout)
        return Credentials(answer["Username"], answer["Secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise RegistryError(f"`{program}` gave no user and secret for {host}") from error
