"""Cgroup version 2, on a real hierarchy: as root of the machine and as root of a container see it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from falaj_site import cgroups

pytestmark = pytest.mark.site


@pytest.fixture
def container_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A version 2 cgroup as a container's processes see theirs: they are in it.

    The hierarchy is mounted for the test, which any kernel allows beside version 1; a controller is handed down where
    version 1 has left one to it.
    """
    top = tmp_path / "cgroup2"
    top.mkdir()
    subprocess.run(["mount", "-t", "cgroup2", "none", str(top)], check=True)
    names = (top / "cgroup.controllers").read_text().split()[:1]
    switch = top / "cgroup.subtree_control"
    new = [name for name in names if name not in switch.read_text().split()]
    root = top / f"falaj-test-{os.getpid()}"
    try:
        switch.write_text(" ".join(f"+{name}" for name in new))
        root.mkdir()
        with subprocess.Popen(["sleep", "1000"]) as process:
            try:
                (root / "cgroup.procs").write_text(str(process.pid))
                monkeypatch.setattr(cgroups, "_ROOT", root)
                monkeypatch.setattr(cgroups, "_WANTED", tuple(names))
                monkeypatch.setattr(cgroups, "hierarchies", lambda: [root])
                yield root
            finally:
                process.kill()
        for folder, _, _ in os.walk(root, topdown=False):
            os.rmdir(folder)
        switch.write_text(" ".join(f"-{name}" for name in new))
    finally:
        subprocess.run(["umount", str(top)], check=True)


def test_processes_at_the_root_are_moved_aside_so_that_controllers_can_be_handed_down(container_root: Path) -> None:
    assert cgroups.unified()
    (resident,) = (container_root / "cgroup.procs").read_text().split()
    cgroups.create("/falaj-0a1b2c3d")
    wanted = set(cgroups._WANTED)
    for group in (container_root, container_root / "falaj-0a1b2c3d"):
        assert wanted <= set((group / "cgroup.subtree_control").read_text().split())
    if wanted:
        assert (container_root / "falaj-init" / "cgroup.procs").read_text().split() == [resident]
    cgroups.create("/falaj-0a1b2c3d")


def test_processes_below_are_found_and_empty_groups_removed(container_root: Path) -> None:
    cgroups.create("/falaj-0a1b2c3d")
    inner = container_root / "falaj-0a1b2c3d" / "pod" / "container"
    inner.mkdir(parents=True)
    process = subprocess.Popen(["sleep", "1000"])
    try:
        (inner / "cgroup.procs").write_text(str(process.pid))
        assert cgroups.processes("/falaj-0a1b2c3d") == [process.pid]
        assert cgroups.remove("/falaj-0a1b2c3d") != []
    finally:
        process.kill()
        process.wait()
    assert cgroups.remove("/falaj-0a1b2c3d") == []
    assert not (container_root / "falaj-0a1b2c3d").exists()
