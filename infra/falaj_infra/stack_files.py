"""Stack files as they are written: the nodes of their configuration, and the lines that keys stand on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

__all__ = ["pairs", "position", "section"]


def position(file: Path, keys: Sequence[str | int]) -> int:
    """The line of the key at a path of a stack file's `config`, or of the nearest parent that is there; 0 for none."""
    node, line = section(file), 0
    for part in keys:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
            continue
        found = next(((key, value) for key, value in pairs(node) if key.value == str(part)), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def section(file: Path) -> Any:
    """The node of `config` in a YAML file, None where there is none."""
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=_loader())
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return None
    for key, value in pairs(node):
        if key.value == "config":
            return value
    return None


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def pairs(node: Any) -> Sequence[tuple[Any, Any]]:
    """The keys and values of a mapping's node; none of any other, nor those whose key is no scalar."""
    if not isinstance(node, yaml.MappingNode):
        return ()
    return [(key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]
