"""The site's first process as this machine sees it: is it there, start it, end it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from falaj_site.errors import ComponentFailed
from falaj_site.layout import Layout

__all__ = ["InitProcess", "end", "find", "gone", "start"]

_GRACE_SECONDS = 75.0
_KILL_SECONDS = 30.0
_APPEAR_SECONDS = 15.0


@dataclass(frozen=True)
class InitProcess:
    """A process by number and start time (clock ticks since boot), which together name it for good."""

    pid: int
    start_time: int


def _stat(pid: int) -> tuple[str, int, int] | None:
    """State letter, number of threads and start time of a process, None if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[17]), int(fields[19])


def _written(layout: Layout) -> InitProcess | None:
    try:
        facts = json.loads(layout.lock.read_text())
        return InitProcess(int(facts["pid"]), int(facts["start_time"]))
    except (OSError, ValueError, KeyError):
        return None


def gone(process: InitProcess) -> bool:
    """Whether the process has ended, and with it everything in its PID namespace."""
    now = _stat(process.pid)
    if now is None:
        return True
    state, threads, start_time = now
    # A zombie with threads left is not over: the last thread to end waits for the namespace's other processes.
    return start_time != process.start_time or (state in "ZX" and threads <= 1)


def find(layout: Layout) -> InitProcess | None:
    """The site's first process, None if the site is not running."""
    process = _written(layout)
    return None if process is None or gone(process) else process


def _locked(layout: Layout) -> bool:
    try:
        handle = os.open(layout.lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def start(layout: Layout, site_id: str, openbao: Path, sockets: Mapping[str, int]) -> InitProcess:
    """Starts the first process with the listening sockets' descriptors; returns when it is alone in its namespaces.

    Raises ComponentFailed with its own words if it does not come up.
    """
    log = layout.logs / "init.log"
    before = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "falaj_site.init", layout.root, site_id, openbao, json.dumps(dict(sockets))],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
            pass_fds=tuple(sockets.values()),
        )
    log.chmod(0o600)
    code = launcher.wait()
    deadline = time.monotonic() + _APPEAR_SECONDS
    while code == 0 and time.monotonic() < deadline:
        process = find(layout)
        if process is not None and _locked(layout):
            return process
        time.sleep(0.05)
    words = log.read_bytes()[before:].decode(errors="replace").strip().splitlines()
    raise ComponentFailed(f"the site did not start: {words[-1] if words else 'no reason given'} (see {log})")


def end(layout: Layout) -> bool:
    """Ends the site's first process, asking first; whether there was one. Returns when nothing of it runs."""
    process = _written(layout)
    if process is None:
        return False
    was_there = not gone(process)
    for number, seconds in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
        deadline = time.monotonic() + seconds
        if not gone(process):
            os.kill(process.pid, number)
        while not gone(process) and time.monotonic() < deadline:
            time.sleep(0.05)
    if not gone(process):
        raise ComponentFailed(f"process {process.pid} of the site does not end; is it waiting for a disk?")
    return was_there
