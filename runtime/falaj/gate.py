"""The deploy gate: facts from a model's files and statements, judged by the rules.

The library asks it before a step, as an early message; the serving replica asks it when it loads, and that is the gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from falaj.dsse import Envelope, PublicKey, verify
from falaj.errors import FalajError, GateRefused, StatementError
from falaj.modelfiles import ModelFile, digest_of_files
from falaj_policies import FileFact, ModelFact, Stage, StatementFact, evaluate

if TYPE_CHECKING:
    from falaj_policies import Finding

__all__ = ["ReadKey", "file_facts", "judge", "model_fact", "refuse", "statement_fact"]

# (key name, key version) -> public key; raises a FalajError when it cannot be had.
ReadKey = Callable[[str, int], PublicKey]


def statement_fact(envelope_json: str | None, read_key: ReadKey) -> StatementFact | None:
    """What a statement turned out to be; None when there is none.

    A key that cannot be read because the vault does not answer raises: "not now" must not look like "forged".
    """
    if not envelope_json:
        return None
    try:
        envelope = Envelope.parse(envelope_json)
        statement = envelope.statement()
    except StatementError as error:
        return StatementFact(key="", verified=False, subject="", predicate_type="", problem=str(error))
    problem, exportable = "", None
    try:
        public_key = read_key(envelope.key, envelope.key_version)
        exportable = public_key.exportable
        verify(envelope, public_key)
    except StatementError as error:
        problem = str(error)
    predicate = statement.predicate
    return StatementFact(
        key=envelope.key,
        verified=not problem,
        subject=statement.subject,
        predicate_type=statement.predicate_type,
        problem=problem,
        model=str(predicate.get("model", "")),
        version=str(predicate.get("version", "")),
        exportable=exportable,
    )


def file_facts(files: Iterable[ModelFile]) -> tuple[FileFact, ...]:
    """The files as the rules see them."""
    return tuple(FileFact(file.name, file.size, file.sha256, file.format) for file in files)


def model_fact(
    *,
    name: str,
    version: str,
    files: Iterable[ModelFile],
    expected: str = "",
    signature: str | None,
    approval: str | None,
    read_key: ReadKey,
) -> ModelFact:
    """The facts of a model whose bytes are at hand. `signature` and `approval` are DSSE envelopes as JSON, or None."""
    files = tuple(files)
    return ModelFact(
        name=name,
        version=version,
        digest=digest_of_files(files),
        files=file_facts(files),
        expected=expected,
        signature=statement_fact(signature, read_key),
        approval=statement_fact(approval, read_key),
    )


def judge(fact: ModelFact, stage: Stage, only: Iterable[str] | None = None) -> list[Finding]:
    """What the rules object to, most severe first; `only` narrows an early check to the rules that can hold already."""
    wanted = None if only is None else frozenset(only)
    return [finding for finding in evaluate(fact, stage) if wanted is None or finding.rule in wanted]


def refuse(findings: list[Finding], where: str) -> None:
    """Raises GateRefused if there is any finding."""
    if findings:
        raise GateRefused(findings, where=where)


def is_outage(error: FalajError) -> bool:
    """Whether an error says "not now" rather than "no"."""
    from falaj.errors import ServiceError

    return isinstance(error, ServiceError) and (error.status == 0 or error.status >= 500 or error.status == 429)
