"""How long work tells what it is doing.

A piece of work names its steps once (`plan`), then starts and finishes each. `Silent` says nothing, `Console`
shows on standard error a live line on a terminal and plain lines elsewhere.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.status import Status

__all__ = ["Console", "Progress", "Silent", "step"]


class Progress(Protocol):
    """What long work calls. Names are short and unique within one plan."""

    def plan(self, steps: Sequence[str]) -> None: ...
    def started(self, name: str) -> None: ...
    def finished(self, name: str) -> None: ...
    def note(self, text: str) -> None: ...


@contextmanager
def step(progress: Progress, name: str) -> Iterator[None]:
    """One step: started on entry, finished only if the body did not raise."""
    progress.started(name)
    yield
    progress.finished(name)


class Silent:
    """Says nothing."""

    def plan(self, steps: Sequence[str]) -> None:
        pass

    def started(self, name: str) -> None:
        pass

    def finished(self, name: str) -> None:
        pass

    def note(self, text: str) -> None:
        pass


class Console:
    """Progress for a person, on standard error: what is done, what is being done, what is left, seconds gone."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole

        self._console = RichConsole(file=sys.stderr, highlight=False)
        self._left: list[str] = []
        self._began = time.monotonic()
        self._step_began: dict[str, float] = {}
        self._status: Status | None = None

    def plan(self, steps: Sequence[str]) -> None:
        self._left = list(steps)
        self._began = time.monotonic()

    def started(self, name: str) -> None:
        self._step_began[name] = time.monotonic()
        left = [other for other in self._left if other != name]
        text = f"{name} …" + (f"  (left: {', '.join(left)})" if left else "")
        if self._console.is_terminal:
            self._stop()
            self._status = self._console.status(text)
            self._status.start()
        else:
            self._console.print(text, soft_wrap=True)

    def finished(self, name: str) -> None:
        self._stop()
        self._left = [other for other in self._left if other != name]
        seconds = time.monotonic() - self._step_began.get(name, self._began)
        total = time.monotonic() - self._began
        self._console.print(f"{name}: {seconds:.1f} s  ({total:.0f} s in all)", soft_wrap=True)

    def note(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
