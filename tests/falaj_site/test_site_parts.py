"""The small parts: home, facts, ports, images, logs, cgroups' places, the forwarder, the supervisor."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from falaj_site import cgroups
from falaj_site.errors import CannotRun
from falaj_site.facts import Facts, listening
from falaj_site.home import falaj_home, write_private
from falaj_site.images import archive_reference, program_archive
from falaj_site.layout import Layout
from falaj_site.process import InitProcess, find, gone
from falaj_site.site import Site
from falaj_site.supervisor import rotate


def test_home_is_named_or_beside_the_project_or_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "project" / "deep" / "er"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    monkeypatch.delenv("FALAJ_HOME", raising=False)
    assert falaj_home() == inner / ".falaj"
    (tmp_path / "project" / "Pulumi.yaml").write_text("name: x\n")
    assert falaj_home() == tmp_path / "project" / ".falaj"
    monkeypatch.setenv("FALAJ_HOME", "else where")
    assert falaj_home() == inner / "else where"


def test_private_files_are_private_from_the_start_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("an older, longer content")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["secret"]


def test_facts_come_back_and_damage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "site.json"
    assert Facts.load(path) is None
    facts = Facts(id="0a1b2c3d", ports={"kubernetes": 4711})
    facts.save(path)
    assert Facts.load(path) == facts
    for text in ("{", '{"id": "../../etc"}', '{"id": "0a1b2c3d", "surprise": 1}'):
        path.write_text(text)
        with pytest.raises(CannotRun, match="--purge"):
            Facts.load(path)


def test_a_port_is_kept_where_it_is_free_and_left_where_it_is_not() -> None:
    with listening({}, ("one", "two")) as sockets:
        ports = {name: each.getsockname()[1] for name, each in sockets.items()}
        assert len(set(ports.values())) == 2
        with listening(ports, ("one",)) as others:
            assert others["one"].getsockname()[1] != ports["one"]
    with listening(ports, ("one", "two")) as sockets:
        assert {name: each.getsockname() for name, each in sockets.items()} == {
            name: ("127.0.0.1", port) for name, port in ports.items()
        }


def test_an_archive_is_always_the_same_and_names_its_image(tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_bytes(b"\x7fELF not really")
    for name in ("a.tar", "b.tar"):
        program_archive(program, "localhost/falaj/tool:v1", tmp_path / name)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    name, digest = archive_reference(tmp_path / "a.tar")
    assert name == "localhost/falaj/tool:v1"
    assert digest.startswith("sha256:")


def test_what_is_no_image_archive_is_told_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "odd.tar"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(CannotRun, match="OCI image archive"):
        archive_reference(path)


def test_a_log_is_turned_over_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"a" * 100)
        assert rotate(log, 100) is False
        writer.write(b"b")
        assert rotate(log, 100) is True
        writer.write(b"after")
    assert (tmp_path / "part.log.1").read_bytes() == b"a" * 100 + b"b"
    assert log.read_bytes() == b"after"


def test_cgroup_hierarchies_of_both_versions_are_found() -> None:
    mounts = (
        "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\ntmpfs /x tmpfs 0 0"
    )
    assert cgroups.hierarchies(mounts) == [Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/unified")]
    assert cgroups.hierarchies("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n") == [Path("/sys/fs/cgroup")]


def test_a_process_number_that_another_process_got_is_not_the_site(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert find(layout) is None
    start_time = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    layout.lock.write_text(json.dumps({"pid": os.getpid(), "start_time": start_time}))
    assert find(layout) == InitProcess(os.getpid(), start_time)
    layout.lock.write_text(json.dumps({"pid": os.getpid(), "start_time": start_time - 1}))
    assert find(layout) is None
    assert gone(InitProcess(os.getpid(), start_time - 1))


def test_a_purge_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    (tmp_path / "site" / "etcd").mkdir(parents=True)
    (tmp_path / ".removed-site-abcd" / "etcd").mkdir(parents=True)
    assert Site(tmp_path).down(purge=True) is False
    assert os.listdir(tmp_path) == ["site.lock"]


def test_two_commands_do_not_change_one_site_at_once(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    with (tmp_path / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(CannotRun, match="another command"):
            Site(tmp_path).down(purge=True)
    assert (tmp_path / "site").exists()


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that, when the client has said all, says it back."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    one, _ = server.accept()
                except OSError:
                    return
                with one, one.makefile("rb") as said:
                    one.sendall(said.read())

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def say(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as one:

        def send() -> None:
            one.sendall(data)
            one.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        with one.makefile("rb") as answer:
            got = answer.read()
        sender.join()
        return got


def cut_off(port: int) -> bool:
    """Whether a connection is closed without a byte."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
        try:
            return one.recv(1) == b""
        except ConnectionResetError:
            return True


def test_the_forwarder_passes_every_byte_both_ways_and_survives_a_silent_target(echo: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        dead = unused.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        forwards = json.dumps([[first.fileno(), "127.0.0.1", echo], [second.fileno(), "127.0.0.1", dead]])
        process = subprocess.Popen(
            [sys.executable, "-m", "falaj_site.forward", forwards], pass_fds=(first.fileno(), second.fileno())
        )
        try:
            data = os.urandom(1 << 20) * 4
            assert say(first.getsockname()[1], data) == data
            assert cut_off(second.getsockname()[1])
            assert say(first.getsockname()[1], b"still there") == b"still there"
        finally:
            process.kill()
            process.wait()


SUPERVISED = """
import json, sys, threading, time
from pathlib import Path
from falaj_site.components import Component
from falaj_site.supervisor import Supervisor

folder = Path(sys.argv[1])
mark = lambda name: ("sh", "-c", f"echo {name} >> '{folder}/order'; exec sleep 1000")
parts = [
    Component(name="second", command=mark("second"), after=("first",)),
    Component(name="first", command=mark("first")),
    Component(name="failing", command=("sh", "-c", "echo words; exit 3")),
    Component(name="absent", command=(str(folder / "no such program"),)),
]
supervisor = Supervisor(parts, logs=folder, state=folder / "state.json", ask=lambda part: (folder / "order").exists(),
                        environment={"PATH": "/usr/bin:/bin"})
threading.Thread(target=supervisor.run, daemon=True).start()
sys.stdin.read()
supervisor.stop(("first", "second", "failing", "absent"), 10)
"""


def test_the_supervisor_starts_in_order_and_starts_again_what_ends(tmp_path: Path) -> None:
    def state() -> dict[str, dict[str, int]]:
        path = tmp_path / "state.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def wait(holds: str, test: object) -> None:
        import time

        deadline = time.monotonic() + 60
        while not test():  # type: ignore[operator]
            assert time.monotonic() < deadline, holds
            time.sleep(0.05)

    process = subprocess.Popen([sys.executable, "-c", SUPERVISED, str(tmp_path)], stdin=subprocess.PIPE)
    try:
        wait("both run", lambda: state().get("second", {}).get("pid"))
        assert (tmp_path / "order").read_text().split() == ["first", "second"]
        os.kill(state()["first"]["pid"], 9)
        wait("the first is started again", lambda: state()["first"]["restarts"] == 1 and state()["first"]["pid"])
        wait("the failing one is started again", lambda: state()["failing"]["restarts"] >= 1)
        assert state()["second"]["restarts"] == 0
        assert "words" in (tmp_path / "failing.log").read_text()
        assert "cannot start" in (tmp_path / "absent.log").read_text()
        pids = [state()[name]["pid"] for name in ("first", "second")]
    finally:
        process.communicate(b"")
    assert process.returncode == 0
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
