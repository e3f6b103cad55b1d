"""`falaj site`: the embedded site on the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from falaj_site.facts import SiteStatus
    from falaj_site.site import Site

__all__ = ["register"]

site_app = typer.Typer(no_args_is_help=True, help="The embedded site: a real one-node Kubernetes and OpenBao here.")
_POLICY_NOTE = "NetworkPolicy is NOT enforced here: pods reach each other across tenants, but no other machine."


def register(app: typer.Typer) -> None:
    """Adds `falaj site` to the command line."""
    app.add_typer(site_app, name="site")


def _site() -> Site:
    from falaj_site.home import falaj_home
    from falaj_site.site import Site

    return Site(falaj_home())


@site_app.command()
def up(as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False) -> None:
    """Bring the site up; again: nothing to change."""
    from falaj_site.progress import Console

    site = _site()
    changed = site.up(Console())
    status = site.status()
    _show(status, as_json)
    if not as_json:
        typer.echo("the site is up" if changed else "nothing to change: the site was up")


@site_app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print the status as JSON.")] = False) -> None:
    """Ask every component whether it answers. Exit 0 if all do, 1 if not."""
    now = _site().status()
    _show(now, as_json)
    if not now.ready:
        raise typer.Exit(1)


def _show(status: SiteStatus, as_json: bool) -> None:
    if as_json:
        typer.echo(status.model_dump_json(indent=2))
        return
    if status.endpoints is None:
        typer.echo(f"there is no site in {status.home}: run `falaj site up`")
    for part in status.components if status.endpoints is not None else ():
        again = f"  restarted {part.restarts}×" if part.restarts else ""
        typer.echo(f"{part.name:<24} {part.version:<10} {'answers' if part.answers else 'does not answer'}{again}")
    if status.endpoints is not None:
        typer.echo(f"Kubernetes  {status.endpoints.kubernetes}   KUBECONFIG={status.endpoints.kubeconfig}")
        typer.echo(f"OpenBao     {status.endpoints.openbao}")
    typer.echo(f"seccomp     {'enforced' if status.enforces_seccomp else 'NOT enforced'}")
    typer.echo(f"network     {_POLICY_NOTE}")


@site_app.command()
def logs(
    component: Annotated[str, typer.Argument(help="A component as `falaj site status` names it; all without.")] = "",
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines of each, from the end.")] = 20,
) -> None:
    """Show what components last said."""
    from falaj_site.home import falaj_home

    folder = falaj_home() / "site" / "logs"
    names = sorted(path.stem for path in folder.glob("*.log"))
    if component and component not in names:
        known = ", ".join(names) or "none yet: run `falaj site up`"
        typer.echo(f"error: no log of {component!r} in {folder}; there are: {known}", err=True)
        raise typer.Exit(2)
    for name in [component] if component else names:
        if not component:
            typer.echo(f"--- {name}")
        with (folder / f"{name}.log").open(errors="replace") as log:
            sys.stdout.writelines(_last(log, lines))


def _last(lines: Iterator[str], count: int) -> list[str]:
    from collections import deque

    return list(deque(lines, maxlen=count))


@site_app.command()
def down(
    purge: Annotated[bool, typer.Option("--purge", help="Remove its data too: cluster, secrets, volumes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before removing data.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Stop the site. Its data is kept, unless --purge."""
    site = _site()
    if purge and not yes:
        _ask(site, lambda text: typer.confirm(text, err=True))
    was_running = site.down(purge)
    if as_json:
        typer.echo(json.dumps({"was_running": was_running, "purged": purge}))
    else:
        said = "stopped" if was_running else "was not running"
        typer.echo(f"the site {said}" + (", its data is removed" if purge else ""))


def _ask(site: Site, confirm: Callable[[str], bool]) -> None:
    if not sys.stdin.isatty():
        typer.echo("error: --purge removes data; say --yes where nobody can be asked", err=True)
        raise typer.Exit(2)
    if not confirm(f"Remove {site.home / 'site'} with the cluster's data, OpenBao's secrets and all volumes?"):
        raise typer.Exit(1)
