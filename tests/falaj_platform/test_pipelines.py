"""The ready pipelines: valid for their platforms, no more rights than they need, commands that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from falaj.cli import build

ROOT = Path(__file__).resolve().parents[2]
PIPELINES = ROOT / "pipelines"
GITHUB = sorted((PIPELINES / "github").glob("*.yml"))
GITLAB = sorted((PIPELINES / "gitlab").glob("*.yml"))
AZURE = sorted((PIPELINES / "azure-devops").rglob("*.yml"))
ALL = [*GITHUB, *GITLAB, *AZURE]
SCHEMAS = {
    "github": ["--builtin-schema", "vendor.github-workflows"],
    "gitlab": ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
    "azure-devops": ["--builtin-schema", "vendor.azure-pipelines", "--data-transform", "azure-pipelines"],
}
# Read from the tags of the action's own repository.
READ = {"actions/checkout": {"3d3c42e5aac5ba805825da76410c181273ba90b1": "v7.0.1"}}  # pragma: allowlist secret


def load(file: Path) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true.
    document = yaml.safe_load(file.read_text())
    return {("on" if key is True else key): value for key, value in document.items()}


def platform(file: Path) -> str:
    return file.relative_to(PIPELINES).parts[0]


def shells(file: Path) -> Iterator[str]:
    """Every piece of shell in a file, as the platform hands it to bash."""
    if platform(file) == "gitlab":
        for job in load(file).values():
            for key in ("before_script", "script", "after_script"):
                if isinstance(job, dict) and key in job:
                    yield "\n".join(line for part in job[key] for line in ([part] if isinstance(part, str) else part))
        return
    stack: list[Any] = [load(file)]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in ("run", "bash", "script", "inlineScript") and isinstance(inner, str):
                    yield inner
            stack += value.values()
        elif isinstance(value, list):
            stack += value


def checked(file: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("check-jsonschema")), *SCHEMAS[platform(file)]]
    return subprocess.run(
        [*command, "--regex-variant", "nonunicode", str(file)], capture_output=True, text=True, check=False
    )


def test_there_are_pipelines_for_each_platform() -> None:
    assert [file.stem for file in GITHUB] == ["falaj-check", "falaj-drift", "falaj-up"]
    assert len(GITLAB) == 1
    assert len(AZURE) == 4


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.stem)
def test_it_is_valid_for_its_platform(file: Path) -> None:
    done = checked(file)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        (GITHUB[0], "contents: read", "contents: everything"),
        (GITLAB[0], "stage: check", "stages: 3"),
        (AZURE[0], "jobs:", "job:"),
    ],
    ids=["github", "gitlab", "azure-devops"],
)
def test_the_schema_refuses_what_is_wrong(file: Path, right: str, wrong: str, tmp_path: Path, monkeypatch: Any) -> None:
    copy = tmp_path / file.relative_to(PIPELINES)
    copy.parent.mkdir(parents=True)
    copy.write_text(file.read_text().replace(right, wrong))
    monkeypatch.setattr(sys.modules[__name__], "PIPELINES", tmp_path)
    assert checked(copy).returncode == 1


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.stem)
def test_its_shell_parses(file: Path) -> None:
    for shell in shells(file):
        # What Azure DevOps replaces before any shell sees it.
        plain = re.sub(r"\$\{\{.*?\}\}", "x", shell)
        done = subprocess.run(["bash", "-n"], input=plain, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{shell}"


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.stem)
def test_the_python_in_its_shell_parses(file: Path) -> None:
    for shell in shells(file):
        for program in re.findall(r"python3 -c '(.*?)'", shell, re.DOTALL):
            compile(program, str(file), "exec")


def falaj_calls(file: Path) -> list[list[str]]:
    joined = (shell.replace("\\\n", " ") for shell in shells(file))
    return [call.split() for shell in joined for call in re.findall(r"\.venv/bin/falaj ([^|>\n)&]*)", shell)]


@pytest.mark.parametrize("file", [*GITHUB, *GITLAB, AZURE[0]], ids=lambda file: file.stem)
def test_every_command_in_it_exists(file: Path) -> None:
    root: Any = typer.main.get_command(build())
    calls = falaj_calls(file)
    assert calls
    for name, *arguments in calls:
        command = root.commands.get(name)
        assert command is not None, f"falaj {name}"
        known = {option for parameter in command.params for option in parameter.opts}
        used = {argument for argument in arguments if re.fullmatch(r"--[a-z-]+", argument)}
        assert used <= known, f"falaj {name}: {sorted(used - known)}"


def test_the_calls_are_found() -> None:
    """The test above is worth nothing if it misses the commands."""
    found = {name for file in [*GITHUB, *GITLAB, *AZURE] for name, *_ in falaj_calls(file)}
    assert found == {"check", "preview", "comment", "up", "refresh"}


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.stem)
def test_there_is_no_static_key_and_no_foreign_address(file: Path) -> None:
    text = file.read_text()
    assert not re.search(r"AWS_ACCESS_KEY|AWS_SECRET|ARM_CLIENT_SECRET|AZURE_CLIENT_SECRET|servicePrincipalKey", text)
    assert "secrets." not in text
    assert not re.search(r"https?://", text)
    assert "pull_request_target" not in text
    assert "workflow_run" not in text


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.stem)
def test_a_token_is_never_an_argument(file: Path) -> None:
    """What is on a command line is seen by every process of the machine."""
    for shell in shells(file):
        for line in shell.splitlines():
            if re.search(r"-H\s", line) and re.search(r"TOKEN|idToken", line):
                assert "-H @<(printf" in line, line


@pytest.mark.parametrize("file", GITHUB, ids=lambda file: file.stem)
def test_github_actions_are_pinned_to_digests_that_were_read(file: Path) -> None:
    for line in file.read_text().splitlines():
        if "uses:" in line:
            found = re.fullmatch(r"\s+uses: ([\w./-]+)@([0-9a-f]{40}) # (v[\d.]+)", line)
            assert found, line
            assert READ[found[1]][found[2]] == found[3]


@pytest.mark.parametrize("file", GITHUB, ids=lambda file: file.stem)
def test_github_jobs_have_least_privilege(file: Path) -> None:
    document = load(file)
    assert document["permissions"] == {}
    for name, job in document["jobs"].items():
        wanted = {"contents": "read"} if name == "check" else {"contents": "read", "id-token": "write"}
        assert job["permissions"] == ({"pull-requests": "write"} if name == "comment" else wanted), name
        assert 0 < job["timeout-minutes"] <= 60
        assert "self-hosted" in job["runs-on"]
        assert name in ("check", "comment") or job["environment"].startswith("falaj-")
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), "an expression in a script is code from outside"
            if "uses" in step:
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("file", [*GITHUB, GITLAB[0], PIPELINES / "azure-devops" / "templates" / "with-login.yml"])
def test_nothing_that_reads_the_state_runs_without_one(file: Path) -> None:
    """An empty FALAJ_HOME would be an empty state: `up` would make everything once more."""
    guarded = [shell for shell in shells(file) if re.search(r"falaj (preview|up|refresh)|parameters.script", shell)]
    assert guarded
    for shell in guarded:
        assert ': "${FALAJ_HOME:?' in shell


def test_github_forks_never_run_and_who_comments_runs_nothing() -> None:
    jobs = load(PIPELINES / "github" / "falaj-check.yml")["jobs"]
    assert jobs["check"]["if"] == "github.event.pull_request.head.repo.full_name == github.repository"
    assert jobs["preview"]["needs"] == "check"
    assert "if" not in jobs["preview"], "a condition of its own would let it run without the check"
    assert not any("uses" in step or "/falaj" in step["run"] for step in jobs["comment"]["steps"])


@pytest.mark.parametrize("name", ["falaj-up", "falaj-drift"])
def test_github_one_run_for_a_stack_at_a_time(name: str) -> None:
    (job,) = load(PIPELINES / "github" / f"{name}.yml")["jobs"].values()
    assert job["concurrency"] == {"group": f"{name}-${{{{ matrix.stack }}}}", "cancel-in-progress": False}
    assert job["environment"] == name


def test_gitlab_logs_in_without_a_key_and_only_where_needed() -> None:
    document = load(GITLAB[0])
    jobs = {name: job for name, job in document.items() if name.startswith("falaj:")}

    def chain(name: str) -> list[str]:
        parents = document[name].get("extends", [])
        parents = [parents] if isinstance(parents, str) else parents
        return [name, *(ancestor for parent in parents for ancestor in chain(parent))]

    logged_in = {name for name in jobs if any("id_tokens" in document[link] for link in chain(name))}
    assert logged_in == {"falaj:preview", "falaj:up", "falaj:drift"}
    for name in logged_in:
        assert document[name]["environment"]["name"].startswith("falaj-")
    for name in ("falaj:up", "falaj:drift"):
        assert document[name]["resource_group"] == "falaj"
        assert "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in document[name]["rules"][0]["if"]
    for name in set(jobs) - {"falaj:up", "falaj:drift"}:
        rules = next(document[link]["rules"] for link in chain(name) if "rules" in document[link])
        assert all("$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID" in rule["if"] for rule in rules), name
    assert all(any("timeout" in document[link] for link in chain(name)) for name in jobs)
    for name in ("falaj:check", "falaj:preview"):
        assert document[name]["artifacts"]["paths"] == ["comment.json"], "a report has messages in it"


def test_azure_gives_the_token_to_the_job_that_comments_alone() -> None:
    stages = {stage["stage"]: stage for stage in load(AZURE[0])["stages"]}
    assert [name for name, stage in stages.items() if "System.AccessToken" in str(stage)] == ["comment"]
    assert stages["comment"]["jobs"][0]["steps"][0] == {"checkout": "none"}
    for name in ("check", "comment"):
        assert "ne(variables['System.PullRequest.IsFork'], 'True')" in stages[name]["condition"]
    assert stages["preview"]["condition"].startswith("and(succeeded()")
    assert "refs/heads/main" in stages["up"]["condition"]
    up = yaml.safe_load((PIPELINES / "azure-devops" / "templates" / "up.yml").read_text())
    (job,) = next(iter(up["jobs"][0].values()))
    assert job["environment"] == "falaj-up"


def test_azure_every_login_that_writes_is_behind_an_environment_of_its_own() -> None:
    document = load(AZURE[0])
    stages = {stage["stage"]: stage for stage in document["stages"]}
    (drift,) = stages["drift"]["jobs"]
    assert (drift["deployment"], drift["environment"]) == ("drift", "falaj-drift")
    assert "'refs/heads/main'" in stages["drift"]["condition"]
    used = {name: sorted(set(re.findall(r"parameters\.(\w*Connection)", str(stages[name])))) for name in stages}
    assert used == {
        "check": [],
        "preview": ["previewConnection"],
        "comment": [],
        "up": ["upConnection"],
        "drift": ["driftConnection"],
    }
    defaults = {item["name"]: item["default"] for item in document["parameters"] if "Connection" in item["name"]}
    assert sorted(defaults.values()) == ["falaj-drift", "falaj-preview", "falaj-up"]
    guide = re.sub(r"\s+", " ", (ROOT / "docs" / "pipelines.md").read_text())
    assert "approvals and branch control on the connections" in guide


def test_every_checkout_has_the_whole_history() -> None:
    """Who wrote a waiver is in it: a shallow one waives nothing."""
    steps: list[dict[str, Any]] = []
    for file in (PIPELINES / "github").glob("*.yml"):
        steps += [step for job in load(file)["jobs"].values() for step in job["steps"]]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == 4
    assert all(step["with"]["fetch-depth"] == 0 for step in checkouts)
    assert load(GITLAB[0])["variables"]["GIT_DEPTH"] == "0"
    install = yaml.safe_load((PIPELINES / "azure-devops" / "templates" / "install.yml").read_text())
    assert install["steps"][0]["fetchDepth"] == "0"


def test_the_guide_says_what_is_not_proven() -> None:
    text = (ROOT / "docs" / "pipelines.md").read_text()
    assert "What is not proven" in text
    for path in ("falaj-waivers.yaml", "/policies/", "/pipelines/", "uv.lock"):
        assert path in text
