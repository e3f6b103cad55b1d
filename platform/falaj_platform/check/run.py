"""One check from beginning to end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from falaj_platform.check.launch import Runner, plan, refusal
from falaj_platform.check.project import Stack, Target, files_of, open_project
from falaj_platform.check.result import CheckedStack, CheckFinding, CheckResult
from falaj_platform.errors import CheckError

if TYPE_CHECKING:
    from falaj_platform.checkov import Scanner

__all__ = ["LIMIT", "check"]

# Seconds that one program may take.
LIMIT: Final = 60.0
_NOT_PROVEN: Final = (
    "not proven: what a program declares is judged in its own process, so a hostile one can show less here than at up, "
    "where the gate decides"
)


def check(
    folder: Path,
    stacks: Sequence[str] = (),
    *,
    jurisdiction: str = "",
    regime: str = "",
    without: Iterable[str] = (),
    limit: float = LIMIT,
    verbose: bool = False,
    passed: Sequence[str] = (),
) -> CheckResult:
    """Judge the project in `folder` or above it: all of its stacks, or those named.

    `jurisdiction` and `regime` are instead of what the stacks say. `without` may hold "checkov". `limit`: seconds that
    one program may take. `verbose`: with the text of what programs raise, which may hold a secret. `passed`: names of
    environment variables that the programs get, besides what they need to run. Raises CheckError, CheckovError,
    EngineError, PoliciesError or InfraError, all with exit code 2: it could not be checked.
    """
    began = time.monotonic()
    with ExitStack() as ending:
        scanner = None if "checkov" in set(without) else _scanner(ending)
        target = open_project(folder)
        wanted = [target.stack(name) for name in dict.fromkeys(stacks)] or list(target.stacks)
        runner = Runner(target, plan(target, wanted, jurisdiction, regime, limit, verbose=verbose), passed)
        ending.callback(runner.end)
        # Everything here works while the programs run.
        from falaj_platform.check import findings as made
        from falaj_platform.check.secrets import find_secrets

        files = files_of(target.root)
        secrets = find_secrets(target.root, files)
        found = [*made.judged_project(target), *made.of_secrets(target, secrets)]
        report = runner.report()
        found += _of_stacks(target, wanted, report)
        if scanner is not None:
            found = made.of_checkov(scanner, target, report["stacks"], found)
        complete = len(wanted) == len(target.stacks) and scanner is not None and not report["errors"]
        judged, notes = made.waive(target, found, complete=complete)
    left_out = (*(() if scanner is not None else ("Checkov's checks (--without checkov)",)), *secrets.left_out)
    said = (_NOT_PROVEN, *notes, *secrets.notes)
    return _result(target, wanted, report, judged, left_out, said, files=len(files), began=began)


def _scanner(ending: ExitStack) -> Scanner:
    """Checkov's process, which makes ready while the programs run. Raises CheckovMissingError."""
    from falaj_platform.checkov import Scanner

    return ending.enter_context(Scanner())


def _of_stacks(target: Target, wanted: Sequence[Stack], report: Mapping[str, Any]) -> list[CheckFinding]:
    """The findings of the programs. Raises CheckError: one of them could not be judged."""
    from falaj_platform.check import findings as made

    found = [made.of_program(item, name) for name, part in report["stacks"].items() for item in part["findings"]]
    failed = []
    for name, error in report["errors"].items():
        refused, text = refusal(target.stack(name), target.root, error)
        if refused is not None and any(stack.name == name for stack in wanted):
            found.append(made.of_config(refused, name))
        else:
            failed.append(f"stack {name}: {made.plain_error(text or error)}")
    if failed:
        raise CheckError("; ".join(failed))
    return found


def _result(
    target: Target,
    wanted: Sequence[Stack],
    report: Mapping[str, Any],
    findings: Sequence[CheckFinding],
    left_out: tuple[str, ...],
    notes: tuple[str, ...],
    *,
    files: int,
    began: float,
) -> CheckResult:
    from falaj_platform.check.findings import applied
    from falaj_policies import rule_set_version

    return CheckResult(
        project=target.name,
        stacks=tuple(_stack(target, stack, report["stacks"].get(stack.name, {})) for stack in wanted),
        findings=tuple(sorted(findings, key=lambda finding: finding.order)),
        rules=tuple(sorted({rule.id for rule in applied()})),
        rule_set_version=rule_set_version(),
        seconds=round(time.monotonic() - began, 3),
        left_out=left_out,
        notes=notes,
        prefix=_prefix(target.root),
        files=files,
    )


def _stack(target: Target, stack: Stack, report: Mapping[str, Any]) -> CheckedStack:
    file = stack.file if stack.file.is_file() else target.manifest
    return CheckedStack(
        name=stack.name,
        file=file.relative_to(target.root).as_posix() if file.is_relative_to(target.root) else str(file),
        resources=len(report.get("resources", ())),
        judged=bool(report),
        **{key: report.get(key, "") for key in ("cloud", "region", "jurisdiction", "regime", "tenant")},
    )


def _prefix(root: Path) -> str:
    """The project's folder in its repository, as a POSIX path; empty where it is the root, or there is no git."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            found = root.relative_to(folder).as_posix()
            return "" if found == "." else found
    return ""
