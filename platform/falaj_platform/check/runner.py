"""Runs a project's programs, each in a process of its own: `python -m falaj_platform.check.runner`.

A plan comes in on stdin, a report goes out on stdout, both JSON. What the programs import is imported once, then every
program starts from that as a fork. Regions come first: their outputs are what tenants read.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import site
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from falaj_platform.check.children import Child, Outcome, finish, start
from falaj_platform.check.complaint import told
from falaj_platform.check.imports import imported_by
from falaj_platform.check.locate import Sources
from falaj_platform.check.processes import adopt_orphans, end_with_parent
from falaj_platform.check.program import judge, outputs_of, value_at

__all__ = ["main", "run"]

# A configuration's leaf is proven by running the program once more: at most so often for one stack.
_PROOFS = 6


def main() -> None:
    """Reads a plan, writes the report."""
    answer = os.fdopen(os.dup(1), "w")
    # What a program prints is not the report's, and may hold anything.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    end_with_parent(signal.SIGTERM)
    adopt_orphans()
    plan: dict[str, Any] = {}
    try:
        plan = json.load(sys.stdin)
        report = run(plan)
    except Exception as error:  # noqa: BLE001 - the check says why, in one line
        report = {"error": told(error, verbose=bool(plan.get("verbose")))}
    json.dump(report, answer)
    answer.close()


def run(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Judge each stack of the plan: `{"stacks": {name: report}, "errors": {name: text}}`."""
    _load(plan)
    jobs = {job["stack"]["name"]: job for job in plan["jobs"]}
    reports: dict[str, dict[str, Any]] = {}
    errors: dict[str, str] = {}
    outputs: dict[str, Any] = {}
    for first in (True, False):
        wave = [job for job in jobs.values() if (job["stack"]["kind"] == "region") is first]
        for job in wave:
            job["references"] = dict(outputs)
        for name, outcome in _judged(wave, plan["limit"]).items():
            if outcome.error:
                errors[name] = outcome.error
                continue
            outputs[name] = outcome.value.pop("outputs")
            reports[name] = outcome.value
    for name, report in reports.items():
        if report:
            _locate(jobs[name], report, plan)
    return {"stacks": {name: report for name, report in reports.items() if report}, "errors": errors}


def _judged(wave: Sequence[dict[str, Any]], limit: float) -> dict[str, Outcome]:
    children: list[Child] = [start(judge if job["judged"] else outputs_of, job) for job in wave]
    outcomes = finish(children, limit)
    return {job["stack"]["name"]: outcome for job, outcome in zip(wave, outcomes, strict=True)}


def _load(plan: Mapping[str, Any]) -> None:
    """Import what the programs will: a module that cannot be is the program's own to complain of."""
    if plan["site_packages"]:
        # With what its .pth files add: packages that are worked on.
        before, sys.path[:] = list(sys.path), []
        site.addsitedir(plan["site_packages"])
        sys.path += before
    import falaj_policies

    falaj_policies.all_rules()
    for name in ("falaj_engine.capture", "falaj_infra.place", *imported_by(Path(plan["main"]))):
        try:
            importlib.import_module(name)
        except BaseException:  # noqa: BLE001, S112 - see above; some modules even exit
            continue
    gc.collect()
    gc.freeze()


def _locate(job: dict[str, Any], report: dict[str, Any], plan: Mapping[str, Any]) -> None:
    """Where the values of the findings come from: the stack's files, or the program's line that is there already."""
    sources = Sources.read(
        Path(plan["root"]),
        Path(job["stack"]["file"]),
        Path(plan["manifest"]),
        plan["project"],
        Path(job["region_file"]) if job["region_file"] else None,
    )
    doubts: dict[int, list[tuple[dict[str, Any], Any]]] = {}
    for finding in report["findings"]:
        value = finding.pop("value")
        if finding["subject"] == job["stack"]["name"] and (finding["path"] or value is None):
            finding.update(sources.of_stack(finding["path"]))
            continue
        candidates = sources.candidates(value, finding["path"])
        sure = next((leaf for leaf, certain in candidates if certain), None)
        if sure is not None:
            finding.update(sources.place(sure))
        for leaf, _certain in candidates if sure is None else ():
            doubts.setdefault(leaf, []).append((finding, value))
    for leaf, findings in list(doubts.items())[:_PROOFS]:
        changed = sources.changed(leaf)
        if not changed:
            continue
        places = [(finding["subject"], finding["path"]) for finding, _was in findings]
        (outcome,) = finish([start(value_at, {**job, "changed": changed, "places": places})], plan["limit"])
        for (finding, was), value in zip(findings, outcome.value.get("values", ()), strict=False):
            if value is not None and value != was and not finding.get("key"):
                finding.update(sources.place(leaf))


if __name__ == "__main__":
    main()
