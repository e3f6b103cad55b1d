"""What a program is not given: credentials of whoever checks it, and connections."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

from falaj_platform.errors import CheckError

__all__ = ["refuse_connections", "scrubbed"]

# What Python and programs need to run at all. All else may be a credential, or lead to one.
_NEEDED: Final = frozenset(
    {"PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "TERM", "VIRTUAL_ENV", "LD_LIBRARY_PATH"}
)
_NEEDED_FAMILIES: Final = ("LC_", "PYTHON")
_CONNECTING: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_ASKING: Final = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"})


def scrubbed(environment: Mapping[str, str], home: str, passed: Iterable[str] = ()) -> dict[str, str]:
    """The environment of a program: what it needs to run, the variables `passed` by name, and an empty home."""
    names = frozenset(passed)
    return {
        key: value
        for key, value in environment.items()
        if key in _NEEDED or key in names or key.startswith(_NEEDED_FAMILIES)
    } | {
        "HOME": home,
        "KUBECONFIG": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


def refuse_connections() -> None:
    """From now on this process's Python opens no connection but to local sockets; for good.

    It is a guard against accidents, no prison: native code and programs that it starts are not seen.
    """
    sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _ASKING or (event in _CONNECTING and getattr(arguments[0], "family", None) != socket.AF_UNIX):
        raise CheckError("the program opens a connection: falaj check runs programs without any")
