"""`falaj login` and `falaj audit`: what a tenant's people type besides Python."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["register"]

_TENANT = Annotated[str | None, typer.Option("--tenant", help="The tenant; not needed with one login only.")]
_MEMBER = Annotated[str | None, typer.Option("--as", help="The member to act as; not needed with one login only.")]
_JSON = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]


def register(app: typer.Typer) -> None:
    """Adds the runtime's commands; nothing else is imported until one runs."""
    app.command("login")(login)
    audit = typer.Typer(help="The tenant's audit log.", no_args_is_help=True)
    audit.command("show")(show)
    audit.command("verify")(verify)
    app.add_typer(audit, name="audit")


def login(
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant's name.")],
    member_or_role: Annotated[str, typer.Option("--as", metavar="ROLE", help="A member, or a role that one has.")],
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Who asks for the token (else KUBECONFIG, else the site's).")
    ] = None,
    as_json: _JSON = False,
) -> None:
    """Gets a token of one hour for a member of a tenant and keeps it in a file of mode 0600."""
    from falaj.home import credentials_folder
    from falaj.kubeconfig import find_kubeconfig, read_kubeconfig
    from falaj.login import log_in

    credentials = log_in(read_kubeconfig(find_kubeconfig(kubeconfig)), tenant, member_or_role)
    path = credentials.save(credentials_folder())
    if as_json:
        expires = credentials.expires.isoformat()
        print(json.dumps({"tenant": tenant, "member": credentials.member, "expires": expires, "file": str(path)}))
    else:
        print(f"logged in to {tenant} as {credentials.member} until {credentials.expires:%H:%M} UTC")


def show(
    tenant: _TENANT = None,
    member: _MEMBER = None,
    last: Annotated[int, typer.Option(min=1, help="How many of the newest records.")] = 50,
    as_json: _JSON = False,
) -> None:
    """Shows what was done, by whom and when; `--json` gives every record, a line each, exactly as stored."""
    lines = _lines(tenant, member)
    if as_json:
        sys.stdout.write("".join(f"{line.decode()}\n" for line in lines))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for line in lines[-last:]:
        record: dict[str, Any] = json.loads(line)
        when = f"{record['time'][:10]} {record['time'][11:19]}"
        subject = record["subject"][:19] if record["subject"].startswith("sha256:") else record["subject"]
        what = " ".join(f"{key}={_short(value)}" for key, value in record["detail"].items() if key != "rule_set")
        row = f"{record['sequence']:>4} {when} {record['actor']:<15} {record['action']:<24} {subject} {what}"
        # A line a record, cut at the terminal's edge; whole in a file or a pipe.
        console.print(Text(row, overflow="ellipsis", no_wrap=True), soft_wrap=not console.is_terminal)


def verify(
    tenant: _TENANT = None,
    member: _MEMBER = None,
    file: Annotated[
        Path | None, typer.Option(help="Verify this saved log (`falaj audit show --json`), offline.")
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="The digest of a record seen earlier: it must still be there.")
    ] = None,
    as_json: _JSON = False,
) -> None:
    """Recomputes the whole hash chain. Exit code 1: records were altered, moved or removed."""
    from falaj.audit.record import verify as verify_lines
    from falaj.errors import UsageError

    if file is not None:
        try:
            lines = file.read_bytes().splitlines()
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    else:
        lines = _lines(tenant, member)
    verdict = verify_lines(lines, head)
    if as_json:
        print(
            json.dumps({"ok": verdict.ok, "records": verdict.records, "head": verdict.head, "problem": verdict.problem})
        )
    elif verdict.ok:
        print(f"{verdict.records} records, nothing altered, moved or removed; head {verdict.head}")
        print("keep the head: with --head a later check also notices a tail cut off")
    else:
        print(f"falaj: {verdict.problem}; the {verdict.records} records before it hold", file=sys.stderr)
    raise typer.Exit(0 if verdict.ok else 1)


def _lines(tenant: str | None, member: str | None) -> list[bytes]:
    from falaj.tenant import connect

    return list(connect(tenant, member).session.audit.lines())


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return text if len(text) <= 60 else text[:57] + "..."
