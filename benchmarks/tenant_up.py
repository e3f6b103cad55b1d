"""How long a whole tenant takes to be accepted, next to `kubectl apply --server-side` of its Kubernetes objects.

Both against one bare API server (no controllers, so nothing is waited for), alternating, a new tenant each round. The
stack also writes the tenant's part of Vault, to a real OpenBao in memory; kubectl has nothing like it and is not
charged for it: `kubernetes_s` is when the stack's last Kubernetes object was accepted, `work_s` when all was.

Told apart: the start (for the stack all up to its first object: interpreter, imports, the stack's key, the program;
for kubectl `kubectl version --client`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "benchmark"  # of a server that lives as long as the benchmark, on loopback
CA = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
REGION = {
    "jurisdiction": "uae",
    "cloud": "on-premises",
    "region": "local",
    "image": "localhost/falaj/platform@sha256:" + "a" * 64,
    "storage_class": "falaj-local",
    "control_plane": ["10.90.0.1/32"],
    "token_reviewer_role": "falaj-token-reviewer",
    "vault_url": "https://127.0.0.1:8200",
    "vault_internal_url": "https://openbao.falaj-system.svc:8200",
    "vault_ca": CA,
    "vault_auth_mount": "kubernetes",
}

CHILD = """
import json, sys, time
from falaj_engine.governed import gate
from falaj_engine.values import reveal
from falaj_engine.workspace import Workspace

class Watch:
    first = kubernetes = None
    def started(self, step):
        if self.first is None and step.new is not None and step.new.custom and ":providers:" not in step.urn:
            self.first = time.time()
    def finished(self, step, seconds):
        if step.new is not None and step.new.type.startswith("kubernetes:"):
            self.kubernetes = time.time()
    def status(self, urn, text): pass
    def failed(self, step, message, seconds): print(message, file=sys.stderr)
    def message(self, severity, text, urn=""): print(text, file=sys.stderr)

project, home, kubeconfig, stack, rendered = sys.argv[1:]
watch = Watch()
result = Workspace(project, home, gate=gate, kubeconfig=kubeconfig, skip_await=True, watcher=watch).up(stack)
end = time.time()
if result.error:
    sys.exit(str(result.error))
made = [step.new for step in result.steps if step.new is not None and step.new.custom]
kubernetes = [reveal(state.inputs) for state in made if state.type.startswith("kubernetes:")]
with open(rendered, "w") as file:
    json.dump(kubernetes, file)
others = sum(state.type.startswith("pulumi-python:") for state in made)
print(json.dumps({"first": watch.first, "kubernetes": watch.kubernetes, "end": end,
                  "objects": len(kubernetes), "others": others}))
"""


def tenant_config(tenant: str) -> dict[str, Any]:
    """The configuration of tenant-demo, for another tenant."""
    import yaml

    text = (ROOT / "stacks" / "config" / "Pulumi.tenant-demo.yaml").read_text(encoding="utf-8")
    return {**yaml.safe_load(text)["config"]["falaj:stack"], "tenant": tenant}


@contextmanager
def openbao(folder: Path) -> Iterator[dict[str, str]]:
    """A real OpenBao in memory with the `kubernetes` auth method; yields the environment that names it."""
    import hvac

    program = Path(sys.executable).with_name("bao")
    if not program.exists():
        sys.exit("no OpenBao here: install the dependency group `site`")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    command = [str(program), "server", "-dev-tls", f"-dev-tls-cert-dir={folder}"]
    command += [f"-dev-root-token-id={TOKEN}", f"-dev-listen-address={listen}"]
    home = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=home)
    try:
        ca_file = folder / "vault-ca.pem"
        for _ in range(300):
            time.sleep(0.1)
            try:
                client = hvac.Client(url=f"https://{listen}", token=TOKEN, verify=str(ca_file))
                if ca_file.exists() and client.is_authenticated():
                    break
            except OSError:
                continue
        else:
            sys.exit("OpenBao did not start")
        client.sys.enable_auth_method("kubernetes")
        yield {"VAULT_ADDR": f"https://{listen}", "VAULT_CACERT": str(ca_file), "VAULT_TOKEN": TOKEN}
    finally:
        server.kill()
        server.wait()


def prepare_region(folder: Path, home: Path, kubeconfig: str) -> None:
    """A stack of the same project that exports what a region does, for the tenants to refer to."""
    from falaj_engine.workspace import Workspace

    project = folder / "region"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: falaj\nruntime: python\n")
    stack = {"kind": "region", **{key: REGION[key] for key in ("jurisdiction", "cloud", "region")}}
    (project / "Pulumi.region-local.yaml").write_text(json.dumps({"config": {"falaj:stack": stack}}))
    lines = [f"pulumi.export({key!r}, {value!r})" for key, value in REGION.items()]
    (project / "__main__.py").write_text("\n".join(["import pulumi", *lines]) + "\n")
    result = Workspace(project, home, gate=None, kubeconfig=kubeconfig).up("region-local")
    if result.error:
        sys.exit(str(result.error))


def run_falaj(folder: Path, home: Path, kubeconfig: str, tenant: str) -> dict[str, Any]:
    """One tenant by the stack: seconds of start and of work, and how much was made."""
    import yaml

    stack = f"tenant-{tenant}"
    (home / "stacks").mkdir(exist_ok=True)
    document = {"config": {"falaj:stack": tenant_config(tenant)}}
    (home / "stacks" / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(document))
    rendered = folder / f"{stack}.json"
    start = time.time()
    command = [sys.executable, "-c", CHILD, str(ROOT), str(home), kubeconfig, stack, str(rendered)]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
    return {
        "start": report["first"] - start,
        "kubernetes": report["kubernetes"] - report["first"],
        "work": report["end"] - report["first"],
        "objects": report["objects"],
        "others": report["others"],
        "rendered": rendered,
    }


def run_kubectl(folder: Path, kubeconfig: str, source: Path, tenant: str, other: str) -> dict[str, float]:
    """The Kubernetes objects of `tenant`, renamed to `other`, by kubectl: seconds of start and of work."""
    items = json.loads(source.read_text().replace(f"tenant-{tenant}", f"tenant-{other}"))
    path = folder / f"kubectl-{other}.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": _in_order(items)}))
    base = ["kubectl", f"--kubeconfig={kubeconfig}", f"--cache-dir={folder / 'kubectl-cache'}"]
    start = time.perf_counter()
    subprocess.run(["kubectl", "version", "--client"], check=True, stdout=subprocess.DEVNULL)
    middle = time.perf_counter()
    subprocess.run([*base, "apply", "--server-side", "-f", str(path)], check=True, stdout=subprocess.DEVNULL)
    end = time.perf_counter()
    return {"start": middle - start, "work": end - middle - (middle - start)}


def _in_order(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """kubectl applies in the order of the file: the namespace first."""
    return sorted(items, key=lambda item: item["kind"] != "Namespace")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()
    if shutil.which("kubectl") is None:
        sys.exit("kubectl is not on PATH: nothing to compare with")
    os.environ.setdefault("PULUMI_CONFIG_PASSPHRASE", "benchmark")

    from falaj_site.apiserver import ApiServer

    stack_runs: list[dict[str, Any]] = []
    kubectl_runs: list[dict[str, float]] = []
    with ApiServer() as server, tempfile.TemporaryDirectory(prefix="falaj bench ") as name:
        folder, kubeconfig = Path(name), str(server.kubeconfig)
        home = folder / "home"
        home.mkdir(mode=0o700)
        with openbao(folder) as environment:
            os.environ.update(environment)
            prepare_region(folder, home, kubeconfig)
            for number in range(arguments.rounds + 1):
                made = run_falaj(folder, home, kubeconfig, f"f{number}")
                applied = run_kubectl(folder, kubeconfig, made["rendered"], f"f{number}", f"k{number}")
                print(
                    json.dumps({"round": number, "falaj": {**made, "rendered": ""}, "kubectl": applied}),
                    file=sys.stderr,
                )
                if number:  # the very first round warms caches
                    stack_runs.append(made)
                    kubectl_runs.append(applied)

    def median(runs: list[Any], key: str) -> float:
        return round(statistics.median(run[key] for run in runs), 3)

    report = {
        "rounds": arguments.rounds,
        "cpus": os.cpu_count(),
        "kubernetes_objects": stack_runs[0]["objects"],
        "vault_objects_and_secrets": stack_runs[0]["others"],
        "falaj": {f"{key}_s": median(stack_runs, key) for key in ("start", "kubernetes", "work")},
        "kubectl": {f"{key}_s": median(kubectl_runs, key) for key in ("start", "work")},
        "ratio_kubernetes": round(median(stack_runs, "kubernetes") / median(kubectl_runs, "work"), 2),
    }
    print(json.dumps(report) if arguments.json else json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
