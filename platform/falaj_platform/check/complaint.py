"""What is said of an exception: of what Falaj did not raise only kind and place, as its text may hold a secret."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

__all__ = ["told"]

_NAME: Final = re.compile(r"[\w.:-]{1,200}")
_WITHHELD: Final = "its text is left out, only --verbose shows it, as it may hold a secret"


def told(error: BaseException, main: str = "", root: str = "", *, verbose: bool = False) -> str:
    """One line. `main` is the program, `root` its project: the place is the last frame in it.

    With `verbose` the text of every exception, which may hold anything.
    """
    foreign = _foreign(error)
    if foreign is None or verbose:
        text = " ".join(str(error).split())
        return text if _ours(error) else f"{type(error).__name__}: {text}" if text else type(error).__name__
    refused = next((" ".join(str(item).split()) for item in _chain(foreign) if _ours(item)), "")
    if refused:
        return f"{_place(foreign, main, root)}{refused}"
    if isinstance(foreign, SystemExit):
        code = foreign.code if isinstance(foreign.code, int | None) else "..."
        return f"the program called exit({code})"
    name = _name(foreign)
    return f"{_place(foreign, main, root)}{type(foreign).__name__}{f' of {name!r}' if name else ''} ({_WITHHELD})"


def _ours(error: BaseException) -> bool:
    """An error of Falaj's packages and stacks, by where its type is from."""
    return type(error).__module__.partition(".")[0].startswith("falaj")


def _foreign(error: BaseException) -> BaseException | None:
    """What the text is of, where Falaj did not write it: the engine repeats what a program raised."""
    if not _ours(error):
        return error
    cause = error.__cause__
    if type(error).__name__ == "ProgramError" and cause is not None and not _ours(cause):
        return cause
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _name(error: BaseException) -> str:
    """What is missing: a module, or a key of the configuration. Neither is a secret."""
    name: Any = ""
    if isinstance(error, ImportError):
        name = error.name
    elif type(error).__module__ == "pulumi.config":
        name = getattr(error, "key", "")
    return name if isinstance(name, str) and _NAME.fullmatch(name) else ""


def _place(error: BaseException, main: str, root: str) -> str:
    """`file:line: ` of the last frame of the program, relative to its project."""
    folder = Path(main) if Path(main).is_dir() else Path(main).parent
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(folder):
        return f"{_shown(Path(error.filename), root)}:{error.lineno}: "
    if not main:
        return ""
    for item in _chain(error):
        for frame in reversed(traceback.extract_tb(item.__traceback__)):
            path = Path(frame.filename)
            if path.is_relative_to(folder) and "site-packages" not in path.parts:
                return f"{_shown(path, root)}:{frame.lineno}: "
    return ""


def _shown(path: Path, root: str) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
