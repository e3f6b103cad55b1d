"""What `falaj check` cannot check: exit 2 with one line, no traceback and no secret."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Check = Callable[..., Any]
Project = Callable[..., Path]
SECRET = "AKIA" + "Q3EGXMPL5ZYXW4V2"  # pragma: allowlist secret


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import pulumi\n\nraise ValueError('no such thing')\n", "__main__.py:3: ValueError (its text is left out"),
        ("import pulumi\nx = (\n", "__main__.py:2: SyntaxError"),
        ("import not_a_module_of_anyone\n", "__main__.py:1: ModuleNotFoundError of 'not_a_module_of_anyone'"),
        ("import sys\nsys.exit(3)\n", "the program called exit(3)"),
        ("import os\nos._exit(0)\n", "the program ended its process without a word"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "the program ended its process without a word"),
        ("raise RecursionError\n", "RecursionError"),
        ("import pulumi\npulumi.Config().require('absent')\n", "__main__.py:2: ConfigMissingError of 'shop:absent'"),
        (f"raise RuntimeError('the key is {SECRET}')\n", "RuntimeError"),
        ("raise RuntimeError('password=hunter22')\n", "__main__.py:1: RuntimeError ("),
        ("import sys\nsys.exit('hunter22')\n", "the program called exit(...)"),
        ("import pulumi\npulumi.Output.from_input('hunter22').apply(int)\n", "ValueError ("),
        ("raise pulumi.RunError('hunter22')\n".join(("import pulumi\n", "")), "__main__.py:2: RunError ("),
        ("import typer\nraise typer.BadParameter('hunter22')\n", "__main__.py:2: BadParameter ("),
    ],
)
def test_a_program_that_fails(check: Check, project: Project, program: str, said: str) -> None:
    line = check(project(program)).line
    assert said in line
    assert "stack prod" in line
    assert SECRET not in line
    assert "hunter22" not in line


def test_the_text_of_a_failure_is_shown_where_asked_for(check: Check, project: Project) -> None:
    line = check(project("raise RuntimeError('one\\ntwo\\npassword=hunter22')\n"), "--verbose").line
    assert "__main__.py:1: RuntimeError: one two password=[hidden]" in line


def test_a_program_that_never_ends_is_stopped_with_what_it_started(check: Check, project: Project) -> None:
    program = """
import os, subprocess
child = subprocess.Popen(["sleep", "600"])
open("pids", "w").write(f"{os.getpid()} {child.pid}")
while True:
    pass
"""
    root = project(program)
    assert "stack prod: the program did not end within 2 s, and was stopped" in check(root, "--time-limit", "2").line
    _gone(root / "pids")


LEAVING = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open("pids", "w") as file:
            file.write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
while not os.path.exists("pids") or not open("pids").read():
    time.sleep(0.01)
"""


def test_what_a_program_leaves_running_holds_nothing_up_and_is_ended(check: Check, project: Project) -> None:
    root = project(LEAVING)
    done = check(root, "--json", "--time-limit", "30")
    assert done.code in {0, 1}, done.err
    _gone(root / "pids")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_check_that_is_told_to_end_leaves_nothing(project: Project, tmp_path: Path, number: signal.Signals) -> None:
    root = project(f"{LEAVING}\nwhile True:\n    pass\n" if number != signal.SIGKILL else NEVER)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [str(Path(sys.executable).parent / "falaj"), "check", "-C", str(root)]
    command += [] if (ROOT / ".venv-checkov").is_dir() else ["--without", "checkov"]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(scratch)}, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 60
            while not ((root / "pids").is_file() and (root / "pids").read_text()) and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(number)
            process.wait(30)
        finally:
            process.kill()
    assert process.returncode in {128 + number, -number}
    _gone(root / "pids")
    if number != signal.SIGKILL:
        assert list(scratch.iterdir()) == []


NEVER = """
import os
with open("pids", "w") as file:
    file.write(str(os.getpid()))
while True:
    pass
"""


def _gone(pids: Path) -> None:
    found = pids.read_text().split()
    assert found
    for pid in found:
        deadline = time.monotonic() + 10
        while _runs(int(pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not _runs(int(pid))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_one_program_of_several_that_fails_is_named(check: Check, project: Project) -> None:
    root = project("import pulumi\nassert pulumi.get_stack() == 'prod', 'only there'\n")
    (root / "Pulumi.test.yaml").write_text("config:\n  falaj:jurisdiction: uae\n")
    line = check(root).line
    assert "stack test: __main__.py:2: AssertionError (" in line
    assert "stack prod" not in line
    assert check(root, "-s", "prod").code in {0, 1}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("Pulumi.prod.yaml", "config: [\n", "Pulumi.prod.yaml:2: not valid YAML"),
        ("Pulumi.prod.yaml", "config:\n  - a\n", "'config' must be a mapping"),
        ("Pulumi.prod.yaml", "confg: {}\n", "Pulumi.prod.yaml:1: unknown key 'confg'"),
        ("Pulumi.prod.yaml", "- a\n", "must be a mapping"),
        ("Pulumi.prod.yaml", "config:\n  a: 2001-99-99\n", "not valid YAML"),
        ("Pulumi.prod.yaml", "config:\n  falaj:stack: {kind: nothing}\n", "must be `region` or `tenant`"),
        (
            "Pulumi.prod.yaml",
            "config:\n  falaj:stack: {kind: tenant, tenant: a, region: ../x}\n",
            "no Pulumi.../x.yaml",
        ),
        ("Pulumi.prod.yaml", "config:\n  falaj:standby: here\n", "falaj:standby"),
        ("Pulumi.yaml", "name: [1]\nruntime: python\n", "'name' must be a project name"),
        ("Pulumi.yaml", "name: shop\nruntime: nodejs\n", "runs Python programs only"),
        ("Pulumi.yaml", "name: shop\nruntime: python\nmain: nowhere\n", "`main` names 'nowhere', which does not exist"),
        ("Pulumi.yaml", "name: shop\nruntime: python\nconfig: [a]\n", "'config' must be a mapping"),
        ("Pulumi.yaml", "\x00", "not valid YAML"),
        ("falaj-waivers.yaml", "waivers: [\n", "falaj-waivers.yaml"),
    ],
)
def test_a_file_that_does_not_parse(check: Check, project: Project, name: str, text: str, said: str) -> None:
    root = project("import pulumi\n")
    (root / name).write_text(text, encoding="utf-8")
    assert said in check(root).line


def test_a_project_without_a_program(check: Check, project: Project) -> None:
    root = project("")
    (root / "__main__.py").unlink()
    assert "__main__.py: there is no such file, and it is the project's program" in check(root).line


def test_a_file_that_is_no_text(check: Check, project: Project) -> None:
    root = project("import pulumi\n")
    (root / "Pulumi.prod.yaml").write_bytes(b"config:\n  a: \xff\xfe\n")
    assert "Pulumi.prod.yaml:1: not valid YAML" in check(root).line


def test_what_is_not_there(check: Check, project: Project, tmp_path: Path) -> None:
    root = project("import pulumi\n")
    assert "no stack 'absent'" in check(root, "-s", "absent").line
    assert "no such directory" in check(tmp_path / "nowhere").line
    assert "no Pulumi.yaml in" in check(tmp_path).line
    assert "cannot be written" in check(root, "--output", str(tmp_path / "no" / "file.json")).line


def test_a_rule_package_that_cannot_be_loaded(check: Check, project: Project, tmp_path: Path) -> None:
    package = tmp_path / "site"
    info = package / "acme_rules-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-rules\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[falaj.rules]\nacme = acme_rules:RULES\n")
    (package / "acme_rules.py").write_text("raise ImportError('made for a test')\n")
    line = check(project("import pulumi\n"), env={"PYTHONPATH": str(package)}).line
    assert "acme-rules" in line
    assert "made for a test" in line


def test_a_wrong_key_of_our_own_configuration(check: Check, own: Path) -> None:
    file = own / "stacks" / "config" / "Pulumi.tenant-demo.yaml"
    file.write_text(file.read_text().replace("      cpu:", "      cpus:"))
    number = next(n for n, line in enumerate(file.read_text().splitlines(), 1) if "cpus" in line)
    said = f"stacks/config/Pulumi.tenant-demo.yaml:{number}: falaj:stack.quota.cpus: no such key: did you mean `cpu`?"
    assert said in check(own).line


def test_a_region_outside_its_jurisdiction_is_a_finding_with_its_line(check: Check, own: Path) -> None:
    file = own / "stacks" / "config" / "Pulumi.region-local.yaml"
    file.write_text(file.read_text().replace("region: local", "region: elsewhere"))
    done = check(own, "--json")
    assert done.code == 1
    found = [finding for finding in done.found(rule="RES-01") if finding["message"].startswith("on-premises elsewhere")]
    # Its tenants are there too, and what to repair is in the region's file.
    assert {finding["stack"] for finding in found} == {"region-local", "tenant-demo", "tenant-other"}
    assert {(finding["file"], finding["line"], finding["key"]) for finding in found if finding["path"] == ""} == {
        ("stacks/config/Pulumi.region-local.yaml", 7, "falaj:stack.region")
    }


def test_a_tenant_without_a_basis_for_its_transfer_is_a_finding(check: Check, own: Path) -> None:
    file = own / "stacks" / "config" / "Pulumi.tenant-other.yaml"
    file.write_text(file.read_text().replace("regime: pdpl", "regime: difc"))
    done = check(own, "--json")
    assert done.code == 1
    (finding,) = [item for item in done.found(rule="RES-05", stack="tenant-other") if item["denies"]]
    assert (finding["file"], finding["line"]) == ("stacks/config/Pulumi.tenant-other.yaml", 2)
    assert "not judged" in finding["message"]


def test_checkov_missing_is_said_and_not_passed_over(check: Check, project: Project, tmp_path: Path) -> None:
    # The command of an environment beside which nobody made Checkov's.
    import subprocess
    import sys

    root = project("import pulumi\n")
    script = (
        "import sys\n"
        f"sys.prefix = {str(tmp_path / 'elsewhere' / '.venv')!r}\n"
        "sys.argv = ['falaj', 'check', '-C', sys.argv[1]]\n"
        "from falaj.cli import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(root)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--without checkov" in done.stderr
    assert os.environ.get("FALAJ_DEBUG") != "1"
