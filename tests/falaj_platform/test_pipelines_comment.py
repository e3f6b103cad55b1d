"""`falaj comment`: what a pull request's comment holds, and what it never holds."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falaj_platform.errors import CommentError
from falaj_platform.pipelines.comment import LIMIT, MARKER, markdown, read_check, read_preview

URN = "urn:pulumi:prod::acme::aws:s3/bucket:Bucket::features"
SECRET = "canary"  # pragma: allowlist secret


def step(op: str = "create", urn: str = URN, **other: Any) -> dict[str, Any]:
    return {"op": op, "urn": urn, **other}


def preview(*steps: Any, **other: Any) -> dict[str, Any]:
    return {"steps": list(steps), "changeSummary": {"create": len(steps)}, **other}


def finding(rule: str = "CRY-01", **other: Any) -> dict[str, Any]:
    return {"rule": rule, "subject": URN, "file": "__main__.py", "line": 7, **other}


def report(*findings: dict[str, Any], **other: Any) -> dict[str, Any]:
    """As `falaj check --json` writes it."""
    rest = [item for item in findings if not item.get("waived")]
    counts = {
        "denied": sum(not (item.get("undecided") or item.get("advisory")) for item in rest),
        "undecided": sum(bool(item.get("undecided")) for item in rest),
        "advisory": sum(bool(item.get("advisory") and not item.get("undecided")) for item in rest),
        "waived": len(findings) - len(rest),
    }
    said = {"ok": not counts["denied"], "counts": counts, "left_out": [], "notes": []}
    return {**said, "findings": list(findings), **other}


def test_what_a_comment_shows() -> None:
    check = read_check(report(finding(), finding("RES-01", undecided=True, line=0), finding(waived="why")))
    shown = markdown(check, [read_preview(preview(step(), step("same"), step("update")))])
    assert shown.startswith(MARKER + "\n")
    assert "**Refused:** 1 findings deny (1 undecided, 1 waived)." in shown
    assert f"| `CRY-01` | `{URN}` | `__main__.py:7` | `denies` |" in shown
    assert f"| `RES-01` | `{URN}` | `__main__.py` | `undecided` |" in shown
    assert f"| `prod` | `update` | `{URN}` |" in shown
    assert "`same`" not in shown
    assert shown.index("`denies`") < shown.index("`undecided`")


def test_a_waiver_wins_over_every_other_verdict_and_passes_only_then() -> None:
    assert "**Passed:**" in markdown(read_check(report(finding(waived="x", undecided=True))), [])
    assert "**Refused:**" in markdown(read_check(report(finding(waived=""))), [])
    assert "**Not checked:**" in markdown(None, [read_preview(preview())])


def test_what_was_left_out_stands_beside_the_verdict() -> None:
    """A check that looked at less has not passed like one that looked at everything."""
    less = report(left_out=["Checkov's checks (--without checkov)"], notes=["nobody proved | this"])
    shown = markdown(read_check(less), [])
    assert "**Passed in part:** no finding denies." in shown
    assert "- Left out: `Checkov's checks (--without checkov)`" in shown
    assert "- Note: `nobody proved ¦ this`" in shown
    many = markdown(read_check(report(left_out=["x" * 299] * 1000)), [], limit=10_000)
    assert len(many.encode()) <= 10_000
    shown = many.count("- Left out:")
    assert 0 < shown < 1000
    assert f"- {1000 - shown} more are in the job's output." in many


def test_what_falaj_check_writes_is_what_is_read() -> None:
    from falaj_platform.check.output.machine import to_json
    from falaj_platform.check.result import CheckFinding, CheckResult

    finding = CheckFinding("CRY-01", "title", "high", URN, "message", "remedy")
    findings = (finding, replace(finding, advisory=True), replace(finding, undecided=True, waived="why"))
    result = CheckResult("p", (), findings, (), "", 0.1, left_out=("less",), notes=("unsure",))
    read = read_check(json.loads(to_json(result)))
    assert [problem.verdict for problem in read.problems] == ["denies", "advisory", "waived"]
    assert (read.left_out, read.notes) == (("less",), ("unsure",))


def test_the_pulumi_clis_preview_has_counts_alone() -> None:
    read = read_preview({"operation": "preview", "changeSummary": {"create": 2, "same": 3}})
    assert read.changed
    assert "Preview 1: 2 create, 3 same." in markdown(None, [read])


@pytest.mark.parametrize(
    ("document", "changed"),
    [
        ({"changeSummary": {}}, False),
        ({"changeSummary": {"same": 4, "read": 1, "refresh": 1}}, False),
        ({"changeSummary": {"same": 4, "delete": 1}}, True),
        ({"changeSummary": {"something-new": 1}}, True),
        ({"changeSummary": {}, "steps": [step()]}, True),
        ({"changeSummary": {}, "diagnostics": [{"severity": "error", "message": "x"}]}, True),
        ({"changeSummary": {}, "diagnostics": [{"severity": "warning", "message": "x"}]}, False),
    ],
)
def test_what_counts_as_a_change(document: dict[str, Any], changed: bool) -> None:
    assert read_preview(document).changed is changed


leaf = st.sampled_from([SECRET, f"<{SECRET}>", f"`{SECRET}`", 4711_0815, True, None])
anything = st.recursive(leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))
fields = st.sampled_from(["oldState", "newState", "detailedDiff", "inputs", "outputs", "provider", "diffReasons", "x"])
extras = st.dictionaries(fields, anything)
prose = st.text(max_size=30).map(lambda text: text + SECRET)


@settings(deadline=None)
@given(
    steps=st.lists(extras, max_size=4),
    config=st.dictionaries(st.text(max_size=8), prose),
    diagnostics=st.lists(st.fixed_dictionaries({"severity": st.sampled_from(["error", "info"]), "message": prose})),
    findings=st.lists(
        st.dictionaries(st.sampled_from(["message", "remedy", "title", "key", "path", "waived", "clauses"]), prose),
        max_size=4,
    ),
)
def test_no_value_ever_appears(steps: Any, config: Any, diagnostics: Any, findings: Any) -> None:
    document = preview(*(step(**extra) for extra in steps), config=config, diagnostics=diagnostics, outputs=config)
    found = report(*({**finding(), **extra} for extra in findings), stacks=list(config.values()))
    shown = markdown(read_check(found), [read_preview(document)])
    assert SECRET not in shown
    assert "47110815" not in shown


texts = st.text(max_size=400) | st.sampled_from(["|`*_[x](y)<!-- --><script>@acme", "a\n| b |\r\nc", "\u202e\u0000"])


@settings(deadline=None)
@given(names=st.lists(texts, max_size=5), files=st.lists(texts, max_size=5))
def test_names_are_shown_as_text_alone(names: list[str], files: list[str]) -> None:
    """Outside code spans there is nothing of a report: not a link, not a tag, not a mention, not another row."""
    pairs = enumerate(zip(names, files, strict=False))
    findings = [finding(f"R-{number}", subject=name, file=file, line=0) for number, (name, file) in pairs]
    steps = [step(urn=f"urn:pulumi:prod::p::t::{name}") for name in names]
    lines = markdown(read_check(report(*findings)), [read_preview(preview(*steps))]).splitlines()
    rows = [line for line in lines if line.startswith(("| `", "|  |"))]
    assert len(rows) == len(findings) + len(steps)
    for row in rows:
        outside = "".join(row.split("`")[::2])
        assert set(outside) <= set("| ")
        assert row.count("`") % 2 == 0
        assert row.count("|") in (4, 5)


@settings(deadline=None)
@given(
    count=st.integers(0, 2000),
    length=st.integers(0, 400),
    limit=st.integers(2_000, LIMIT),
    letter=st.sampled_from("aé語"),
)
def test_a_comment_is_bounded_and_says_what_it_left_out(count: int, length: int, limit: int, letter: str) -> None:
    steps = [step(urn=f"{URN}{letter * length}{number}") for number in range(count)]
    shown = markdown(read_check(report(finding())), [read_preview(preview(*steps))], limit=limit)
    assert len(shown.encode()) <= limit
    kept = sum(line.startswith("| `prod`") for line in shown.splitlines())
    left = f"{count - kept} more rows do not fit" in shown
    assert left is (kept < count)
    assert "`CRY-01`" in shown, "findings come first"


@pytest.mark.parametrize(
    ("read", "document"),
    [
        (read_check, []),
        (read_check, {}),
        (read_check, {"findings": {}}),
        (read_check, {"findings": ["x"]}),
        (read_check, {**report(), "ok": None}),
        (read_check, {**report(), "ok": False}),
        (read_check, {**report(finding()), "ok": True}),
        (read_check, {**report(finding(waived="x")), "ok": False}),
        (read_check, {**report(), "counts": []}),
        (read_check, {**report(), "counts": {}}),
        (read_check, {**report(), "counts": report(finding())["counts"]}),
        (read_check, {**report(finding(waived="x")), "counts": report()["counts"]}),
        (read_check, {**report(finding()), "findings": []}),
        (read_check, report(finding(denies=False))),
        (read_check, report(finding(advisory=True, denies=True))),
        (read_check, {**report(), "left_out": None}),
        (read_check, {**report(), "left_out": [1]}),
        (read_check, {**report(), "notes": "x"}),
        (read_check, report(finding(rule=""))),
        (read_check, report(finding(rule="a:b"))),
        (read_check, report(finding(rule=None))),
        (read_check, report(finding(subject=3))),
        (read_check, report(finding(check_id="| x"))),
        (read_preview, []),
        (read_preview, {}),
        (read_preview, {"changeSummary": []}),
        (read_preview, {"changeSummary": {"create": "1"}}),
        (read_preview, {"changeSummary": {"a b": 1}}),
        (read_preview, {"changeSummary": {}, "steps": {}}),
        (read_preview, {"changeSummary": {}, "steps": [1]}),
        (read_preview, {"changeSummary": {}, "steps": [{"op": "create"}]}),
        (read_preview, {"changeSummary": {}, "steps": [{"op": "a b", "urn": URN}]}),
        (read_preview, {"changeSummary": {}, "diagnostics": {}}),
    ],
)
def test_what_is_no_report_is_refused(read: Any, document: Any) -> None:
    with pytest.raises(CommentError):
        read(document)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "falaj.cli", "comment", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "check.json").write_text(json.dumps(report(finding())))
    (folder / "preview.json").write_text(json.dumps(preview(step())))
    both = ("--check", "check.json", "--preview", "preview.json")
    text = run(*both, cwd=folder)
    assert text.returncode == 0
    assert json.loads(run(*both, "--for", "github", cwd=folder).stdout) == {"body": text.stdout}
    assert json.loads(run(*both, "--for", "gitlab", cwd=folder).stdout) == {"body": text.stdout}
    thread = json.loads(run(*both, "--for", "azure-devops", cwd=folder).stdout)
    assert thread["comments"][0]["content"] == text.stdout
    changed = run("--preview", "preview.json", "--expect-no-changes", cwd=folder)
    assert (changed.returncode, changed.stderr) == (1, "falaj: there are changes: preview.json\n")
    (folder / "preview.json").write_text(json.dumps({"changeSummary": {"same": 1}}))
    assert run("--preview", "preview.json", "--expect-no-changes", cwd=folder).returncode == 0


@pytest.mark.parametrize("content", [None, "", "{", "[" * 100_000, "null", "\x00"])
def test_a_report_that_cannot_be_read_is_one_line_and_exit_2(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "c.json").write_text(content)
    done = run("--check", "c.json", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_nothing_to_comment_on_is_said(tmp_path: Path) -> None:
    done = run(cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
