"""What the engine asks of a provider.

Built in: `kubernetes` (falaj_engine.kube), dynamic resources (falaj_engine.dynamic) and the null provider of captures
(falaj_engine.capture). A provider plugin would be one more implementation of `Provider`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from falaj_engine.diff import Path
from falaj_engine.snapshot import Pending
from falaj_engine.values import Props


@dataclass(frozen=True, slots=True)
class Operation:
    """The circumstances of one provider call.

    timeout: seconds allowed, or None for the provider's own default. tell: receives why the operation is still waiting.
    cancelled: set when the user has asked to stop; a wait then ends early. replacing: another object stands where
    this one will. resumed: the creation that an earlier run began and did not record, so that an object found to
    exist may be its work.
    """

    urn: str
    type: str
    preview: bool = False
    timeout: float | None = None
    tell: Callable[[str], None] = lambda _text: None
    cancelled: threading.Event = field(default_factory=threading.Event)
    replacing: bool = False
    resumed: Pending | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """Inputs as the provider will use them. failures: (property, reason)."""

    inputs: Props
    failures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """What an update would do. paths: properties that change; replaces: those that cannot change in place."""

    changed: bool
    paths: tuple[Path, ...] = ()
    replaces: tuple[Path, ...] = ()
    delete_before_replace: bool = False


@dataclass(frozen=True, slots=True)
class Live:
    """A resource as it is. inputs: what the program would have to say to get it, None when the provider cannot tell."""

    id: str
    outputs: Props
    inputs: Props | None = None


class Provider(Protocol):
    """One configured provider. Calls come from many threads. Failures are StepError; a partial success is PartialError.

    Inputs may hold secrets anywhere and, in a preview, unknowns; outputs must mark secret what came from secrets.
    """

    def check(self, operation: Operation, olds: Props | None, news: Props) -> Checked:
        """Validate and complete inputs. olds: the inputs of what exists, or None for a new object."""

    def diff(self, operation: Operation, id: str, olds: Props, outputs: Props, news: Props) -> Difference:  # noqa: A002
        """Compare checked inputs with those of what exists."""

    def create(self, operation: Operation, inputs: Props) -> Live:
        """Make the object; in a preview, foretell it (an empty id is not known yet)."""

    def read(self, operation: Operation, id: str, inputs: Props, outputs: Props) -> Live | None:  # noqa: A002
        """The object as it is now, None when it does not exist."""

    def update(self, operation: Operation, id: str, olds: Props, outputs: Props, news: Props) -> Props:  # noqa: A002
        """Change the object and return its outputs; in a preview, foretell them."""

    def delete(self, operation: Operation, id: str, inputs: Props, outputs: Props) -> None:  # noqa: A002
        """Remove the object and wait until it is gone; no error when it is gone already."""

    def recover(self, operation: Operation, pending: Pending) -> Live | None:
        """The object that a creation cut off in an earlier run left behind, if it is surely that creation's work."""
