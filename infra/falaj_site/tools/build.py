"""Builds one tool into the cache.

A cached tool is found by what it was made from: its module files, its sources, how it is built and the compiler's
version. A finished binary is renamed into place, so what is in the cache is whole. One build runs at a time on a
machine: each is happy to use every core.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from falaj_site.errors import ToolUnavailable
from falaj_site.lifeline import die_with_parent
from falaj_site.tools import catalogue
from falaj_site.tools.catalogue import Tool

__all__ = ["build", "cached", "one_build", "slot"]

_C_FLAGS = ("-Os", "-static", "-s", "-Wall")


def _stamps(tool: Tool) -> list[str]:
    release = catalogue.version(tool)
    if not tool.stamp:
        return []
    major, minor = release.lstrip("v").split(".")[:2]
    return [text.format(v=release, major=major, minor=minor) for text in tool.stamp]


def _go_arguments(tool: Tool) -> list[str]:
    link = " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in _stamps(tool))])
    arguments = ["-trimpath", "-buildvcs=false", "-mod=readonly", "-modcacherw", f"-ldflags={link}"]
    if tool.tags:
        arguments.append(f"-tags={','.join(tool.tags)}")
    return arguments


def slot(tool: Tool, go_version: str, cache: Path) -> Path:
    """The binary's path in the cache: `<cache>/<name>-<version>-<hash12>/<name>`."""
    digest = hashlib.sha256()
    for path in sorted(catalogue.module_folder(tool).iterdir()):
        if path.is_file():
            content = path.read_bytes()
            digest.update(f"{path.name} {len(content)}\n".encode() + content)
    how = [
        tool.name,
        tool.package,
        go_version if tool.package else "cc",
        platform.machine(),
        str(tool.cgo),
        *(_go_arguments(tool) if tool.package else _C_FLAGS),
    ]
    digest.update("\0".join(how).encode())
    return cache / f"{tool.name}-{catalogue.version(tool)}-{digest.hexdigest()[:12]}" / tool.name


def cached(path: Path) -> bool:
    """Whether the slot holds its binary."""
    return path.is_file() and os.access(path, os.X_OK)


@contextmanager
def one_build(cache: Path) -> Iterator[None]:
    """Held while a tool is built, so that two processes neither build the same one nor fight for the cores."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in cache.glob(".build-*"):
            shutil.rmtree(left, ignore_errors=True)  # of a build that was killed: nobody else builds now
        yield


def build(tool: Tool, go: Path, path: Path, go_cache: Path) -> None:
    """Builds `tool` into its slot `path`; Go's own caches are kept under `go_cache`.

    Raises ToolUnavailable with the compiler's last words.
    """
    folder = path.parent
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".build-"))
    try:
        made = scratch / tool.name
        if tool.package:
            _build_go(tool, go, made, go_cache)
        else:
            sources = sorted(catalogue.module_folder(tool).glob("*.c"))
            _run(tool, ["cc", *_C_FLAGS, "-o", made, *sources], cwd=scratch, env=dict(os.environ))
        made.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        scratch.chmod(0o755)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _build_go(tool: Tool, go: Path, made: Path, go_cache: Path) -> None:
    # What the caller's environment says about the proxy and its checks stands; what it says about building does not.
    env = {key: value for key, value in os.environ.items() if key not in ("GOFLAGS", "GOOS", "GOARCH", "GOBIN")}
    env |= {
        "GOCACHE": str(go_cache / "build"),
        "GOMODCACHE": str(go_cache / "mod"),
        "GOPATH": str(go_cache / "path"),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOENV": "off",
        "CGO_ENABLED": "1" if tool.cgo else "0",
    }
    command: list[str | Path] = [go, "build", *_go_arguments(tool), "-o", made, tool.package]
    _run(tool, command, cwd=catalogue.module_folder(tool), env=env)


def _run(tool: Tool, command: list[str | Path], cwd: Path, env: dict[str, str]) -> None:
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, check=False, preexec_fn=die_with_parent()
        )
    except OSError as error:
        raise ToolUnavailable(f"cannot build {tool.name}: {command[0]} does not run ({error.strerror})") from error
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = next((line for line in lines if not line.startswith(("go: downloading", "#"))), "no reason given")
        raise ToolUnavailable(f"cannot build {tool.name} {catalogue.version(tool)}: {reason[:400]}")
