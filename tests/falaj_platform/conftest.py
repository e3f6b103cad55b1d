"""Running `falaj check` as a user does, on projects made for a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Checked:
    """What the command did; `data` is its JSON where it wrote some."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    def found(self, **wanted: object) -> list[dict[str, Any]]:
        """The findings with these fields."""
        return [item for item in self.data["findings"] if all(item[key] == value for key, value in wanted.items())]

    @property
    def line(self) -> str:
        """The one line of an error."""
        assert self.code == 2, self
        assert not self.out
        assert self.err.startswith("falaj: ")
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err


Check = Callable[..., Checked]


@pytest.fixture(scope="session")
def check() -> Check:
    """`check(folder, *arguments, env={})`: `falaj check`, without Checkov unless `checkov=True`."""

    def run(folder: Path, *arguments: str, env: Mapping[str, str] | None = None, checkov: bool = False) -> Checked:
        command = [str(Path(sys.executable).parent / "falaj"), "check", "-C", str(folder), *arguments]
        if not checkov:
            command += ["--without", "checkov"]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=180,
            env={**os.environ, "COLUMNS": "100", **(env or {})},
            cwd=folder if folder.is_dir() else None,
        )
        return Checked(done.returncode, done.stdout, done.stderr)

    return run


Project = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """`project(program, stack=text, manifest=text, files={})`: a team's project in a path with spaces."""

    def make(
        program: str,
        *,
        config: Mapping[str, Any] | None = None,
        manifest: str = "name: shop\nruntime: python\n",
        files: Mapping[str, str] | None = None,
    ) -> Path:
        root = tmp_path / "a team's own"
        root.mkdir(exist_ok=True)
        (root / "Pulumi.yaml").write_text(manifest, encoding="utf-8")
        (root / "__main__.py").write_text(program, encoding="utf-8")
        said = {"falaj:jurisdiction": "uae", "falaj:regime": "pdpl", **(config or {})}
        lines = [f"  {key}: {json.dumps(value)}" for key, value in said.items()]
        (root / "Pulumi.prod.yaml").write_text("\n".join(["config:", *lines, ""]), encoding="utf-8")
        for name, text in (files or {}).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        return root

    return make


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Falaj's own stacks in a project of their own, for a test to spoil."""
    import shutil

    root = tmp_path / "our own stacks"
    shutil.copytree(ROOT / "stacks", root / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    manifest = "name: falaj\nmain: stacks\nstackConfigDir: stacks/config\nruntime: python\n"
    (root / "Pulumi.yaml").write_text(manifest, encoding="utf-8")
    shutil.copyfile(ROOT / "uv.lock", root / "uv.lock")
    return root
