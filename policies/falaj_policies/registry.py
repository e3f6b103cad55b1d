"""The rules with their metadata, the version of the whole set, and the one way to apply it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any, Final

from falaj_policies.catalogue import CONTROLS
from falaj_policies.facts import Fact, ModelFact, ResourceFact
from falaj_policies.model import Finding, Rule, Severity, Stage
from falaj_policies.rules import kubernetes, model, places

__all__ = ["RULES", "evaluate", "rule_set_version"]

_DECLARED: Final = frozenset({Stage.PULL_REQUEST, Stage.PROVISION})
_LOADED: Final = frozenset({Stage.DEPLOY, Stage.RUNTIME})


def _rule(
    name: str,
    rationale: str,
    severity: Severity,
    remedy: str,
    applies_to: type[Fact],
    check: Any,
    cel: str | None = None,
) -> Rule:
    return Rule(
        id=name,
        title=CONTROLS[name].title,
        rationale=rationale,
        severity=severity,
        remedy=remedy,
        stages=_LOADED if applies_to is ModelFact else _DECLARED,
        applies_to=applies_to,
        check=check,
        references=CONTROLS[name].references,
        cel=cel,
    )


_CEL_DIGEST = (
    "(spec.containers + (has(spec.initContainers) ? spec.initContainers : [])"
    " + (has(spec.ephemeralContainers) ? spec.ephemeralContainers : []))"
    ".all(c, c.image.matches('^[^@]+@sha256:[0-9a-f]{64}$'))"
)

RULES: Final[tuple[Rule, ...]] = (
    _rule(
        "RES-01",
        "Data, keys, logs and state leave a jurisdiction with the resource that holds them.",
        Severity.CRITICAL,
        "use a (cloud, region) pair of the tenant's jurisdiction",
        ResourceFact,
        places.in_jurisdiction,
    ),
    _rule(
        "IAM-03",
        "A wildcard grants what did not exist when it was reviewed.",
        Severity.HIGH,
        "name the groups, resources and verbs",
        ResourceFact,
        kubernetes.no_wildcards,
    ),
    _rule(
        "TEN-03",
        "A container that can become root on the node reaches every tenant on it.",
        Severity.CRITICAL,
        "keep the restricted Pod Security Standard",
        ResourceFact,
        kubernetes.restricted_pods,
    ),
    _rule(
        "SUP-04",
        "A tag can be moved to other bytes after they were reviewed.",
        Severity.HIGH,
        "write the image as name@sha256:digest",
        ResourceFact,
        kubernetes.images_by_digest,
        cel=_CEL_DIGEST,
    ),
    _rule(
        "SUP-01",
        "What is served must be exactly what its author signed, file by file.",
        Severity.CRITICAL,
        "sign the model with tenant.sign() and register that",
        ModelFact,
        model.signed,
    ),
    _rule(
        "SUP-02",
        "Loading a pickle runs whatever its author, or whoever altered it, put there.",
        Severity.CRITICAL,
        "save the weights as ONNX or safetensors",
        ModelFact,
        model.data_only,
    ),
    _rule(
        "SUP-07",
        "A file name that is a path reaches files outside the model.",
        Severity.HIGH,
        "use plain relative file names",
        ModelFact,
        model.safe_names,
    ),
    _rule(
        "CRY-05",
        "A key that can be copied signs for people who never had it.",
        Severity.CRITICAL,
        "sign with the tenant's own transit keys, which cannot be exported",
        ModelFact,
        model.keys_stay,
    ),
    _rule(
        "CHG-01",
        "Nothing reaches production that nobody took responsibility for.",
        Severity.CRITICAL,
        "have an approver run tenant.approve()",
        ModelFact,
        model.approved,
    ),
    _rule(
        "IAM-05",
        "Four eyes: whoever made the model does not wave it through.",
        Severity.CRITICAL,
        "have another person approve it",
        ModelFact,
        model.approver_is_not_author,
    ),
)


def evaluate(fact: Fact, stage: Stage) -> list[Finding]:
    """What every rule of `stage` for this type of fact objects to, most severe first.

    A rule that crashes denies: its finding says so. At deploy and at runtime everything is known, so what a rule could
    not decide denies as well; before that it is a finding with `undecided` set.
    """
    findings: list[Finding] = []
    for rule in RULES:
        if stage in rule.stages and isinstance(fact, rule.applies_to):
            findings.extend(_apply(rule, fact, final=stage in _LOADED))
    return sorted(findings, key=lambda finding: -finding.severity.rank)


def _apply(rule: Rule, fact: Any, *, final: bool) -> Iterator[Finding]:
    subject = fact.urn if isinstance(fact, ResourceFact) else getattr(fact, "digest", repr(type(fact).__name__))
    try:
        objections = list(rule.check(fact))
    except Exception as error:  # noqa: BLE001 - fails closed, whatever a rule raises
        message = f"the rule could not be applied ({type(error).__name__}), so it denies"
        yield Finding(rule.id, subject, message, rule.severity, "report this; nothing passes a rule that crashes")
        return
    for objection in objections:
        yield Finding(
            rule=rule.id,
            subject=subject,
            message=objection.message,
            severity=rule.severity,
            remedy=rule.remedy,
            path=objection.path,
            undecided=objection.undecided and not final,
        )


_VERSIONED: Final = ("facts.py", "formats.py", "jurisdictions.py", "model.py", "onnx_wire.py", "registry.py",
                     "rules/kubernetes.py", "rules/model.py", "rules/places.py")  # fmt: skip


@cache
def rule_set_version() -> str:
    """`sha256:` and 16 hex digits over everything that decides: the same rules have the same version everywhere."""
    digest = hashlib.sha256()
    root = resources.files("falaj_policies")
    for name in _VERSIONED:
        content = root.joinpath(*name.split("/")).read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return "sha256:" + digest.hexdigest()[:16]
