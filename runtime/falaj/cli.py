"""The command `falaj`: a root without commands of its own.

Every installed distribution adds its commands through the entry-point group `falaj.commands`; each entry is a light
function `register(app)`. So a data scientist's install has only theirs, and nothing loads what it does not run.

A user's error is any exception whose class has an integer `exit_code` (1 the work failed or was refused, 2 it could not
run): its text is printed as one line. With FALAJ_DEBUG=1 the traceback is shown instead.
"""

from __future__ import annotations

import os
import sys

import typer

__all__ = ["build", "main"]

GROUP = "falaj.commands"


def build() -> typer.Typer:
    """The command line with every installed part's commands."""
    from importlib.metadata import entry_points

    app = typer.Typer(
        name="falaj",
        help="A governed machine-learning platform: provision it, train and deploy on it, show what was done.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            entry.load()(app)
        except ImportError as error:
            # One broken part must not take the others' commands away.
            print(f"falaj: the commands of {entry.name!r} could not be loaded: {error}", file=sys.stderr)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from falaj import __version__

        print(f"falaj {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """A governed machine-learning platform: provision it, train and deploy on it, show what was done."""


def main() -> None:
    """Runs the command line; never shows a traceback."""
    try:
        build()(prog_name="falaj")
    except KeyboardInterrupt:
        print("falaj: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader (`| head`) went away; Python would complain once more when it flushes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if os.environ.get("FALAJ_DEBUG") == "1":
            raise
        code = getattr(type(error), "exit_code", None)
        if isinstance(code, int):
            print(f"falaj: {one_line(error)}", file=sys.stderr)
            sys.exit(code)
        print(
            f"falaj: unexpected {type(error).__name__}: {one_line(error)}; FALAJ_DEBUG=1 shows where, please report it",
            file=sys.stderr,
        )
        # Not 1, which says of some commands that they did their work and found something.
        sys.exit(2)


def one_line(error: BaseException) -> str:
    """The error's text on one line, bounded."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 2000 else text[:1997] + "..."


if __name__ == "__main__":
    main()
