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
    from rich.progress import Progress as Live

__all__ = ["Console", "Progress", "Silent", "step"]


class Progress(Protocol):
    """What long work calls. Names are short and unique within one plan."""

    def plan(self, steps: Sequence[str]) -> None: ...
    def started(self, name: str) -> None: ...
    def finished(self, name: str) -> None: ...
    def failed(self, name: str) -> None: ...
    def note(self, text: str) -> None: ...


@contextmanager
def step(progress: Progress, name: str) -> Iterator[None]:
    """One step: finished if the body returns, failed if it raises."""
    progress.started(name)
    try:
        yield
    except BaseException:
        progress.failed(name)
        raise
    progress.finished(name)


class Silent:
    """Says nothing."""

    def plan(self, steps: Sequence[str]) -> None:
        pass

    def started(self, name: str) -> None:
        pass

    def finished(self, name: str) -> None:
        pass

    def failed(self, name: str) -> None:
        pass

    def note(self, text: str) -> None:
        pass


class Console:
    """Progress for a person, on standard error: what is done, what is being done and for how long, what is left."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole

        self._console = RichConsole(file=sys.stderr, highlight=False)
        self._left: list[str] = []
        self._began = time.monotonic()
        self._step_began = self._began
        self._live: Live | None = None

    def plan(self, steps: Sequence[str]) -> None:
        self._left = list(steps)
        self._began = time.monotonic()

    def started(self, name: str) -> None:
        self._step_began = time.monotonic()
        left = [other for other in self._left if other != name]
        text = f"{name} …" + (f"  ({len(left)} left: {', '.join(left)})" if left else "")
        if self._console.is_terminal:
            from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            self._stop()
            columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
            self._live = Progress(*columns, console=self._console, transient=True)
            self._live.add_task(text)
            self._live.start()
        else:
            self.note(text)

    def finished(self, name: str) -> None:
        self._stop()
        self._left = [other for other in self._left if other != name]
        now = time.monotonic()
        self.note(f"{name}: {now - self._step_began:.1f} s  ({now - self._began:.0f} s in all)")

    def failed(self, name: str) -> None:
        self._stop()

    def note(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, markup=False)

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
