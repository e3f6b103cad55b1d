"""Findings of every source in one form: the rules', the secrets', Checkov's, the waiver file's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from falaj_platform.check.project import Stack, Target
from falaj_platform.check.result import CheckFinding
from falaj_platform.check.wire import received

if TYPE_CHECKING:
    from falaj_platform.check.secrets import Secrets
    from falaj_platform.checkov import Scanner
    from falaj_policies import Finding, ResourceFact, Rule

__all__ = ["applied", "judged_project", "of_checkov", "of_config", "of_program", "of_secrets", "plain_error", "waive"]

_DECLARE: Final = ("Pulumi.yaml", "pyproject.toml", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile", "Pipfile.lock")
_LARGEST: Final = 8 << 20


@cache
def applied() -> tuple[Rule, ...]:
    """The rules of pull requests. Raises RulePackageError."""
    from falaj_policies import Stage, all_rules

    return tuple(rule for rule in all_rules() if Stage.PULL_REQUEST in rule.stages)


def _about(rule: str) -> tuple[str, tuple[str, ...], str, str]:
    """Title, clauses, severity and remedy of a rule or control; the id alone for one that nobody knows."""
    from falaj_policies import CONTROLS

    found = next((known for known in applied() if known.id == rule), None)
    if found is not None:
        return found.title, tuple(map(str, found.references)), str(found.severity), found.remedy
    control = CONTROLS.get(rule)
    return (control.title, tuple(map(str, control.references)), "high", "") if control else (rule, (), "high", "")


def of_program(found: Mapping[str, Any], stack: str) -> CheckFinding:
    """A finding as the process of the programs reports it."""
    title, clauses, _severity, _remedy = _about(found["rule"])
    return CheckFinding(stack=stack, title=title, clauses=clauses, **found)


def of_config(found: Mapping[str, Any], stack: str) -> CheckFinding:
    """A rule that a stack's own configuration breaks, so that its program did not run."""
    title, clauses, severity, remedy = _about(found["rule"])
    return CheckFinding(
        stack=stack,
        title=title,
        clauses=clauses,
        severity=severity,
        remedy=remedy or "repair the stack's configuration",
        **{**found, "message": f"{found['message']}; the program was not judged"},
    )


def judged_project(target: Target) -> list[CheckFinding]:
    """What the rules object to in the project's files."""
    from falaj_policies import ProjectFact, Stage, evaluate

    fact = ProjectFact(target.name, _declared(target))
    return [_of_project(finding, fact.files) for finding in evaluate(fact, Stage.PULL_REQUEST)]


def _of_project(finding: Finding, files: Mapping[str, str]) -> CheckFinding:
    title, clauses, _severity, _remedy = _about(finding.rule)
    file, _, line = finding.path.partition(":")
    known = file in files
    return CheckFinding(
        rule=finding.rule,
        title=title,
        severity=str(finding.severity),
        subject=finding.subject,
        message=finding.message,
        remedy=finding.remedy,
        path="" if known else finding.path,
        clauses=clauses,
        file=file if known else "",
        line=int(line) if known and line.isdigit() else int(known),
        undecided=finding.undecided,
        advisory=finding.advisory,
    )


def _declared(target: Target) -> dict[str, str]:
    """The files at the project's root, and beside its program, that say what it is built from."""
    texts = {}
    program = target.main if target.main.is_dir() else target.main.parent
    for folder in dict.fromkeys((target.root, program)):
        for path in sorted(folder.iterdir()):
            listed = path.suffix in {".txt", ".toml"} and path.name.startswith(("requirements", "pylock"))
            if (path.name in _DECLARE or listed) and path.is_file() and path.stat().st_size <= _LARGEST:
                name = path.relative_to(target.root).as_posix() if path.is_relative_to(target.root) else path.name
                texts[name] = path.read_text(encoding="utf-8", errors="replace")
    return texts


def of_secrets(target: Target, secrets: Secrets) -> list[CheckFinding]:
    """Secrets in the project's files, under the rule against static keys."""
    title, clauses, _severity, _remedy = _about("IAM-02")
    return [
        CheckFinding(
            rule="IAM-02",
            title=title,
            severity="critical",
            subject=secret.file,
            message=f"a secret is written in the file ({secret.kind})",
            remedy="revoke it and take it from Vault or a secret of the stack's configuration; what is none of the "
            "kind is marked `pragma: allowlist secret` on its line",
            clauses=clauses,
            source="secrets",
            check_id=secret.kind,
            file=secret.file,
            line=secret.line,
        )
        for secret in secrets.found
    ]


def of_checkov(
    scanner: Scanner, target: Target, stacks: Mapping[str, Mapping[str, Any]], ours: Sequence[CheckFinding]
) -> list[CheckFinding]:
    """`ours` with Checkov's findings; what both object to stays ours and names the check. Raises CheckovError."""
    merged = list(ours)
    for name, report in stacks.items():
        stack = target.stack(name)
        facts = {item["urn"]: received(item, report["jurisdiction"]) for item in report["resources"]}
        lines = {item["urn"]: (item["file"], item["line"]) for item in report["resources"]}
        known = {
            (finding.rule, finding.subject, finding.path): index
            for index, finding in enumerate(merged)
            if finding.stack == name and not finding.check_id
        }
        for check in scanner.scan(list(facts.values())):
            same = known.get((check.rule, check.urn, check.path))
            # Ours may only be undecided or advice where Checkov's is as well.
            if same is not None and (merged[same].denies or check.undecided or check.advisory):
                merged[same] = replace(merged[same], check_id=check.check_id)
                continue
            title, clauses, _severity, _remedy = _about(check.rule)
            file, line = lines[check.urn]
            finding = CheckFinding(
                rule=check.rule,
                title=title,
                severity=str(check.severity),
                subject=check.urn,
                message=check.name,
                remedy="do as the check's name says; Checkov's own documentation has it under its id",
                path=check.path,
                clauses=clauses,
                source="checkov",
                check_id=check.check_id,
                stack=name,
                file=file,
                line=line,
                undecided=check.undecided,
                advisory=check.advisory,
            )
            merged.append(replace(finding, **_written(target, stack, facts[check.urn], check.path)))
    return merged


def _written(target: Target, stack: Stack, fact: ResourceFact, path: str) -> dict[str, Any]:
    """Where the value comes from, if that is certain."""
    from falaj_platform.check.program import at

    value = at(fact.inputs, path) if path else None
    if not isinstance(value, str | int | float | bool):
        return {}
    sources = _sources(target.root, stack.file, target.manifest, target.name)
    sure = next((leaf for leaf, certain in sources.candidates(value, path) if certain), None)
    return sources.place(sure) if sure is not None else {}


@cache
def _sources(root: Path, file: Path, manifest: Path, project: str) -> Any:
    from falaj_platform.check.locate import Sources

    return Sources.read(root, file, manifest, project)


def waive(
    target: Target, findings: Sequence[CheckFinding], *, complete: bool
) -> tuple[list[CheckFinding], tuple[str, ...]]:
    """The findings with what is waived marked, those of the waiver file itself, and what it does not prove.

    `complete`: they are all there can be, so that a waiver without one is a finding. Raises WaiverError.
    """
    from falaj_infra.waivers import FILE, load, today

    waivers = load(target.root)
    standing, waived, problems = waivers.split(findings, today(), complete)
    judged = [*standing, *(replace(item.finding, waived=str(item.waiver)) for item in waived)]
    for problem in problems:
        title, clauses, _severity, _remedy = _about(problem.rule)
        judged.append(
            CheckFinding(
                rule=problem.rule,
                title=title,
                severity=str(problem.finding().severity),
                subject=f"{FILE}:{problem.line}",
                message=problem.message,
                remedy=problem.remedy,
                clauses=clauses,
                source="waivers",
                file=FILE,
                line=problem.line,
                key=problem.path,
            )
        )
    return judged, (waivers.proof,) if waivers.proof else ()


def plain_error(text: str) -> str:
    """A program's complaint on one line, without what looks like a secret."""
    from falaj_platform.check.secrets import hidden

    return re.sub(r"\s+", " ", hidden(text)).strip()
