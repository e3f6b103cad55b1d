"""The waiver file as it lies in a repository: its lines, its authors, and what cannot be read."""

from __future__ import annotations

import contextlib
import os
import subprocess
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falaj_infra.errors import WaiverError
from falaj_infra.judge import verdict
from falaj_infra.waivers import FILE, Waivers, load
from falaj_policies import Finding, Severity

TODAY = date(2026, 11, 24)
TEXT = """# Reviewed by the platform's owners.
waivers:
  - rule: IAM-01
    resource: urn:pulumi:prod::acme::aws:eks/cluster:Cluster::ml
    reason: >
      the link
      is late
    expires: 2027-01-31
    approved_by: [Basma]

  - rule: CRY-01
    resource: aws:s3/bucket:Bucket::logs
    reason: no
    expires: "2026-12-01"
    approved_by:
      - omar@acme.example
"""
FOUND = [
    Finding("IAM-01", "urn:pulumi:prod::acme::aws:eks/cluster:Cluster::ml", "is public", Severity.HIGH, "close it"),
    Finding("CRY-01", "urn:pulumi:prod::acme::aws:s3/bucket:Bucket::logs", "has no key", Severity.HIGH, "give one"),
]


def git(root: Path, *arguments: str, author: str = "Amal <amal@acme.example>") -> None:
    name, _, mail = author.partition(" <")
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    identity = ["-c", f"user.name={name}", "-c", f"user.email={mail.rstrip('>')}"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], env=environment, check=True, capture_output=True)


def commit(root: Path, text: str, author: str) -> None:
    (root / FILE).write_text(text)
    git(root, "add", FILE)
    git(root, "commit", "-q", "-m", "waivers", author=author)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "a project"
    made.mkdir()
    return made


@pytest.fixture
def repository(root: Path) -> Path:
    git(root, "init", "-q")
    git(root, "config", "user.name", "Omar")
    git(root, "config", "user.email", "omar@acme.example")
    return root


def problems(root: Path) -> list[tuple[str, int]]:
    return [(problem.rule, problem.line) for problem in load(root).split(FOUND, TODAY, all_stacks=True)[2]]


def test_no_file_waives_nothing(root: Path) -> None:
    assert load(root) == Waivers()
    assert load(root).split(FOUND, TODAY, all_stacks=True) == (FOUND, [], [])


def test_what_it_says_is_what_stands_there_with_its_lines(root: Path) -> None:
    (root / FILE).write_text(TEXT)
    waivers = load(root)
    assert [(waiver.rule, waiver.line) for waiver in waivers.waivers] == [("IAM-01", 3), ("CRY-01", 11)]
    assert waivers.waivers[0].reason == "the link is late"
    assert waivers.waivers[1].reason == "no"
    standing, waived, found = waivers.split(FOUND, TODAY, all_stacks=True)
    assert (standing, found) == ([], [])
    assert [item.finding.rule for item in waived] == ["IAM-01", "CRY-01"]


def test_what_is_not_proven_is_said(root: Path, repository: Path) -> None:
    commit(root, TEXT, "Amal <amal@acme.example>")
    assert "typed names" in load(root).proof
    assert "code owners" in load(root).proof
    assert "not compared" not in load(root).proof


def test_outside_a_repository_authors_are_said_to_be_unknown(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / FILE).write_text(TEXT)
    monkeypatch.setenv("PATH", str(root))
    assert "not compared" in load(root).proof


def test_the_author_of_an_entry_is_not_its_only_approver(repository: Path) -> None:
    first, second = TEXT.split("\n  - rule: CRY-01")
    commit(repository, first, "Omar <omar@acme.example>")
    assert problems(repository) == []
    commit(repository, TEXT, "Basma <basma@acme.example>")
    assert problems(repository) == []
    commit(repository, TEXT.replace("is late", "is later"), "basma <b@acme.example>")
    assert problems(repository) == [("IAM-05", 3)]
    assert second


def test_an_address_is_an_author_too(repository: Path) -> None:
    commit(repository, TEXT, "O. <Omar@acme.example>")
    assert problems(repository) == [("IAM-05", 11)]


def test_what_is_not_committed_does_not_hold_and_says_so(repository: Path) -> None:
    (repository / FILE).write_text(TEXT)
    assert problems(repository) == [("IAM-05", 3), ("IAM-05", 11)]
    assert "is not committed yet" in load(repository).split(FOUND, TODAY)[2][0].message
    assert load(repository).split(FOUND, TODAY)[1] == []
    refused = verdict(FOUND[:1], load(repository), decided=True, day=TODAY).refused
    assert [line.split()[0] for line in refused] == ["IAM-01", "IAM-05"], "the gate names the waiver beside the finding"
    commit(repository, TEXT, "Amal <amal@acme.example>")
    assert problems(repository) == []
    (repository / FILE).write_text(TEXT.replace('"2026-12-01"', '"2026-12-02"'))
    assert problems(repository) == [("IAM-05", 11)]


def test_a_shallow_checkout_does_not_know_authors_and_waives_nothing(repository: Path, tmp_path: Path) -> None:
    commit(repository, TEXT.split("\n  - rule: CRY-01")[0], "Amal <amal@acme.example>")
    commit(repository, TEXT, "Amal <amal@acme.example>")
    commit(repository, TEXT.replace("2026-12-01", "2026-12-02"), "Amal <amal@acme.example>")
    # An entry that was written after the history begins is known.
    for depth, doubted in ((1, [3, 11]), (2, [3, 11]), (3, [3]), (4, [])):
        clone = tmp_path / f"clone {depth}"
        git(tmp_path, "clone", "-q", "--depth", str(depth), repository.as_uri(), str(clone))
        git(clone, "config", "blame.showRoot", "true")
        assert problems(clone) == [("IAM-05", line) for line in doubted]
        assert all("shallow" in problem.message for problem in load(clone).split(FOUND, TODAY)[2])


@pytest.mark.parametrize("committed", [True, False])
def test_a_mailmap_renames_no_author(repository: Path, committed: bool) -> None:
    commit(repository, TEXT, "Omar <omar@acme.example>")
    mailmap = "Somebody Else <else@acme.example> <omar@acme.example>\n"
    if committed:
        (repository / ".mailmap").write_text(mailmap)
        git(repository, "add", ".mailmap")
        git(repository, "commit", "-q", "-m", "names")
    else:
        (repository / "names").write_text(mailmap)
        git(repository, "config", "mailmap.file", str(repository / "names"))
        (repository / ".mailmap").write_text(mailmap)
    assert problems(repository) == [("IAM-05", 11)]


def test_a_commit_that_blame_is_told_to_pass_over_counts(repository: Path) -> None:
    commit(repository, TEXT.replace("omar", "amal"), "Amal <a@acme.example>")
    commit(repository, TEXT, "Omar <omar@acme.example>")
    rev = subprocess.run(["git", "-C", str(repository), "rev-parse", "HEAD"], check=True, capture_output=True)
    (repository / "passed over").write_bytes(rev.stdout)
    git(repository, "config", "blame.ignoreRevsFile", "passed over")
    assert problems(repository) == [("IAM-05", 11)]


def test_a_repository_that_does_not_answer_waives_nothing(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(repository, TEXT, "Amal <amal@acme.example>")
    monkeypatch.setenv("PATH", str(repository))
    assert problems(repository) == [("IAM-05", 3), ("IAM-05", 11)]
    assert "git does not answer" in load(repository).split(FOUND, TODAY)[2][0].message


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\r"])
def test_a_line_that_git_does_not_count_is_refused(root: Path, odd: str) -> None:
    """Else an entry would be of whoever wrote the line below it."""
    (root / FILE).write_bytes(TEXT.replace("owners.", f"owners. {odd}# ").encode())
    with pytest.raises(WaiverError, match="line feed"):
        load(root)
    (root / FILE).write_bytes(TEXT.replace("\n", "\r\n").encode())
    assert [waiver.line for waiver in load(root).waivers] == [3, 11]


def test_a_link_is_not_followed(root: Path) -> None:
    (root / "elsewhere").write_text(TEXT)
    (root / FILE).symlink_to("elsewhere")
    with pytest.raises(WaiverError, match="is a link"):
        load(root)


@pytest.mark.parametrize(
    "content",
    [
        b"waivers: [",
        b"\xff\xfe",
        b"waivers:\n  - {rule: a, rule: b}\n",
        b"? [a]\n: b\n",
        b"waivers: &a [*a]\n",
        b"[" * 5000,
        b"a: b\n---\nc: d\n",
        b"%YAML 9\n",
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(content: bytes, root: Path) -> None:
    (root / FILE).write_bytes(content)
    with pytest.raises(WaiverError) as caught:
        load(root)
    assert str(caught.value).startswith(FILE)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_folder_or_a_broken_link_of_that_name_is_no_missing_file(root: Path) -> None:
    (root / FILE).mkdir()
    with pytest.raises(WaiverError):
        load(root)
    (root / FILE).rmdir()
    (root / FILE).symlink_to(root / "nowhere")
    with pytest.raises(WaiverError):
        load(root)


def test_values_are_text_whatever_yaml_makes_of_them_elsewhere(root: Path) -> None:
    (root / FILE).write_text("waivers:\n  - {rule: 2027-13-45, resource: !!python/name:os.system x, reason: 1e999}\n")
    assert [(problem.rule, problem.line) for problem in load(root).problems] == [("CHG-01", 2)]


@given(st.binary(max_size=60) | st.text(alphabet="waivers:-[]{}&*!|>#?\n \"'rule", max_size=60).map(str.encode))
def test_a_malformed_file_never_raises_anything_else(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    root = tmp_path_factory.mktemp("malformed")
    (root / FILE).write_bytes(content)
    with contextlib.suppress(WaiverError):
        assert load(root).waivers == ()
