"""The two lock files: which Debian packages and which wheels the image is made of, with size and SHA-256.

They name no host: packages come from the machine's own mirrors, and the hash says whether they are the right ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from falaj_platform.errors import LockError

DEBIAN_LOCK = Path(__file__).with_name("debian.lock.json")
WHEEL_LOCK = Path(__file__).with_name("wheels.lock.json")

_Lock = TypeVar("_Lock", bound="_Frozen")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DebianPackage(_Frozen):
    """One binary package; `size` in bytes, `sha256` of the .deb in hexadecimal."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9+.-]+$")
    version: str = Field(pattern=r"^[0-9A-Za-z.+:~-]+$")
    architecture: str = Field(pattern=r"^[a-z0-9-]+$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(gt=0)


class Wheel(_Frozen):
    """One wheel; `file` is its file name, `size` in bytes, `sha256` in hexadecimal."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    version: str = Field(pattern=r"^[0-9A-Za-z.+!]+$")
    file: str = Field(pattern=r"^[0-9A-Za-z_.+!-]+\.whl$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(gt=0)


class DebianLock(_Frozen):
    """Debian packages in the order in which they are unpacked."""

    version: Literal[1]
    suite: str
    architecture: str
    packages: tuple[DebianPackage, ...] = Field(min_length=1)


class WheelLock(_Frozen):
    """Wheels by name, for one Python and one platform."""

    version: Literal[1]
    python: str
    platform: str
    packages: tuple[Wheel, ...] = Field(min_length=1)


def load_debian(path: Path = DEBIAN_LOCK) -> DebianLock:
    """Read the Debian lock. Raises LockError."""
    return _load(path, DebianLock)


def load_wheels(path: Path = WHEEL_LOCK) -> WheelLock:
    """Read the wheel lock. Raises LockError."""
    return _load(path, WheelLock)


def dump(lock: DebianLock | WheelLock) -> str:
    """The lock as JSON with one package on each line, so that a change is read line by line."""
    head = {key: value for key, value in lock.model_dump().items() if key != "packages"}
    rows = ",\n".join("    " + json.dumps(package.model_dump()) for package in lock.packages)
    fields = "".join(f'  "{key}": {json.dumps(value)},\n' for key, value in head.items())
    return f'{{\n{fields}  "packages": [\n{rows}\n  ]\n}}\n'


def _load(path: Path, kind: type[_Lock]) -> _Lock:
    try:
        lock = kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise LockError(f"{path}: cannot be read ({error.strerror}); make it with `falaj image lock`") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise LockError(f"{path}: {where}: {first['msg']}; make it anew with `falaj image lock`") from error
    names = [package.name for package in _packages(lock)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise LockError(f"{path}: {twice[0]} is locked twice; make it anew with `falaj image lock`")
    return lock


def _packages(lock: object) -> Sequence[DebianPackage | Wheel]:
    return lock.packages if isinstance(lock, (DebianLock, WheelLock)) else ()
