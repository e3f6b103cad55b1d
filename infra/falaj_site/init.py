"""The site's first process: `python -m falaj_site.init SITE ID OPENBAO SOCKETS`.

It leaves for new namespaces, makes mounts, network and cgroups there, and supervises the components. Its end, however
it comes, ends every process of the site: the kernel sees to that.

SITE is the site's directory, ID the site's identity, OPENBAO the server's program, SOCKETS a JSON object from a
forward's name to the descriptor of its listening socket.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

from falaj_site import cgroups, namespaces, render
from falaj_site.components import Component, components
from falaj_site.errors import SiteError
from falaj_site.layout import INSIDE, Layout
from falaj_site.probe import answers
from falaj_site.supervisor import Supervisor

__all__ = ["main"]

_POD_SECONDS = 25.0
_FILES = 65536
_COMPONENT_SECONDS = 10.0
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "PYTHONPATH", "VIRTUAL_ENV")


def _start_time(pid: str) -> int:
    """Field 22 of `/proc/<pid>/stat`: with the number it names a process for as long as the machine is up."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def main(site: Path, site_id: str, openbao: Path, sockets: dict[str, int]) -> None:
    """Does not return in the first process of the namespaces; returns at once in the one that was called."""
    host = Layout(site)
    lock = os.open(host.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    namespaces.hold_covered()
    namespaces.unshare_all()
    if os.fork() != 0:
        return
    # Numbers as this machine sees them: /proc is still the one from outside.
    own = os.readlink("/proc/self")
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps({"pid": int(own), "start_time": _start_time(own)}).encode(), 0)
    try:
        _first_process(site, site_id, openbao, sockets)
    except (SiteError, OSError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        os._exit(1)


def _first_process(site: Path, site_id: str, openbao: Path, sockets: dict[str, int]) -> None:
    _raise_file_limit()
    os.umask(0o022)  # containers see some of the folders that components make; what is private says so itself
    namespaces.mount_inside(site)
    namespaces.set_up_network()
    group = render.cgroup_root(site_id)
    cgroups.create(group)
    inside = Layout(INSIDE)
    render.write_config(inside, site_id, namespaces.snapshotter_for(INSIDE / "containerd"))

    def ask(component: Component) -> bool:
        return component.probe is None or answers(component.probe, inside.pki)

    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    environment |= {"HOME": "/root", "PATH": f"{inside.bin}:{environment.get('PATH', os.defpath)}:/usr/sbin:/sbin"}
    supervisor = Supervisor(
        components(openbao, sockets),
        logs=inside.logs,
        state=inside.state,
        ask=ask,
        environment=environment,
        inherited=tuple(sockets.values()),
    )
    # A handler, not a blocked signal: what is blocked stays blocked in every component.
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    threading.Thread(target=_stop_when, args=(asked, supervisor, group), daemon=True).start()
    supervisor.run()


def _raise_file_limit() -> None:
    """Containers inherit it, and the few that a login shell allows are not enough for Ray."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _stop_when(asked: threading.Event, supervisor: Supervisor, group: str) -> None:
    asked.wait()
    supervisor.stop(
        ("kubelet", "kube-scheduler", "kube-controller-manager", "volumes", "forwarder"), _COMPONENT_SECONDS
    )
    _stop_pods(group)
    supervisor.stop(("kube-proxy", "coredns", "openbao", "kube-apiserver"), _COMPONENT_SECONDS)
    supervisor.stop(("containerd", "etcd"), _COMPONENT_SECONDS)
    os._exit(0)


def _stop_pods(group: str) -> None:
    """Asks everything in the pods to end, so that a database closes its files, and waits a while for it."""
    asked: set[int] = set()
    deadline = time.monotonic() + _POD_SECONDS
    while (pids := cgroups.processes(group)) and time.monotonic() < deadline:
        for pid in set(pids) - asked:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
            asked.add(pid)
        time.sleep(0.1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), json.loads(sys.argv[4]))
