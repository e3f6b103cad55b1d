"""`falaj check`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["check"]


class Format(StrEnum):
    """How the findings are written."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"


class Part(StrEnum):
    """What may be left out."""

    CHECKOV = "checkov"


def check(
    stacks: Annotated[
        list[str] | None, typer.Option("--stack", "-s", metavar="STACK", help="Only this stack; may be repeated.")
    ] = None,
    directory: Annotated[
        Path, typer.Option("-C", metavar="DIR", help="The project's directory: any Pulumi project in Python.")
    ] = Path(),
    form: Annotated[Format, typer.Option("--format", help="How the findings are written.")] = Format.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    without: Annotated[
        list[Part] | None, typer.Option("--without", help="Leave Checkov out; every output then says so.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Write there, whole or not.")] = None,
    jurisdiction: Annotated[
        str, typer.Option("--jurisdiction", metavar="J", help="For stacks that say none, or instead of what they say.")
    ] = "",
    regime: Annotated[str, typer.Option("--regime", metavar="R", help="The law that narrows it, likewise.")] = "",
    time_limit: Annotated[
        float,
        typer.Option("--time-limit", min=1.0, max=3600.0, metavar="SECONDS", help="How long one program may take."),
    ] = 60.0,
    passed: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME", help="Give this environment variable to the programs; may be repeated."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="With the text of what a program raises, which may hold a secret.")
    ] = False,
) -> None:
    """Judge what all stacks declare, before anything is made: 0 nothing to object to, 1 findings, 2 not checked.

    No cloud credentials and no engine are used: each stack's program runs against nothing, without your environment
    variables and home directory, and its Python opens no connections.
    """
    from falaj_platform.check.output import render, write
    from falaj_platform.check.run import check as run

    _ending_in_order()
    wanted = Format.JSON if as_json else form
    with _shown_at_work():
        result = run(
            directory,
            stacks or (),
            jurisdiction=jurisdiction,
            regime=regime,
            without={part.value for part in without or ()},
            limit=time_limit,
            verbose=verbose,
            passed=passed or (),
        )
    colour = output is None and wanted is Format.TABLE and sys.stdout.isatty()
    text = render(result, wanted.value, colour=colour)
    if output is None:
        _say(text)
    else:
        write(output, text)
    raise typer.Exit(result.exit_code)


def _ending_in_order() -> None:
    """Being told to end is an exit like another: the programs and Checkov end too, and their files go."""

    def end(number: int, _frame: object) -> None:
        for each in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, end)


def _say(text: str) -> None:
    """To stdout. Raises CheckError: nobody can have read it. A reader that went away has read enough."""
    from falaj_platform.errors import CheckError

    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # Python writes what is left once more as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise CheckError(f"the output cannot be written: {error.strerror}") from None


@contextmanager
def _shown_at_work() -> Iterator[None]:
    """A line that says what takes a moment, where somebody looks; gone when it is done."""
    if not sys.stderr.isatty():
        yield
        return
    print("running the programs and judging what they declare …", end="\r", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print("\x1b[2K", end="\r", file=sys.stderr, flush=True)
