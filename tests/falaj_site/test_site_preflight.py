"""What is found missing before anything is changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from falaj_site import preflight, tools
from falaj_site.errors import CannotRun
from falaj_site.preflight import Machine

GIB = 1 << 30
GOOD = Machine(
    system="Linux",
    architecture="x86_64",
    root=True,
    programs=frozenset({"cc", "pkg-config", "ip", "iptables", "iptables-restore", "mount", "unshare"}),
    libc_header=True,
    seccomp_header=True,
    cgroups_writable=True,
    namespaces=True,
    packet_rules=True,
    to_build=("etcd",),
    free_home=100 * GIB,
    free_cache=100 * GIB,
    memory=16 * GIB,
    home=Path("/data/home"),
    cache=Path("/data/cache"),
    prefix=Path("/data/venv"),
)


def test_a_good_machine_has_no_problem() -> None:
    assert preflight.problems(GOOD) == []


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"system": "Darwin"}, "--kubeconfig"),
        ({"architecture": "riscv64"}, "--kubeconfig"),
        ({"root": False}, "sudo"),
        ({"programs": GOOD.programs - {"cc"}}, "apt-get install -y gcc libc6-dev"),
        ({"programs": GOOD.programs - {"iptables", "iptables-restore"}}, "apt-get install -y iptables)"),
        ({"programs": GOOD.programs - {"ip"}}, "apt-get install -y iproute2"),
        ({"seccomp_header": False}, "apt-get install -y libseccomp-dev"),
        ({"libc_header": False}, "apt-get install -y libc6-dev"),
        ({"programs": GOOD.programs - {"pkg-config"}}, "apt-get install -y pkg-config"),
        ({"cgroups_writable": False}, "/sys/fs/cgroup"),
        ({"namespaces": False}, "--privileged"),
        ({"packet_rules": False}, "modprobe"),
        ({"free_cache": 14 * GIB}, "XDG_CACHE_HOME"),
        ({"free_home": 4 * GIB}, "FALAJ_HOME"),
        ({"memory": 3 * GIB}, "4 GiB of memory"),
        ({"cache": Path("/run/user/0/cache")}, "the tool cache lies under /run"),
        ({"prefix": Path("/run/venv")}, "the Python environment lies under /run"),
    ],
)
def test_each_lack_is_one_line_with_its_remedy(broken: dict[str, object], says: str) -> None:
    (line,) = preflight.problems(replace(GOOD, **broken))  # type: ignore[arg-type]
    assert says in line
    assert "\n" not in line


def test_a_compiler_and_its_disk_are_needed_only_to_build() -> None:
    bare = replace(GOOD, programs=GOOD.programs - {"cc"}, seccomp_header=False, free_cache=GIB)
    assert len(preflight.problems(bare)) == 2
    assert preflight.problems(replace(bare, to_build=())) == []


def test_all_lacks_are_told_at_once_and_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "look", lambda home: replace(GOOD, root=False, memory=GIB, home=home))
    with pytest.raises(CannotRun) as found:
        preflight.check(tmp_path / "home")
    assert "sudo" in str(found.value)
    assert "memory" in str(found.value)
    assert not (tmp_path / "home").exists()


def test_looking_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    machine = preflight.look(tmp_path / "home")
    assert machine.memory > 0
    assert machine.to_build == tools.ALL
    assert list(tmp_path.iterdir()) == []
