"""What a machine must have to run a site: looked at before anything is changed, one line with its remedy each."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from falaj_site import cgroups, tools
from falaj_site.errors import CannotRun

__all__ = ["Machine", "check", "look", "problems"]

_GIB = 1 << 30
_DISK_TO_BUILD, _DISK_TO_RUN = 15, 5
_MEMORY = 4
_PACKAGES = {
    "ip": "iproute2",
    "iptables": "iptables",
    "iptables-restore": "iptables",
    "mount": "mount",
    "unshare": "util-linux",
}
_ELSEWHERE = "use a cluster of your own instead: `falaj up -s STACK --kubeconfig FILE`"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What was seen. Sizes in bytes; `to_build` are the tools that are not cached."""

    system: str
    architecture: str
    root: bool
    programs: frozenset[str]
    libc_header: bool
    seccomp_header: bool
    cgroups_writable: bool
    namespaces: bool
    packet_rules: bool
    to_build: tuple[str, ...]
    free_home: int
    free_cache: int
    memory: int
    home: Path
    cache: Path
    prefix: Path


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def look(home: Path) -> Machine:
    """Looks at this machine; `home` is where the site is to be kept. Changes nothing."""
    system, cache = platform.system(), tools.cache_folder()
    linux = system == "Linux"
    wanted = ("cc", "pkg-config", *_PACKAGES)
    headers = ("/usr/include", "/usr/local/include")
    return Machine(
        system=system,
        architecture=platform.machine(),
        root=linux and os.geteuid() == 0,
        programs=frozenset(name for name in wanted if shutil.which(name, path=_search_path())),
        libc_header=any(Path(base, "stdlib.h").exists() for base in headers),
        seccomp_header=any(Path(base, "seccomp.h").exists() for base in headers),
        cgroups_writable=linux and bool(found := cgroups.hierarchies()) and all(os.access(p, os.W_OK) for p in found),
        namespaces=linux and _runs_apart("true"),
        packet_rules=linux and _runs_apart("iptables", "--wait", "--table", "nat", "--list-rules"),
        to_build=tuple(tools.missing()) if linux else (),
        free_home=shutil.disk_usage(_existing(home)).free,
        free_cache=shutil.disk_usage(_existing(cache)).free,
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if linux else 0,
        home=home,
        cache=cache,
        prefix=Path(sys.prefix),
    )


def _runs_apart(*command: str) -> bool:
    """Whether a command succeeds in namespaces of its own, of the kinds that a site lives in."""
    apart = ("unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--mount-proc")
    environment = {**os.environ, "PATH": _search_path()}
    try:
        return subprocess.run([*apart, *command], env=environment, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _search_path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def problems(machine: Machine) -> Sequence[str]:
    """What stands in the way, one line each with its remedy; empty if nothing does."""
    if machine.system != "Linux":
        return [f"the embedded site needs Linux, this is {machine.system}: {_ELSEWHERE}"]
    found = []
    if machine.architecture not in ("x86_64", "aarch64"):
        found.append(f"the embedded site runs on x86_64 and aarch64, this is {machine.architecture}: {_ELSEWHERE}")
    if not machine.root:
        found.append(f"the embedded site needs root: run it with sudo, or {_ELSEWHERE}")
    packages = dict(_PACKAGES)
    if machine.to_build:
        packages |= {"cc": "gcc libc6-dev", "pkg-config": "pkg-config"}
    lacking = [packages[name] for name in packages if name not in machine.programs]
    if machine.to_build and not machine.libc_header:
        lacking.append("libc6-dev")
    if machine.to_build and not machine.seccomp_header:
        lacking.append("libseccomp-dev")
    if lacking:
        names = " ".join(dict.fromkeys(" ".join(lacking).split()))
        found.append(f"missing on this machine: install {names} (Debian: apt-get install -y {names})")
    if not machine.cgroups_writable:
        found.append("cgroups cannot be made: mount /sys/fs/cgroup writable (a container: start it --privileged)")
    if machine.root and not machine.namespaces:
        found.append("namespaces cannot be made: give it CAP_SYS_ADMIN (a container: start it --privileged)")
    elif machine.root and "iptables" in machine.programs and not machine.packet_rules:
        found.append("iptables has no nat table here: load it on the machine with `modprobe iptable_nat nft_chain_nat`")
    found += [
        f"{name} lies under /run, which the site covers with its own: move {path} elsewhere"
        for name, path in (("the tool cache", machine.cache), ("the Python environment", machine.prefix))
        if path.is_relative_to("/run") or path.is_relative_to("/var/run")
    ]
    if machine.to_build and machine.free_cache < _DISK_TO_BUILD * _GIB:
        free = machine.free_cache / _GIB
        found.append(
            f"building the tools needs {_DISK_TO_BUILD} GiB under {machine.cache}, {free:.1f} are free: make room, "
            "or set XDG_CACHE_HOME to a larger disk"
        )
    if machine.free_home < _DISK_TO_RUN * _GIB:
        free = machine.free_home / _GIB
        found.append(
            f"the site needs {_DISK_TO_RUN} GiB under {machine.home}, {free:.1f} are free: make room, "
            "or set FALAJ_HOME to a larger disk"
        )
    if machine.memory < _MEMORY * _GIB:
        found.append(f"the site needs {_MEMORY} GiB of memory, this machine has {machine.memory / _GIB:.1f}")
    return found


def check(home: Path) -> None:
    """Raises CannotRun naming everything that stands in the way."""
    found = problems(look(home))
    if found:
        raise CannotRun("; ".join(found))
