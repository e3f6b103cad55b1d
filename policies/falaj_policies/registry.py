"""All rules, the version of the whole set, and the one way to apply them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any, Final, cast

from falaj_policies.extensions import extensions
from falaj_policies.facts import Fact, ProjectFact, ResourceFact, StackFact
from falaj_policies.hiding import hide, secret_texts
from falaj_policies.model import CRASHED, Finding, Objection, Rule, Stage
from falaj_policies.rules import access, change, continuity, crypto, logging, model, residency, supply_chain, tenancy

__all__ = ["RULES", "all_rules", "apply", "evaluate", "rule_set_version"]

# Where everything must be known, so that what a rule could not decide denies.
_FINAL: Final = frozenset({Stage.DEPLOY, Stage.RUNTIME})

RULES: Final[tuple[Rule, ...]] = tuple(
    rule
    for family in (residency, crypto, access, tenancy, logging, supply_chain, change, model, continuity)
    for rule in family.RULES
)


@cache
def all_rules() -> tuple[Rule, ...]:
    """Falaj's rules and those of the installed rule packages. Raises RulePackageError: one of those cannot be used."""
    return RULES + tuple(rule for package in extensions() for rule in package.rules)


@cache
def _rules_for(stage: Stage, fact: Any, kind: str | None) -> tuple[Rule, ...]:
    return tuple(
        rule
        for rule in all_rules()
        if stage in rule.stages and issubclass(fact, rule.applies_to) and (rule.kinds is None or kind in rule.kinds)
    )


def evaluate(fact: Fact, stage: Stage) -> list[Finding]:
    """What every rule of `stage` for this type of fact objects to, most severe first.

    A rule that crashes denies: its finding says so. At deploy and at runtime everything is known, so what a rule could
    not decide denies as well; before that it is a finding with `undecided` set. Raises RulePackageError: an installed
    rule package cannot be used, so nothing can be judged.
    """
    kind = fact.kind if isinstance(fact, ResourceFact) else None
    findings = [
        finding for rule in _rules_for(stage, cast(Any, type(fact)), kind) for finding in apply(rule, fact, stage)
    ]
    return sorted(findings, key=lambda finding: -finding.severity.rank)


def apply(rule: Rule, fact: Any, stage: Stage) -> Iterator[Finding]:
    """What one rule objects to in a fact of its type, of whatever kind; see `evaluate`."""
    if isinstance(fact, ResourceFact) and rule.kinds is not None and fact.kind not in rule.kinds:
        return
    subject = _subject(fact)
    try:
        objections = list(rule.check(fact))
        if not all(isinstance(objection, Objection) for objection in objections):
            raise TypeError("a check yields Objections")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - fails closed, whatever a rule raises, an exit too
        message = f"the rule could not be applied ({type(error).__name__}), so it denies"
        yield Finding(rule.id, subject, message, rule.severity, CRASHED)
        return
    secret = bool(objections) and _holds_secrets(fact)
    for objection in objections:
        about, message, remedy = objection.subject or subject, objection.message, objection.remedy
        if secret:
            texts = secret_texts(fact, objection.path)
            about = about if about == subject else hide(about, texts)
            message, remedy = hide(message, texts), hide(remedy, texts)
        yield Finding(
            rule=rule.id,
            subject=about,
            message=message,
            severity=rule.severity,
            remedy=remedy or rule.remedy,
            path=objection.path,
            undecided=objection.undecided and stage not in _FINAL,
            advisory=objection.advisory,
        )


def _holds_secrets(fact: Any) -> bool:
    if isinstance(fact, ResourceFact):
        return bool(fact.secret_paths)
    return isinstance(fact, StackFact) and any(resource.secret_paths for resource in fact.resources)


def _subject(fact: Any) -> str:
    match fact:
        case ResourceFact():
            return fact.urn
        case StackFact():
            return fact.stack
        case ProjectFact():
            return fact.name
        case _:
            return str(getattr(fact, "digest", type(fact).__name__))


@cache
def rule_set_version() -> str:
    """`sha256:` and 16 hex digits over everything that decides: the same rules have the same version everywhere.

    Covers the source of this package but for its command line and test kit, and each rule package's name, version and
    files.
    """
    digest = hashlib.sha256()
    for name, content in sorted(_sources(resources.files("falaj_policies"), "")):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    for package in extensions():
        digest.update(f"{package.name} {package.version} {package.digest()}\n".encode())
    return "sha256:" + digest.hexdigest()[:16]


def _sources(folder: Any, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            if entry.name not in {"testing", "__pycache__"}:
                yield from _sources(entry, f"{name}/")
        elif entry.name.endswith(".py") and name != "commands.py":
            yield name, entry.read_bytes().replace(b"\r\n", b"\n")
