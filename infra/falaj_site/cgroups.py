"""The site's cgroups, under version 1 (one hierarchy a controller) and version 2 (one for all)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from falaj_site.errors import ComponentFailed

__all__ = ["create", "hierarchies", "processes", "remove", "unified"]

_ROOT = Path("/sys/fs/cgroup")
_WANTED = ("cpu", "cpuset", "memory", "pids", "io", "hugetlb")


def hierarchies(mounts: str | None = None) -> list[Path]:
    """Where cgroup hierarchies are mounted, from the text of `/proc/self/mounts`."""
    text = Path("/proc/self/mounts").read_text() if mounts is None else mounts
    fields = [line.split() for line in text.splitlines()]
    return [Path(field[1]) for field in fields if len(field) > 2 and field[2] in ("cgroup", "cgroup2")]


def unified() -> bool:
    """Whether this machine runs cgroup version 2 alone, as the kubelet judges it."""
    return (_ROOT / "cgroup.controllers").exists()


def create(name: str) -> None:
    """Makes the cgroup `name` (`/falaj-…`) with every controller, ready for the kubelet's own below it.

    Raises ComponentFailed where the kernel refuses.
    """
    try:
        if unified():
            _delegate(_ROOT)
            group = _below(_ROOT, name)
            group.mkdir(exist_ok=True)
            _delegate(group)
            return
        for hierarchy in hierarchies():
            group = _below(hierarchy, name)
            group.mkdir(exist_ok=True)
            for setting in ("cpuset.cpus", "cpuset.mems"):
                # A version 1 cpuset starts out empty, and an empty one takes no process.
                path = group / setting
                if path.exists() and not path.read_text().strip():
                    path.write_text((hierarchy / setting).read_text())
    except OSError as error:
        raise ComponentFailed(
            f"cannot make the cgroup {name}: {error.strerror} ({error.filename}); /sys/fs/cgroup must be writable"
        ) from error


def _delegate(group: Path) -> None:
    """Hands every wanted controller to the groups below."""
    offered = set((group / "cgroup.controllers").read_text().split())
    handed = set((group / "cgroup.subtree_control").read_text().split())
    wanted = [name for name in _WANTED if name in offered - handed]
    if not wanted:
        return
    text = " ".join(f"+{name}" for name in wanted)
    try:
        (group / "cgroup.subtree_control").write_text(text)
    except OSError:
        # In a container the root of what we see is no true root, and processes in it forbid this: move them aside.
        aside = group / "falaj-init"
        aside.mkdir(exist_ok=True)
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (aside / "cgroup.procs").write_text(pid)
        (group / "cgroup.subtree_control").write_text(text)


def processes(name: str) -> list[int]:
    """The processes in the cgroup and below, as numbered in the caller's PID namespace."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(_below(hierarchy, name)):
            with contextlib.suppress(OSError):
                found.update(int(pid) for pid in (Path(folder) / "cgroup.procs").read_text().split() if pid != "0")
    return sorted(found)


def remove(name: str) -> list[Path]:
    """Removes the cgroup and those below in every hierarchy; returns what could not be removed."""
    left = []
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(_below(hierarchy, name), topdown=False):
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                continue
            except OSError:
                left.append(Path(folder))
    return left


def _below(hierarchy: Path, name: str) -> Path:
    return hierarchy / name.lstrip("/")
