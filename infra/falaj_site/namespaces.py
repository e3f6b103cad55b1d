"""The kernel's side of a site: namespaces, mounts, the inner network. Linux, as root.

Nothing made here is visible outside the namespaces, and all of it goes with the last process in them.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import subprocess
from pathlib import Path

from falaj_site.control_plane import SERVICE_CIDR
from falaj_site.errors import ComponentFailed
from falaj_site.layout import INSIDE, NODE_IP, NODE_NAME

__all__ = [
    "enter_network",
    "hold_covered",
    "mount_inside",
    "release_covered",
    "set_up_network",
    "snapshotter_for",
    "unshare_all",
]

_NEWNS, _NEWUTS, _NEWIPC, _NEWPID, _NEWNET = 0x00020000, 0x04000000, 0x08000000, 0x20000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC = 0x2, 0x4, 0x8, 0x1000, 0x4000
_MS_PRIVATE, _MS_SHARED = 0x40000, 0x100000

# Folders that a component insists on. They are made on this machine, empty, and covered inside.
KUBELET_FOLDER = Path("/var/lib/kubelet")
COVERED = (KUBELET_FOLDER, Path("/var/lib/cni"))

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise ComponentFailed(
            f"{what}: {os.strerror(number)}; the site needs root with CAP_SYS_ADMIN and CAP_NET_ADMIN"
        )


def _mount(source: str, target: Path | str, kind: str, flags: int, data: str = "") -> None:
    done = _libc.mount(
        source.encode(), str(target).encode(), kind.encode(), ctypes.c_ulong(flags), data.encode() if data else None
    )
    _check(done, f"cannot mount {kind or 'over'} {target}")


def hold_covered() -> list[int]:
    """Makes the folders to be covered and takes a shared lock on each; their descriptors, to be kept open."""
    held = []
    for target in COVERED:
        while True:
            target.mkdir(mode=0o755, parents=True, exist_ok=True)
            handle = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(handle, fcntl.LOCK_SH)
            # It may have been removed between the two calls.
            if target.exists() and os.path.samestat(os.fstat(handle), target.stat()):
                held.append(handle)
                break
            os.close(handle)
    return held


def release_covered() -> None:
    """Removes the folders again if they are empty and no site holds them.

    Removing a folder that is covered in another mount namespace would uncover it there, hence the locks.
    """
    for target in COVERED:
        with contextlib.suppress(OSError):
            handle = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                target.rmdir()
            finally:
                os.close(handle)


def unshare_all() -> None:
    """Leaves this process in new mount, network, UTS and IPC namespaces; its next child is first in a new PID one."""
    _check(_libc.unshare(_NEWNS | _NEWNET | _NEWPID | _NEWUTS | _NEWIPC), "cannot make namespaces")


def enter_network(pid: int) -> None:
    """Moves the calling thread into the network of process `pid`, for good."""
    handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        _check(_libc.setns(handle, _NEWNET), f"cannot enter the network of process {pid}")
    finally:
        os.close(handle)


def mount_inside(site: Path) -> None:
    """Makes the file system as the site's processes see it; `site` (the site's directory) appears at `INSIDE`."""
    folder = os.open(site, os.O_PATH | os.O_DIRECTORY)
    try:
        _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
        # The kubelet's mounts must reach the containers' mount namespaces; "shared" now begins at this namespace.
        _mount("none", "/", "", _MS_REC | _MS_SHARED)
        _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
        _mount("tmpfs", "/run", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755")
        _mount("tmpfs", "/var/log", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755")
        INSIDE.mkdir()
        # By its descriptor: the directory may lie under a path that has just been covered.
        _mount(f"/proc/self/fd/{folder}", INSIDE, "", _MS_BIND | _MS_REC)
    finally:
        os.close(folder)
    for target in COVERED:
        if target == KUBELET_FOLDER:
            source = INSIDE / "kubelet"
            source.mkdir(mode=0o750, exist_ok=True)
            _mount(str(source), target, "", _MS_BIND)
        else:
            _mount("tmpfs", target, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=700")


def set_up_network() -> None:
    """The loopback, and one interface with the node's address. There is no way out."""
    _check(_libc.sethostname(NODE_NAME.encode(), len(NODE_NAME)), "cannot name the node")
    _ip("link", "set", "lo", "up")
    if not _ip("link", "add", "node0", "type", "dummy", optional=True):
        _ip("link", "add", "node0", "type", "bridge")
    _ip("addr", "add", f"{NODE_IP}/24", "dev", "node0")
    _ip("link", "set", "node0", "up")
    # Service addresses need some route before kube-proxy's rules can translate them.
    _ip("route", "add", SERVICE_CIDR, "dev", "node0", "src", NODE_IP)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _ip(*arguments: str, optional: bool = False) -> bool:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0 and not optional:
        raise ComponentFailed(f"ip {' '.join(arguments)}: {done.stderr.strip()[:200]}")
    return done.returncode == 0


def snapshotter_for(folder: Path) -> str:
    """`overlayfs` if an overlay can be laid over directories in `folder`, else `native` (copies; slower, larger).

    Must be called in a mount namespace of our own.
    """
    trial = folder / ".overlay-trial"
    parts = {name: trial / name for name in ("lower", "upper", "work", "merged")}
    for part in parts.values():
        part.mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
    try:
        _mount("overlay", parts["merged"], "overlay", 0, options)
    except ComponentFailed:
        return "native"
    else:
        _libc.umount2(str(parts["merged"]).encode(), 2)
        return "overlayfs"
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", str(trial)], check=False)
