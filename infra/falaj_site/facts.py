"""What a site remembers of itself in `site.json`, and what it tells others."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from falaj_site.errors import CannotRun
from falaj_site.home import write_private

__all__ = ["ComponentStatus", "Endpoints", "Facts", "SiteStatus", "listening"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Facts(_Frozen):
    """The site's identity, its ports on 127.0.0.1 by forward, what it was started with."""

    id: str = Field(pattern=r"^[0-9a-f]{8}$")
    ports: Mapping[str, int] = Field(default_factory=dict)
    fingerprint: str = ""
    versions: Mapping[str, str] = Field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Facts | None:
        """What the file says, None if there is none. Raises CannotRun if it cannot be read."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise CannotRun(f"{path} belongs to another user: run the command as that user (root)") from error
        except (OSError, ValidationError) as error:
            raise CannotRun(f"{path} is damaged: remove the site with `falaj site down --purge`") from error

    @classmethod
    def fresh(cls) -> Facts:
        """A site that has never run."""
        return cls(id=secrets.token_hex(4))

    def save(self, path: Path) -> None:
        write_private(path, json.dumps(self.model_dump(), indent=1))


class Endpoints(_Frozen):
    """Where the site is reached: from this machine, and (`node_ip`, `openbao_internal`) from its pods."""

    kubernetes: str
    openbao: str
    openbao_internal: str = "https://openbao.falaj-system.svc:8200"
    node_ip: str
    kubeconfig: Path
    ca: Path
    client_certificate: Path
    client_key: Path


class ComponentStatus(_Frozen):
    """One component: the version that was started (empty before that), whether it answered just now, and how often
    it was restarted since the site came up.
    """

    name: str
    version: str
    answers: bool
    restarts: int


class SiteStatus(_Frozen):
    """The site as it is now. `ready`: it runs, every component answers and the node is Ready."""

    running: bool
    ready: bool
    home: Path
    components: tuple[ComponentStatus, ...]
    endpoints: Endpoints | None
    node_ready: bool
    enforces_network_policy: bool
    enforces_seccomp: bool


@contextlib.contextmanager
def listening(wanted: Mapping[str, int], names: tuple[str, ...]) -> Iterator[dict[str, socket.socket]]:
    """Listening sockets on 127.0.0.1, one a name: on the port it had before if that is free, else on any free one."""
    with contextlib.ExitStack() as stack:
        sockets = {}
        for name in names:
            sockets[name] = stack.enter_context(_listen(wanted.get(name, 0)))
        yield sockets


def _listen(port: int) -> socket.socket:
    for candidate in (port, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", candidate))
            listener.listen(512)
        except OSError:
            listener.close()
        else:
            return listener
    raise CannotRun("no free TCP port on 127.0.0.1: end a program that holds many")
