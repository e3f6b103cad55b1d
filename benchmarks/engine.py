"""How long the embedded engine takes to create ConfigMaps, next to `kubectl apply --server-side` of the same objects.

Each run creates new objects in a namespace of its own on one bare API server; engine and kubectl alternate, so that a
change of the machine's load meets both. Told apart: the start (for the engine interpreter, imports and the stack's key,
up to the program's first statement after its imports; for kubectl `kubectl version --client`) and the work after it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = """
import time

from pulumi_kubernetes.core.v1 import ConfigMap

print("start", time.time())
for number in range({count}):
    ConfigMap(
        f"map-{{number}}",
        metadata={{"name": f"map-{{number}}", "namespace": "{namespace}"}},
        data={{"number": str(number), "text": "x" * 64}},
    )
"""

CHILD = """
import json, sys, time
from falaj_engine.workspace import Workspace
result = Workspace(sys.argv[1], sys.argv[2], gate=None, kubeconfig=sys.argv[3]).up("bench")
if result.error:
    sys.exit(str(result.error))
print(json.dumps({"end": time.time(), "created": result.counts["create"]}))
"""


def objects(count: int, namespace: str) -> str:
    """The same objects for kubectl, as one List."""
    items = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"map-{number}", "namespace": namespace},
            "data": {"number": str(number), "text": "x" * 64},
        }
        for number in range(count)
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def run_engine(folder: Path, kubeconfig: str, count: int, namespace: str) -> tuple[float, float]:
    """Seconds of start and of work."""
    project = folder / f"project {namespace}"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: bench\nruntime: python\n")
    (project / "Pulumi.bench.yaml").write_text("config: {}\n")
    (project / "__main__.py").write_text(PROGRAM.format(count=count, namespace=namespace))
    start = time.time()
    command = [sys.executable, "-c", CHILD, str(project), str(folder / f"home {namespace}"), kubeconfig]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    first, last = output.splitlines()
    begun, report = float(first.removeprefix("start ")), json.loads(last)
    assert report["created"] == count + 1, report
    return begun - start, report["end"] - begun


def run_kubectl(folder: Path, kubeconfig: str, count: int, namespace: str) -> tuple[float, float]:
    """Seconds of start and of work."""
    path = folder / f"{namespace}.json"
    path.write_text(objects(count, namespace))
    base = ["kubectl", f"--kubeconfig={kubeconfig}", f"--cache-dir={folder / 'kubectl-cache'}"]
    start = time.perf_counter()
    subprocess.run(["kubectl", "version", "--client"], check=True, stdout=subprocess.DEVNULL)
    middle = time.perf_counter()
    subprocess.run([*base, "apply", "--server-side", "-f", str(path)], check=True, stdout=subprocess.DEVNULL)
    end = time.perf_counter()
    return middle - start, end - middle - (middle - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[20, 200, 1000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()
    if shutil.which("kubectl") is None:
        sys.exit("kubectl is not on PATH: nothing to compare with")
    os.environ.setdefault("PULUMI_CONFIG_PASSPHRASE", "benchmark")

    from falaj_engine.kube.client import Client
    from falaj_engine.kube.config import load
    from falaj_site.apiserver import ApiServer

    rows = []
    with ApiServer() as server, tempfile.TemporaryDirectory(prefix="falaj bench ") as name:
        folder, kubeconfig = Path(name), str(server.kubeconfig)
        client = Client(load(kubeconfig))
        tools = {"engine": run_engine, "kubectl": run_kubectl}
        for count in arguments.counts:
            runs: dict[str, list[tuple[float, float]]] = {tool: [] for tool in tools}
            for number in range(arguments.rounds + (count == arguments.counts[0])):
                for tool, run in tools.items():
                    namespace = f"{tool}-{count}-{number}"
                    client.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
                    runs[tool].append(run(folder, kubeconfig, count, namespace))
            row: dict[str, object] = {"count": count}
            for tool, pairs in runs.items():
                kept = pairs[-arguments.rounds :]  # the very first round warms caches
                row[tool] = {
                    "start_s": round(statistics.median(pair[0] for pair in kept), 3),
                    "work_s": round(statistics.median(pair[1] for pair in kept), 3),
                    "work_all_s": [round(pair[1], 3) for pair in kept],
                }
            medians = [statistics.median(pair[1] for pair in runs[tool][-arguments.rounds :]) for tool in tools]
            row["ratio"] = round(medians[0] / medians[1], 2)
            row["ms_per_object"] = round(1000 * medians[0] / count, 2)
            rows.append(row)
            print(json.dumps(row), file=sys.stderr)
    if arguments.json:
        print(json.dumps({"rounds": arguments.rounds, "cpus": os.cpu_count(), "runs": rows}))


if __name__ == "__main__":
    main()
