"""The shell of the ready pipelines, run with stand-ins for curl and falaj: whose comment, which stacks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
FILES = {
    "github": PIPELINES / "github" / "falaj-check.yml",
    "gitlab": PIPELINES / "gitlab" / "falaj.gitlab-ci.yml",
    "azure-devops": PIPELINES / "azure-devops" / "azure-pipelines.yml",
}
MARKER = "<!-- falaj -->\nformer"
CURL = """
import json, os, re, sys
url = next(argument for argument in sys.argv if argument.startswith("http"))
method = next((sys.argv[n + 1] for n, word in enumerate(sys.argv) if word in ("-X", "--request")), "GET")
with open(os.environ["LOG"], "a") as log:
    print(method, url, file=log)
if "@-" in sys.argv:
    sys.stdin.read()
if method == "GET":
    answers = json.load(open(os.environ["ANSWERS"]))
    name = "user" if url.endswith(("/user", "/connectionData")) else "listed"
    page = int((re.search(r"[?&]page=(\\d+)", url) or "11")[1])
    pages = answers[name]
    print(json.dumps(pages if name == "user" else pages[page - 1] if page <= len(pages) else []))
"""
FALAJ = """
import json, os, sys
with open(os.environ["LOG"], "a") as log:
    print(*sys.argv[1:], file=log)
print("{}")
"""


def texts(node: Any) -> Iterator[str]:
    """Every piece of shell, as one text for bash."""
    if isinstance(node, dict):
        for key, inner in node.items():
            if key in ("run", "bash", "script") and isinstance(inner, str):
                yield inner
            elif key == "script" and isinstance(inner, list):
                flat = [line for part in inner for line in ([part] if isinstance(part, str) else part)]
                yield "set -euo pipefail\n" + "\n".join(flat)
            else:
                yield from texts(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from texts(inner)


def shell(platform: str, word: str) -> str:
    """The one script of a platform's file with this in it."""
    (found,) = [text for text in texts(yaml.safe_load(FILES[platform].read_text())) if word in text]
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "a b"
    for name, program in (("bin/curl", CURL), (".venv/bin/falaj", FALAJ)):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(f"#!/bin/sh\nexec '{sys.executable}' '{folder / name}.py' \"$@\"\n")
        (folder / f"{name}.py").write_text(program)
        (folder / name).chmod(0o755)
    return folder


def run(text: str, folder: Path, **environment: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    known = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "LOG": str(folder / "log"), "FALAJ_HOME": str(folder)}
    done = subprocess.run(
        ["bash", "-c", text], cwd=folder, env={**known, **environment}, capture_output=True, text=True, check=False
    )
    log = folder / "log"
    return done, log.read_text().splitlines() if log.exists() else []


def listed(platform: str, author: str, number: int) -> dict[str, Any]:
    """A comment with the marker, as the platform lists it."""
    if platform == "github":
        return {"id": number, "user": {"login": author, "type": "Bot"}, "body": MARKER}
    if platform == "gitlab":
        return {"id": number, "author": {"id": int(author)}, "body": MARKER}
    return {"id": number, "comments": [{"id": 1, "author": {"id": author}, "content": MARKER}]}


OWN = {"github": "github-actions[bot]", "gitlab": "41", "azure-devops": "own"}
OTHER = {"github": "other[bot]", "gitlab": "4", "azure-devops": "other"}
CHANGES = {"github": "PATCH", "gitlab": "PUT", "azure-devops": "PATCH"}


@pytest.mark.parametrize("own", [True, False], ids=["with its own", "with others' alone"])
@pytest.mark.parametrize("platform", list(FILES))
def test_only_its_own_comment_is_written_again(platform: str, own: bool, place: Path) -> None:
    """Others' comments with the marker come first, and fill the first page."""
    items = [listed(platform, OTHER[platform], number) for number in range(1, 101)]
    rest = [listed(platform, OWN[platform], 777)] if own else []
    pages: list[Any] = [{"value": items + rest}] if platform == "azure-devops" else [items, rest] if rest else [items]
    user = {"id": 41} if platform == "gitlab" else {"authenticatedUser": {"id": "own"}}
    (place / "answers").write_text(json.dumps({"listed": pages, "user": user}))
    body = json.dumps({"comments": [{"content": "new"}]})
    (place / "comment-preview").mkdir()
    for name in ("comment.json", "comment-preview/comment.json"):
        (place / name).write_text(body)
    github = {"BODY": body, "NUMBER": "5", "TOKEN": "t", "GITHUB_API_URL": "http://api", "GITHUB_REPOSITORY": "a/b"}
    gitlab = {"CI_API_V4_URL": "http://api", "CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "5"}
    azure = {"PIPELINE_WORKSPACE": str(place), "SYSTEM_COLLECTIONURI": "http://api/", "SYSTEM_TEAMPROJECTID": "1"}
    ids = {"BUILD_REPOSITORY_ID": "2", "SYSTEM_PULLREQUEST_PULLREQUESTID": "5", "FALAJ_COMMENT_TOKEN": "t"}
    environment = {"ANSWERS": str(place / "answers"), **github, **gitlab, **azure, **ids}
    done, log = run(shell(platform, "<!-- falaj -->"), place, **environment)
    assert done.returncode == 0, done.stderr
    method, url = log[-1].split()
    assert method == (CHANGES[platform] if own else "POST")
    assert ("/777" in url) is own
    assert sum(not line.startswith("GET") for line in log) == 1


def previewing(platform: str, stacks: list[str]) -> tuple[str, dict[str, str]]:
    """The script that previews, and the environment that names these stacks."""
    text = re.sub(r"\$\{\{ join\(' ', parameters.stacks\) \}\}", " ".join(stacks), shell(platform, "reports=("))
    named = json.dumps(stacks) if platform == "github" else " ".join(stacks)
    empty = dict.fromkeys(("AWS_ROLE", "ARM_CLIENT_ID", "FALAJ_AWS_ROLE", "FALAJ_AZURE_CLIENT"), "")
    if platform == "azure-devops":
        text = "set -euo pipefail\n" + text
    return text, {"STACKS": named, **empty}


def ran(platform: str, place: Path, stacks: list[str], **other: str) -> tuple[int, list[str]]:
    text, environment = previewing(platform, stacks)
    folders = {"RUNNER_TEMP": str(place), "AGENT_TEMPDIRECTORY": str(place), "GITHUB_OUTPUT": str(place / "output")}
    done, log = run(text, place, **environment, **folders, **other)
    assert not re.search(r"Traceback|unbound|syntax", done.stderr), done.stderr
    return done.returncode, log


@pytest.mark.parametrize("platform", list(FILES))
def test_every_stack_is_previewed_in_order(platform: str, place: Path) -> None:
    code, log = ran(platform, place, ["region-local", "tenant-demo"])
    previewed = [line.split()[2] for line in log if line.startswith("preview")]
    assert (code, previewed) == (0, ["region-local", "tenant-demo"])
    assert log[-1].startswith("comment --check")


@pytest.mark.parametrize("platform", list(FILES))
def test_no_list_of_stacks_is_not_green(platform: str, place: Path) -> None:
    assert ran(platform, place, []) == (2, [])


@pytest.mark.parametrize("text", ["", "[", "{}", '"a"', "[1]", '[""]', "null"])
def test_a_list_of_stacks_that_is_none_is_not_green(text: str, place: Path) -> None:
    script, environment = previewing("github", [])
    done, log = run(script, place, **{**environment, "STACKS": text, "RUNNER_TEMP": str(place)})
    assert (done.returncode, log) == (2, [])
    assert done.stderr == "FALAJ_STACKS is not a JSON list of stacks, a region before its tenants\n"
