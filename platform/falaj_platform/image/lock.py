"""Makes the two lock files anew: `python -m falaj_platform.image.lock`, or `falaj image lock`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

from falaj_platform.errors import LockError
from falaj_platform.image import process
from falaj_platform.image.apt import private_apt
from falaj_platform.image.contents import (
    DEBIAN_ARCHITECTURE,
    DEBIAN_SUITE,
    PYTHON,
    WHEEL_PLATFORM,
    WHEEL_ROOTS,
)
from falaj_platform.image.lockfile import DEBIAN_LOCK, WHEEL_LOCK, DebianLock, Wheel, WheelLock, dump
from falaj_platform.image.wheels import TARGET, UV_REMEDY


def resolve_debian() -> DebianLock:
    """The mirror's current packages for the image. Raises ToolError, FetchError, LockError."""
    with private_apt() as apt:
        closure = apt.closure()
        offered = apt.records([name for name, _ in closure])
    packages = []
    for name, version in closure:
        found = next((package for package in offered.get(name, ()) if package.version == version), None)
        if found is None:
            raise LockError(f"the mirror resolves {name} {version} but does not describe it; run it again")
        packages.append(found)
    return DebianLock(version=1, suite=DEBIAN_SUITE, architecture=DEBIAN_ARCHITECTURE, packages=tuple(packages))


def resolve_wheels(roots: Sequence[str] = WHEEL_ROOTS) -> WheelLock:
    """The index's current wheels for the image's Python and platform. Raises ToolError, LockError."""
    uv = process.find("uv", UV_REMEDY)
    with TemporaryDirectory(prefix="falaj-lock-") as folder:
        wanted, locked = Path(folder) / "wheels.in", Path(folder) / "pylock.toml"
        wanted.write_text("".join(f"{root}\n" for root in roots), encoding="utf-8")
        process.output(
            [
                *(uv, "pip", "compile", "--quiet", "--no-header", "--format", "pylock.toml"),
                *(*TARGET, "-o", str(locked), str(wanted)),
            ],
            cwd=Path(folder),
        )
        document = tomllib.loads(locked.read_text(encoding="utf-8"))
    packages = tuple(choose(package) for package in document["packages"])
    return WheelLock(version=1, python=PYTHON, platform=WHEEL_PLATFORM, packages=packages)


def choose(package: Mapping[str, Any]) -> Wheel:
    """The one wheel of a resolved package that an installer for the image's Python would take. Raises LockError."""
    wheels = package.get("wheels", [])
    if not wheels:
        raise LockError(f"{package['name']} {package['version']} has no wheel for Python {PYTHON} on {WHEEL_PLATFORM}")
    best = max(wheels, key=lambda wheel: rank(file_name(wheel)))
    return Wheel(
        name=package["name"],
        version=package["version"],
        file=file_name(best),
        sha256=best["hashes"]["sha256"],
        size=best["size"],
    )


def file_name(wheel: Mapping[str, Any]) -> str:
    """A wheel's file name, which may stand in its address only."""
    return str(wheel.get("name") or unquote(urlsplit(wheel["url"]).path).rsplit("/", 1)[-1])


def rank(file: str) -> tuple[bool, int, int]:
    """An order among wheels that fit: compiled before pure, this Python before the stable ABI, newest glibc first."""
    _, _, abi, platform = file.removesuffix(".whl").rsplit("-", 3)
    own = f"cp{PYTHON.replace('.', '')}" in abi.split(".")
    glibc = [int(part.split("_")[2]) for part in platform.split(".") if part.startswith("manylinux_2_")]
    return platform != "any", 2 if own else int("abi3" in abi), max(glibc, default=0)


def write() -> dict[str, int]:
    """Resolve and write both lock files; return how many packages each has."""
    debian, wheels = resolve_debian(), resolve_wheels()
    DEBIAN_LOCK.write_text(dump(debian), encoding="utf-8")
    WHEEL_LOCK.write_text(dump(wheels), encoding="utf-8")
    return {"debian": len(debian.packages), "wheels": len(wheels.packages)}


if __name__ == "__main__":
    print(json.dumps(write()))
