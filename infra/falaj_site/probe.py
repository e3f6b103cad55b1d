"""Asks a component whether it answers: one HTTP request, from inside the site's network."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Probe", "answers"]

_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A GET that a healthy component answers with a status below 400.

    `identity` names the certificate (in the site's pki folder) with which to ask over TLS; empty means plain HTTP,
    which only the loopback's health ports speak.
    """

    port: int
    path: str
    host: str = "127.0.0.1"
    identity: str = ""


def answers(probe: Probe, pki: Path) -> bool:
    """Whether the component answers. Must be called in the site's network namespace; takes up to three seconds."""
    try:
        connection = _connection(probe, pki)
        try:
            connection.request("GET", probe.path)
            return connection.getresponse().status < 400
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False


def _connection(probe: Probe, pki: Path) -> http.client.HTTPConnection:
    if not probe.identity:
        return http.client.HTTPConnection(probe.host, probe.port, timeout=_SECONDS)
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / f"{probe.identity}.crt", pki / f"{probe.identity}.key")
    return http.client.HTTPSConnection(probe.host, probe.port, timeout=_SECONDS, context=context)
