"""`falaj quickstart` and `falaj down`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from falaj_platform.quickstart.report import Report

__all__ = ["down", "quickstart"]

_JSON = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON, last.")]


def quickstart(as_json: _JSON = False) -> None:
    """A model's whole way on this machine: site, region, two tenants, train, approve, serve, refuse, roll back."""
    from falaj_platform.quickstart.report import Report
    from falaj_platform.quickstart.run import run
    from falaj_site.home import falaj_home
    from falaj_site.progress import Console

    project, home = _project(), falaj_home()
    report = Report()
    try:
        run(project, home, Console(), report)
    except Exception as error:
        if as_json:
            report.error = " ".join(str(error).split())
        raise
    finally:
        if as_json:
            sys.stdout.write(report.to_json() + "\n")
            sys.stdout.flush()
    if not as_json:
        _show(report)


def down(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: _JSON = False,
) -> None:
    """Destroy the quickstart's tenants and region and remove the site; names the data first, and asks."""
    import json

    from falaj_platform.quickstart.takedown import inventory, take_down
    from falaj_site.home import falaj_home
    from falaj_site.progress import Console

    project, home = _project(), falaj_home()
    found = inventory(project, home)
    if not found:
        typer.echo(json.dumps({"removed": []}) if as_json else f"nothing to take down in {home}")
        return
    if not yes:
        if not sys.stdin.isatty():
            typer.echo(
                f"falaj: down removes {len(found)} things from {home}; say --yes where nobody can be asked", err=True
            )
            raise typer.Exit(2)
        typer.echo(f"This removes from {home}, for good:", err=True)
        for line in found:
            typer.echo(f"  {line}", err=True)
        if not typer.confirm("Remove all of it?", err=True):
            raise typer.Exit(1)
    take_down(project, home, Console())
    typer.echo(json.dumps({"removed": found}) if as_json else "everything is gone")


def _project() -> Path:
    """The checkout: the nearest folder upward with a Pulumi.yaml and the stacks."""
    from falaj_platform.errors import PlatformError

    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").is_file() and (folder / "stacks" / "falaj_stacks").is_dir():
            return folder
    raise PlatformError(
        f"{here} is not in a checkout of Falaj (no Pulumi.yaml with stacks): change to it and try again"
    )


def _show(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print()
    table = Table(title="What the replica refused", title_justify="left", box=None, pad_edge=False)
    for column in ("model", "rule", "its answer"):
        table.add_column(column, overflow="fold")
    for refusal in report.refused:
        table.add_row(refusal.case, f"[red]{refusal.rule}[/red]", refusal.reason)
    console.print(table)
    console.print()
    table = Table(title="What the other tenant tried on demo", title_justify="left", box=None, pad_edge=False)
    for column in ("where", "tried", "answer"):
        table.add_column(column, overflow="fold")
    for attempt in report.isolation:
        table.add_row(
            attempt.where, attempt.tried, "[green]refused[/green]" if attempt.refused else "[red]allowed[/red]"
        )
    console.print(table)
    console.print()
    served, prediction = report.model, report.prediction
    risk = prediction["answer"]["probabilities"][1]
    lines = [
        f"[bold]Served[/bold]      {served['name']} version {served['version']}  {served['digest']}",
        f"[bold]Prediction[/bold]  the first applicant's risk of denial is {risk:.0%} (denied in 1990: "
        f"{prediction['denied_in_1990']})",
        f"[bold]Rollback[/bold]    from version {report.rollback['from']} to {report.rollback['to']}",
        f"[bold]Audit log[/bold]   {report.audit['records']} records hold; head {report.audit['head']}",
    ]
    if not report.site["enforces_network_policy"]:
        lines.append(
            "[yellow]Not here[/yellow]    NetworkPolicy is not enforced; pods have no route off this machine at all"
        )
    lines += [
        "",
        "Look next:  . .venv/bin/activate",
        "            falaj site status",
        "            falaj audit show --tenant demo --as approver",
        "            falaj stack output -s tenant-demo",
        "            python examples/mortgage/mortgage.py",
        "            falaj down                                     (takes it all away)",
    ]
    for line in lines:
        console.print(line, soft_wrap=True)
