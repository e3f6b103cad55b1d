"""Functions in forked processes, with a time limit: what a program does to its process stays there."""

from __future__ import annotations

import json
import os
import selectors
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

from falaj_platform.check.complaint import told
from falaj_platform.check.confine import refuse_connections
from falaj_platform.check.processes import end_with_parent, kill_children

__all__ = ["Child", "Outcome", "finish", "start"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a child gave back, or one line on why there is nothing."""

    value: dict[str, Any] = field(default_factory=dict)
    error: str = ""


@dataclass(slots=True)
class Child:
    """A running child: its process, the end of the pipe that it answers through, and what has come out of it."""

    pid: int
    pipe: int
    answer: bytearray = field(default_factory=bytearray)


def start(function: Callable[[Mapping[str, Any]], dict[str, Any]], job: Mapping[str, Any]) -> Child:
    """`function(job)` in a fork of this process and a session of its own.

    `job` holds what its complaints need: `main`, `root` and `verbose`.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _answer(function, job, writing)
    os.close(writing)
    return Child(pid, reading)


def finish(children: Sequence[Child], limit: float) -> list[Outcome]:
    """Wait for all of them, each for at most `limit` seconds from now; what lasts longer is ended, by its process.

    What any of them left running is ended too, so they are all there are.
    """
    outcomes: dict[int, Outcome] = {}
    end = time.monotonic() + limit
    # A child has ended when its process has: what it forked may hold its pipe open.
    processes = {child.pid: os.pidfd_open(child.pid) for child in children}
    try:
        with selectors.DefaultSelector() as selector:
            for child in children:
                os.set_blocking(child.pipe, False)
                selector.register(child.pipe, selectors.EVENT_READ, child)
                selector.register(processes[child.pid], selectors.EVENT_READ, child)
            while len(outcomes) < len(children) and (left := end - time.monotonic()) > 0:
                for key, _events in selector.select(left):
                    child = key.data
                    if child.pid in outcomes:
                        continue
                    ended = key.fd != child.pipe
                    if _read(child) or ended:
                        selector.unregister(child.pipe)
                        selector.unregister(processes[child.pid])
                        outcomes[child.pid] = _outcome(child)
    finally:
        for child in children:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            # Its own may not be a group yet.
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
            os.close(child.pipe)
            os.close(processes[child.pid])
            os.waitpid(child.pid, 0)
        kill_children()
    late = Outcome(error=f"the program did not end within {limit:g} s, and was stopped")
    return [outcomes.get(child.pid, late) for child in children]


def _read(child: Child) -> bool:
    """Take what there is; whether that was all there will be."""
    try:
        while chunk := os.read(child.pipe, 1 << 20):
            child.answer += chunk
    except BlockingIOError:
        return False
    return True


def _outcome(child: Child) -> Outcome:
    try:
        found = json.loads(bytes(child.answer))
    except ValueError:
        return Outcome(error="the program ended its process without a word")
    return Outcome(error=found["error"]) if "error" in found else Outcome(found["value"])


def _answer(function: Callable[[Mapping[str, Any]], dict[str, Any]], job: Mapping[str, Any], pipe: int) -> NoReturn:
    """Never returns: the fork's life is this function's."""
    try:
        os.setsid()
        end_with_parent(signal.SIGKILL)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        refuse_connections()
        try:
            answer: dict[str, Any] = {"value": function(job)}
        except BaseException as error:  # noqa: BLE001 - whatever it is, the parent says it
            answer = {"error": told(error, job["main"], job["root"], verbose=job["verbose"])}
        with os.fdopen(pipe, "wb") as out:
            out.write(json.dumps(answer, default=str).encode())
    finally:
        # Nothing of the parent's (buffers, exit handlers) runs twice, and no thread of the program keeps it.
        os._exit(0)
