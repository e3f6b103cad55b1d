"""The set of outputs the SDK waits for at the end of a program, a few at a time.

The SDK asks asyncio to wait for the first of all outstanding outputs, and again after each one: with a thousand
resources most of a run's time would go into that. This set shows only some of its members per round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Any

_AT_A_TIME = 32


class Outstanding(set["asyncio.Future[Any]"]):
    """Iterating gives failed members and a few others; `clear` removes what was given last. All else is a set's."""

    def __init__(self) -> None:
        super().__init__()
        self._given: set[asyncio.Future[Any]] = set()
        self._failed: list[asyncio.Future[Any]] = []
        # Given with every round and set when a member fails: a failure outside the round ends its wait.
        self._alarm: asyncio.Future[None] | None = None

    def add(self, future: asyncio.Future[Any]) -> None:
        if future is self._alarm:
            return
        if future not in self._given:
            future.add_done_callback(self._notice)
        super().add(future)

    def __iter__(self) -> Iterator[asyncio.Future[Any]]:
        if self._alarm is None or self._alarm.done():
            self._alarm = asyncio.get_running_loop().create_future()
        failed, self._failed = self._failed, []
        self._given = {*failed, *islice(super().__iter__(), _AT_A_TIME)}
        return iter([*self._given, self._alarm])

    def clear(self) -> None:
        self.difference_update(self._given)

    def _notice(self, future: asyncio.Future[Any]) -> None:
        if future.cancelled() or future.exception() is not None:
            self._failed.append(future)
            if self._alarm is not None and not self._alarm.done():
                self._alarm.set_result(None)
