"""SUP-06: what a project is built from is locked, version and hash, by a file of the project."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from falaj_policies.facts import ProjectFact
from falaj_policies.model import Objection

__all__ = ["locked"]

_REQUIREMENTS: Final = re.compile(r"requirements([-_.][\w.-]+)?\.txt")
_HASH: Final = re.compile(r"--hash[= ]sha(256|384|512):[0-9a-f]{64,128}")
_STRONG: Final = re.compile(r"sha(256|384|512):[0-9a-f]{64,128}")
# Files that name dependencies without locking them.
_MANIFESTS: Final = ("pyproject.toml", "setup.cfg", "setup.py", "Pipfile")


def locked(project: ProjectFact) -> Iterator[Objection]:
    """Every dependency is in a lock file by hash: uv's, Poetry's, PDM's, Pipenv's, or requirements with `--hash`.

    Only what is fetched needs a hash: packages of the project itself have none.
    """
    locks = [(name, text) for name, text in sorted(project.files.items()) if _base(name) in _LOCKS]
    for name, text in locks:
        yield from _of_lock(name, text)
    listed = [(name, text) for name, text in sorted(project.files.items()) if _REQUIREMENTS.fullmatch(_base(name))]
    for name, text in listed:
        yield from _of_requirements(name, text)
    if not locks and not listed:
        manifest = next((name for name in sorted(project.files) if _base(name) in _MANIFESTS), "")
        where = f"{manifest} names dependencies, and" if manifest else "nothing says what it is built from:"
        yield Objection(f"{where} no lock file stands beside it", path=manifest)


def _base(name: str) -> str:
    return PurePosixPath(name).name


def _of_lock(name: str, text: str) -> Iterator[Objection]:
    try:
        loose = _LOCKS[_base(name)](text)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        yield Objection(f"{name} cannot be read as a lock file ({type(error).__name__})", path=name)
        return
    if loose:
        rest = f" and {len(loose) - 1} others" if len(loose) > 1 else ""
        yield Objection(f"{name} locks {loose[0]}{rest} without a hash", path=name)


def _of_requirements(name: str, text: str) -> Iterator[Objection]:
    """Each requirement carries a hash; options and other files that are included are lines of their own."""
    joined = re.sub(r"\\\r?\n", " ", text)
    for line in joined.splitlines():
        said = re.sub(r"(^|\s)#.*", "", line).strip()
        if not said or (said.startswith("-") and not re.match(r"(-e|--editable)\b", said)):
            continue
        if not _HASH.search(said):
            what = re.split(r"[\s;=<>~!@\[]", said.removeprefix("-e ").strip(), maxsplit=1)[0]
            yield Objection(f"{name} names {what or said[:40]} without a hash", path=name)
            return


def _packages(text: str) -> list[Mapping[str, Any]]:
    found = tomllib.loads(text).get("package", [])
    if not isinstance(found, list):
        raise TypeError("package is not a list of tables")
    return found


def _uv(text: str) -> list[str]:
    loose = []
    for package in _packages(text):
        source = package["source"]
        if {"virtual", "editable", "directory"} & set(source):
            continue
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        # A commit is a hash of its own.
        if not (_commit(source.get("git", "")) or (files and all(_is_hash(file) for file in files))):
            loose.append(str(package["name"]))
    return loose


def _commit(url: str) -> bool:
    return re.search(r"#[0-9a-f]{40}$", url) is not None


def _is_hash(file: Mapping[str, Any]) -> bool:
    return _STRONG.fullmatch(str(file.get("hash", ""))) is not None


def _poetry(text: str) -> list[str]:
    """Poetry's and PDM's: the files of each package stand beside it."""
    loose = []
    for package in _packages(text):
        source = package.get("source", {})
        kept = source.get("type") == "directory" or package.get("path") is not None
        commit = re.fullmatch(r"[0-9a-f]{40}", str(source.get("resolved_reference", package.get("revision", ""))))
        files = package.get("files", [])
        if not (kept or commit or (files and all(_is_hash(file) for file in files))):
            loose.append(str(package["name"]))
    return loose


def _pipenv(text: str) -> list[str]:
    loose = []
    for section in ("default", "develop"):
        for name, package in json.loads(text).get(section, {}).items():
            hashes = package.get("hashes", [])
            commit = re.fullmatch(r"[0-9a-f]{40}", str(package.get("ref", "")))
            kept = "path" in package or commit
            if not (kept or (hashes and all(_STRONG.fullmatch(str(one)) for one in hashes))):
                loose.append(str(name))
    return loose


_LOCKS: Final[Mapping[str, Callable[[str], list[str]]]] = {
    "uv.lock": _uv,
    "poetry.lock": _poetry,
    "pdm.lock": _poetry,
    "Pipfile.lock": _pipenv,
}
