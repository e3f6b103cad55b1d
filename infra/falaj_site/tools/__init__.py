"""The site's tools: built from pinned Go modules, cached by content.

`ensure` is the one entry. The cache is `${XDG_CACHE_HOME:-~/.cache}/falaj/tools`, shared by every checkout; it holds
binaries only. Go's own caches lie beside it while tools are being built and are removed when all of them are there,
so an interrupted build goes on where it stopped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from falaj_site.errors import ToolUnavailable
from falaj_site.progress import Progress, Silent, step
from falaj_site.tools import build, catalogue
from falaj_site.tools.golang import Go, choose, install

__all__ = ["ALL", "cache_folder", "ensure", "missing"]

ALL = catalogue.ALL


def cache_folder() -> Path:
    """Where the built tools are kept. Raises nothing; the folder need not exist."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "falaj" / "tools"


def _slots(names: Iterable[str]) -> tuple[Go, dict[str, Path]]:
    # One toolchain for all, so that the cache's keys do not depend on which tools are asked for.
    needs = [catalogue.go_needed(tool) for tool in catalogue.TOOLS.values() if tool.package]
    go = choose(max(needs, key=_numbers))
    return go, {name: build.slot(catalogue.TOOLS[name], go.version, cache_folder()) for name in names}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def missing(names: Iterable[str] = ALL) -> list[str]:
    """Those of `names` that would have to be built."""
    _, slots = _slots(names)
    return [name for name, path in slots.items() if not build.cached(path)]


def ensure(
    names: Iterable[str] = ALL, progress: Progress | None = None, go_cache: Path | None = None
) -> dict[str, Path]:
    """The paths of the named tools, built first where they are not cached.

    `go_cache` keeps Go's own caches (about 5 GB) there; by default they are temporary.
    Raises ToolUnavailable (one line) when a tool cannot be fetched or built, KeyError for an unknown name.
    """
    progress = progress or Silent()
    go, slots = _slots(names)
    left = [name for name in ALL if name in slots and not build.cached(slots[name])]
    if left:
        cache = cache_folder()
        scratch = go_cache or cache.parent / "go"
        try:
            progress.plan([f"build {name}" for name in left])
            with build.one_build(cache):
                program = go.program or install(scratch / "toolchain", progress)
            for name in left:
                with step(progress, f"build {name}"), build.one_build(cache):
                    if not build.cached(slots[name]):
                        build.build(catalogue.TOOLS[name], program, slots[name], scratch)
            if go_cache is None and not missing():
                with build.one_build(cache):
                    shutil.rmtree(scratch, ignore_errors=True)
        except OSError as error:
            raise ToolUnavailable(f"cannot write the tool cache {cache}: {error.strerror}") from error
    return slots
