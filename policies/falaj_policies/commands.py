"""`falaj controls`: the control table, and which of it a rule enforces."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds `falaj controls`; nothing else is imported until it runs."""
    controls = typer.Typer(help="The control table: every control, its references, and whether a rule enforces it.")
    controls.callback(invoke_without_command=True)(list_controls)
    controls.command("show")(show)
    app.add_typer(controls, name="controls")


def _data(name: str) -> dict[str, Any]:
    from falaj_policies import CONTROLS, FRAMEWORKS, RULES

    control = CONTROLS[name]
    rule = next((rule for rule in RULES if rule.id == name), None)
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
        "enforced": rule is not None,
        "enforced_at": sorted(str(stage) for stage in rule.stages) if rule else [],
        "severity": str(rule.severity) if rule else None,
        "rationale": rule.rationale if rule else None,
        "remedy": rule.remedy if rule else None,
        "cel": [admission.expression for admission in rule.admission] if rule else [],
    }


def list_controls(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False
) -> None:
    """Lists every control; `?` marks a reference that was not compared with the framework's text."""
    if context.invoked_subcommand is not None:
        return
    from falaj_policies import CONTROLS, RULE_SET_VERSION

    rows = [_data(name) for name in CONTROLS]
    if as_json:
        print(json.dumps({"rule_set_version": RULE_SET_VERSION, "controls": rows}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("id", "control", "enforced at", "references"):
        table.add_column(column, overflow="fold")
    for name, row in zip(CONTROLS, rows, strict=True):
        references = " ".join(str(ref) for ref in CONTROLS[name].references)
        table.add_row(name, row["title"], ", ".join(row["enforced_at"]) or "not yet", references)
    console = Console()
    console.print(table)
    enforced = sum(row["enforced"] for row in rows)
    console.print(f"{enforced} of {len(rows)} controls are enforced by a rule. Rule set {RULE_SET_VERSION}.")
    console.print("? marks a reference that was not compared with the framework's own text.")


def show(
    control_id: Annotated[str, typer.Argument(metavar="ID", help="For instance SUP-01.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Shows one control: why it is, what enforces it where, and what it answers to."""
    from falaj_policies import control

    row = _data(control(control_id).id)
    if as_json:
        print(json.dumps(row, indent=2))
        return
    print(f"{row['id']}  {row['title']}  ({row['area']})")
    if row["enforced"]:
        print(f"  enforced at   {', '.join(row['enforced_at'])} (severity {row['severity']})")
        print(f"  why           {row['rationale']}")
        print(f"  remedy        {row['remedy']}")
    else:
        print(f"  enforced at   not yet; meant for {', '.join(row['stages'])}")
    for reference in row["references"]:
        doubt = "" if reference["verified"] else "  (not verified)"
        print(f"  answers to    {reference['framework']} {reference['clause']}{doubt}")
