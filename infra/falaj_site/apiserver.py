"""A bare API server: etcd and kube-apiserver alone, without root, on free ports, in a temporary folder.

For tests and benchmarks that need the real API and no pods. No controller runs, so a Deployment makes no pods and a
namespace gets no default service account.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from falaj_site import control_plane
from falaj_site.control_plane import ControlPlane
from falaj_site.errors import ComponentFailed
from falaj_site.home import write_private
from falaj_site.kube import KubeClient
from falaj_site.lifeline import die_with_parent
from falaj_site.progress import Progress
from falaj_site.tools import ensure

__all__ = ["ApiServer"]

_START_SECONDS = 60.0
_ATTEMPTS = 3  # another process may take a port between our finding it free and using it


class ApiServer:
    """A context manager: `with ApiServer() as server: use(server.kubeconfig)`.

    `kubeconfig` is the path of an administrator's kubeconfig, `url` the server's address. Enter it in a thread that
    outlives it: the servers end with the thread that started them. Raises ToolUnavailable if a tool cannot be built,
    ComponentFailed if a server does not start.
    """

    kubeconfig: Path
    url: str

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress
        self._folder: Path | None = None
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> ApiServer:
        tools = ensure(("etcd", "kube-apiserver"), self._progress)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._start(tools)
            except ComponentFailed:
                self.close()
                if attempt == _ATTEMPTS:
                    raise
            except BaseException:
                self.close()
                raise
            else:
                return self
        raise AssertionError("unreachable")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, tools: dict[str, Path]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="falaj-apiserver-"))
        api_port, etcd_port, peer_port = _free_ports(3)
        plane = ControlPlane(
            folder=self._folder, address="127.0.0.1", api_port=api_port, etcd_port=etcd_port, etcd_peer_port=peer_port
        )
        authority = control_plane.issue(plane, ())
        control_plane.write_policies(plane)
        self.url = f"https://127.0.0.1:{api_port}"
        self.kubeconfig = self._folder / "kubeconfig"
        admin = authority.issue("admin", common_name="falaj:admin", groups=("system:masters",))
        write_private(self.kubeconfig, control_plane.kubeconfig(self.url, authority.certificate, admin))
        self._run("etcd", [str(tools["etcd"]), *control_plane.etcd_arguments(plane), "--unsafe-no-fsync"])
        self._run(
            "kube-apiserver",
            [
                str(tools["kube-apiserver"]),
                *control_plane.apiserver_arguments(plane),
                # The loopback cannot be advertised, and nothing here makes the default service accounts.
                "--endpoint-reconciler-type=none",
                "--disable-admission-plugins=ServiceAccount",
            ],
        )
        self._wait(KubeClient.from_kubeconfig(self.kubeconfig))

    def _run(self, name: str, command: list[str]) -> None:
        if self._folder is None:
            raise AssertionError("not started")
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
                preexec_fn=die_with_parent(),  # two system calls, nothing that needs a lock
            )
        self._processes.append(process)

    def _wait(self, client: KubeClient) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            ended = next((process for process in self._processes if process.poll() is not None), None)
            if ended is not None:
                break
            if client.answers("/readyz"):
                return
            time.sleep(0.1)
        raise ComponentFailed(f"the API server did not start: {self._last_words()}")

    def _last_words(self) -> str:
        words = []
        for log in sorted(self._folder.glob("*.log")) if self._folder else ():
            lines = log.read_text(errors="replace").strip().splitlines()
            words.append(f"{log.stem}: {lines[-1][:300] if lines else 'said nothing'}")
        return "; ".join(words)

    def close(self) -> None:
        """Ends both servers and removes their folder. May be called again."""
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait()
        self._processes = []
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that were free a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
