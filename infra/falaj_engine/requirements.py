"""`requiredPulumiVersion`: whether the Pulumi SDK is in the range a project asks for."""

from __future__ import annotations

import re

from falaj_engine.errors import ProjectError, UnsupportedError

Version = tuple[int, int, int]

_TERM = re.compile(r"(>=|<=|!=|==|>|<|=|\^|~)?\s*v?(\d+)(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?$")


def require_version(wanted: str, where: str) -> None:
    """Raise UnsupportedError unless the installed SDK is in the range. where: who asks, for the message."""
    from importlib.metadata import version

    installed = version("pulumi")
    if not within(installed, wanted, where):
        raise UnsupportedError(f"{where}: needs Pulumi {wanted}; the SDK here is {installed}")


def within(version: str, wanted: str, where: str) -> bool:
    """True when `version` is in the range `wanted` (`>=3.100 <4`, `^3.1`, `3.x || 4.x`). Raises ProjectError."""
    numbers = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    assert numbers is not None, version
    major, minor, patch = map(int, numbers.groups())
    alternatives = [part.replace(",", " ").strip() for part in wanted.split("||")]
    return any(_all((major, minor, patch), part, where) for part in alternatives)


def _all(version: Version, terms: str, where: str) -> bool:
    joined = re.sub(r"([<>=!^~])\s+", r"\1", terms)
    if not joined:
        raise ProjectError(f"{where}: an empty version range: write, for example, '>=3.100.0 <4'")
    return all(_holds(version, term, where) for term in joined.split())


def _holds(version: Version, term: str, where: str) -> bool:
    found = _TERM.match(term)
    if found is None:
        raise ProjectError(f"{where}: {term!r} is not a version range: write, for example, '>=3.100.0 <4'")
    given = [int(part) for part in found.groups()[1:] if part is not None and part.isdigit()]
    low: Version = (*given, *[0] * (3 - len(given)))[:3]  # type: ignore[assignment]
    # The first version after those that the written numbers stand for: 3.1 stands for all of 3.1.x.
    past = _after(given)
    match found.group(1) or "=":
        case ">=":
            return version >= low
        case ">":
            return version >= past
        case "<":
            return version < low
        case "<=":
            return version < past
        case "!=":
            return not low <= version < past
        case "^":
            leading = next((place for place, part in enumerate(given) if part), len(given) - 1)
            return low <= version < _after(given[: leading + 1])
        case "~":
            return low <= version < _after(given[:2])
        case _:
            return low <= version < past


def _after(given: list[int]) -> Version:
    raised = [*given[:-1], given[-1] + 1]
    return (*raised, *[0] * (3 - len(raised)))[:3]  # type: ignore[return-value]
