"""A login: who, of which tenant, at which API server, with which short-lived tokens. A file of mode 0600 each."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, SecretStr, StringConstraints, ValidationError

from falaj.errors import NotLoggedIn

__all__ = ["Credentials", "find"]

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]


class Credentials(BaseModel):
    """`ca` is PEM, `expires` RFC 3339. `token` is for the API server and the vault, `audit_token` for the audit service
    only. Neither ever shows in a repr."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: Label
    member: Label
    kubernetes: Annotated[str, StringConstraints(pattern=r"^https://")]
    ca: str
    token: SecretStr
    audit_token: SecretStr
    expires: datetime

    @property
    def namespace(self) -> str:
        return f"tenant-{self.tenant}"

    def save(self, folder: Path) -> Path:
        path = folder / f"{self.tenant}-{self.member}.json"
        secrets = {"token": self.token.get_secret_value(), "audit_token": self.audit_token.get_secret_value()}
        data = self.model_dump(mode="json") | secrets
        import json

        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            json.dump(data, stream, indent=2)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        return path

    @classmethod
    def load(cls, path: Path) -> Credentials:
        """Raises NotLoggedIn: unreadable, open to others, malformed or expired."""
        again = "run `falaj login` again"
        try:
            mode = path.stat().st_mode
            text = path.read_text()
        except OSError as error:
            raise NotLoggedIn(f"{path} cannot be read ({error.strerror}): {again}") from None
        if stat.S_IMODE(mode) & 0o077:
            raise NotLoggedIn(f"{path} can be read by others: remove it and {again}")
        try:
            credentials = cls.model_validate_json(text)
        except ValidationError:
            raise NotLoggedIn(f"{path} is not a login: {again}") from None
        if credentials.expires <= datetime.now(UTC):
            raise NotLoggedIn(
                f"the login of {credentials.member} has expired: "
                f"falaj login --tenant {credentials.tenant} --as {credentials.member}"
            )
        return credentials


def find(folder: Path, tenant: str | None, member: str | None) -> Credentials:
    """The one login that fits. Raises NotLoggedIn: none, or several and nothing to choose by."""
    paths = [path for path in sorted(folder.glob("*.json")) if not path.name.startswith(".")]
    if tenant and member:
        paths = [folder / f"{tenant}-{member}.json"]
        if not paths[0].is_file():
            raise NotLoggedIn(f"not logged in: falaj login --tenant {tenant} --as {member}")
        return Credentials.load(paths[0])
    fitting: list[Credentials] = []
    problem: NotLoggedIn | None = None
    for path in paths:
        try:
            credentials = Credentials.load(path)
        except NotLoggedIn as error:
            problem = error
            continue
        if tenant in (None, credentials.tenant) and member in (None, credentials.member):
            fitting.append(credentials)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(f"{found.tenant}/{found.member}" for found in fitting)
        raise NotLoggedIn(f"several logins fit ({names}): name tenant and member")
    raise problem or NotLoggedIn(f"not logged in: falaj login --tenant {tenant or 'TENANT'} --as {member or 'ROLE'}")
