"""The commands as a person or a machine runs them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from falaj.cli import main


@dataclass
class Outcome:
    returncode: int
    stdout: str
    stderr: str


Falaj = Callable[..., Outcome]


@pytest.fixture
def falaj(space: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Falaj:
    """Runs the command in this process, in the project's directory, without a Pulumi CLI on PATH."""
    monkeypatch.chdir(space.root)
    monkeypatch.setenv("FALAJ_HOME", str(space.home))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")

    def run(*arguments: str, stdin: str = "") -> Outcome:
        monkeypatch.setattr(sys, "argv", ["falaj", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Outcome(code, *capsys.readouterr())

    return run


HERE = "config: {'falaj:jurisdiction': uae, 'falaj:cloud': on-premises, 'falaj:region': local}\n"


@pytest.fixture(autouse=True)
def program(space: Any) -> None:
    (space.root / "Pulumi.dev.yaml").write_text(HERE)
    space.program(
        "import pulumi\nclass Box(pulumi.ComponentResource):\n"
        "    def __init__(self, name):\n        super().__init__('case:index:Box', name)\n"
        "Box('b')\npulumi.export('plain', 'x')\npulumi.export('hidden', pulumi.Output.secret('hush'))\n"
    )


def test_a_stack_from_preview_to_destroy(falaj: Falaj) -> None:
    preview = falaj("preview", "-s", "dev", "--json")
    assert preview.returncode == 0, preview.stderr
    digest = json.loads(preview.stdout)
    assert digest["changeSummary"] == {"create": 2}
    assert {step["op"] for step in digest["steps"]} == {"create"}
    assert "hush" not in preview.stdout + preview.stderr

    asked = falaj("up", "-s", "dev", stdin="")
    assert asked.returncode == 2
    assert "add --yes" in asked.stderr

    up = falaj("up", "-s", "dev", "--yes")
    assert up.returncode == 0, up.stderr
    assert "dev: 2 created in" in up.stderr
    assert "hush" not in up.stdout + up.stderr
    again = falaj("up", "-s", "dev", "--yes", "--json")
    assert json.loads(again.stdout)["changeSummary"] == {"same": 2}
    assert "nothing to change" in falaj("up", "-s", "dev").stderr

    assert json.loads(falaj("stack", "ls", "--json").stdout) == [{"name": "dev", "resourceCount": 2}]
    assert falaj("stack", "output", "plain", "-s", "dev").stdout == "x\n"
    assert json.loads(falaj("stack", "output", "-s", "dev", "--json").stdout)["hidden"] == "[secret]"
    assert falaj("stack", "output", "hidden", "-s", "dev", "--show-secrets").stdout == "hush\n"
    assert falaj("stack", "output", "none", "-s", "dev").returncode == 2
    exported = json.loads(falaj("stack", "export", "-s", "dev").stdout)
    assert exported["version"] == 3
    assert "ciphertext" in json.dumps(exported["deployment"]["resources"][0]["outputs"]["hidden"])

    destroy = falaj("destroy", "-s", "dev", "--yes")
    assert destroy.returncode == 0, destroy.stderr
    assert "dev: 2 deleted in" in destroy.stderr


def test_configuration(falaj: Falaj) -> None:
    assert falaj("config", "set", "deep.image", "i", "--path", "-s", "dev").returncode == 0
    assert falaj("config", "get", "deep", "-s", "dev").stdout == '{"image": "i"}\n'
    assert falaj("config", "set", "token", "--secret", "-s", "dev", stdin="hush\n").returncode == 0
    assert falaj("config", "get", "token", "-s", "dev").stdout == "hush\n"
    missing = falaj("config", "get", "none", "-s", "dev")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert len(missing.stderr.splitlines()) == 1


def test_a_failing_program_is_one_line_and_exit_1(space: Any, falaj: Falaj) -> None:
    space.program("import pulumi\n\nraise ValueError('wrong')\n")
    failed = falaj("up", "-s", "dev", "--yes")
    assert failed.returncode == 1
    assert "falaj: __main__.py:3: ValueError: wrong" in failed.stderr.splitlines()
    assert "Traceback" not in failed.stderr
    assert "Traceback" in falaj("up", "-s", "dev", "--yes", "--verbose").stderr


@pytest.mark.parametrize("command", [("up", "--yes"), ("preview",)])
def test_a_project_that_says_no_jurisdiction_is_refused(space: Any, falaj: Falaj, command: tuple[str, ...]) -> None:
    (space.root / "Pulumi.dev.yaml").write_text("config: {}\n")
    refused = falaj(*command, "-s", "dev")
    assert refused.returncode == 1
    lines = [line for line in refused.stderr.splitlines() if line.startswith("falaj: ")]
    assert any(line.startswith("falaj: RES-01 dev: ") for line in lines)
    assert "Traceback" not in refused.stderr
    assert json.loads(falaj("stack", "export", "-s", "dev").stdout)["deployment"].get("resources", []) == []


def test_a_jurisdiction_that_leads_nowhere_is_exit_2_and_one_line(space: Any, falaj: Falaj) -> None:
    (space.root / "Pulumi.dev.yaml").write_text("config: {'falaj:stack': {kind: tenant, region: x}}\n")
    failed = falaj("up", "-s", "dev", "--yes")
    assert failed.returncode == 2
    assert len([line for line in failed.stderr.splitlines() if line.startswith("falaj: ")]) == 1
    assert "jurisdiction" in failed.stderr


def test_usage_errors_are_exit_2(falaj: Falaj) -> None:
    unknown = falaj("up", "-s", "nowhere", "--yes")
    assert unknown.returncode == 2
    assert "falaj stack init -s nowhere" in unknown.stderr
    assert falaj("up", "-s", "dev", "--engine", "pulumi").returncode == 2
    assert falaj("up", "-s", "dev", "-C", "none").returncode == 2


def test_commands_load_nothing_heavy() -> None:
    code = (
        "import sys, falaj_engine.commands; print([m for m in ('pulumi', 'grpc', 'rich', 'yaml') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
