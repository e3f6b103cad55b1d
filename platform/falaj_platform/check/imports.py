"""What a project's program imports from outside the project, as it starts."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["imported_by"]


def imported_by(main: Path) -> list[str]:
    """The modules that the program, and what it imports of its own, name at their top level; sorted.

    `main` is a directory with a `__main__.py`, or a file. Code that cannot be read names nothing.
    """
    folder = main if main.is_dir() else main.parent
    pending = [main / "__main__.py" if main.is_dir() else main]
    seen: set[Path] = set()
    outside: set[str] = set()
    while pending:
        path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        for name, alias in _named(path, folder):
            own = _own(folder, name, alias)
            pending += own
            if not own:
                outside.add(name)
    return sorted(outside)


def _own(folder: Path, name: str, alias: str) -> list[Path]:
    """The files of the program that an import reads: of the package, and of the module in it."""
    found = []
    for dotted in (name, f"{name}.{alias}" if alias else name):
        path = folder.joinpath(*dotted.split("."))
        found += [file for file in (path.with_name(f"{path.name}.py"), path / "__init__.py") if file.is_file()]
    return found


def _named(path: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Module and, for `from module import name`, the name, for each."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, OSError):
        return
    package = path.parent.relative_to(folder).parts
    for node in _starting(tree.body):
        if isinstance(node, ast.Import):
            yield from ((item.name, "") for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = ".".join([*base, *([node.module] if node.module else [])])
            if name and not (node.level and not node.module and not base):
                yield from ((name, item.name) for item in node.names)


def _starting(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run as a module is read, whichever way its conditions go."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                continue
            inner = [*node.body, *getattr(node, "orelse", ()), *getattr(node, "finalbody", ())]
            yield from _starting(inner)
            for handler in getattr(node, "handlers", ()):
                yield from _starting(handler.body)
