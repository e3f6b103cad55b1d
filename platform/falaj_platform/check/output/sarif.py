"""SARIF 2.1.0, as code hosts take it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from falaj_platform.check.result import CheckFinding, CheckResult

__all__ = ["to_sarif"]

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
# GitHub orders by this number: 9 and above is critical, 7 high, 4 medium.
_SCORE: Final = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}


def to_sarif(result: CheckResult) -> str:
    """One run: its rules with their clauses, a result for each finding. Paths are relative to the repository."""
    rules = _rules(result)
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "falaj check",
                "semanticVersion": _version(),
                "properties": {"ruleSetVersion": result.rule_set_version},
                "rules": rules,
            }
        },
        "columnKind": "utf16CodeUnits",
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The root of the repository"}}},
        "invocations": [
            {
                "executionSuccessful": True,
                "exitCode": result.exit_code,
                "toolExecutionNotifications": [
                    {"level": "warning", "message": {"text": text}} for text in _notices(result)
                ],
            }
        ],
        "results": [_result(finding, result.prefix, index) for finding in result.findings],
        "properties": {
            "counts": result.counts,
            "leftOut": list(result.left_out),
            "notes": list(result.notes),
            "stacks": [stack.name for stack in result.stacks],
        },
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _version() -> str:
    from importlib.metadata import version

    return version("falaj-platform")


def _notices(result: CheckResult) -> Iterator[str]:
    yield from (f"not checked: {text}" for text in result.left_out)
    yield from result.notes
    if result.undecided:
        yield f"{len(result.undecided)} undecided: values are not known yet; judged again at up, where they deny"


def _rules(result: CheckResult) -> list[dict[str, Any]]:
    from falaj_policies import all_rules

    known = {rule.id: rule for rule in all_rules()}
    found = {finding.rule: finding for finding in result.findings}
    made = []
    for name in sorted({*result.rules, *found}):
        rule, finding = known.get(name), found.get(name)
        title = rule.title if rule else finding.title if finding else name
        severity = str(rule.severity) if rule else finding.severity if finding else "high"
        remedy = rule.remedy if rule else finding.remedy if finding else ""
        clauses = [str(item) for item in rule.references] if rule else list(finding.clauses) if finding else []
        why = rule.rationale if rule else title
        text = f"{why} Remedy: {remedy}." + (f" Answers to: {', '.join(clauses)}." if clauses else "")
        made.append(
            {
                "id": name,
                "name": name.replace("-", ""),
                "shortDescription": {"text": title},
                "fullDescription": {"text": why},
                "help": {"text": text, "markdown": _markdown(why, remedy, clauses)},
                "defaultConfiguration": {"level": _level(severity)},
                "properties": {
                    "tags": ["security", *clauses],
                    "security-severity": _SCORE.get(severity, "8.0"),
                    "problem.severity": _level(severity),
                },
            }
        )
    return made


def _markdown(why: str, remedy: str, clauses: list[str]) -> str:
    answers = f"\n\n**Answers to** {', '.join(clauses)}" if clauses else ""
    return f"{why}\n\n**Remedy** {remedy}{answers}"


def _level(severity: str) -> str:
    return {"critical": "error", "high": "error", "medium": "warning", "low": "note"}.get(severity, "error")


def _result(finding: CheckFinding, prefix: str, index: dict[str, int]) -> dict[str, Any]:
    doubt = "undecided until up: " if finding.undecided else ""
    text = f"{doubt}{finding.message}. Remedy: {finding.remedy}"
    identity = "\n".join((finding.rule, finding.check_id, finding.subject, finding.path, finding.file, finding.key))
    made: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": "note" if finding.undecided or finding.advisory else _level(finding.severity),
        "message": {"text": text},
        "locations": [_location(finding, prefix)],
        "partialFingerprints": {"falaj/v1": sha256(identity.encode()).hexdigest()},
        "properties": {
            "source": finding.source,
            "stack": finding.stack,
            "path": finding.path,
            "severity": finding.severity,
            "undecided": finding.undecided,
            "denies": finding.denies,
            **({"checkId": finding.check_id} if finding.check_id else {}),
            **({"key": finding.key} if finding.key else {}),
        },
    }
    if finding.waived:
        made["suppressions"] = [{"kind": "external", "status": "accepted", "justification": finding.waived}]
    return made


def _location(finding: CheckFinding, prefix: str) -> dict[str, Any]:
    file = finding.file or "Pulumi.yaml"
    uri = quote(f"{prefix}/{file}" if prefix else file)
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": uri, "uriBaseId": "SRCROOT"},
            "region": {"startLine": max(finding.line, 1)},
        },
        "logicalLocations": [{"fullyQualifiedName": finding.subject, "kind": "resource"}],
    }
