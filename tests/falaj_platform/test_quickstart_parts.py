"""What the quickstart waits for, and what it tells, without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from falaj_platform.quickstart import cluster
from falaj_platform.quickstart.report import Attempt, Recorder, Report
from falaj_site.progress import Silent


def items(*found: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(found)}


def a_pod(name: str, ready: bool) -> dict[str, Any]:
    condition = {"type": "Ready", "status": str(ready)}
    return {"metadata": {"name": name}, "status": {"conditions": [condition]}}


def a_slice(service: str, *ready: bool) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"kubernetes.io/service-name": service}},
        "endpoints": [{"conditions": {"ready": value}} for value in ready],
    }


SERVICES = items({"metadata": {"name": "mlflow"}}, {"metadata": {"name": "ray"}})


@pytest.mark.parametrize(
    ("slices", "pods", "waiting"),
    [
        (items(a_slice("mlflow", True), a_slice("ray", True)), items(a_pod("ray-0", True)), []),
        # After a restart of the node the endpoints may still be those of before: the pods tell.
        (items(a_slice("mlflow", True), a_slice("ray", True)), items(a_pod("ray-0", False)), ["ray-0"]),
        (items(a_slice("mlflow", True), a_slice("ray", False)), items(a_pod("ray-0", True)), ["ray"]),
        (items(a_slice("mlflow", True), a_slice("ray")), items(), ["ray"]),
        (items({"metadata": {}, "endpoints": None}), items(), ["mlflow", "ray"]),
        (
            items(a_slice("mlflow", True), a_slice("ray", True)),
            items({"metadata": {"name": "new"}, "status": {}}),
            ["new"],
        ),
    ],
)
def test_waits_for_each_service_and_each_pod(slices: Any, pods: Any, waiting: list[str]) -> None:
    assert cluster._silent(SERVICES, slices, pods) == waiting


def test_a_step_that_fails_is_in_the_report_with_those_before_it() -> None:
    report = Report()
    steps = Recorder(report, Silent())
    with steps.step("first") as detail:
        detail.append("done")
    with pytest.raises(RuntimeError), steps.step("second"):
        raise RuntimeError
    found = json.loads(report.to_json())
    assert [(step["name"], step["ok"], step["detail"]) for step in found["steps"]] == [
        ("first", True, "done"),
        ("second", False, ""),
    ]
    assert found["ok"] is False


def test_a_door_that_stood_open_is_no_success() -> None:
    report = Report(isolation=[Attempt("Ray", "list the jobs", refused=False, answer="it was allowed")])
    assert json.loads(report.to_json())["ok"] is False
