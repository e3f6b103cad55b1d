"""The table for people: by stack, what denies first."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from falaj_platform.check.result import CheckedStack, CheckFinding, CheckResult

__all__ = ["to_table"]

_COLOUR: Final = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "cyan"}


def to_table(result: CheckResult, *, colour: bool) -> str:
    """What denies in full, then in short what waits, what is waived and what was left out."""
    out = io.StringIO()
    console = Console(
        file=out,
        force_terminal=colour,
        color_system="standard" if colour else None,
        width=max(60, min(shutil.get_terminal_size((100, 24)).columns, 140)),
        highlight=False,
        soft_wrap=False,
    )
    for stack in result.stacks:
        _stack(console, stack, [finding for finding in result.findings if finding.stack == stack.name])
    names = {stack.name for stack in result.stacks}
    rest = [finding for finding in result.findings if finding.stack not in names]
    if rest:
        console.print(Text(f"{result.project}  the project's files", style="bold"))
        _findings(console, rest)
    _summary(console, result)
    return out.getvalue()


def _stack(console: Console, stack: CheckedStack, findings: Sequence[CheckFinding]) -> None:
    place = " ".join(filter(None, (stack.cloud, stack.region))) or "where its resources say"
    law = " ".join(filter(None, (stack.jurisdiction or "no jurisdiction", stack.regime)))
    head = Text(stack.name, style="bold")
    head.append(f"  {place} in {law}, {stack.resources} resources", style="dim")
    console.print(head)
    _findings(console, findings)


def _findings(console: Console, findings: Sequence[CheckFinding]) -> None:
    shown = 0
    for finding, more in _grouped(finding for finding in findings if not (finding.undecided or finding.waived)):
        _finding(console, finding, more)
        shown += 1
    waiting = [finding for finding in findings if finding.undecided and not finding.waived]
    if not shown:
        console.print(Text("  ✓ nothing to object to" + (", as far as it is known yet" if waiting else ""), "green"))
    for rule in sorted({finding.rule for finding in waiting}):
        mine = [finding for finding in waiting if finding.rule == rule]
        line = Text("  ? ", style="yellow")
        line.append(f"{rule:<7} ", style="bold yellow")
        line.append(f"undecided for {_resources(mine)}: {mine[0].message}; judged again at up")
        console.print(Padding(line, (0, 0, 0, 0)))
    for finding in findings:
        if finding.waived:
            line = Text("  ~ ", style="dim")
            line.append(f"{finding.rule:<7} {_short(finding.subject)} waived: {finding.waived}", style="dim")
            console.print(line)
    console.print()


def _grouped(findings: Iterable[CheckFinding]) -> list[tuple[CheckFinding, int]]:
    """Findings that differ only in the resource as one, with how many more there are."""
    groups: dict[CheckFinding, list[CheckFinding]] = {}
    for finding in findings:
        alike = finding if finding.path and not finding.key else replace(finding, subject="", path="")
        groups.setdefault(alike, []).append(finding)
    return [(group[0], len(group) - 1) for group in groups.values()]


def _finding(console: Console, finding: CheckFinding, more: int) -> None:
    head = Text("  ")
    head.append(f" {finding.severity.upper()} ", style=_COLOUR.get(finding.severity, "bold red"))
    head.append(f" {finding.rule}", style="bold")
    head.append(f"  {finding.title}", style="bold" if finding.denies else "")
    if finding.check_id:
        head.append(f"  {finding.check_id}", style="dim")
    if finding.advisory:
        head.append("  advice", style="dim")
    console.print(head)
    rows = [("what", finding.message), ("resource", _short(finding.subject) + (f" and {more} more" if more else ""))]
    if finding.path:
        rows.append(("input", finding.path))
    if finding.where:
        rows.append(("where", finding.where + (f"  {finding.key}" if finding.key else "")))
    rows.append(("do", finding.remedy))
    if finding.clauses:
        rows.append(("clauses", ", ".join(finding.clauses)))
    for name, text in rows:
        line = Text(f"{name:<9}", style="dim")
        line.append(text, style={"where": "cyan", "do": "green", "clauses": "dim"}.get(name, ""))
        line.overflow = "fold"
        console.print(Padding(_hanging(line, console.width - 6), (0, 0, 0, 6)))


def _hanging(line: Text, width: int) -> Text:
    """The line folded to a width, what follows the first indented under the text."""
    parts = line.wrap(Console(width=width), width) if len(line) > width else [line]
    if len(parts) < 2:
        return line
    body = Text(line.plain[9:])
    body.spans = [span.move(-9) for span in line.spans if span.end > 9]
    folded = body.wrap(Console(width=width), width - 9)
    made = line[:9]
    for number, part in enumerate(folded):
        part.rstrip()
        made += Text("\n" + " " * 9) + part if number else part
    return made


def _resources(findings: Sequence[CheckFinding]) -> str:
    subjects = list(dict.fromkeys(_short(finding.subject) for finding in findings))
    return subjects[0] if len(subjects) == 1 else f"{len(subjects)} resources"


def _short(subject: str) -> str:
    """`type name` of a URN."""
    if not subject.startswith("urn:pulumi:") or subject.count("::") < 3:
        return subject
    _, _, types, name = subject.split("::", 3)
    return f"{types.rsplit('$', 1)[-1]} {name}"


def _summary(console: Console, result: CheckResult) -> None:
    counts = result.counts
    for text in result.left_out:
        console.print(Text(f"Left out: {text}", style="yellow"))
    for text in result.notes:
        console.print(Text(text[:1].upper() + text[1:], style="dim"))
    by = ", ".join(f"{counts[name]} {name}" for name in ("critical", "high", "medium", "low") if counts[name])
    head = Text()
    if result.denied:
        head.append(f"✗ {len(result.denied)} to repair", style="bold red")
        head.append(f" ({by})")
    else:
        head.append("✓ nothing denies", style="bold green")
    others = [f"{counts[name]} {name}" for name in ("undecided", "advisory", "waived") if counts[name]]
    head.append("".join(f", {other}" for other in others))
    head.append(
        f". {len(result.stacks)} stacks, {counts['resources']} resources, {len(result.rules)} rules, "
        f"{result.files} files in {result.seconds:.1f} s. Rule set {result.rule_set_version}.",
        style="dim",
    )
    console.print(head)
    if counts["undecided"]:
        console.print(Text("Undecided: values that only a running site or cloud knows; at up they deny.", style="dim"))
    if any("?" in clause for finding in result.findings for clause in finding.clauses):
        console.print(Text("? marks a clause that nobody has compared with the framework's text.", style="dim"))
