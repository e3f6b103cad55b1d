"""Where a value comes from: the leaves of a stack's configuration, with their lines."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from falaj_engine.project import full_key
from falaj_infra.stack_files import pairs, position, section

__all__ = ["Leaf", "Sources", "leaves", "line_of"]

Key = tuple[str | int, ...]

# A text so short is found everywhere; that it is the same proves nothing.
_TELLING: Final = 4
_CANDIDATES: Final = 4
# Deeper than anybody writes; an alias may lead on for ever.
_DEPTH: Final = 50
_DIGITS: Final = 20


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value of a configuration: `key` is its full key and the path inside, `value` as YAML reads it."""

    key: Key
    value: Any
    file: str
    line: int

    @property
    def shown(self) -> str:
        """`falaj:stack.quota.cpu`, `acme:zones[0]`."""
        text = str(self.key[0])
        for part in self.key[1:]:
            text += f"[{part}]" if isinstance(part, int) else f".{part}"
        return text


@dataclass(frozen=True)
class Sources:
    """The leaves of a stack's file and of Pulumi.yaml's defaults, and the stack's whole configuration."""

    leaves: tuple[Leaf, ...]
    config: Mapping[str, Any]
    stack_file: Path
    manifest: Path
    root: Path

    @classmethod
    def read(cls, root: Path, stack_file: Path, manifest: Path, project: str, region: Path | None = None) -> Sources:
        """A file that is not there, or is no YAML, has no leaves. `region` is the stack file of a tenant's region."""
        own: list[Leaf] = []
        config: dict[str, Any] = {}
        for file in (manifest, stack_file):
            node = section(file)
            default = file is manifest
            said = [
                Leaf(full, value, _shown(file, root), line)
                for key, value, line in leaves(node, ())
                if (full := _full(key, project, default))
            ]
            said_keys = {leaf.key[0] for leaf in said}
            own = [leaf for leaf in own if leaf.key[0] not in said_keys] + said
            config |= _values(node, project, default)
        place = (
            [
                Leaf(key, value, _shown(region, root), line)
                for key, value, line in leaves(section(region), ())
                if key[0] == "falaj:stack" and key[-1] in {"cloud", "region", "jurisdiction"}
            ]
            if region is not None
            else []
        )
        return cls((*own, *place), config, stack_file, manifest, root)

    def of_stack(self, path: str) -> dict[str, Any]:
        """Where a stack says something of itself (`standby`, `backend`), or should."""
        if path == "backend":
            return {"file": _shown(self.manifest, self.root), "line": line_of(self.manifest, "backend") or 1}
        keys = path.split(".") if path else []
        if path == "encryption":
            line = line_of(self.stack_file, "secretsprovider") or line_of(self.stack_file, "encryptionsalt")
            keys = []
        else:
            line = position(self.stack_file, ["falaj:stack", *keys]) or position(self.stack_file, [f"falaj:{path}"])
        if not self.stack_file.is_file():
            return {"file": _shown(self.manifest, self.root), "line": 1}
        leaf = self.find(f"falaj:stack.{path}", f"falaj:{path}")
        return {
            "file": _shown(self.stack_file, self.root),
            "line": line or 1,
            "key": leaf.shown if leaf is not None else "falaj:stack" if line and not path else "",
        }

    def candidates(self, value: Any, path: str) -> list[tuple[int, bool]]:
        """The leaves that `value` at `path` of a resource may come from, each with whether that is certain.

        Texts match by being the same, or by one being in the other. Numbers and truth values are the same in many
        places: certain is only the one leaf whose key ends as the path does.
        """
        last = _last(path)
        if value is None:
            return []
        if not isinstance(value, str):
            equal = [index for index, leaf in enumerate(self.leaves) if _is(leaf.value, value)]
            named = [index for index in equal if _same(self.leaves[index], last)]
            if len(named) == 1:
                return [(named[0], True)]
            return [(index, False) for index in (named or equal)[:_CANDIDATES]]
        equal = [index for index, leaf in enumerate(self.leaves) if isinstance(leaf.value, str) and leaf.value == value]
        if equal:
            # Where several are the same, the one whose key has the input's name; else each must be proven.
            named = [index for index in equal if _same(self.leaves[index], last)]
            if not path:
                # The resource's own place: nothing in its inputs could be seen to move.
                return [(index, True) for index in named[:1] or (equal if len(equal) == 1 else ())]
            sure = named[0] if len(named) == 1 else equal[0] if len(equal) == 1 and len(value) >= _TELLING else None
            return [(index, index == sure) for index in equal[:_CANDIDATES]]
        within = [
            index
            for index, leaf in enumerate(self.leaves)
            if isinstance(leaf.value, str | int)
            and not isinstance(leaf.value, bool)
            and len(str(leaf.value)) >= _TELLING
            and str(leaf.value) in value
        ]
        return [(index, False) for index in within[:_CANDIDATES]]

    def place(self, index: int) -> dict[str, Any]:
        """A finding's `file`, `line` and `key` for a leaf."""
        leaf = self.leaves[index]
        return {"file": leaf.file, "line": leaf.line, "key": leaf.shown}

    def changed(self, index: int) -> dict[str, Any]:
        """The configuration value that holds a leaf, with the leaf changed: what moves with it comes from it.

        Empty for a leaf of another stack, and for one that is not what the configuration has under its key.
        """
        leaf = self.leaves[index]
        first, *rest = leaf.key
        if str(first) not in self.config:
            return {}
        other = _other(leaf.value)
        if not rest:
            return {str(first): other}
        value = copy.deepcopy(self.config[str(first)])
        target = value
        try:
            for part in rest[:-1]:
                target = target[part]
            target[rest[-1]] = other
        except (LookupError, TypeError):
            # Pulumi.yaml may have a `value` and a `default`: only one of them counts.
            return {}
        return {str(first): value}

    def find(self, *keys: str) -> Leaf | None:
        """The first leaf with one of these keys, as `Leaf.shown` writes them."""
        return next((leaf for key in keys for leaf in self.leaves if leaf.shown == key), None)


def _other(value: Any) -> Any:
    meant = _meant(value)
    other = not meant if isinstance(meant, bool) else meant + 1 if isinstance(meant, int | float) else f"{value}x"
    return json.dumps(other) if isinstance(value, str) and not isinstance(other, str) else other


def _meant(value: Any) -> Any:
    """What a program makes of a setting: `pulumi config set` writes truth values and numbers as text."""
    if not isinstance(value, str):
        return value
    if value.lower() in {"true", "false"}:
        return value.lower() == "true"
    return int(value) if value.isascii() and value.isdigit() and len(value) < _DIGITS else value


def _is(leaf: Any, value: Any) -> bool:
    meant = _meant(leaf)
    return isinstance(meant, bool) is isinstance(value, bool) and bool(meant == value)


def _last(path: str) -> str:
    names = [part for part in path.replace("[", ".").replace("]", "").split(".") if part and not part.isdigit()]
    return _spelt(names[-1]) if names else "region"


def _same(leaf: Leaf, last: str) -> bool:
    names = [part for part in leaf.key if isinstance(part, str)]
    # The cloud's own setting: `aws:region`, `azure-native:location`.
    name = names[-1].rsplit(":", 1)[-1]
    own = _spelt(name)
    return own == last or (last == "region" and own == "location") or (last == "location" and own == "region")


def _spelt(name: str) -> str:
    """A name whatever its spelling: programs write `storage_class` or `storage-class` for `storageClass`."""
    return name.replace("_", "").replace("-", "").lower()


def _shown(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name


def leaves(node: Any, key: Key, depth: int = 0) -> Iterator[tuple[Key, Any, int]]:
    """Key, value and line (from 1) of every scalar below a node. Encrypted values have none."""
    import yaml

    if depth > _DEPTH:
        return
    if isinstance(node, yaml.ScalarNode):
        if key and key[-1] != "secure":
            yield key, _scalar(node), node.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from leaves(item, (*key, index), depth + 1)
    else:
        for name, value in pairs(node):
            yield from leaves(value, (*key, name.value), depth + 1)


def _scalar(node: Any) -> Any:
    import yaml

    kind = node.tag.rsplit(":", 1)[-1]
    try:
        if kind in {"int", "float", "bool", "null"}:
            return yaml.safe_load(node.value)
    except (ValueError, yaml.YAMLError):
        return node.value
    return node.value


def _full(key: Key, project: str, default: bool) -> Key:
    full, rest = full_key(str(key[0]), project), key[1:]
    if default and rest:
        # Pulumi.yaml declares a value as itself, or as `value` or `default` of a mapping.
        if rest[0] not in {"value", "default"}:
            return ()
        rest = rest[1:]
    return (full, *rest)


def _values(node: Any, project: str, default: bool) -> dict[str, Any]:
    """The configuration by full key, each value as a whole."""
    values = {}
    for name, value in pairs(node):
        found = _plain(value)
        if default and isinstance(found, dict):
            found = found.get("value", found.get("default"))
        values[full_key(name.value, project)] = found
    return values


def _plain(node: Any, depth: int = 0) -> Any:
    import yaml

    if depth > _DEPTH:
        return None
    if isinstance(node, yaml.MappingNode):
        return {key.value: _plain(value, depth + 1) for key, value in pairs(node)}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, depth + 1) for item in node.value]
    return _scalar(node)


def line_of(file: Path, text: str) -> int:
    """The line of a file that starts with `text`, 0 for none."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return 0
    return next((number for number, line in enumerate(lines, 1) if line.strip().startswith(text)), 0)
