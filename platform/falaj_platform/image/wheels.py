"""The wheel layers: wheels installed by uv, by hash, into the image's own virtual environment."""

from __future__ import annotations

import configparser
import csv
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

from falaj_platform.errors import FetchError, ToolError
from falaj_platform.image import process
from falaj_platform.image.contents import PREFIX, PYTHON, SCRIPTS, SITE_PACKAGES, WHEEL_DROPPED, WHEEL_PLATFORM
from falaj_platform.image.lockfile import Wheel

UV_REMEDY = "install it with `python3 -m pip install uv`"
TARGET = ("--python-version", PYTHON, "--python-platform", WHEEL_PLATFORM, "--only-binary", ":all:")
# Written by the installer, and different on every machine.
_TRACES = ("direct_url.json", "uv_cache.json", "uv_build.json")


def requirements(wheels: Iterable[Wheel]) -> str:
    """Wheels as a pip requirements text in which each has its one hash."""
    return "".join(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in wheels)


def install_locked(wheels: Sequence[Wheel], tree: Path) -> None:
    """Install the locked wheels, and nothing else, into the environment under `tree`. Raises FetchError."""
    with TemporaryDirectory(prefix="falaj-wheels-") as folder:
        listing = Path(folder) / "wheels.txt"
        listing.write_text(requirements(wheels), encoding="utf-8")
        try:
            _install(tree, ["--require-hashes", "-r", str(listing)])
        except ToolError as error:
            raise FetchError(
                f"the locked wheels cannot be installed: {error}; check the network, then run it again"
            ) from error
    environment(tree)
    settle(tree)


def install_files(files: Sequence[Path], tree: Path) -> None:
    """Install wheel files into the environment under `tree`, without their dependencies. Raises ToolError."""
    _install(tree, [str(file) for file in files])
    settle(tree)


def build_own(root: Path, packages: Sequence[str], folder: Path) -> list[Path]:
    """Build wheels of the workspace's packages into `folder`. Raises ToolError."""
    uv = process.find("uv", UV_REMEDY)
    for package in packages:
        process.output(
            [uv, "build", "--quiet", "--wheel", "--package", package, "--out-dir", str(folder), str(root)],
            env={"SOURCE_DATE_EPOCH": "1767225600"},
        )
    return sorted(folder.glob("*.whl"))


def _install(tree: Path, what: Sequence[str]) -> None:
    uv = process.find("uv", UV_REMEDY)
    target = tree / SITE_PACKAGES
    target.mkdir(parents=True, exist_ok=True)
    process.output(
        [
            *(uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", str(target)),
            *("--no-deps", "--link-mode", "copy", "--no-compile-bytecode", *TARGET, *what),
        ],
        # Not the checkout's settings; the user's own (an index inside the country, say) count.
        cwd=tree,
    )


def environment(tree: Path) -> None:
    """Make the prefix a virtual environment of the image's Python, so that no variable is needed to find the wheels."""
    programs = tree / PREFIX / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    (programs / "python3").symlink_to(f"/usr/bin/python{PYTHON}")
    (programs / "python").symlink_to("python3")
    (tree / PREFIX / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {PYTHON}\n", encoding="utf-8"
    )


def settle(tree: Path) -> None:
    """Remove what is dropped and what tells of the building machine; make the programs; put the records right."""
    packages = tree / SITE_PACKAGES
    for name in ("bin", "share", "etc", ".lock"):
        path = packages / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in sorted(packages.rglob("*"), reverse=True):
        name = path.relative_to(packages).as_posix()
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif any(fnmatchcase(name, pattern) for pattern in WHEEL_DROPPED) or path.name in _TRACES:
            path.unlink()
    for info in sorted(packages.glob("*.dist-info")):
        _record(info, packages)
        _programs(info, tree / PREFIX / "bin")


def _record(info: Path, packages: Path) -> None:
    """Rewrite an installed wheel's RECORD to the files that are there, sorted."""
    record = info / "RECORD"
    with record.open(newline="", encoding="utf-8") as file:
        rows = sorted(row for row in csv.reader(file) if row and (packages / row[0]).exists() and ".." not in row[0])
    with record.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _programs(info: Path, folder: Path) -> None:
    declared = info / "entry_points.txt"
    if not declared.is_file():
        return
    points = configparser.ConfigParser(delimiters=("=",), strict=False)
    points.optionxform = str  # type: ignore[assignment,method-assign]
    points.read(declared, encoding="utf-8")
    scripts = points["console_scripts"] if points.has_section("console_scripts") else {}
    for name in sorted(set(scripts) & set(SCRIPTS)):
        module, _, function = re.sub(r"\s*\[.*\]$", "", scripts[name]).partition(":")
        folder.mkdir(parents=True, exist_ok=True)
        program = folder / name
        program.write_text(
            f"#!/{PREFIX}/bin/python3\nimport sys\n\nfrom {module} import {function.split('.')[0]}\n\n"
            f"sys.exit({function}())\n",
            encoding="utf-8",
        )
        program.chmod(program.stat().st_mode | 0o111)
