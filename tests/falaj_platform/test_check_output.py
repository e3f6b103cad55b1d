"""The outputs of `falaj check`: each says the same, and what was left out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from falaj_platform.check.output import render, write
from falaj_platform.check.result import CheckedStack, CheckFinding, CheckResult
from falaj_platform.errors import CheckError

Check = Callable[..., Any]
Project = Callable[..., Path]
URN = "urn:pulumi:prod::shop::aws:s3/bucket:Bucket::data"

DENIED = CheckFinding(
    rule="RES-01",
    title="(cloud, region) pair allow-listed",
    severity="critical",
    subject=URN,
    message="aws eu-west-1 is not in uae",
    remedy="use a pair of the jurisdiction",
    path="region",
    clauses=("P 22", "G 44?"),
    stack="prod",
    file="Pulumi.prod.yaml",
    line=3,
    key="aws:region",
)
UNDECIDED = replace(
    DENIED, rule="SUP-04", message="the image is not known yet", undecided=True, severity="high", key=""
)
WAIVED = replace(DENIED, rule="IAM-01", waived="waived until 2099-01-01 by approver@acme.example: soon")
SECRET = replace(
    DENIED, rule="IAM-02", subject="a b/x.py", source="secrets", stack="", file="a b/x.py", line=9, path="", key=""
)
CHECKOV = replace(DENIED, rule="LOG-01", severity="medium", source="checkov", check_id="CKV_AWS_18", path="", key="")
RESULT = CheckResult(
    project="shop",
    stacks=(CheckedStack("prod", "Pulumi.prod.yaml", "aws", "me-central-1", "uae", "pdpl", resources=2),),
    findings=(DENIED, CHECKOV, UNDECIDED, WAIVED, SECRET),
    rules=("IAM-01", "IAM-02", "LOG-01", "RES-01", "SUP-04", "TEN-03"),
    rule_set_version="sha256:0123456789abcdef",
    seconds=1.5,
    left_out=("Checkov's checks (--without checkov)",),
    notes=("not proven: the approvers are typed names",),
    prefix="infra dir",
    files=12,
)
FORMS = ("table", "json", "sarif", "junit")


@pytest.mark.parametrize("form", FORMS)
def test_each_form_says_what_was_left_out_undecided_and_waived(form: str) -> None:
    text = render(RESULT, form)
    assert text.endswith("\n")
    for said in ("RES-01", "--without checkov", "not proven", "undecided", "waived until 2099-01-01", "CKV_AWS_18"):
        # JUnit names the check's sentence, not its id.
        assert said in text.replace("Not proven", "not proven") or (form == "junit" and said == "CKV_AWS_18"), said
    assert "Pulumi.prod.yaml" in text


def test_what_denies_decides_the_exit_code() -> None:
    assert RESULT.exit_code == 1
    assert replace(RESULT, findings=(UNDECIDED, WAIVED, replace(DENIED, advisory=True))).exit_code == 0
    assert RESULT.counts | {"resources": 0} == {
        "critical": 2, "high": 0, "medium": 1, "low": 0, "denied": 3, "undecided": 1, "advisory": 0, "waived": 1,
        "resources": 0,
    }  # fmt: skip


def test_sarif_has_what_the_standard_requires() -> None:
    log = json.loads(render(RESULT, "sarif"))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    rules = driver["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] in {"none", "note", "warning", "error"}
        assert 0 < float(rule["properties"]["security-severity"]) <= 10
        assert len(set(rule["properties"]["tags"])) == len(rule["properties"]["tags"])
    assert len(run["results"]) == len(RESULT.findings)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert result["level"] in {"none", "note", "warning", "error"}
        (location,) = result["locations"]
        physical = location["physicalLocation"]
        assert physical["region"]["startLine"] >= 1
        assert physical["artifactLocation"]["uriBaseId"] in run["originalUriBaseIds"]
        assert re.fullmatch(r"[A-Za-z0-9._~/%-]+", physical["artifactLocation"]["uri"])
        assert location["logicalLocations"][0]["fullyQualifiedName"]
        assert re.fullmatch(r"[0-9a-f]{64}", result["partialFingerprints"]["falaj/v1"])
    by = {result["ruleId"]: result for result in run["results"]}
    assert by["RES-01"]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "infra%20dir/Pulumi.prod.yaml", "uriBaseId": "SRCROOT"},
        "region": {"startLine": 3},
    }
    assert by["RES-01"]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == URN
    assert [rule for rule, result in by.items() if "suppressions" in result] == ["IAM-01"]
    (suppression,) = by["IAM-01"]["suppressions"]
    assert suppression["kind"] in {"inSource", "external"}
    assert suppression["justification"].startswith("waived until")
    assert by["SUP-04"]["level"] == "note"
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is True
    said = [item["message"]["text"] for item in invocation["toolExecutionNotifications"]]
    assert any("--without checkov" in text for text in said)


def test_junit_has_a_case_for_each_rule_and_stack() -> None:
    root = ElementTree.fromstring(render(RESULT, "junit"))
    suites = {suite.get("name"): suite for suite in root}
    assert set(suites) == {"prod", "shop"}
    names = [case.get("name", "").split(" ", 1)[0] for case in suites["prod"].iter("testcase")]
    assert names == sorted(RESULT.rules)
    failed = {
        case.get("name", "").split(" ", 1)[0] for case in root.iter("testcase") if case.find("failure") is not None
    }
    assert failed == {"RES-01", "LOG-01", "IAM-02"}
    skipped = {
        case.get("name", "").split(" ", 1)[0] for case in root.iter("testcase") if case.find("skipped") is not None
    }
    assert skipped == {"SUP-04", "IAM-01"}
    for element in (root, *suites.values()):
        cases = list(element.iter("testcase"))
        assert int(element.get("tests", -1)) == len(cases)
        assert int(element.get("failures", -1)) == sum(case.find("failure") is not None for case in cases)
        assert int(element.get("skipped", -1)) == sum(case.find("skipped") is not None for case in cases)


def test_what_xml_cannot_hold_is_replaced() -> None:
    odd = replace(RESULT, findings=(replace(DENIED, message="a\x00b\x1b<&\ud800"),))
    (failure,) = ElementTree.fromstring(render(odd, "junit")).iter("failure")
    assert "a�b�<&�" in (failure.text or "")
    for form in FORMS:
        assert render(odd, form).encode("utf-8")


def test_the_table_groups_one_mistake_of_many_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    many = tuple(replace(DENIED, subject=f"{URN}{number}") for number in range(9))
    text = render(replace(RESULT, findings=many), "table")
    assert text.count("aws eu-west-1 is not in uae") == 1
    assert "and 6 more" in text
    assert text.count("use a pair of the jurisdiction") == 1
    assert "Pulumi.prod.yaml:3  aws:region" in text
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "\x1b" not in text
    assert "\x1b[" in render(RESULT, "table", colour=True)


@pytest.mark.parametrize("mark", ["##vso[task.complete result=Succeeded]", "##[error]", "::warning::", "\n::error::"])
def test_the_table_neither_moves_the_cursor_nor_commands_a_pipeline(mark: str) -> None:
    odd = f"a\x1b[2K\r\u202e{mark}"
    named = replace(DENIED, subject=f"{URN}{odd}", message=odd, path=odd, key=odd, file=odd, remedy=mark, title=mark)
    waiting = replace(UNDECIDED, message=mark)
    stack = replace(RESULT.stacks[0], name=mark)
    text = render(replace(RESULT, stacks=(*RESULT.stacks, stack), findings=(named, waiting), notes=(mark,)), "table")
    assert all(character == "\n" or character.isprintable() for character in text)
    assert "##vso[" not in text
    assert "##[" not in text
    assert not [line for line in text.splitlines() if line.strip().startswith("::")]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    file.write_text("before")
    write(file, "after")
    assert file.read_text() == "after"
    with pytest.raises(CheckError, match="cannot be written"):
        write(tmp_path / "absent" / "out.json", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_what_cannot_be_written_is_one_line_and_no_finding(check: Check, project: Project, tmp_path: Path) -> None:
    root = project("import pulumi\n")
    (tmp_path / "afile").write_text("")
    for name in (str(tmp_path / "afile" / "x.json"), ".", "/", "a\udcffb/c"):
        assert "cannot be written" in check(root, "--output", name).line
    assert check(root, "--output", "/dev/full").code == 2
    assert check(root, "--time-limit", "inf").code == 2
    command = [str(Path(sys.executable).parent / "falaj"), "check", "-C", str(root), "--without", "checkov"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "falaj: the output cannot be written: No space left on device\n")
    # A reader that went away makes no finding go away.
    reading, writing = os.pipe()
    os.close(reading)
    (root / "requirements.txt").write_text("requests==2.32.0\n")
    assert subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False).returncode == 1
    os.close(writing)


def test_a_device_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write(pipe, "said")
    assert pipe.is_fifo()
    assert os.read(reading, 10) == b"said"
    os.close(reading)


def test_the_forms_of_one_project_agree(check: Check, project: Project, tmp_path: Path) -> None:
    root = project("import pulumi_aws as aws\naws.s3.Bucket('b')\n", config={"aws:region": "eu-west-1"})
    texts = {}
    for form in FORMS:
        file = tmp_path / f"out.{form}"
        done = check(root, "--format", form, "--output", str(file))
        assert (done.code, done.out) == (1, "")
        texts[form] = file.read_text(encoding="utf-8")
    denied = {finding["rule"] for finding in json.loads(texts["json"])["findings"] if finding["denies"]}
    assert "RES-01" in denied
    sarif = json.loads(texts["sarif"])["runs"][0]["results"]
    assert {result["ruleId"] for result in sarif if result["properties"]["denies"]} == denied
    junit = ElementTree.fromstring(texts["junit"])
    assert {
        case.get("name", "").split(" ", 1)[0] for case in junit.iter("testcase") if case.find("failure") is not None
    } == denied
    assert all(rule in texts["table"] for rule in denied)
