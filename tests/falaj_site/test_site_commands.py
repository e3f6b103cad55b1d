"""`falaj site` on the command line, where no site is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from falaj_site import commands


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FALAJ_HOME", str(tmp_path / "a home"))
    return tmp_path / "a home"


def app() -> typer.Typer:
    made = typer.Typer()
    made.callback()(lambda: None)
    commands.register(made)
    return made


def test_registering_loads_nothing_heavy() -> None:
    code = "import sys, falaj_site.commands; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name in ("pydantic", "cryptography", "yaml", "hvac", "urllib3", "pulumi", "falaj_site.site"):
        assert f"'{name}'" not in loaded


def test_status_without_a_site_says_so_and_makes_nothing(home: Path) -> None:
    result = CliRunner().invoke(app(), ["site", "status", "--json"])
    assert result.exit_code == 1
    status = json.loads(result.stdout)
    assert status["running"] is False
    assert status["endpoints"] is None
    assert {(part["answers"], part["version"]) for part in status["components"]} == {(False, "")}
    assert status["enforces_network_policy"] is False
    assert not home.exists()


def test_status_tells_that_network_policies_are_not_enforced(home: Path) -> None:
    said = CliRunner().invoke(app(), ["site", "status"]).stdout
    assert "there is no site" in said
    assert "NOT enforced" in said


def test_down_without_a_site_is_no_error(home: Path) -> None:
    result = CliRunner().invoke(app(), ["site", "down", "--json"])
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"was_running": False, "purged": False})


def test_purge_asks_first(home: Path) -> None:
    (home / "site").mkdir(parents=True)
    result = CliRunner().invoke(app(), ["site", "down", "--purge"])
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert (home / "site").exists()


def test_the_log_of_no_component_names_those_there_are(home: Path) -> None:
    (home / "site" / "logs").mkdir(parents=True)
    (home / "site" / "logs" / "etcd.log").write_text("".join(f"line {number}\n" for number in range(100)))
    result = CliRunner().invoke(app(), ["site", "logs", "ectd"])
    assert result.exit_code == 2
    assert "etcd" in result.stderr
    shown = CliRunner().invoke(app(), ["site", "logs", "etcd", "-n", "2"])
    assert shown.stdout == "line 98\nline 99\n"
