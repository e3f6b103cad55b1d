"""Rules over a model as it is deployed and loaded: SUP-01, SUP-02, SUP-07, CRY-05, CHG-01, IAM-05."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from falaj_policies.facts import ModelFact, StatementFact
from falaj_policies.formats import METADATA, WEIGHTS
from falaj_policies.model import Check, Objection, Rule, Severity
from falaj_policies.rules.declare import rule

__all__ = [
    "APPROVAL_KEY_PREFIX",
    "APPROVAL_PREDICATE",
    "RULES",
    "SIGNATURE_PREDICATE",
    "SIGNING_KEY_PREFIX",
    "approved",
    "approver_is_not_author",
    "data_only",
    "keys_stay",
    "member_of",
    "safe_names",
    "signed",
]

SIGNING_KEY_PREFIX: Final = "sign-"
APPROVAL_KEY_PREFIX: Final = "approve-"
SIGNATURE_PREDICATE: Final = "https://falaj.io/model-signature/v1"
APPROVAL_PREDICATE: Final = "https://falaj.io/model-approval/v1"
_MAX_FILES = 1000
_WINDOWS_NAMES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def member_of(statement: StatementFact) -> str:
    """The member who alone may use the statement's key; empty for a key of neither kind."""
    for prefix in (SIGNING_KEY_PREFIX, APPROVAL_KEY_PREFIX):
        if statement.key.startswith(prefix):
            return statement.key[len(prefix) :]
    return ""


def _statement(
    model: ModelFact, statement: StatementFact | None, what: str, prefix: str, predicate: str
) -> Iterator[Objection]:
    """What is wrong with a statement over this very model, whichever kind it is."""
    if statement is None:
        yield Objection(f"there is no {what}")
    elif not statement.key.startswith(prefix) or not member_of(statement):
        yield Objection(f"the {what} is under the key {statement.key!r}, which is not a key for that")
    elif not statement.verified:
        yield Objection(f"the {what} does not verify: {statement.problem or 'wrong signature'}")
    elif statement.predicate_type != predicate:
        yield Objection(f"the {what} is a statement of another type: {statement.predicate_type!r}")
    elif statement.subject != model.digest:
        yield Objection(f"the {what} is over {statement.subject}, the files are {model.digest}")


def signed(model: ModelFact) -> Iterator[Objection]:
    if not model.files:
        yield Objection("the model has no files")
    if model.expected and model.expected != model.digest:
        yield Objection(f"the files are {model.digest}, not {model.expected} as named: they were altered")
    yield from _statement(model, model.signature, "signature", SIGNING_KEY_PREFIX, SIGNATURE_PREDICATE)


def data_only(model: ModelFact) -> Iterator[Objection]:
    for file in model.files:
        if file.format not in WEIGHTS | METADATA:
            yield Objection(f"{file.name} is {file.format}", path=file.name)
    if not any(file.format in WEIGHTS for file in model.files):
        yield Objection("no file has weights as ONNX or safetensors")


def safe_names(model: ModelFact) -> Iterator[Objection]:
    if len(model.files) > _MAX_FILES:
        yield Objection(f"{len(model.files)} files, at most {_MAX_FILES} are allowed")
    folded: set[str] = set()
    for file in model.files:
        if not _safe(file.name):
            yield Objection(f"{file.name!r} is not a plain relative name", path=ascii(file.name))
        elif file.name.casefold() in folded:
            yield Objection(f"{file.name!r} differs from another name only in case", path=file.name)
        folded.add(file.name.casefold())


def _safe(name: str) -> bool:
    if not name or len(name) > 512 or unicodedata.normalize("NFC", name) != name:
        return False
    if any(unicodedata.category(sign).startswith("C") or sign in '\\:*?"<>|%' for sign in name):
        return False
    # A leading dot would hide a file, a trailing one or a space is dropped by some file systems.
    return all(
        0 < len(part) <= 255 and part == part.strip(" .") and not _WINDOWS_NAMES.fullmatch(part)
        for part in name.split("/")
    )


def keys_stay(model: ModelFact) -> Iterator[Objection]:
    for what, statement in (("signature", model.signature), ("approval", model.approval)):
        if statement is not None and statement.exportable is not False:
            yield Objection(f"the {what}'s key {statement.key!r} is not known to be bound to the vault")


def approved(model: ModelFact) -> Iterator[Objection]:
    approval = model.approval
    problem = False
    for objection in _statement(model, approval, "approval", APPROVAL_KEY_PREFIX, APPROVAL_PREDICATE):
        problem = True
        yield objection
    if approval is None or problem:
        return
    if (approval.model, approval.version) != (model.name, model.version):
        named = f"{approval.model} version {approval.version}"
        yield Objection(f"the approval is for {named}, not for {model.name} version {model.version}")


def approver_is_not_author(model: ModelFact) -> Iterator[Objection]:
    if model.signature is None or model.approval is None:
        return
    author, approver = member_of(model.signature), member_of(model.approval)
    if not author or not approver or author == approver:
        yield Objection(f"the author {author or 'unknown'} and the approver {approver or 'unknown'} must be two people")


def _model_rule(control: str, check: Check, severity: Severity, remedy: str, rationale: str) -> Rule:
    return rule(control, rationale=rationale, severity=severity, remedy=remedy, check=check, applies_to=ModelFact)


RULES = (
    _model_rule(
        "SUP-01",
        signed,
        Severity.CRITICAL,
        "sign the model with tenant.sign() and register that",
        "What is served must be exactly what its author signed, file by file.",
    ),
    _model_rule(
        "SUP-02",
        data_only,
        Severity.CRITICAL,
        "save the weights as ONNX or safetensors",
        "Loading a pickle runs whatever its author, or whoever altered it, put there.",
    ),
    _model_rule(
        "SUP-07",
        safe_names,
        Severity.HIGH,
        "use plain relative file names",
        "A file name that is a path reaches files outside the model.",
    ),
    _model_rule(
        "CRY-05",
        keys_stay,
        Severity.CRITICAL,
        "sign with the tenant's own transit keys, which cannot be exported",
        "A key that can be copied signs for people who never had it.",
    ),
    _model_rule(
        "CHG-01",
        approved,
        Severity.CRITICAL,
        "have an approver run tenant.approve()",
        "Nothing reaches production that nobody took responsibility for.",
    ),
    _model_rule(
        "IAM-05",
        approver_is_not_author,
        Severity.CRITICAL,
        "have another person approve it",
        "Four eyes: whoever made the model does not wave it through.",
    ),
)
