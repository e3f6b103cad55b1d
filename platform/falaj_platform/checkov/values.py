"""Inputs as Checkov may read them: plain JSON, what is not known left out, what is secret hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ResourceFact

__all__ = ["HIDDEN", "Plain", "camel", "plain", "snake"]

# Stands where a secret stood: long enough to pass for a value, and nothing that a scanner takes for a credential.
HIDDEN: Final = "hidden-by-falaj"


@dataclass(frozen=True, slots=True)
class Plain:
    """`inputs` without what is not known; `unknown` are the keys of that, as `spec/containers/image` (no indices)."""

    inputs: dict[str, Any]
    unknown: tuple[str, ...]


def plain(fact: ResourceFact) -> Plain:
    """The fact's inputs as JSON values. A secret's text is replaced by HIDDEN; an item of a list that is not known is
    None, so that the others keep their places."""
    unknown: list[str] = []
    inputs = _plain(fact.inputs, "", "", fact.secret_paths, unknown)
    return Plain(inputs, tuple(dict.fromkeys(unknown)))


def _plain(value: object, path: str, key: str, secret: frozenset[str], unknown: list[str]) -> Any:
    if value is UNKNOWN:
        unknown.append(key)
        return None
    if path and path in secret and not isinstance(value, Mapping | list | tuple):
        return HIDDEN
    if path and path in secret:
        secret = secret | _all_paths(value, path)
    if isinstance(value, Mapping):
        found = {}
        for name, item in value.items():
            made = _plain(
                item, f"{path}.{name}" if path else str(name), f"{key}/{name}" if key else str(name), secret, unknown
            )
            if item is not UNKNOWN:
                found[str(name)] = made
        return found
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, Sequence):
        return [_plain(item, f"{path}[{index}]", key, secret, unknown) for index, item in enumerate(value)]
    # Assets and archives: files, of which the program only says where they are.
    return HIDDEN


def _all_paths(value: object, path: str) -> frozenset[str]:
    """The paths of what a secret container directly holds."""
    if isinstance(value, Mapping):
        return frozenset(f"{path}.{name}" for name in value)
    if isinstance(value, list | tuple):
        return frozenset(f"{path}[{index}]" for index in range(len(value)))
    return frozenset()


def snake(name: str) -> str:
    """`kmsKeyId` is `kms_key_id`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def camel(name: str) -> str:
    """`kms_key_id` is `kmsKeyId`."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
