"""From what is desired to a model in memory: fetch, then verify everything, then load. This is the gate.

In this order: the digest of the files, their formats and names, the author's signature, the approval, author and
approver are two people. Public keys come from the vault with the replica's own identity. Whatever cannot be had,
nothing is loaded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from falaj.errors import FalajError, GateRefused, NotFound, UsageError
from falaj.gate import ReadKey, is_outage, judge, model_fact, refuse
from falaj.modelfiles import read_model
from falaj.registry import Registry
from falaj.serving.model import Model, UnservableModel
from falaj_policies import Finding, Severity, Stage

__all__ = ["Loader"]

_WHERE = "serving replica"


class Loader:
    """`read_key` reads a public key of the tenant's vault; `scratch` is a folder of the replica's own."""

    def __init__(self, registry: Registry, read_key: ReadKey, scratch: Path, threads: int = 1) -> None:
        self._registry = registry
        self._read_key = read_key
        self._scratch = scratch
        self._threads = threads

    def load(self, desired: Mapping[str, str]) -> Model:
        """Raises GateRefused: it does not verify or cannot be served, asking again is useless; another FalajError: it
        cannot be decided now (the registry or the vault does not answer)."""
        name, number, digest = desired["model"], desired["version"], desired["digest"]
        try:
            version = self._registry.version(name, number)
            with tempfile.TemporaryDirectory(prefix="model-", dir=self._scratch) as folder:
                self._registry.download_model(version.run_id, Path(folder))
                files = read_model(Path(folder))
                # The digest to hold is the one the deployment names; what the registry says of itself proves nothing.
                fact = model_fact(
                    name=name,
                    version=number,
                    files=files,
                    expected=digest or "none",
                    signature=version.signature,
                    approval=version.approval,
                    read_key=self._read_key,
                )
                refuse(judge(fact, Stage.RUNTIME), _WHERE)
                return Model(name, number, fact.digest, files, self._threads)
        except GateRefused:
            raise
        except (NotFound, UnservableModel, UsageError) as error:
            raise GateRefused([_finding(digest, str(error))], where=_WHERE) from None
        except FalajError as error:
            if is_outage(error) or getattr(error, "status", None) in (401, 403):
                raise
            raise GateRefused([_finding(digest, str(error))], where=_WHERE) from None


def _finding(digest: str, message: str) -> Finding:
    return Finding("SUP-01", digest, message, Severity.CRITICAL, "register and approve a model that can be served")
