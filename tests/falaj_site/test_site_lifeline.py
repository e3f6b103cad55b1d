"""A build or server that this process started must not outlive it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

PARENT = """
import subprocess, time
from falaj_site.lifeline import die_with_parent
child = subprocess.Popen(["sleep", "1000"], preexec_fn=die_with_parent())
print(child.pid, flush=True)
time.sleep(1000)
"""


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_ends_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert _runs(child)
        parent.kill()
    deadline = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < deadline, "the child outlives its parent"
        time.sleep(0.02)
