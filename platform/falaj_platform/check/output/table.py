"""The table for people: by stack, what denies first, each remedy once."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from falaj_platform.check.result import CheckedStack, CheckFinding, CheckResult

__all__ = ["to_table"]

_COLOUR: Final = {"critical": "bold white on red", "high": "bold red", "medium": "bold yellow", "low": "bold cyan"}
# So many resources are shown of those that the same is said of at the same place.
_SHOWN: Final = 3
_COMMAND: Final = re.compile(r"##(?=vso\[|\[)")


def to_table(result: CheckResult, *, colour: bool) -> str:
    """What denies in full, then in short what waits, what is waived and what was left out."""
    result = _printable(result)
    out = io.StringIO()
    console = Console(
        file=out,
        force_terminal=colour,
        color_system="standard" if colour else None,
        width=max(60, min(shutil.get_terminal_size((100, 24)).columns, 120)),
        highlight=False,
    )
    for stack in result.stacks:
        _stack(console, stack, [finding for finding in result.findings if finding.stack == stack.name])
    names = {stack.name for stack in result.stacks}
    rest = [finding for finding in result.findings if finding.stack not in names]
    if rest:
        console.print(Text(f"{result.project}", "bold") + Text("  the project's files", "dim"))
        _findings(console, rest)
    _summary(console, result)
    return "".join(f"{_inert(line.rstrip())}\n" for line in out.getvalue().split("\n")[:-1])


def _plain(text: str) -> str:
    """A text out of a project without what moves a terminal's cursor or starts a line of its own."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _inert(line: str) -> str:
    """A line that no pipeline takes for a command: they read `##vso[`, `##[` anywhere and `::` at a line's start."""
    line = _COMMAND.sub("# #", line)
    start = len(line) - len(line.lstrip())
    return f"{line[:start]}: {line[start + 1 :]}" if line.startswith("::", start) else line


def _printable(result: CheckResult) -> CheckResult:
    def plain(item: Any) -> Any:
        return replace(
            item,
            **{
                field.name: _plain(value)
                for field in fields(item)
                if isinstance(value := getattr(item, field.name), str)
            },
        )

    shown: CheckResult = plain(result)
    return replace(
        shown,
        stacks=tuple(map(plain, result.stacks)),
        findings=tuple(map(plain, result.findings)),
        left_out=tuple(map(_plain, result.left_out)),
        notes=tuple(map(_plain, result.notes)),
    )


def _stack(console: Console, stack: CheckedStack, findings: Sequence[CheckFinding]) -> None:
    place = " ".join(filter(None, (stack.cloud, stack.region))) or "where its resources say"
    law = " ".join(filter(None, (stack.jurisdiction or "no jurisdiction", stack.regime)))
    about = f"{place}, {law}, {_many(stack.resources, 'resource')}" if stack.judged else "its program did not run"
    console.print(Text(stack.name, "bold") + Text(f"  {about}", "dim"))
    _findings(console, findings)


def _findings(console: Console, findings: Sequence[CheckFinding]) -> None:
    standing = [finding for finding in findings if finding.denies]
    waiting = [finding for finding in findings if finding.undecided and not finding.waived]
    groups: dict[tuple[object, ...], list[CheckFinding]] = {}
    for finding in standing:
        said = (finding.severity, finding.rule, finding.title, finding.remedy)
        groups.setdefault(said, []).append(finding)
    for group in groups.values():
        _group(console, group)
    if not standing:
        known = ", as far as it is known yet" if waiting else ""
        console.print(Text(f"  ✓ nothing to object to{known}", "green"))
    rows = Table.grid(padding=(0, 1))
    for message, mine in _together(waiting):
        rows.add_row("  ?", Text(mine[0].rule, "bold yellow"), Text(f"{_resources(mine)}: {message}"))
    for message, mine in _together(finding for finding in findings if finding.advisory and not finding.undecided):
        check = f"  {mine[0].check_id}" if mine[0].source == "checkov" else ""
        rows.add_row(
            "  i", Text(mine[0].rule, "bold cyan"), Text(f"{_resources(mine)}: {message}") + Text(check, "dim")
        )
    for finding in findings:
        if finding.waived:
            text = Text(f"{_short(finding.subject)}: {finding.message}; {finding.waived}", "dim")
            rows.add_row("  ~", Text(finding.rule, "dim bold"), text)
    if rows.row_count:
        console.print(rows)
    console.print()


def _together(findings: Iterable[CheckFinding]) -> list[tuple[str, list[CheckFinding]]]:
    """Findings by what they say, in their order, whichever item of a list they say it of."""
    said: dict[tuple[str, str], list[CheckFinding]] = {}
    for finding in findings:
        said.setdefault((finding.rule, re.sub(r"\[\d+\]", "[]", finding.message)), []).append(finding)
    return [(message, mine) for (_rule, message), mine in said.items()]


def _group(console: Console, group: Sequence[CheckFinding]) -> None:
    """One rule's findings that have one remedy."""
    first = group[0]
    head = Text("  ") + Text(f" {first.severity.upper()} ", _COLOUR.get(first.severity, "bold red"))
    console.print(head + Text(f" {first.rule}  {first.title}", "bold"))
    rows = Table.grid(padding=(0, 1))
    alike: dict[tuple[str, str], list[CheckFinding]] = {}
    for finding in group:
        # What one line of a stack file makes of many resources is one mistake; so is the same input of several.
        place = f"{finding.where} {finding.key}" if finding.key else finding.path
        alike.setdefault((finding.message, place), []).append(finding)
    for same in alike.values():
        subjects = list(dict.fromkeys(_short(finding.subject) for finding in same))
        more = f" and {len(subjects) - _SHOWN} more" if len(subjects) > _SHOWN else ""
        check = f"  {same[0].check_id}" if same[0].check_id and same[0].source == "checkov" else ""
        named = ", ".join(subjects[:_SHOWN]) + more
        rows.add_row("     ", Text(named, "bold") + Text(f"  {same[0].message}") + Text(check, "dim"))
        wheres = list(dict.fromkeys(finding.where for finding in same if finding.where))
        where = Text(", ".join(wheres[:_SHOWN]) + (" …" if len(wheres) > _SHOWN else ""), "cyan")
        if same[0].key:
            where += Text(f"  {same[0].key}", "cyan")
        if same[0].path:
            where += Text(f"  {same[0].path}", "dim")
        if where:
            rows.add_row("", Text("  ") + where)
    rows.add_row("", Text("→ ", "green") + Text(first.remedy, "green"))
    if first.clauses:
        rows.add_row("", Text(", ".join(first.clauses), "dim"))
    console.print(rows)


def _resources(findings: Sequence[CheckFinding]) -> str:
    subjects = list(dict.fromkeys(_short(finding.subject) for finding in findings))
    return subjects[0] if len(subjects) == 1 else _many(len(subjects), "resource")


def _short(subject: str) -> str:
    """`type name` of a URN."""
    if not subject.startswith("urn:pulumi:") or subject.count("::") < 3:
        return subject
    _, _, types, name = subject.split("::", 3)
    return f"{types.rsplit('$', 1)[-1]} {name}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _summary(console: Console, result: CheckResult) -> None:
    counts = result.counts
    lines: list[Text] = [Text(f"Left out: {text}", "yellow") for text in result.left_out]
    lines += [Text(text[:1].upper() + text[1:], "dim") for text in result.notes]
    if counts["undecided"]:
        lines.append(
            Text("? undecided: the value is not known before up, which judges it again and then denies", "dim")
        )
    if any("?" in clause for finding in result.findings if not finding.undecided for clause in finding.clauses):
        message = "? : from memory; the others were compared with law texts, or for ISO and NIST with a listing only"
        lines.append(Text(message, "dim"))
    for line in lines:
        console.print(line)
    severities = [f"{counts[name]} {name}" for name in ("critical", "high", "medium", "low") if counts[name]]
    head = (
        Text(f"✗ {len(result.denied)} to repair", "bold red") + Text(f" ({', '.join(severities)})")
        if result.denied
        else Text("✓ nothing denies", "bold green")
    )
    others = [f", {counts[name]} {name}" for name in ("undecided", "advisory", "waived") if counts[name]]
    console.print(head + Text("".join(others)))
    console.print(Text(_looked_at(result), "dim"))


def _looked_at(result: CheckResult) -> str:
    parts: Iterable[str] = (
        _many(len(result.stacks), "stack"),
        _many(result.counts["resources"], "resource"),
        _many(len(result.rules), "rule"),
        _many(result.files, "file"),
    )
    return f"{', '.join(parts)} in {result.seconds:.1f} s; rule set {result.rule_set_version}"
