"""Models that must not serve, each really tried: past the library's checks, asked for, refused by the replica."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from falaj import Tenant
from falaj.errors import GateRefused
from falaj.models import ModelVersion, SignedModel
from falaj.registry import MODEL_PATH
from falaj_platform.errors import QuickstartError
from falaj_platform.quickstart.model import MODEL, People
from falaj_platform.quickstart.report import Refusal

__all__ = ["CASES", "try_all"]


def _unsigned(people: People, good: ModelVersion, name: str) -> ModelVersion:
    return people.data_scientist.register(SignedModel(good.run_id, good.digest, signature=""), name)


def _altered(people: People, good: ModelVersion, name: str) -> ModelVersion:
    """A copy of the good model, signed and approved; then one byte of it is changed where it lies."""
    author, registry = people.data_scientist, people.data_scientist.session.registry
    approved = (known for known in author.versions(name) if known.approval not in (None, good.approval))
    version = next((known for known in approved if known.digest == good.digest), None)
    if version is None:
        run_id = _copied(author, good, name, lambda folder: None)
        version = author.register(author.sign(run_id, check=False), name)
        version = people.approver.approve(name, version.version, digest=version.digest)
    with tempfile.TemporaryDirectory(prefix="falaj-") as folder:
        # Made from the good one: altering what is altered already would give the good byte back.
        registry.download_model(good.run_id, Path(folder))
        weights = max(Path(folder).rglob("*.onnx"), key=lambda path: path.stat().st_size)
        content = bytearray(weights.read_bytes())
        content[len(content) // 2] ^= 1
        where = weights.relative_to(folder).as_posix()
        registry.upload(version.run_id, f"{MODEL_PATH}/{where}", bytes(content))
    return version


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

    run_id = _copied(people.data_scientist, good, name, add)
    version = people.data_scientist.register(people.data_scientist.sign(run_id, check=False), name)
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
    if case == "one byte altered":
        # Whether it is altered does not show; altering it is the same every time.
        return False
    if case in {"approved by its author", "pickle"}:
        return version.signature is not None and version.approval is not None
    return case == "unsigned" or version.signature is not None


def _copied(author: Tenant, good: ModelVersion, name: str, change: Callable[[Path], None]) -> str:
    """A run of its own with the good model's files, changed; its id."""
    registry = author.session.registry
    run = registry.create_run(registry.experiment(f"{MODEL}-refused"), name, {"falaj.member": author.member})
    run_id = str(run["info"]["run_id"])
    with tempfile.TemporaryDirectory(prefix="falaj-") as folder:
        registry.download_model(good.run_id, Path(folder))
        change(Path(folder))
        registry.upload_model(run_id, Path(folder))
    registry.end_run(run_id, "FINISHED")
    return run_id
