"""Where Falaj keeps what belongs to this checkout: FALAJ_HOME, else `.falaj` beside the nearest Pulumi.yaml upward."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["credentials_folder", "falaj_home"]


def falaj_home() -> Path:
    """The folder; it need not exist yet."""
    named = os.environ.get("FALAJ_HOME")
    if named:
        return Path(named).expanduser().absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").is_file():
            return folder / ".falaj"
    return here / ".falaj"


def credentials_folder() -> Path:
    """Logins, mode 0700."""
    folder = falaj_home() / "credentials"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
