"""Keeps components running: starts each when what it needs answers, restarts it with growing pauses when it ends.

Runs as the first process of a PID namespace, so it also reaps what others leave behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from falaj_site.components import Component
from falaj_site.home import write_private

__all__ = ["Supervisor", "rotate"]

_PROBE_SECONDS = 0.25
_PAUSE_SECONDS = (0.5, 30.0)
_STEADY_SECONDS = 60.0
_ROTATE_SECONDS = 15.0
_LOG_BYTES = 20 * 1024 * 1024


class Supervisor:
    """Supervises `components`; logs go to `logs/<name>.log`, what it knows of each to the file `state`.

    `ask` says whether a component answers; `inherited` are the descriptors that a component with `inherits` gets.
    """

    def __init__(
        self,
        components: Sequence[Component],
        *,
        logs: Path,
        state: Path,
        ask: Callable[[Component], bool],
        environment: Mapping[str, str],
        inherited: Sequence[int] = (),
    ) -> None:
        self._components = components
        self._logs = logs
        self._state_file = state
        self._ask = ask
        self._environment = dict(environment)
        self._inherited = tuple(inherited)
        self._answered = {component.name: threading.Event() for component in components}
        self._lock = threading.Lock()  # held while a child is made and while one is reaped
        self._running: dict[int, threading.Event] = {}
        self._pids: dict[str, int] = {}
        self._starts = dict.fromkeys(self._answered, 0)
        self._kept_down: set[str] = set()

    def run(self) -> NoReturn:
        """Starts everything and reaps for ever: the first process of a PID namespace must."""
        for component in self._components:
            threading.Thread(target=self._keep, args=(component,), name=component.name, daemon=True).start()
        threading.Thread(target=self._rotate_logs, daemon=True).start()
        while True:
            self._reap()

    def _reap(self) -> None:
        """Waits for one child (ours or an orphan) and takes note of its end."""
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            found = None
        if found is None:
            time.sleep(0.05)
            return
        with self._lock, contextlib.suppress(ChildProcessError):
            os.waitpid(found.si_pid, os.WNOHANG)
            ended = self._running.pop(found.si_pid, None)
            if ended is not None:
                ended.set()

    def _keep(self, component: Component) -> None:
        for name in component.after:
            self._answered[name].wait()
        pause = _PAUSE_SECONDS[0]
        while component.name not in self._kept_down:
            began = time.monotonic()
            ended = self._start(component)
            if ended is not None:
                self._wait_until_it_answers(component, ended)
                ended.wait()
            with self._lock:
                self._pids.pop(component.name, None)
            self._write_state()
            if time.monotonic() - began > _STEADY_SECONDS:
                pause = _PAUSE_SECONDS[0]
            time.sleep(pause)
            pause = min(2 * pause, _PAUSE_SECONDS[1])

    def _start(self, component: Component) -> threading.Event | None:
        ended = threading.Event()
        try:
            handle = os.open(
                self._logs / f"{component.name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
            )
        except OSError:
            return None  # a full disk, say: it is tried again after a pause
        try:
            with self._lock:
                process = subprocess.Popen(
                    component.command,
                    stdin=subprocess.DEVNULL,
                    stdout=handle,
                    stderr=handle,
                    env=self._environment,
                    cwd="/",
                    start_new_session=True,
                    pass_fds=self._inherited if component.inherits else (),
                )
                self._running[process.pid] = ended
                self._pids[component.name] = process.pid
                self._starts[component.name] += 1
                process.returncode = 0  # it is reaped by `_reap`; the object itself is done with
        except OSError as error:
            with contextlib.suppress(OSError):
                os.write(handle, f"cannot start: {error}\n".encode())
            return None
        finally:
            os.close(handle)
        self._write_state()
        return ended

    def _wait_until_it_answers(self, component: Component, ended: threading.Event) -> None:
        while not ended.is_set() and not self._ask(component):
            ended.wait(_PROBE_SECONDS)
        if not ended.is_set():
            self._answered[component.name].set()
            self._write_state()

    def _write_state(self) -> None:
        with self._lock:
            state = {
                name: {
                    "pid": self._pids.get(name),
                    "restarts": max(0, self._starts[name] - 1),
                    "answered": answered.is_set(),
                }
                for name, answered in self._answered.items()
            }
            # A full disk must not end the supervisor; the file is for people and for `status`.
            with contextlib.suppress(OSError):
                write_private(self._state_file, json.dumps(state, indent=1))

    def _rotate_logs(self) -> None:
        while True:
            time.sleep(_ROTATE_SECONDS)
            for component in self._components:
                with contextlib.suppress(OSError):
                    rotate(self._logs / f"{component.name}.log", _LOG_BYTES)

    def stop(self, names: Sequence[str], seconds: float) -> None:
        """Asks the named components to end and waits at most `seconds` for them; they are not started again."""
        self._kept_down.update(names)
        with self._lock:
            pids = {name: self._pids[name] for name in names if name in self._pids}
            waiting = [self._running[pid] for pid in pids.values() if pid in self._running]
            for pid in pids.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        for ended in waiting:
            ended.wait(max(0.0, deadline - time.monotonic()))


def rotate(path: Path, most: int) -> bool:
    """Moves a log larger than `most` bytes to `<name>.1`; its writer, which appends, goes on at the start."""
    if not path.exists() or path.stat().st_size <= most:
        return False
    old = path.with_name(f"{path.name}.1")
    with path.open("rb") as source, old.open("wb") as target:
        os.fchmod(target.fileno(), 0o600)
        while chunk := source.read(1 << 20):
            target.write(chunk)
    os.truncate(path, 0)
    return True
