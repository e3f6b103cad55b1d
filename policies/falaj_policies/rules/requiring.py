"""Small checks that the rules are made of: what one input of a resource must be.

A check of what a value *is* leaves an unknown one undecided; a check that something is *there* is content with one.
Each is made once, when its rule is declared: `is_true("encrypted", "is not encrypted")`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ResourceFact
from falaj_policies.model import Check, Objection
from falaj_policies.rules.reading import get, items

__all__ = [
    "all_of", "at_least", "customer_key", "each", "is_true", "not_false", "not_true", "one_of", "present", "satisfies",
    "undecided", "unless",
]  # fmt: skip

_PROVIDERS_OWN_KEY: Final = "alias/aws/"


def undecided(path: str) -> Objection:
    return Objection(f"{path} is not known yet", path=path, undecided=True)


def all_of(*checks: Check) -> Check:
    """Every check's objections."""

    def check(resource: ResourceFact) -> Iterator[Objection]:
        for one in checks:
            yield from one(resource)

    return check


def unless(exempt: Callable[[ResourceFact], bool], check: Check) -> Check:
    """`check`, but for what is exempt."""

    def judge(resource: ResourceFact) -> Iterator[Objection]:
        if not exempt(resource):
            yield from check(resource)

    return judge


def satisfies(path: str, holds: Callable[[Any], bool], message: str) -> Check:
    """The value at `path` (None where there is none) must satisfy `holds`, which is never given an unknown one."""
    keys = tuple(path.split("."))

    def check(resource: ResourceFact) -> Iterator[Objection]:
        value = get(resource.inputs, *keys)
        if value is UNKNOWN:
            yield undecided(path)
        elif not holds(value):
            yield Objection(message, path=path)

    return check


def is_true(path: str, message: str) -> Check:
    return satisfies(path, lambda value: value is True, message)


def not_true(path: str, message: str) -> Check:
    """For what is safe by default: missing or false."""
    return satisfies(path, lambda value: value is None or value is False, message)


def not_false(path: str, message: str) -> Check:
    """For what is on by default: missing or true."""
    return satisfies(path, lambda value: value is None or value is True, message)


def one_of(path: str, values: tuple[str, ...], message: str, *, default: bool = False) -> Check:
    """One of these words, case aside; `default` says that leaving it out means one of them as well."""
    known = frozenset(value.lower() for value in values)

    def holds(value: Any) -> bool:
        return default if value is None else isinstance(value, str) and value.lower() in known

    return satisfies(path, holds, message)


def at_least(path: str, least: int, message: str, *, default: int) -> Check:
    """A number of at least `least`; `default` is what the cloud takes where it is left out."""

    def holds(value: Any) -> bool:
        return is_number(value := default if value is None else value) and value >= least

    return satisfies(path, holds, message)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def present(path: str, message: str) -> Check:
    """Something is there: any text that is not empty, or a value that is only known later."""
    keys = tuple(path.split("."))

    def check(resource: ResourceFact) -> Iterator[Objection]:
        if not is_there(get(resource.inputs, *keys)):
            yield Objection(message, path=path)

    return check


def customer_key(path: str) -> Check:
    """A key of the customer's is named; one that the provider holds for everybody (`alias/aws/...`) is none."""
    keys = tuple(path.split("."))

    def check(resource: ResourceFact) -> Iterator[Objection]:
        if not is_customer_key(get(resource.inputs, *keys)):
            yield Objection("is not encrypted under a key of the customer's", path=path)

    return check


def is_there(value: Any) -> bool:
    return value is UNKNOWN or (isinstance(value, str) and value != "")


def is_customer_key(value: Any) -> bool:
    return is_there(value) and (value is UNKNOWN or _PROVIDERS_OWN_KEY not in value)


def each(key: str, judge: Callable[[str, Any], Iterator[Objection]]) -> Check:
    """`judge` over each item of a list, given where it is and the item; an unknown item or list is undecided."""

    def check(resource: ResourceFact) -> Iterator[Objection]:
        for at, item in items(resource.inputs, key, ""):
            if item is UNKNOWN:
                yield undecided(at)
            else:
                yield from judge(at, item)

    return check
