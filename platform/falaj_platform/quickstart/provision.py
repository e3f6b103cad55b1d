"""What the quickstart provisions: the site's region and tenants, with Falaj's own stacks on the embedded engine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from falaj_engine.errors import OtherClusterError
from falaj_engine.events import Step
from falaj_engine.governed import gate
from falaj_engine.workspace import Result, Workspace
from falaj_platform.errors import QuickstartError
from falaj_site.progress import Progress
from falaj_site.site import Site

__all__ = ["REGION", "TENANTS", "bring_up", "configure_region", "forget_if_gone", "site_environment", "workspace"]

REGION = "region-local"
TENANTS = ("demo", "other")


class Watcher:
    """Shows what a stack is doing: each change as it ends, and why a workload is not ready yet."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._said: dict[str, str] = {}

    def started(self, step: Step) -> None:
        pass

    def status(self, urn: str, text: str) -> None:
        # The same reason comes again with every look at the cluster.
        if self._said.get(urn) != text:
            self._said[urn] = text
            self._progress.note(f"  … {_short(urn)}: {text}")

    def finished(self, step: Step, seconds: float) -> None:
        if step.op not in {"same", "read"} and seconds >= 5.0:
            self._progress.note(f"  {step.op} {_short(step.urn)}  {seconds:.0f} s")

    def failed(self, step: Step, message: str, seconds: float) -> None:
        self._progress.note(f"  failed: {step.op} {_short(step.urn)}: {message}")

    def message(self, severity: str, text: str, urn: str = "") -> None:
        if severity in {"warning", "error"}:
            self._progress.note(f"  {severity}: {text}")


def workspace(project: Path, home: Path, progress: Progress) -> Workspace:
    """The project's stacks, with their state under `home`."""
    return Workspace(project, home, gate=gate, watcher=Watcher(progress))


@contextmanager
def site_environment(site: Site) -> Iterator[None]:
    """The variables with which the stacks find the site, for as long as this lasts."""
    wanted = {**site.environment(), "FALAJ_HOME": str(site.home)}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def configure_region(stacks: Workspace, site: Site, image: str) -> None:
    """Writes what only the running site knows into the region's stack file: the image, and where OpenBao is."""
    endpoints = site.endpoints()
    known: Mapping[str, Any] = {
        "image": image,
        "vault": {
            "url": endpoints.openbao,
            "address": endpoints.node_ip,
            "kubernetes_url": f"https://{endpoints.node_ip}:6443",
            "ca": endpoints.ca.read_text(),
        },
    }
    stacks.init(REGION)
    present = stacks.config(REGION, "falaj:stack")
    if {key: present.get(key) for key in known} != known:
        for key, value in known.items():
            stacks.set_config(REGION, f"falaj:stack.{key}", value, path=True)


def bring_up(stacks: Workspace, stack: str) -> str:
    """Brings one stack to what its program says; what changed, as one line. Raises QuickstartError."""
    forget_if_gone(stacks, stack)
    result = stacks.up(stack)
    if not result.ok:
        raise QuickstartError(f"stack {stack} did not come up: {_why(result)}")
    if result.changes == 0:
        return "nothing to change"
    counted = {op: count for op, count in result.counts.items() if op not in {"same", "read", "discard"}}
    return ", ".join(f"{count} {op}" for op, count in sorted(counted.items()))


def forget_if_gone(stacks: Workspace, stack: str) -> None:
    """Drops the state of a stack that was on a site since purged: what it describes is gone.

    Raises OtherClusterError where the stack is in a cluster that is not this home's site.
    """
    try:
        stacks.check_cluster(stack)
    except OtherClusterError as other:
        if not other.remade:
            raise
        stacks.forget(stack)


def _why(result: Result) -> str:
    if result.failures:
        step, message = result.failures[0]
        return f"{_short(step.urn)}: {message}"
    return str(result.error)


def _short(urn: str) -> str:
    """`Deployment mlflow` for `urn:pulumi:…$kubernetes:apps/v1:Deployment::mlflow`."""
    kinds, _, name = urn.rpartition("::")
    return f"{kinds.rpartition(':')[2]} {name}"
