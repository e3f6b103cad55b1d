"""One check from beginning to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from falaj_platform.check.program import scrubbed
from falaj_platform.check.project import Stack, Target, files_of, open_project
from falaj_platform.check.result import CheckedStack, CheckFinding, CheckResult
from falaj_platform.errors import CheckError

__all__ = ["LIMIT", "check"]

# Seconds that one program may take.
LIMIT: Final = 60.0


def check(
    folder: Path,
    stacks: Sequence[str] = (),
    *,
    jurisdiction: str = "",
    regime: str = "",
    without: Iterable[str] = (),
    limit: float = LIMIT,
) -> CheckResult:
    """Judge the project in `folder` or above it: all of its stacks, or those named.

    `jurisdiction` and `regime` are instead of what the stacks say. `without` may hold "checkov". `limit`: seconds that
    one program may take. Raises CheckError, EngineError, PoliciesError or PlaceError: it could not be checked.
    """
    import falaj_policies

    began = time.monotonic()
    target = open_project(folder)
    wanted = [target.stack(name) for name in dict.fromkeys(stacks)] or list(target.stacks)
    runner = _Runner(target, _plan(target, wanted, jurisdiction, regime, limit))
    try:
        files = files_of(target.root)
        findings = [*_project_findings(target, files)]
        report = runner.report()
    finally:
        runner.end()
    if report["errors"]:
        raise CheckError("; ".join(f"stack {name}: {why}" for name, why in report["errors"].items()))
    for name, found in report["stacks"].items():
        findings += [_finding(item, name) for item in found["findings"]]
    left_out = ["checkov (--without checkov)"] if "checkov" in set(without) else []
    return CheckResult(
        project=target.name,
        stacks=tuple(_stack(target, stack, report["stacks"][stack.name]) for stack in wanted),
        findings=tuple(sorted(findings, key=lambda finding: finding.order)),
        rules=tuple(sorted({rule.id for rule in _rules()})),
        rule_set_version=falaj_policies.rule_set_version(),
        seconds=round(time.monotonic() - began, 3),
        left_out=tuple(left_out),
        prefix=_prefix(target.root),
        files=len(files),
    )


def _rules() -> list[Any]:
    from falaj_policies import Stage, all_rules

    return [rule for rule in all_rules() if Stage.PULL_REQUEST in rule.stages]


def _plan(target: Target, wanted: Sequence[Stack], jurisdiction: str, regime: str, limit: float) -> dict[str, Any]:
    """What the runner is told; the regions of wanted tenants are run too, for their outputs."""
    judged = {stack.name for stack in wanted}
    read = {stack.region for stack in wanted if stack.kind == "tenant"}
    return {
        "root": str(target.root),
        "main": str(target.main),
        "manifest": str(target.manifest),
        "project": target.name,
        "site_packages": str(target.site_packages or ""),
        "limit": limit,
        "jobs": [
            {
                "root": str(target.root),
                "config_dir": str(target.config_dir),
                "stack": {
                    "name": stack.name,
                    "file": str(stack.file),
                    "config": dict(stack.config),
                    "encryption": stack.encryption,
                    "kind": stack.kind,
                },
                "backend": target.backend
                or os.environ.get("PULUMI_BACKEND_URL", "")
                or ("file://" if stack.kind else ""),
                "jurisdiction": jurisdiction,
                "regime": regime,
                "judged": stack.name in judged,
            }
            for stack in target.stacks
            if stack.name in judged or (stack.kind == "region" and stack.name in read)
        ],
    }


class _Runner:
    """The process that runs the programs: it has no credentials, and ends with this one."""

    def __init__(self, target: Target, plan: Mapping[str, Any]) -> None:
        # Preparing, the regions, the tenants, and the proofs of where values come from.
        self._patience = plan["limit"] * 4 + 60
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "falaj_platform.check.runner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=target.root,
            env=scrubbed(os.environ),
        )
        assert self._process.stdin is not None
        # The plan is written at once, so that the programs run while this process does its own part.
        self._plan = json.dumps(plan).encode()
        self._process.stdin.write(self._plan)
        self._process.stdin.close()
        self._process.stdin = None

    def report(self) -> dict[str, Any]:
        """Raises CheckError: there is none."""
        try:
            answer, complaint = self._process.communicate(timeout=self._patience)
        except subprocess.TimeoutExpired:
            raise CheckError(f"the programs did not end within {self._patience:g} s, and were stopped") from None
        try:
            found: dict[str, Any] = json.loads(answer)
        except ValueError:
            lines = complaint.decode(errors="replace").strip().splitlines() or ["no message"]
            raise CheckError(f"the programs could not be run: {lines[-1]}") from None
        return found

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            self._process.kill()
        self._process.wait()


def _finding(found: Mapping[str, Any], stack: str) -> CheckFinding:
    title, clauses = _about(found["rule"])
    return CheckFinding(stack=stack, title=title, clauses=clauses, **found)


def _about(rule: str) -> tuple[str, tuple[str, ...]]:
    """Title and clauses of a rule."""
    found = next((known for known in _rules() if known.id == rule), None)
    return (found.title, tuple(str(reference) for reference in found.references)) if found else (rule, ())


def _project_findings(target: Target, files: Sequence[Path]) -> list[CheckFinding]:
    """What the rules object to in the project's files."""
    from falaj_policies import ProjectFact, Stage, evaluate

    fact = ProjectFact(target.name, _declared(target, files))
    found = []
    for finding in evaluate(fact, Stage.PULL_REQUEST):
        title, clauses = _about(finding.rule)
        name = finding.path if finding.path in fact.files else ""
        found.append(
            CheckFinding(
                rule=finding.rule,
                title=title,
                severity=str(finding.severity),
                subject=finding.subject,
                message=finding.message,
                remedy=finding.remedy,
                path=finding.path,
                clauses=clauses,
                file=name,
                line=1 if name else 0,
                undecided=finding.undecided,
                advisory=finding.advisory,
            )
        )
    return found


_DECLARE: Final = ("Pulumi.yaml", "pyproject.toml", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile", "Pipfile.lock")
_SIZE: Final = 4 << 20


def _declared(target: Target, files: Sequence[Path]) -> dict[str, str]:
    """The files at the project's root, and beside its program, that say what it is built from."""
    texts = {}
    for folder in dict.fromkeys((target.root, target.main if target.main.is_dir() else target.main.parent)):
        for path in sorted(folder.iterdir()):
            wanted = path.name in _DECLARE or (
                path.suffix in {".txt", ".toml"} and path.name.startswith(("requirements", "pylock"))
            )
            if wanted and path.is_file() and path.stat().st_size <= _SIZE:
                texts[path.relative_to(target.root).as_posix()] = path.read_text(encoding="utf-8", errors="replace")
    return texts


def _stack(target: Target, stack: Stack, report: Mapping[str, Any]) -> CheckedStack:
    file = stack.file if stack.file.is_file() else target.manifest
    return CheckedStack(
        name=stack.name,
        file=file.relative_to(target.root).as_posix() if file.is_relative_to(target.root) else str(file),
        cloud=report["cloud"],
        region=report["region"],
        jurisdiction=report["jurisdiction"],
        regime=report["regime"],
        tenant=report["tenant"],
        resources=len(report["resources"]),
    )


def _prefix(root: Path) -> str:
    """The project's folder in its repository, as a POSIX path."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            found = root.relative_to(folder).as_posix()
            return "" if found == "." else found
    return ""
