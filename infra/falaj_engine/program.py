"""Runs a project's program in this process, against a deployment."""

from __future__ import annotations

import asyncio
import contextvars
import linecache
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from falaj_engine.deployment import Deployment
from falaj_engine.errors import ProgramError
from falaj_engine.outstanding import Outstanding

# The SDK calls the monitor from the event loop's executor and each call lasts as long as its step; threads are made
# as needed.
_THREADS = 128


@dataclass(frozen=True, slots=True)
class Program:
    """What to run.

    main: a directory with a `__main__.py`, or a Python file. config: JSON text per full key, secrets opened.
    """

    project: str
    stack: str
    root: Path
    main: Path
    config: Mapping[str, str]
    secret_keys: tuple[str, ...] = ()


def run(program: Program, deployment: Deployment) -> None:
    """Run the program to its end; all its steps are finished on return.

    Raises the deployment's first error, or ProgramError.
    """
    contextvars.copy_context().run(_run, program, deployment)


def _run(program: Program, deployment: Deployment) -> None:
    from pulumi.runtime import Settings, configure, run_in_stack, settings
    from pulumi.runtime.config import set_all_config

    from falaj_engine.monitor import Engine, Monitor

    own = Settings(
        project=program.project,
        stack=program.stack,
        monitor=Monitor(deployment, program.root),
        engine=Engine(deployment),
        dry_run=deployment.preview,
        organization="organization",
        root_directory=str(program.root),
    )
    own.outputs = Outstanding()
    configure(own)
    settings.ROOT.set(None)
    set_all_config(dict(program.config), list(program.secret_keys))
    loop = asyncio.new_event_loop()
    executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="falaj-step")
    loop.set_default_executor(executor)
    # What fails because the run has stopped would otherwise be printed task by task.
    loop.set_exception_handler(lambda _loop, _context: None)
    failure: BaseException | None = None
    with importing_from(program.main), working_in(program.root), sources_unchanging():
        try:
            asyncio.set_event_loop(loop)
            loop.run_until_complete(run_in_stack(lambda: _execute(program.main)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the program raises
            failure = error
            if not deployment.errors:
                deployment.fail(_explain(error, program))
        finally:
            # Steps in flight finish before anything is said about the outcome.
            executor.shutdown(wait=True)
            _close(loop)
            asyncio.set_event_loop(None)
    if deployment.errors:
        raise deployment.errors[0] from failure


def _execute(main: Path) -> None:
    runpy.run_path(str(main), run_name="__main__")


def _close(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()


def _explain(error: BaseException, program: Program) -> ProgramError:
    """One line: where in the user's program, and what."""
    from pulumi import RunError

    trace = "".join(traceback.format_exception(error))
    if isinstance(error, RunError):
        return ProgramError(str(error), trace)
    if isinstance(error, SystemExit):
        return ProgramError(f"the program called exit({error.code})", trace)
    if isinstance(error, SyntaxError) and error.filename:
        return ProgramError(f"{_shown(Path(error.filename), program)}:{error.lineno}: SyntaxError: {error.msg}", trace)
    folder = program.main if program.main.is_dir() else program.main.parent
    place = ""
    chain: BaseException | None = error
    while chain is not None:
        for frame in traceback.extract_tb(chain.__traceback__):
            path = Path(frame.filename)
            if path.is_relative_to(folder) and "site-packages" not in path.parts:
                place = f"{_shown(path, program)}:{frame.lineno}: "
        chain = chain.__cause__ if not place else None
    text = str(error).strip() or "no message"
    return ProgramError(f"{place}{type(error).__name__}: {text}", trace)


def _shown(path: Path, program: Program) -> str:
    return str(path.relative_to(program.root)) if path.is_relative_to(program.root) else str(path)


@contextmanager
def importing_from(main: Path) -> Iterator[None]:
    """Modules beside the program can be imported; afterwards they are forgotten, for another run to read anew."""
    folder = main if main.is_dir() else main.parent
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            origin = getattr(sys.modules[name], "__file__", None)
            if origin and Path(origin).is_relative_to(folder) and "site-packages" not in Path(origin).parts:
                del sys.modules[name]


@contextmanager
def sources_unchanging() -> Iterator[None]:
    """Source files are taken not to change while a program runs.

    The SDK records where each resource was made; without this every one of its frames costs a look at the disk.
    """
    check = linecache.checkcache
    linecache.checkcache = lambda filename=None: None
    try:
        yield
    finally:
        linecache.checkcache = check


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """The program runs in its project's directory, as under the Pulumi CLI."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def stopping_on_signals(cancelled: threading.Event, tell: Callable[[str], None]) -> Iterator[None]:
    """^C and SIGTERM set `cancelled`; a second one ends the process as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(_number: int, _frame: Any) -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        tell("stopping: steps in flight are finished first; once more to end at once")
        cancelled.set()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
