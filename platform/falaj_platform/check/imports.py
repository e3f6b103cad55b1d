"""What a project's program imports from outside the project."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

__all__ = ["imported_by"]

_FILES = 200


def imported_by(main: Path) -> list[str]:
    """The modules that the Python files of a program name in imports, without the program's own; sorted."""
    folder = main if main.is_dir() else main.parent
    own = {path.stem if path.suffix == ".py" else path.name for path in folder.iterdir()}
    names = {name for path in _sources(folder) for name in _named(path)}
    return sorted(name for name in names if name.split(".", 1)[0] not in own)


def _sources(folder: Path) -> list[Path]:
    found: list[Path] = []
    pending = [folder]
    while pending and len(found) < _FILES:
        here = pending.pop()
        for entry in sorted(here.iterdir()):
            if entry.is_symlink() or entry.name.startswith(".") or entry.name in {"node_modules", "tests"}:
                continue
            if entry.suffix == ".py" and entry.is_file():
                found.append(entry)
            elif entry.is_dir() and not (entry / "pyvenv.cfg").is_file():
                pending.append(entry)
    return found


def _named(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, OSError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
