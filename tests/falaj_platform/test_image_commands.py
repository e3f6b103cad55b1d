"""`falaj image`: what it prints, and that it loads nothing before it runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from falaj_platform import commands
from falaj_platform.errors import FetchError, ImageError, LockError, PlatformError, RegistryError, SpaceError, ToolError
from falaj_platform.image import build


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setenv("FALAJ_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = typer.Typer()
    commands.register(made)
    return made


def image(folder: Path) -> build.BuiltImage:
    digest = "sha256:" + "a" * 64
    return build.BuiltImage(
        reference=f"localhost/falaj/platform@{digest}",
        digest=digest,
        archive=folder / "a.tar",
        bill=folder / "b.json",
        size=1_000_000,
        key="k",
        seconds=3.0,
    )


def test_build_prints_the_reference_alone(app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "build_image", lambda home, progress: image(home))
    result = CliRunner().invoke(app, ["image", "build"])
    assert result.exit_code == 0
    assert result.stdout == f"localhost/falaj/platform@sha256:{'a' * 64}\n"
    assert "built in 3 s, 1 MB" in result.stderr


def test_build_speaks_json(app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "build_image", lambda home, progress: image(home))
    document = json.loads(CliRunner().invoke(app, ["image", "build", "--json"]).stdout)
    assert document["archive"] == str(tmp_path / "home/a.tar")
    assert {"reference", "digest", "bill", "size", "substitutes", "seconds", "cached"} <= set(document)


def test_list_says_what_is_missing_and_how_to_have_it(app: typer.Typer) -> None:
    document = json.loads(CliRunner().invoke(app, ["image", "list", "--json"]).stdout)
    found = {entry["name"]: entry for entry in document["images"]}
    assert set(found) == {"localhost/falaj/platform", "localhost/falaj/pause"}
    assert found["localhost/falaj/platform"]["reference"] is None
    assert "falaj image build" in found["localhost/falaj/platform"]["remedy"]


def test_push_without_an_image_is_a_users_error(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["image", "push", "registry.test"])
    assert isinstance(result.exception, ImageError)


def test_errors_know_their_exit_code() -> None:
    codes = {kind.__name__: kind.exit_code for kind in (FetchError, RegistryError, LockError, ToolError, SpaceError)}
    assert codes == {"FetchError": 1, "RegistryError": 1, "LockError": 2, "ToolError": 2, "SpaceError": 2}
    assert PlatformError.exit_code == 2


def test_registering_the_commands_loads_none_of_their_work() -> None:
    script = (
        "import sys, typer; from falaj_platform.commands import register; register(typer.Typer());"
        "print(*[m for m in ('pydantic', 'urllib3', 'pulumi', 'falaj_platform.image.build') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
