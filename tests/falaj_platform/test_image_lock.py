"""The locks: what is committed fits the image, and a broken lock is one clear line."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from falaj_platform.errors import LockError
from falaj_platform.image import contents, lock, lockfile

ROOT = Path(__file__).parents[2]
HASH = "0" * 64


def requirements() -> list[Requirement]:
    texts = list(contents.WHEEL_ROOTS)
    for folder in ("runtime", "policies"):
        project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        texts += project["dependencies"]
    return [requirement for text in texts if not (requirement := Requirement(text)).name.startswith("falaj")]


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_the_wheels_satisfy_falaj_and_the_image(requirement: Requirement) -> None:
    locked = {wheel.name: wheel.version for wheel in lockfile.load_wheels().packages}
    version = locked[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version, prereleases=True)


def test_the_debian_lock_is_for_this_image() -> None:
    found = lockfile.load_debian()
    names = {package.name for package in found.packages}
    assert (found.suite, found.architecture) == (contents.DEBIAN_SUITE, contents.DEBIAN_ARCHITECTURE)
    assert set(contents.DEBIAN_ROOTS) <= names
    assert not names & contents.DEBIAN_OMITTED


def test_the_wheel_lock_is_for_the_images_python_and_platform() -> None:
    found = lockfile.load_wheels()
    assert (found.python, found.platform) == (contents.PYTHON, contents.WHEEL_PLATFORM)
    for wheel in found.packages:
        _, python, _, platform = wheel.file.removesuffix(".whl").rsplit("-", 3)
        assert platform == "any" or "x86_64" in platform, wheel.file
        assert re.search(r"py3|cp3", python), wheel.file


@pytest.mark.parametrize("path", [lockfile.DEBIAN_LOCK, lockfile.WHEEL_LOCK], ids=lambda path: path.name)
def test_a_lock_names_no_host(path: Path) -> None:
    assert "://" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["torch", "nvidia-cublas", "tensorflow"])
def test_no_gpu_stack_crept_in(name: str) -> None:
    assert not [wheel.name for wheel in lockfile.load_wheels().packages if wheel.name.startswith(name)]


def test_a_dumped_lock_is_read_back_and_has_a_line_for_each_package() -> None:
    found = lockfile.load_debian()
    text = lockfile.dump(found)
    assert lockfile.DebianLock.model_validate_json(text) == found
    assert sum('"sha256"' in line for line in text.splitlines()) == len(found.packages)


def broken(**changes: object) -> str:
    package = {"name": "bash", "version": "5.2", "architecture": "amd64", "sha256": HASH, "size": 1, **changes}
    return json.dumps({"version": 1, "suite": "bookworm", "architecture": "amd64", "packages": [package]})


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (broken(sha256="abc"), "packages.0.sha256"),
        (broken(size=0), "packages.0.size"),
        (broken(name="bash; rm"), "packages.0.name"),
        (broken(version="1 -o APT::x"), "packages.0.version"),
        (broken(extra=1), "packages.0.extra"),
        ("{", "the file"),
        (broken().replace('"version": 1,', '"version": 2,', 1), "version"),
    ],
)
def test_a_malformed_lock_names_the_file_and_the_field(tmp_path: Path, text: str, where: str) -> None:
    path = tmp_path / "debian.lock.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LockError) as caught:
        lockfile.load_debian(path)
    assert str(path) in str(caught.value)
    assert where in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_package_locked_twice_is_refused(tmp_path: Path) -> None:
    document = json.loads(broken())
    document["packages"] *= 2
    path = tmp_path / "debian.lock.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(LockError, match="bash is locked twice"):
        lockfile.load_debian(path)


def test_a_missing_lock_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="falaj image lock"):
        lockfile.load_wheels(tmp_path / "none.json")


def test_of_several_wheels_the_one_an_installer_takes_is_locked() -> None:
    def wheel(file: str) -> dict[str, object]:
        return {"url": f"https://host/a/b/{file}", "size": 1, "hashes": {"sha256": HASH}}

    files = [
        "x-1.0-py3-none-any.whl",
        "x-1.0-cp39-abi3-manylinux_2_28_x86_64.whl",
        "x-1.0-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "x-1.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    ]
    for count in range(1, len(files) + 1):
        chosen = lock.choose({"name": "x", "version": "1.0", "wheels": [wheel(file) for file in files[:count]]})
        assert chosen.file == files[count - 1]


def test_a_package_without_a_fitting_wheel_cannot_be_locked() -> None:
    with pytest.raises(LockError, match=r"x 1\.0 has no wheel"):
        lock.choose({"name": "x", "version": "1.0", "wheels": []})
