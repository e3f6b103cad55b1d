"""`falaj up | preview | refresh | destroy`, `falaj stack` and `falaj config`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from falaj_engine.workspace import Result, Workspace

__all__ = ["register"]

stack_app = typer.Typer(no_args_is_help=True, help="The stacks of this project.")
config_app = typer.Typer(no_args_is_help=True, help="A stack's configuration, in Pulumi's own files.")


class EngineChoice(StrEnum):
    """Which engine runs the program."""

    auto = "auto"
    embedded = "embedded"
    pulumi = "pulumi"


Stack = Annotated[str, typer.Option("--stack", "-s", metavar="STACK", help="The stack's name.")]
Folder = Annotated[Path, typer.Option("--cwd", "-C", metavar="DIR", help="The project's directory.")]
Engine = Annotated[
    EngineChoice, typer.Option("--engine", help="auto: the Pulumi CLI when it is on PATH, else the embedded engine.")
]
Kubeconfig = Annotated[
    Path | None, typer.Option("--kubeconfig", metavar="FILE", help="Else the site's, else KUBECONFIG.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
SkipAwait = Annotated[bool, typer.Option("--skip-await", help="Do not wait for workloads to become ready.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show the program's own traceback when it fails.")]


def register(app: typer.Typer) -> None:
    """Adds the engine's commands to the command line."""
    app.command()(up)
    app.command()(preview)
    app.command()(refresh)
    app.command()(destroy)
    app.add_typer(stack_app, name="stack")
    app.add_typer(config_app, name="config")


def up(
    stack: Stack,
    cwd: Folder = Path(),
    engine: Engine = EngineChoice.auto,
    kubeconfig: Kubeconfig = None,
    yes: Yes = False,
    as_json: AsJson = False,
    skip_await: SkipAwait = False,
    verbose: Verbose = False,
) -> None:
    """Bring a stack to what its program says: previews, asks, then changes."""
    if _uses_cli(engine):
        _with_cli("up", stack, cwd, kubeconfig, yes=yes, as_json=as_json)
        return
    if not yes:
        _confirm(_run("preview", stack, cwd, kubeconfig, skip_await, as_json=False, verbose=verbose), as_json)
    _run("up", stack, cwd, kubeconfig, skip_await, as_json=as_json, verbose=verbose)


def preview(
    stack: Stack,
    cwd: Folder = Path(),
    engine: Engine = EngineChoice.auto,
    kubeconfig: Kubeconfig = None,
    as_json: AsJson = False,
    skip_await: SkipAwait = False,
    verbose: Verbose = False,
) -> None:
    """Show what `falaj up` would do. --json is Pulumi's preview digest."""
    if _uses_cli(engine):
        _with_cli("preview", stack, cwd, kubeconfig, yes=True, as_json=as_json)
        return
    _run("preview", stack, cwd, kubeconfig, skip_await, as_json=as_json, verbose=verbose)


def refresh(
    stack: Stack,
    cwd: Folder = Path(),
    engine: Engine = EngineChoice.auto,
    kubeconfig: Kubeconfig = None,
    yes: Yes = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Bring the state to what exists; changes nothing but the state."""
    if _uses_cli(engine):
        _with_cli("refresh", stack, cwd, kubeconfig, yes=yes, as_json=as_json)
        return
    _run("refresh", stack, cwd, kubeconfig, False, as_json=as_json, verbose=verbose)


def destroy(
    stack: Stack,
    cwd: Folder = Path(),
    engine: Engine = EngineChoice.auto,
    kubeconfig: Kubeconfig = None,
    yes: Yes = False,
    as_json: AsJson = False,
    skip_await: SkipAwait = False,
    verbose: Verbose = False,
) -> None:
    """Delete everything in a stack; the stack itself stays, empty."""
    if _uses_cli(engine):
        _with_cli("destroy", stack, cwd, kubeconfig, yes=yes, as_json=as_json)
        return
    if not yes:
        state = _workspace(cwd, kubeconfig).export(stack)["deployment"]
        count = sum(1 for entry in state.get("resources") or () if "::pulumi:providers:" not in entry["urn"])
        if not count:
            _say(f"{stack}: nothing to destroy")
            return
        _ask(f"delete all {count} resources of {stack}?", as_json)
    _run("destroy", stack, cwd, kubeconfig, skip_await, as_json=as_json, verbose=verbose)


@stack_app.command("ls")
def stack_ls(cwd: Folder = Path(), as_json: AsJson = False) -> None:
    """List the stacks that have a state."""
    workspace = _workspace(cwd, None)
    rows = [{"name": name, "resourceCount": _count(workspace, name)} for name in workspace.stacks()]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(f"{row['name']:<30} {row['resourceCount']} resources")
    if not rows:
        _say("no stack has a state yet: `falaj up -s STACK` makes one")


@stack_app.command("init")
def stack_init(stack: Stack, cwd: Folder = Path()) -> None:
    """Make a stack: its own stack file with an encryption salt, and an empty state."""
    workspace = _workspace(cwd, None)
    workspace.init(stack)
    _say(f"{stack}: its files are in {workspace.home}")


@stack_app.command("output")
def stack_output(
    stack: Stack,
    name: Annotated[str | None, typer.Argument(help="One output; all when left out.")] = None,
    cwd: Folder = Path(),
    as_json: AsJson = False,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Show secret values.")] = False,
) -> None:
    """Show a stack's outputs."""
    from falaj_engine.errors import ProjectError

    outputs = _workspace(cwd, None).outputs(stack, show_secrets=show_secrets)
    if name is not None:
        if name not in outputs:
            raise ProjectError(f"stack {stack!r} has no output {name!r}; it has {', '.join(sorted(outputs)) or 'none'}")
        value = outputs[name]
        print(value if isinstance(value, str) and not as_json else json.dumps(value, indent=2))
        return
    if as_json:
        print(json.dumps(outputs, indent=2, sort_keys=True))
        return
    for key in sorted(outputs):
        value = outputs[key]
        print(f"{key}: {value if isinstance(value, str) else json.dumps(value)}")


@stack_app.command("export")
def stack_export(stack: Stack, cwd: Folder = Path()) -> None:
    """Print the state in Pulumi's export format; secrets stay encrypted."""
    print(json.dumps(_workspace(cwd, None).export(stack), indent=4))


@stack_app.command("rm")
def stack_rm(
    stack: Stack,
    cwd: Folder = Path(),
    force: Annotated[
        bool, typer.Option("--force", help="Also with resources: they are forgotten, not deleted; its file stays.")
    ] = False,
) -> None:
    """Remove an empty stack; with --force, drop a stack's state without touching the cluster."""
    workspace = _workspace(cwd, None)
    if force:
        workspace.forget(stack)
    else:
        workspace.remove(stack)
    _say(f"{stack}: forgotten" if force else f"{stack}: removed")


@config_app.command("get")
def config_get(
    key: Annotated[str, typer.Argument(help="project:name, or name for this project's.")],
    stack: Stack,
    cwd: Folder = Path(),
    path: Annotated[bool, typer.Option("--path", help="The key is a path into an object: falaj:stack.image")] = False,
    as_json: AsJson = False,
) -> None:
    """Print one configuration value."""
    value = _workspace(cwd, None).config(stack, key, path=path)
    if as_json:
        print(json.dumps({"value": value}, default=str))
    else:
        print(value if isinstance(value, str) else json.dumps(value, default=str))


@config_app.command("set")
def config_set(
    key: Annotated[str, typer.Argument(help="project:name, or name for this project's.")],
    stack: Stack,
    value: Annotated[str | None, typer.Argument(help="The value; read from standard input when left out.")] = None,
    cwd: Folder = Path(),
    path: Annotated[bool, typer.Option("--path", help="The key is a path into an object: falaj:stack.image")] = False,
    secret: Annotated[bool, typer.Option("--secret", help="Encrypt the value.")] = False,
) -> None:
    """Set one configuration value in the stack's own file."""
    text = sys.stdin.read().rstrip("\n") if value is None else value
    _workspace(cwd, None).set_config(stack, key, text, path=path, secret=secret)


def _workspace(cwd: Path, kubeconfig: Path | None, **options: Any) -> Workspace:
    from falaj_engine.errors import ProjectError
    from falaj_engine.governed import gate
    from falaj_engine.workspace import Workspace
    from falaj_site.home import falaj_home

    if not cwd.is_dir():
        raise ProjectError(f"-C {cwd}: no such directory")
    home = falaj_home() if "FALAJ_HOME" in os.environ or cwd == Path() else _home_of(cwd)
    named = None if kubeconfig is None else str(kubeconfig.absolute())
    return Workspace(cwd, home, gate=gate, kubeconfig=named, **options)


def _home_of(cwd: Path) -> Path:
    from falaj_engine.project import load_project

    return load_project(cwd).root / ".falaj"


def _run(
    operation: str, stack: str, cwd: Path, kubeconfig: Path | None, skip_await: bool, *, as_json: bool, verbose: bool
) -> Result:
    """One operation with its display. Exits with the operation's code when it fails."""
    from falaj_engine import display

    with display.Progress(preview=operation == "preview") as progress:
        workspace = _workspace(cwd, kubeconfig, skip_await=skip_await, watcher=progress)
        site_environment(workspace.home, kubeconfig)
        action: Callable[[str], Result] = getattr(workspace, operation)
        result = action(stack)
    if as_json:
        if operation == "preview":
            document = display.digest(result, _shown_config(workspace, stack))
        else:
            document = display.result_json(result)
        print(json.dumps(document, indent=4))
    else:
        if result.ok and operation == "up" and result.outputs:
            _say("outputs:", *display.outputs_lines(result.outputs))
        _say(display.summary(result))
    if result.error is not None:
        trace = getattr(result.error, "traceback", "")
        if verbose and trace:
            _say(trace.rstrip())
        shown = {message for _, message in result.failures}
        for message in sorted(shown - {str(result.error)}):
            _say(f"falaj: {message}")
        _say(f"falaj: {result.error}")
        raise typer.Exit(result.error.exit_code)
    return result


def site_environment(home: Path, kubeconfig: Path | None = None) -> None:
    """Set what programs need to reach the embedded site (KUBECONFIG, VAULT_*), where it exists.

    Nothing of the site's is mixed with what is another's: not with a cluster named by `kubeconfig`, and the VAULT_*
    all or, beside a VAULT_ADDR of the user's own, none.
    """
    if not (home / "site" / "site.json").exists():
        return
    from falaj_site.site import Site

    found = Site(home).environment()
    if kubeconfig is not None and kubeconfig.resolve() != Path(found["KUBECONFIG"]).resolve():
        return
    if os.environ.get("VAULT_ADDR") not in (None, "", found["VAULT_ADDR"]):
        found = {key: value for key, value in found.items() if not key.startswith("VAULT_")}
    os.environ.update(found)


def _shown_config(workspace: Workspace, stack: str) -> dict[str, str]:
    from falaj_engine.values import mask

    config = workspace.stack_file(stack).config
    secured = {key: "[secret]" for key, value in config.items() if isinstance(value, dict) and set(value) == {"secure"}}
    shown = {**config, **secured}
    return {
        key: value if isinstance(value, str) else json.dumps(mask(value), default=str) for key, value in shown.items()
    }


def _count(workspace: Workspace, stack: str) -> int:
    return len(workspace.export(stack)["deployment"].get("resources") or ())


def _confirm(result: Result, as_json: bool) -> None:
    if result.changes:
        _ask(f"make these {result.changes} changes to {result.stack}?", as_json)


def _ask(question: str, as_json: bool) -> None:
    from falaj_engine.errors import ProjectError

    if as_json or not sys.stdin.isatty():
        raise ProjectError(f"{question} There is no terminal to ask on: add --yes")
    if not typer.confirm(question, err=True):
        _say("nothing was changed")
        raise typer.Exit(0)


def _say(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)


def _uses_cli(engine: EngineChoice) -> bool:
    from shutil import which

    if engine is EngineChoice.embedded:
        return False
    found = which("pulumi") is not None
    if engine is EngineChoice.pulumi and not found:
        from falaj_engine.errors import ProjectError

        raise ProjectError(
            "--engine pulumi: the pulumi CLI is not on PATH: install it (https://www.pulumi.com/docs/install/)"
        )
    return found


def _with_cli(operation: str, stack: str, cwd: Path, kubeconfig: Path | None, *, yes: bool, as_json: bool) -> None:
    from falaj_engine import cli

    workspace = _workspace(cwd, kubeconfig)
    site_environment(workspace.home, kubeconfig)
    workspace.check_cluster(stack)
    if operation in ("up", "destroy", "refresh") and not yes:
        if operation == "up":
            cli.run(workspace, "preview", stack, as_json=False)
        _ask(f"{operation} {stack}?", as_json)
    if not cli.run(workspace, operation, stack, as_json=as_json):
        raise typer.Exit(1)
