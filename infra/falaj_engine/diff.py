"""Differences between property values, and the paths that name them.

A path is a tuple of object keys and list indexes. Text is Pulumi's: `spec.ports[0].name`, `data["a.b"]`, `*` for
every element.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from falaj_engine.values import UNKNOWN, Props, Secret

Path = tuple[str | int, ...]

_MISSING: Final = object()
_TOKEN = re.compile(
    r"""\.?(?P<key>[^.\[\]"]+) | \[(?P<index>\d+|\*)\] | \["(?P<quoted>(?:[^"\\]|\\.)*)"\]""", re.VERBOSE
)


def parse_path(text: str) -> Path:
    """The path a text names. Raises ValueError for a malformed one."""
    path: list[str | int] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"malformed property path {text!r} at character {position + 1}")
        if (index := match["index"]) is not None:
            path.append("*" if index == "*" else int(index))
        elif (quoted := match["quoted"]) is not None:
            path.append(re.sub(r"\\(.)", r"\1", quoted))
        else:
            path.append(match["key"])
        position = match.end()
    if not path:
        raise ValueError("an empty property path")
    return tuple(path)


def show_path(path: Path) -> str:
    """The text of a path."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[^.\[\]\"]+", part):
            text += f".{part}" if text else part
        else:
            escaped = part.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{escaped}"]'
    return text


def differences(old: Any, new: Any, at: Path = ()) -> list[Path]:
    """The deepest paths at which two values differ. Secrets compare by value; an unknown differs from everything."""
    old, new = _open(old), _open(new)
    if new is UNKNOWN or old is UNKNOWN:
        return [at]
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        found: list[Path] = []
        for key in old.keys() | new.keys():
            if key not in old or key not in new:
                if _open(old.get(key)) is not None or _open(new.get(key)) is not None:
                    found.append((*at, key))
            else:
                found.extend(differences(old[key], new[key], (*at, key)))
        return sorted(found, key=repr)
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        found = [
            path for index, pair in enumerate(zip(old, new, strict=False)) for path in differences(*pair, (*at, index))
        ]
        found.extend((*at, index) for index in range(min(len(old), len(new)), max(len(old), len(new))))
        return found
    if isinstance(old, bool) is not isinstance(new, bool) or old != new:
        return [at]
    return []


def covers(pattern: Path, path: Path) -> bool:
    """True when a change at `path` is a change of what `pattern` names: equal, below it, or above it."""
    return all(want in ("*", have) for want, have in zip(pattern, path, strict=False))


def within(pattern: Path, path: Path) -> bool:
    """True when `path` is what `pattern` names or lies below it."""
    return len(path) >= len(pattern) and covers(pattern, path)


def ignore_changes(old: Props, new: Props, paths: Iterable[str]) -> Props:
    """`new` with the properties at `paths` as they are in `old`. Raises ValueError for a malformed path."""
    for text in paths:
        result = _reset(old, new, parse_path(text))
        new = {} if result is _MISSING else result
    return new


def _reset(old: Any, new: Any, path: Path) -> Any:
    if not path:
        return old
    if isinstance(old, Secret) or isinstance(new, Secret):
        inner = _reset(_open(old), _open(new), path)
        return inner if inner is _MISSING else Secret(inner)
    part, rest = path[0], path[1:]
    if isinstance(old, list) or isinstance(new, list):
        before = old if isinstance(old, list) else []
        after = list(new) if isinstance(new, list) else []
        indexes = range(min(len(before), len(after))) if part == "*" else [part] if isinstance(part, int) else []
        for index in indexes:
            if index < len(before) and index < len(after):
                result = _reset(before[index], after[index], rest)
                if result is not _MISSING:
                    after[index] = result
        return after if isinstance(new, list) else new
    if not isinstance(old, Mapping) and not isinstance(new, Mapping):
        return new
    before_map = old if isinstance(old, Mapping) else {}
    after_map = dict(new) if isinstance(new, Mapping) else {}
    for key in sorted(before_map.keys() | after_map.keys()) if part == "*" else [str(part)]:
        result = _reset(before_map.get(key, _MISSING), after_map.get(key, _MISSING), rest)
        if result is _MISSING:
            after_map.pop(key, None)
        else:
            after_map[key] = result
    return after_map if after_map or isinstance(new, Mapping) else new


def _open(value: Any) -> Any:
    while isinstance(value, Secret):
        value = value.value
    return value
