"""Kills `falaj quickstart` (SIGKILL, its whole process group) again and again, then lets it finish: does it converge?

Not a timing: a proof with a budget. After the last run the state and the cluster must agree object by object, the
registry must hold exactly the versions that one undisturbed run makes, and the audit log must verify.

    python benchmarks/faults.py [--seconds 600] [--kills 12] [--seed 1] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FALAJ = Path(sys.executable).with_name("falaj")
STACKS = ("region-local", "tenant-demo", "tenant-other")
VERSIONS = {
    "mortgage-denial": 2,
    "mortgage-denial-unsigned": 1,
    "mortgage-denial-unapproved": 1,
    "mortgage-denial-approved-by-its-author": 1,
}


def start(home: Path, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {key: value for key, value in os.environ.items() if key not in {"KUBECONFIG", "VAULT_ADDR"}}
    return subprocess.Popen(
        [FALAJ, *arguments],
        cwd=ROOT,
        env={**environment, "FALAJ_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def killed_runs(home: Path, kills: int, until: float, chance: random.Random) -> list[float]:
    """Seconds after which each run was killed; stops early when the budget is used or a run was too quick to kill."""
    seconds = []
    while len(seconds) < kills and time.monotonic() < until:
        # Early and late deaths alike: a whole first run takes some minutes, most of it inside `up`.
        after = chance.choice([chance.uniform(0.5, 15.0), chance.uniform(15.0, 90.0)])
        run = start(home, "quickstart", "--json")
        try:
            run.wait(timeout=min(after, max(1.0, until - time.monotonic())))
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            seconds.append(round(after, 1))
    return seconds


def disagreements(home: Path) -> list[str]:
    """Kubernetes objects that the state has and the cluster has not, and Falaj's own that only the cluster has."""
    from falaj.kubeconfig import read_kubeconfig

    http = read_kubeconfig(home / "site" / "kubeconfig").http()
    known: set[str] = set()
    for stack in STACKS:
        run = start(home, "stack", "export", "-s", stack)
        resources = json.loads(run.communicate()[0])["deployment"].get("resources", [])
        if any(item.get("initErrors") for item in resources):
            return [f"{stack} has resources that did not become ready"]
        known |= {
            f"{item['inputs']['kind']} {item['id']}" for item in resources if item["type"].startswith("kubernetes:")
        }
    found = set()
    namespaces = [item["metadata"]["name"] for item in http.json("GET", "api/v1/namespaces")["items"]]
    for namespace in namespaces:
        if not namespace.startswith("tenant-"):
            continue
        for group, kind in (
            ("api/v1", "ConfigMap"),
            ("api/v1", "Secret"),
            ("api/v1", "Service"),
            ("api/v1", "ServiceAccount"),
            ("apis/apps/v1", "Deployment"),
            ("apis/apps/v1", "StatefulSet"),
        ):
            for item in http.json("GET", f"{group}/namespaces/{namespace}/{kind.lower()}s")["items"]:
                name = item["metadata"]["name"]
                if name not in {"kube-root-ca.crt", "default"}:
                    found.add(f"{kind} {namespace}/{name}")
    kinds = {entry.split()[0] for entry in found}
    wanted = {entry for entry in known if entry.split()[0] in kinds and entry.split()[1].startswith("tenant-")}
    return sorted(f"only in the state: {entry}" for entry in wanted - found) + sorted(
        f"only in the cluster: {entry}" for entry in found - wanted
    )


def extra_versions(home: Path) -> list[str]:
    """Registered models with more versions than an undisturbed run makes."""
    from falaj.kubeconfig import read_kubeconfig
    from falaj.login import log_in
    from falaj.session import Session
    from falaj.tenant import Tenant

    credentials = log_in(read_kubeconfig(home / "site" / "kubeconfig"), "demo", "data-scientist")
    tenant = Tenant(Session(credentials, home / "credentials"))
    counts = {name: len(tenant.versions(name)) for name in VERSIONS}
    return [
        f"{name}: {counts[name]} versions, not {VERSIONS[name]}" for name in VERSIONS if counts[name] != VERSIONS[name]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="budget for the killed runs")
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="falaj faults ") as folder:
        home = Path(folder) / "home"
        result: dict[str, Any] = {"seed": arguments.seed}
        try:
            until = time.monotonic() + arguments.seconds
            result["killed_after_seconds"] = killed_runs(home, arguments.kills, until, random.Random(arguments.seed))
            last = start(home, "quickstart", "--json")
            report = json.loads(last.communicate()[0].splitlines()[-1])
            result |= {"converged": last.returncode == 0 and report["ok"], "error": report["error"]}
            if result["converged"]:
                result["problems"] = disagreements(home) + extra_versions(home)
                result["audit"] = report["audit"]
        finally:
            start(home, "down", "--yes").communicate()
    result["ok"] = bool(result.get("converged")) and result.get("problems") == []
    if arguments.json:
        print(json.dumps(result))
    else:
        print(
            f"killed after {result['killed_after_seconds']} s; converged: {result['converged']}; {result.get('error')}"
        )
        for problem in result.get("problems") or []:
            print(f"  {problem}")
    sys.exit(0 if result["ok"] else 1)


if __name__ == "__main__":
    main()
