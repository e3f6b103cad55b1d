"""From what is desired to a model in memory: verify, fetch, verify again, then load. This is the gate.

Before anything is fetched: the author's signature and the approval over the digest wanted, by two people, with keys
that cannot be copied. Once the files are here, they are judged with the same statements by every rule: the digest of
the files, their formats and names. Public keys come from the vault with the replica's own identity. Whatever cannot be
had, nothing is loaded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from falaj.errors import FalajError, GateRefused, ModelProblem, NotFound, UsageError
from falaj.gate import ReadKey, file_facts, is_outage, judge, refuse, statement_fact
from falaj.modelfiles import MAX_MODEL_BYTES, digest_of_files, read_model
from falaj.registry import Registry
from falaj.serving.model import Model, UnservableModel
from falaj_policies import FileFact, Finding, ModelFact, Severity, Stage

__all__ = ["Loader"]

_WHERE = "serving replica"
# What can be judged of a digest alone, and the stand-in for files that are not here yet: their names and formats are
# judged when they are.
_BEFORE_FETCHING = ("SUP-01", "CRY-05", "CHG-01", "IAM-05")
_NOT_HERE_YET = (FileFact(name="", size=0, sha256="", format=""),)


class Loader:
    """`read_key` reads a public key of the tenant's vault; `scratch` is a folder of the replica's own; a model has at
    most `max_bytes`, so that it fits into `scratch` and memory."""

    def __init__(
        self,
        registry: Registry,
        read_key: ReadKey,
        scratch: Path,
        threads: int = 1,
        max_bytes: int = MAX_MODEL_BYTES,
    ) -> None:
        self._registry = registry
        self._read_key = read_key
        self._scratch = scratch
        self._threads = threads
        self._max_bytes = max_bytes

    def load(self, desired: Mapping[str, str]) -> Model:
        """Raises GateRefused: it does not verify or cannot be served, asking again is useless; another FalajError: it
        cannot be decided now (the registry or the vault does not answer)."""
        name, number, digest = desired["model"], desired["version"], desired["digest"]
        try:
            version = self._registry.version(name, number)
            # The digest to hold is the one the deployment names; what the registry says of itself proves nothing.
            wanted = ModelFact(
                name=name,
                version=number,
                digest=digest,
                files=_NOT_HERE_YET,
                expected=digest or "none",
                signature=statement_fact(version.signature, self._read_key),
                approval=statement_fact(version.approval, self._read_key),
            )
            refuse(judge(wanted, Stage.RUNTIME, _BEFORE_FETCHING), _WHERE)
            with tempfile.TemporaryDirectory(prefix="model-", dir=self._scratch) as folder:
                self._registry.download_model(version.run_id, Path(folder), self._max_bytes)
                files = read_model(Path(folder))
                fact = replace(wanted, digest=digest_of_files(files), files=file_facts(files))
                refuse(judge(fact, Stage.RUNTIME), _WHERE)
                return Model(name, number, fact.digest, files, self._threads)
        except GateRefused:
            raise
        except ModelProblem as error:
            raise GateRefused([_finding(digest, str(error), error.rule)], where=_WHERE) from None
        except (NotFound, UnservableModel, UsageError) as error:
            raise GateRefused([_finding(digest, str(error))], where=_WHERE) from None
        except FalajError as error:
            if is_outage(error) or getattr(error, "status", None) in (401, 403):
                raise
            raise GateRefused([_finding(digest, str(error))], where=_WHERE) from None


def _finding(digest: str, message: str, rule: str = "SUP-01") -> Finding:
    return Finding(rule, digest, message, Severity.CRITICAL, "register and approve a model that can be served")
