"""Children that end when this process ends, however it ends. Linux."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

__all__ = ["die_with_parent"]

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> Callable[[], None]:
    """For a child's `preexec_fn`: the kernel kills the child when the thread that started it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # It may have ended in between.
        if os.getppid() != parent:
            os._exit(1)

    return in_child
