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
def container_root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A version 2 cgroup with one controller at least, as a container's processes see theirs: they are in it."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines() if " cgroup2 " in line]
    offering = [Path(path) for path in mounted if (Path(path) / "cgroup.controllers").read_text().split()]
    if os.geteuid() != 0 or not offering:
        pytest.skip("needs root and a cgroup version 2 hierarchy that has a controller")
    top = offering[0]
    switch = top / "cgroup.subtree_control"
    name = (top / "cgroup.controllers").read_text().split()[0]
    was_on = name in switch.read_text().split()
    root = top / f"falaj-test-{os.getpid()}"
    switch.write_text(f"+{name}")
    root.mkdir()
    process = subprocess.Popen(["sleep", "1000"])
    try:
        (root / "cgroup.procs").write_text(str(process.pid))
        monkeypatch.setattr(cgroups, "_ROOT", root)
        monkeypatch.setattr(cgroups, "_WANTED", (name,))
        monkeypatch.setattr(cgroups, "hierarchies", lambda: [root])
        yield root
    finally:
        process.kill()
        process.wait()
        for folder, _, _ in os.walk(root, topdown=False):
            os.rmdir(folder)
        if not was_on:
            switch.write_text(f"-{name}")


def test_processes_at_the_root_are_moved_aside_so_that_controllers_can_be_handed_down(container_root: Path) -> None:
    assert cgroups.unified()
    (resident,) = (container_root / "cgroup.procs").read_text().split()
    cgroups.create("/falaj-0a1b2c3d")
    wanted = set(cgroups._WANTED)
    for group in (container_root, container_root / "falaj-0a1b2c3d"):
        assert wanted <= set((group / "cgroup.subtree_control").read_text().split())
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
