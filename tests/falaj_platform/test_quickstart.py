"""The main job, as a user runs it: `falaj quickstart` in a folder of its own, again, and `falaj down`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from falaj.kubeconfig import read_kubeconfig
from falaj.login import log_in
from falaj.session import Session
from falaj.tenant import Tenant
from falaj_site.site import Site

pytestmark = pytest.mark.site

ROOT = Path(__file__).resolve().parents[2]
STACKS = ("region-local", "tenant-demo", "tenant-other")


def falaj(home: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it, with a home of its own. Fails unless it exits with `code`."""
    environment = {key: value for key, value in os.environ.items() if key not in {"KUBECONFIG", "VAULT_ADDR"}}
    done = subprocess.run(
        [Path(sys.executable).with_name("falaj"), *arguments],
        cwd=ROOT,
        env={**environment, "FALAJ_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == code, f"falaj {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def home(running_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home beside another site that is up: two live side by side."""
    folder = tmp_path_factory.mktemp("quick start")
    try:
        yield folder
    finally:
        Site(folder).down(purge=True)


@pytest.fixture(scope="module")
def first(home: Path) -> subprocess.CompletedProcess[str]:
    return falaj(home, "quickstart", "--json")


@pytest.fixture(scope="module")
def report(first: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(first.stdout.splitlines()[-1])
    return found


def member(home: Path, tenant: str, name: str) -> Tenant:
    credentials = log_in(read_kubeconfig(home / "site" / "kubeconfig"), tenant, name)
    return Tenant(Session(credentials, home / "credentials"))


def test_every_step_is_done(report: Mapping[str, Any]) -> None:
    assert report["ok"], report["error"]
    assert [step["name"] for step in report["steps"] if not step["ok"]] == []
    assert [step["name"] for step in report["steps"]][2:5] == list(STACKS)


def test_node_and_pods_are_what_kubernetes_reports(report: Mapping[str, Any]) -> None:
    (node,) = report["nodes"]
    assert node["ready"]
    assert node["runtime"].startswith("containerd://")
    by_namespace: dict[str, set[str]] = {}
    for pod in report["pods"]:
        assert pod["phase"] == "Running", pod
        assert pod["ready"], pod
        by_namespace.setdefault(pod["namespace"], set()).add(pod["name"].split("-")[0])
    for tenant in ("tenant-demo", "tenant-other"):
        assert by_namespace[tenant] == {"postgres", "mlflow", "ray", "serving", "audit"}


def test_the_model_predicts_and_is_the_one_named(report: Mapping[str, Any], home: Path) -> None:
    probabilities = report["prediction"]["answer"]["probabilities"]
    assert sum(probabilities) == pytest.approx(1.0, abs=1e-4)
    served = member(home, "demo", "operator").status()["served"]
    assert (served["digest"], served["version"]) == (report["model"]["digest"], report["model"]["version"])


def test_the_replica_refused_each_bad_model_by_its_rule(report: Mapping[str, Any]) -> None:
    assert {refusal["case"]: refusal["rule"] for refusal in report["refused"]} == {
        "unsigned": "SUP-01",
        "one byte altered": "SUP-01",
        "unapproved": "CHG-01",
        "approved by its author": "IAM-05",
        "pickle": "SUP-02",
    }
    assert all(refusal["reason"] for refusal in report["refused"])


def test_the_other_tenant_was_refused_everywhere(report: Mapping[str, Any]) -> None:
    attempts = report["isolation"]
    assert {attempt["where"] for attempt in attempts} >= {"Kubernetes", "Vault", "MLflow", "Ray", "serving", "audit"}
    assert [attempt for attempt in attempts if not attempt["refused"]] == []


def test_no_secret_is_in_output_logs_or_state(first: subprocess.CompletedProcess[str], home: Path) -> None:
    secrets = {
        "Ray's token": member(home, "demo", "data-scientist").session.vault.read_secret("ray")["token"],
        "the passphrase": (home / "passphrase").read_text().strip(),
        "the approver's token": member(home, "demo", "approver").session.credentials.token.get_secret_value(),
    }
    places = {"output": first.stdout + first.stderr} | {
        str(path.relative_to(home)): path.read_text(errors="replace")
        for folder in (home / "state", home / "stacks", home / "site" / "logs")
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert len(places) > 10
    leaks = [
        f"{name} in {place}" for place, text in places.items() for name, secret in secrets.items() if secret in text
    ]
    assert leaks == []


def test_files_with_secrets_are_for_their_owner_only(report: Mapping[str, Any], home: Path) -> None:
    private = [home / "passphrase", home / "site" / "kubeconfig", *(home / "credentials").glob("*.json")]
    private += (home / "site").rglob("*.key")
    assert len(private) > 5
    assert [str(path) for path in private if path.stat().st_mode & 0o077] == []


def test_again_changes_nothing(report: Mapping[str, Any], home: Path) -> None:
    again = json.loads(falaj(home, "quickstart", "--json").stdout.splitlines()[-1])
    details = {step["name"]: step["detail"] for step in again["steps"]}
    assert [details[stack] for stack in STACKS] == ["nothing to change"] * 3
    assert details["embedded site"].startswith("nothing to change")
    assert again["model"] == report["model"]
    assert not again["rollback"]["done_now"]
    scientist = member(home, "demo", "data-scientist")
    assert [version.version for version in scientist.versions("mortgage-denial")] == ["2", "1"]
    trained = [record for record in scientist.audit_records() if record["action"] == "model.trained"]
    assert len(trained) == 2


def test_the_checkout_stays_clean(report: Mapping[str, Any]) -> None:
    listed = subprocess.run(
        ["git", "status", "--porcelain", "--", "stacks", "Pulumi.yaml", "examples"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line for line in listed.stdout.splitlines() if line.startswith("??")] == []


def test_what_the_readme_tells_to_look_at_next(report: Mapping[str, Any], home: Path) -> None:
    status = json.loads(falaj(home, "site", "status", "--json").stdout)
    assert all(component["answers"] and component["version"] for component in status["components"])
    assert status["enforces_network_policy"] is False
    assert status["enforces_seccomp"] is True
    verdict = json.loads(falaj(home, "audit", "verify", "--tenant", "demo", "--as", "approver", "--json").stdout)
    assert verdict["ok"]
    assert verdict["records"] >= report["audit"]["records"]
    connection = json.loads(falaj(home, "stack", "output", "-s", "tenant-demo", "--json").stdout)["connection"]
    assert connection["tenant"] == "demo"
    assert connection["jurisdiction"]["name"] == "uae"


def test_down_refuses_before_anything_where_a_stack_is_not_the_quickstarts(
    report: Mapping[str, Any], home: Path
) -> None:
    """What somebody added is theirs: neither it nor its state goes with the quickstart."""
    state = home / "state" / ".pulumi" / "stacks" / "falaj"
    document = json.loads((state / "tenant-other.json").read_text())
    text = json.dumps(document).replace("tenant-other", "tenant-third")
    (state / "tenant-third.json").write_text(text)
    (home / "stacks" / "Pulumi.tenant-third.yaml").write_text(
        (home / "stacks" / "Pulumi.tenant-other.yaml").read_text()
    )
    try:
        refused = falaj(home, "down", "--yes", code=2)
    finally:
        (state / "tenant-third.json").unlink()
        (home / "stacks" / "Pulumi.tenant-third.yaml").unlink()
    assert "tenant-third" in refused.stderr
    assert Site(home).status().ready


def test_after_the_site_was_killed_it_converges(report: Mapping[str, Any], home: Path) -> None:
    """Everything on the machine ends with the site's first process; the data is still there."""
    from falaj_site import process
    from falaj_site.layout import Layout

    init = process.find(Layout(home / "site"))
    assert init is not None
    os.kill(init.pid, signal.SIGKILL)
    again = json.loads(falaj(home, "quickstart", "--json").stdout.splitlines()[-1])
    assert again["ok"], again["error"]
    assert again["model"] == report["model"]
    assert again["audit"]["records"] > report["audit"]["records"]


def test_down_asks_first_and_leaves_nothing(report: Mapping[str, Any], home: Path) -> None:
    refused = falaj(home, "down", code=2)
    assert "--yes" in refused.stderr
    assert (home / "site" / "kubeconfig").exists()
    site_id = json.loads((home / "site" / "site.json").read_text())["id"]
    removed = json.loads(falaj(home, "down", "--yes", "--json").stdout)["removed"]
    assert any(line.startswith("site/volumes/") for line in removed)
    assert not home.exists() or not any(home.iterdir())
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(home) not in running
    assert str(home) not in Path("/proc/mounts").read_text()
    left = subprocess.run(
        ["find", "/sys/fs/cgroup", "-type", "d", "-name", f"*{site_id}*"], capture_output=True, text=True, check=False
    )
    assert left.stdout == ""
