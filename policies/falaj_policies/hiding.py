"""Keeping secrets out of what a finding says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from falaj_policies.facts import ResourceFact, StackFact

__all__ = ["HIDDEN", "hide", "secret_texts", "texts"]

HIDDEN: Final = "[secret]"
# A shorter text is a part of many words, and a rule that takes a secret apart says no shorter part of it.
_SHORT: Final = 4


def texts(value: object) -> Iterator[str]:
    """The texts and numbers in a value, those inside a JSON document as well."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value
        if value.lstrip().startswith(("{", "[")):
            try:
                document = json.loads(value)
            except (ValueError, RecursionError):
                return
            yield from texts(document)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
        if isinstance(value, float) and value.is_integer():
            # Numbers cross Pulumi's protocol as floats; people read whole ones.
            yield str(int(value))


def secret_texts(fact: object, path: str = "") -> set[str]:
    """What no finding on this fact may say; where its `path` is a secret's, no part of that secret either."""
    found: set[str] = set()
    for resource in fact.resources if isinstance(fact, StackFact) else (fact,):
        if isinstance(resource, ResourceFact) and resource.secret_paths:
            for at, value in _below(resource.inputs, "", resource.secret_paths):
                said = [text for text in texts(value) if text.strip()]
                found.update(said)
                if path == at or path.startswith((f"{at}.", f"{at}[")):
                    found.update(part for text in said for part in re.split(r"[^\w-]+", text) if len(part) >= _SHORT)
    return found


def hide(text: str, secrets: Iterable[str]) -> str:
    """`text` with `[secret]` in place of each of these, however a message quotes it."""
    ways = {way for secret in secrets for way in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]) if way}
    if not ways:
        return text
    longest = sorted(ways, key=lambda way: (-len(way), way))
    pattern = "|".join(rf"(?<!\w){re.escape(way)}(?!\w)" if len(way) < _SHORT else re.escape(way) for way in longest)
    return re.sub(pattern, HIDDEN, text)


def _below(value: Any, path: str, secret: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """The secret parts of a value, each with its path."""
    if path in secret:
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _below(item, f"{path}.{key}" if path else str(key), secret)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _below(item, f"{path}[{index}]", secret)
