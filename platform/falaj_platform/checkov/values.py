"""Inputs as Checkov may read them: plain JSON, what is not known left out, what is secret hidden."""

from __future__ import annotations

from collections.abc import Mapping
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


def plain(fact: ResourceFact, *, stand_in: str | None = None, top: bool = False) -> Plain:
    """The fact's inputs as JSON values. A secret's text is replaced by HIDDEN. What is not known is left out, or, where
    there is a `stand_in`, replaced by it: inside of inputs only, or whole inputs as well with `top`."""
    unknown: list[str] = []
    walk = _Walk(unknown, stand_in)
    inputs = {}
    for name, value in fact.inputs.items():
        if value is UNKNOWN and not top:
            unknown.append(name)
            continue
        made = walk.plain(value, name, name, fact.secret_paths)
        if made is not _NOTHING:
            inputs[name] = made
    return Plain(inputs, tuple(dict.fromkeys(unknown)))


_NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class _Walk:
    unknown: list[str]
    stand_in: str | None

    def plain(self, value: object, path: str, key: str, secret: frozenset[str]) -> Any:
        if value is UNKNOWN:
            self.unknown.append(key)
            return _NOTHING if self.stand_in is None else self.stand_in
        hidden = path in secret
        if isinstance(value, Mapping):
            if hidden:
                secret |= {f"{path}.{name}" for name in value}
            made = {
                str(name): self.plain(item, f"{path}.{name}", f"{key}/{name}", secret) for name, item in value.items()
            }
            return {name: item for name, item in made.items() if item is not _NOTHING}
        if isinstance(value, list | tuple):
            if hidden:
                secret |= {f"{path}[{index}]" for index in range(len(value))}
            items = [self.plain(item, f"{path}[{index}]", key, secret) for index, item in enumerate(value)]
            return [item for item in items if item is not _NOTHING]
        # Besides plain values there are assets and archives: files, of which the program only says where they are.
        if hidden or not (value is None or isinstance(value, str | int | float | bool)):
            return HIDDEN
        # Numbers cross Pulumi's protocol as floats; checks compare them with whole ones.
        return int(value) if isinstance(value, float) and value.is_integer() else value


def snake(name: str) -> str:
    """`kmsKeyId` is `kms_key_id`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def camel(name: str) -> str:
    """`kms_key_id` is `kmsKeyId`."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
