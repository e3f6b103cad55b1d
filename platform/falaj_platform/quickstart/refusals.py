"""Models that must not serve, each really tried: past the library's checks, asked for, refused by the replica."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from falaj import Tenant
from falaj.errors import GateRefused
from falaj.modelfiles import digest_of_files, read_model
from falaj.models import ModelVersion, SignedModel
from falaj_platform.errors import QuickstartError
from falaj_platform.quickstart.model import MODEL, People
from falaj_platform.quickstart.report import Refusal

__all__ = ["CASES", "try_all"]


def _unsigned(people: People, good: ModelVersion, name: str) -> ModelVersion:
    return people.data_scientist.register(SignedModel(good.run_id, good.digest, signature=""), name)


def _altered(people: People, good: ModelVersion, name: str) -> ModelVersion:
    """The good model with one byte changed, under the good model's digest, signature and approval."""

    def alter(folder: Path) -> None:
        weights = max(folder.rglob("*.onnx"), key=lambda path: path.stat().st_size)
        content = bytearray(weights.read_bytes())
        content[len(content) // 2] ^= 1
        weights.write_bytes(content)

    tags = {
        "falaj.digest": good.digest,
        "falaj.signature": good.signature or "",
        "falaj.approval": good.approval or "",
    }
    return _logged(people.data_scientist, good, name, alter, tags)


def _unapproved(people: People, good: ModelVersion, name: str) -> ModelVersion:
    author = people.data_scientist
    return author.register(author.sign(good.run_id), name)


def _own_approval(people: People, good: ModelVersion, name: str) -> ModelVersion:
    # Trained by somebody else, so the early check would not let the lead sign it.
    version = people.lead.register(people.lead.sign(good.run_id, check=False), name)
    return people.lead.approve(name, version.version, digest=version.digest, check=False)


def _pickle(people: People, good: ModelVersion, name: str) -> ModelVersion:
    """The good model with a pickle beside it: signed and approved by the right people all the same."""

    def add(folder: Path) -> None:
        # Plain data; what counts is that it is a pickle, which could run anything when it is loaded.
        (folder / "preprocessing.bin").write_bytes(pickle.dumps({"scale": [1.0, 2.0]}))

    version = _logged(people.data_scientist, good, name, add, {})
    signed = people.data_scientist.sign(version.run_id, check=False)
    version = people.data_scientist.register(signed, name, reuse=False)
    return people.approver.approve(name, version.version, digest=version.digest, check=False)


Make = Callable[[People, ModelVersion, str], ModelVersion]
# The case, the rule that must refuse it, and how it comes about.
CASES: Mapping[str, tuple[str, Make]] = {
    "unsigned": ("SUP-01", _unsigned),
    "one byte altered": ("SUP-01", _altered),
    "unapproved": ("CHG-01", _unapproved),
    "approved by its author": ("IAM-05", _own_approval),
    "pickle": ("SUP-02", _pickle),
}


def try_all(people: People, good: ModelVersion) -> list[Refusal]:
    """Asks the replica for each; what it answered.

    Raises QuickstartError: one is served, or refused by other rules than its own.
    """
    refusals = []
    for case, (rule, make) in CASES.items():
        name = f"{MODEL}-{case.replace(' ', '-')}"
        # The newest is the finished one: a case that makes two versions ends with the one that counts.
        version = next(iter(people.data_scientist.versions(name)), None)
        if version is None or not _complete(case, version):
            version = make(people, good, name)
        try:
            people.operator.deploy(name, version.version, check=False)
        except GateRefused as refused:
            if refused.where != "serving replica" or rule not in refused.rules:
                raise QuickstartError(f"the model {case!r} was refused for another reason: {refused}") from None
            reason = next(finding.message for finding in refused.findings if finding.rule == rule)
            refusals.append(Refusal(case, rule, reason))
        else:
            raise QuickstartError(f"the replica serves a model that is {case}: it must refuse it by {rule}")
    return refusals


def _complete(case: str, version: ModelVersion) -> bool:
    """Whether an earlier run got as far as this case needs."""
    if case in {"approved by its author", "pickle"}:
        return version.signature is not None and version.approval is not None
    return case == "unsigned" or version.signature is not None


def _logged(
    author: Tenant, good: ModelVersion, name: str, change: Callable[[Path], None], tags: Mapping[str, str]
) -> ModelVersion:
    """A version over a run of its own with the good model's files, changed."""
    registry = author.session.registry
    run = registry.create_run(registry.experiment(f"{MODEL}-refused"), name, {"falaj.member": author.member})
    run_id = str(run["info"]["run_id"])
    with tempfile.TemporaryDirectory(prefix="falaj-") as folder:
        registry.download_model(good.run_id, Path(folder))
        change(Path(folder))
        registry.upload_model(run_id, Path(folder))
        digest = digest_of_files(read_model(Path(folder)))
    registry.end_run(run_id, "FINISHED")
    return registry.create_version(name, run_id, {"falaj.digest": digest, **tags})
