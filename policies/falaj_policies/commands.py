"""`falaj controls`: the control table, and how each control is answered for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from falaj_policies import Rule

__all__ = ["register"]

COLOURS = {"rule": "green", "detected": "cyan", "documented": "yellow", "organisation": "magenta"}


def register(app: typer.Typer) -> None:
    """Adds `falaj controls`; nothing else is imported until it runs."""
    controls = typer.Typer(help="The control table: every control, its references, and who answers for it.")
    controls.callback(invoke_without_command=True)(list_controls)
    controls.command("show")(show)
    app.add_typer(controls, name="controls")


def list_controls(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False
) -> None:
    """Lists every control, and the rules of installed packages."""
    if context.invoked_subcommand is not None:
        return
    from falaj_policies import CONTROLS, RULE_SET_VERSION

    rows = [_control(name) for name in CONTROLS]
    others: list[dict[str, Any]] = [
        {"package": name, "version": version, "id": rule.id, "title": rule.title, "rules": [_rule(rule)]}
        for name, version, rule in _packaged()
    ]
    if as_json:
        print(json.dumps({"rule_set_version": RULE_SET_VERSION, "controls": rows, "packages": others}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("id", "control", "answered by", "where, or why not a rule", "references"):
        table.add_column(column, overflow="fold")
    for name, row in zip(CONTROLS, rows, strict=True):
        handling = row["disposition"]
        where = ", ".join(row["enforced_at"]) if row["enforced"] else row["reason"]
        references = " ".join(str(ref) for ref in CONTROLS[name].references)
        table.add_row(name, row["title"], f"[{COLOURS[handling]}]{handling}[/]", where, references)
    for other in others:
        where = ", ".join(other["rules"][0]["stages"])
        table.add_row(other["id"], other["title"], "[green]rule[/]", where, f"{other['package']} {other['version']}")
    console = Console()
    console.print(table)
    counts = {kind: sum(row["disposition"] == kind for row in rows) for kind in COLOURS}
    said = ", ".join(f"{counts[kind]} {kind}" for kind in COLOURS)
    console.print(f"{len(rows)} controls: {said}. Rule set {RULE_SET_VERSION}.", highlight=False)
    console.print(
        "? : from memory; the others were compared with law texts, or for ISO and NIST with a listing only.",
        highlight=False,
    )


def show(
    control_id: Annotated[str, typer.Argument(metavar="ID", help="For instance SUP-01.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Shows one control: why it is, what enforces it where, its cases, and what it answers to."""
    from falaj_policies import control

    found = next(((package, rule) for package, _, rule in _packaged() if rule.id == control_id.upper()), None)
    if found is not None:
        package, rule = found
        row = {"id": rule.id, "title": rule.title, "area": f"rule package {package}", "enforced": True}
        row |= {"reason": "", "references": [], "rules": [_rule(rule)], "tests": []}
    else:
        name = control(control_id).id
        row = {**_control(name), "tests": _cases(name)}
    if as_json:
        print(json.dumps(row, indent=2))
        return
    _print(row)


def _print(row: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)

    def line(label: str, text: str) -> None:
        console.print(f"  [dim]{label:<13}[/] {escape(text)}")

    console.print(f"[bold]{row['id']}[/]  {escape(row['title'])}  ({row['area']})")
    if not row["enforced"]:
        handling = row["disposition"]
        console.print(f"  [dim]{'answered by':<13}[/] [{COLOURS[handling]}]{handling}[/], no rule")
    for rule in row["rules"]:
        line("rule", f"judges a {rule['judges']} at {', '.join(rule['stages'])} (severity {rule['severity']})")
        line("why", rule["rationale"])
        line("remedy", rule["remedy"])
        if rule["kinds"]:
            line("kinds", " ".join(rule["kinds"]))
        for admission in rule["admission"]:
            line("admission", f"{', '.join(admission['resources'])}: {admission['message']}")
            line("", admission["cel"])
    if row["reason"]:
        line("not by a rule" if row["enforced"] else "because", row["reason"])
    for reference in row["references"]:
        doubt = "" if reference["verified"] else "  (not verified)"
        line("answers to", f"{reference['framework']} {reference['clause']}{doubt}")
    for what in row["tests"]:
        line("refuses", what)


def _control(name: str) -> dict[str, Any]:
    from falaj_policies import CONTROLS, FRAMEWORKS, RULES
    from falaj_policies.catalogue import handling_of
    from falaj_policies.dispositions import DISPOSITIONS

    control = CONTROLS[name]
    rules = [rule for rule in RULES if rule.id == name]
    return {
        "id": control.id,
        "title": control.title,
        "area": control.area,
        "stages": [str(stage) for stage in control.stages],
        "references": [
            {
                "framework": FRAMEWORKS[ref.framework],
                "short": ref.framework,
                "clause": ref.clause,
                "verified": ref.verified,
            }
            for ref in control.references
        ],
        "disposition": str(handling_of(name, rules)),
        "reason": DISPOSITIONS[name].reason if name in DISPOSITIONS else "",
        "enforced": bool(rules),
        "enforced_at": sorted({str(stage) for rule in rules for stage in rule.stages}),
        "rules": [_rule(rule) for rule in rules],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "judges": rule.applies_to.__name__.removesuffix("Fact").lower(),
        "kinds": sorted(rule.kinds or ()),
        "stages": sorted(str(stage) for stage in rule.stages),
        "severity": str(rule.severity),
        "rationale": rule.rationale,
        "remedy": rule.remedy,
        "admission": [
            {"resources": list(item.resources), "message": item.message, "cel": item.expression}
            for item in rule.admission
        ],
    }


def _packaged() -> list[tuple[str, str, Rule]]:
    """Package, its version and rule, for every rule of an installed rule package."""
    from falaj_policies.extensions import extensions

    return [(package.name, package.version, rule) for package in extensions() for rule in package.rules]


def _cases(name: str) -> list[str]:
    """What the cases of a control's rules break, in words."""
    from falaj_policies.testing import own_cases

    return [case.what for case in own_cases() if case.rule == name]
