"""What there is to check: a Pulumi project in Python, its stacks and their files."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from falaj_platform.errors import CheckError

if TYPE_CHECKING:
    from falaj_engine.project import Project, StackFile

__all__ = ["NAMELESS", "Stack", "Target", "files_of", "open_project"]

NAMELESS: Final = "dev"
_STACK_FILE = re.compile(r"Pulumi\.([A-Za-z0-9][-A-Za-z0-9_.]{0,99})\.ya?ml")
_SKIPPED: Final = frozenset({".git", ".venv", ".venv-checkov", ".falaj", "node_modules", "__pycache__", "venv"})


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack to be checked. `config` is by full key, as its program gets it; `secret_keys` are encrypted or secret."""

    name: str
    file: Path
    config: Mapping[str, str]
    encryption: str
    kind: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A project to be checked.

    `site_packages` go first on the path of its programs, None where they run in this environment. `backend` is the
    URL of its state, empty where Pulumi.yaml does not say.
    """

    name: str
    root: Path
    main: Path
    manifest: Path
    config_dir: Path
    backend: str
    site_packages: Path | None
    stacks: tuple[Stack, ...]

    def stack(self, name: str) -> Stack:
        """Raises CheckError: there is none of that name."""
        for stack in self.stacks:
            if stack.name == name:
                return stack
        known = ", ".join(stack.name for stack in self.stacks)
        raise CheckError(f"no stack {name!r} in {self.config_dir}: there are {known}")


def open_project(folder: Path) -> Target:
    """The project in `folder` or above it with all its stacks. Raises CheckError or EngineError."""
    from falaj_engine.project import load_project, load_stack_file, read_document

    if not folder.is_dir():
        raise CheckError(f"{folder}: no such directory: name a project's with -C")
    project = load_project(folder, driven=False)
    manifest = next(project.root / name for name in ("Pulumi.yaml", "Pulumi.yml") if (project.root / name).is_file())
    if not project.main.exists():
        raise CheckError(f"{manifest}: `main` names {project.main.name!r}, which does not exist")
    program = project.main / "__main__.py" if project.main.is_dir() else project.main
    if not program.is_file():
        raise CheckError(
            f"{program}: there is no such file, and it is the project's program: write it, or name another with `main`"
        )
    document = read_document(manifest)
    named = {match[1]: path for path in _entries(project.config_dir) if (match := _STACK_FILE.fullmatch(path.name))}
    if not named:
        named = {NAMELESS: project.config_dir / f"Pulumi.{NAMELESS}.yaml"}
    stacks = [
        _stack(name, path, project, load_stack_file(path, project.name, driven=False)) for name, path in named.items()
    ]
    return Target(
        name=project.name,
        root=project.root,
        main=project.main,
        manifest=manifest,
        config_dir=project.config_dir,
        backend=_text(document.get("backend"), "url"),
        site_packages=_site_packages(document.get("runtime"), project.root, manifest),
        stacks=tuple(sorted(stacks, key=lambda stack: (stack.kind != "region", stack.name))),
    )


def _entries(folder: Path) -> Sequence[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else ()


def _stack(name: str, path: Path, project: Project, file: StackFile) -> Stack:
    import json

    from falaj_engine.project import read_document

    texts, _secret_keys = file.values(project.defaults, lambda _text: "[secret]", driven=False)
    try:
        own = json.loads(texts.get("falaj:stack", "null"))
    except ValueError:
        own = None
    own = own if isinstance(own, dict) else {}
    encryption = _text(read_document(path), "secretsprovider") if path.is_file() else ""
    if not encryption and (file.salt or own):
        # The embedded engine has no other.
        encryption = "passphrase"
    return Stack(name, path, texts, encryption, _text(own, "kind"), _text(own, "region"))


def _text(mapping: object, key: str) -> str:
    value = mapping.get(key) if isinstance(mapping, Mapping) else None
    return value if isinstance(value, str) else ""


def _site_packages(runtime: object, root: Path, manifest: Path) -> Path | None:
    """Where the packages of the virtual environment that Pulumi.yaml names are; None for this process's own."""
    named = _text(runtime.get("options"), "virtualenv") if isinstance(runtime, Mapping) else ""
    if not named:
        return None
    venv = root / named
    if venv.resolve() == Path(sys.prefix).resolve():
        return None
    if not (venv / "pyvenv.cfg").is_file():
        raise CheckError(
            f"{manifest}: the virtualenv {named!r} is not there: make it and install the project's packages"
        )
    mine = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = venv / "lib" / mine / "site-packages"
    if not packages.is_dir():
        theirs = ", ".join(path.name for path in sorted((venv / "lib").glob("python3.*"))) or "another Python"
        raise CheckError(f"{manifest}: the virtualenv {named!r} is of {theirs}: falaj check runs programs with {mine}")
    return packages


def files_of(root: Path) -> list[Path]:
    """The project's own files: what git tracks or would track, else everything but environments and caches.

    A repository inside belongs to it. A project that git ignores as a whole is walked: its program runs all the same.
    """
    listed = None if _is_ignored(root) else _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if not listed:
        return sorted(_walk(root))
    files: list[Path] = []
    for name in dict.fromkeys(listed.split(b"\0")):
        path = root / name.decode("utf-8", "surrogateescape")
        if not name or path.is_symlink():
            continue
        if path.is_file():
            files.append(path)
        elif path.is_dir():
            # Of another repository git names the folder alone.
            files += files_of(path) if (path / ".git").exists() else sorted(_walk(path))
    return files


def _is_ignored(root: Path) -> bool:
    if (root / ".git").exists():
        return False
    # From above: from inside, git compares what is in a folder and not the folder.
    return _git(root.parent, "check-ignore", "--no-index", "--", str(root.resolve())) is not None


def _git(folder: Path, *arguments: str) -> bytes | None:
    """What git says; None where it is not there, or does not succeed."""
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def _walk(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_symlink() or entry.name in _SKIPPED:
            continue
        if entry.is_dir():
            if not (entry / "pyvenv.cfg").is_file():
                yield from _walk(entry)
        elif entry.is_file():
            yield entry
