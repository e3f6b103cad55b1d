"""The build's order and cache, with small layers in place of the real ones."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from falaj_platform.errors import FetchError, ImageError, SpaceError, ToolError
from falaj_platform.image import build, cache, lockfile
from falaj_platform.image.registry import read_archive
from falaj_site.progress import Silent

ROOT = Path(__file__).parents[2]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A checkout of its own, an empty cache, and makers that write one file; returns what was made, in order."""
    checkout = tmp_path / "check out"
    for folder in ("runtime", "policies"):
        (checkout / folder).mkdir(parents=True)
        (checkout / folder / "pyproject.toml").write_text("", encoding="utf-8")
    (checkout / "pyproject.toml").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "_checkout", lambda: checkout)
    order: list[str] = []

    def maker(kind: str) -> Callable[..., None]:
        def make(store: cache.Cache, inputs: build._Inputs, show: object) -> None:
            order.append(kind)
            tree = store.work(kind)
            (tree / kind).write_text(kind, encoding="utf-8")
            build._keep(store, inputs.keys[kind], tree)

        return make

    for kind, name in {"debian": "_make_debian", "wheels": "_make_wheels", "falaj": "_make_own"}.items():
        monkeypatch.setattr(build, name, maker(kind))
    return order


def test_a_second_build_makes_nothing(made: list[str], tmp_path: Path) -> None:
    first = build.build_image(tmp_path / "home")
    assert made == ["debian", "wheels", "falaj"]
    assert not first.cached
    second = build.build_image(tmp_path / "home")
    assert (second.cached, second.reference) == (True, first.reference)
    assert len(made) == 3


def test_another_checkout_takes_the_layers_from_the_cache(made: list[str], tmp_path: Path) -> None:
    first, second = (build.build_image(tmp_path / name) for name in ("one", "and two"))
    assert made == ["debian", "wheels", "falaj"]
    assert first.digest == second.digest
    assert first.archive.read_bytes() == second.archive.read_bytes()


def test_a_change_of_falajs_own_code_makes_only_its_layer(made: list[str], tmp_path: Path) -> None:
    first = build.build_image(tmp_path / "home")
    (tmp_path / "check out/runtime/new.py").write_text("x = 1\n", encoding="utf-8")
    second = build.build_image(tmp_path / "home")
    assert made == ["debian", "wheels", "falaj", "falaj"]
    assert not second.cached
    assert first.key != second.key


@pytest.mark.parametrize("name", ["__pycache__/x.pyc", ".ruff_cache/x", "dist/x.whl"])
def test_what_tools_leave_in_the_sources_changes_nothing(made: list[str], tmp_path: Path, name: str) -> None:
    build.build_image(tmp_path / "home")
    path = tmp_path / "check out/runtime" / name
    path.parent.mkdir()
    path.write_bytes(b"x")
    assert build.build_image(tmp_path / "home").cached


def test_sources_that_change_during_the_build_are_built_again(
    made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = build._make_own

    def edited(store: cache.Cache, inputs: build._Inputs, show: object) -> None:
        once(store, inputs, show)  # type: ignore[arg-type]
        (tmp_path / "check out/runtime/edit.py").write_text("", encoding="utf-8")

    monkeypatch.setattr(build, "_make_own", edited)
    image = build.build_image(tmp_path / "home")
    assert made == ["debian", "wheels", "falaj", "falaj"]
    assert image.key == build._inputs().key


def test_a_truncated_archive_is_not_taken_for_built(made: list[str], tmp_path: Path) -> None:
    image = build.build_image(tmp_path / "home")
    image.archive.write_bytes(image.archive.read_bytes()[:-1])
    assert build.built(tmp_path / "home") is None
    assert not build.build_image(tmp_path / "home").cached


def test_a_moved_home_keeps_its_image(made: list[str], tmp_path: Path) -> None:
    build.build_image(tmp_path / "home")
    (tmp_path / "home").rename(tmp_path / "moved")
    image = build.build_image(tmp_path / "moved")
    assert image.cached
    assert image.archive.is_file()


def test_a_killed_build_leaves_nothing_that_counts(made: list[str], tmp_path: Path) -> None:
    left = tmp_path / "cache/falaj/image/work/tar"
    left.mkdir(parents=True)
    (left / "layer.tar").write_bytes(b"half")
    build.build_image(tmp_path / "home")
    assert not (tmp_path / "cache/falaj/image/work").exists()


def test_a_layer_whose_tar_is_cut_is_made_again(made: list[str], tmp_path: Path) -> None:
    build.build_image(tmp_path / "home")
    tar = next((tmp_path / "cache/falaj/image/layers").glob("wheels-*.tar"))
    tar.write_bytes(tar.read_bytes()[:-1])
    build.build_image(tmp_path / "other")
    assert made == ["debian", "wheels", "falaj", "wheels"]


def test_old_layers_are_removed(made: list[str], tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / "check out/runtime/n.py").write_text(f"{number}", encoding="utf-8")
        build.build_image(tmp_path / "home")
    layers = sorted(path.name.split("-")[0] for path in (tmp_path / "cache/falaj/image/layers").glob("*.tar"))
    assert layers == ["debian", "falaj", "falaj", "falaj", "wheels"]


def test_without_room_nothing_is_begun(made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(SpaceError, match="free some"):
        build.build_image(tmp_path / "home")
    assert made == []


def test_substitutes_are_said_in_the_result_and_in_the_image(
    made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = build.build_image(tmp_path / "plain")

    def make(store: cache.Cache, inputs: build._Inputs, show: object) -> None:
        tree = store.work("debian")
        (tree / "debian").write_text("debian", encoding="utf-8")
        build._keep(store, inputs.keys["debian"], tree, substitutes=(("bash", "1", "2"),))

    shutil.rmtree(tmp_path / "cache")
    monkeypatch.setattr(build, "_make_debian", make)
    image = build.build_image(tmp_path / "home")
    assert image.substitutes == (("bash", "1", "2"),)
    assert image.digest != plain.digest
    manifest, _ = read_archive(image.archive)
    assert json.loads(manifest)["annotations"]["falaj.io/substitutes"] == "bash=2"


def test_a_package_altered_in_the_cache_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = cache.Cache(tmp_path / "cache")
    package = lockfile.DebianPackage(name="bash", version="1", architecture="amd64", sha256="a" * 64, size=3)
    debian = lockfile.DebianLock(version=1, suite="x", architecture="amd64", packages=(package,))
    inputs = build._Inputs(tmp_path, debian, lockfile.load_wheels(), {"debian": "debian-1"}, "", "")

    def offline() -> object:
        raise AssertionError("the mirror was asked although all is here")

    monkeypatch.setattr(build, "private_apt", offline)
    with store.locked(lambda: None):
        (store.debs / f"{package.sha256}.deb").write_bytes(b"abc")
        with pytest.raises(FetchError, match="nothing was used"):
            build._make_debian(store, inputs, Silent())
        assert store.record("debian-1") is None


def test_outside_a_checkout_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(build, "__file__", str(tmp_path / "a/b/c/d.py"))
    with pytest.raises(ImageError, match="checkout of Falaj"):
        build.build_image(tmp_path / "home")


def test_this_checkout_can_be_built_from() -> None:
    inputs = build._inputs()
    assert inputs.root == ROOT
    assert [key.split("-")[0] for key in inputs.keys.values()] == ["debian", "wheels", "falaj"]


def test_another_machine_is_told_before_anything_is_begun(
    made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(ToolError, match="locked for amd64, this machine is riscv64"):
        build.build_image(tmp_path / "home")
    assert made == []


def test_a_missing_program_is_told_before_anything_is_begun(
    made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="`dpkg-deb` is not installed: build on Debian"):
        build.build_image(tmp_path / "home")
    assert made == []


def test_the_home_is_for_its_owner_only(made: list[str], tmp_path: Path) -> None:
    build.build_image(tmp_path / "home")
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_a_machine_that_cannot_build_it_is_told_before_anything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("falaj_platform.image.build.platform.machine", lambda: "aarch64")
    with pytest.raises(ToolError, match="locked for amd64"):
        build.check(tmp_path / "home")
    assert not (tmp_path / "home").exists()
