"""A model's way through the tenant `demo`: train, sign, register, approve, deploy, predict, roll back.

Every step looks first at what is there, so that a second run, or one after a kill, only does what is missing.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from falaj import Tenant
from falaj.models import ModelVersion
from falaj_platform.errors import QuickstartError
from falaj_site.progress import Progress

__all__ = ["MODEL", "People", "predict", "rolled_back", "train"]

MODEL = "mortgage-denial"
_VERIFY_SECONDS = 120.0
# The least that the example's model must reach on the rows held out.
BARS: Mapping[str, float] = {"auc": 0.7}
# The first is what examples/mortgage/mortgage.py trains as well.
VERSIONS: tuple[Mapping[str, Any], ...] = ({"trees": 80}, {"trees": 80, "depth": 2})


@dataclass(frozen=True)
class People:
    """The tenant as each of its members sees it."""

    data_scientist: Tenant
    approver: Tenant
    operator: Tenant
    lead: Tenant


def train(people: People, example: Path, index: int, progress: Progress) -> ModelVersion:
    """The version trained with `VERSIONS[index]`: trained, evaluated, signed, registered and approved, or found so.

    Raises QuickstartError when the model does not reach its bars.
    """
    author = people.data_scientist
    run = author.train(
        example / "train.py",
        data=[example / "hmda.csv"],
        params=VERSIONS[index],
        reuse=True,
        on_log=lambda line: progress.note(f"  train | {line}"),
    )
    version = next((known for known in author.versions(MODEL) if known.run_id == run.id and known.signature), None)
    if version is None:
        evaluation = author.evaluate(run, bars=BARS)
        if not evaluation.passed:
            raise QuickstartError(f"the model of run {run.id} does not reach {dict(BARS)}: {dict(run.metrics)}")
        version = author.register(author.sign(run), MODEL)
    if version.approval is None:
        version = people.approver.approve(MODEL, version.version, digest=version.digest)
    return version


def rolled_back(people: People, first: ModelVersion, second: ModelVersion) -> dict[str, Any]:
    """Deploys the second version over the first and rolls back to the first.

    Where the audit log says that this was done, what is served now is left as it is: it may be somebody's work.
    Raises QuickstartError: the rollback went elsewhere.
    """
    operator = people.operator
    done = any(
        record["action"] == "model.rollback"
        and (record["detail"].get("model"), record["detail"].get("to")) == (MODEL, first.version)
        for record in operator.audit_records()
    )
    if not done:
        operator.deploy(MODEL, first.version)
        operator.deploy(MODEL, second.version)
        back = operator.rollback(MODEL)
        if back.version != first.version:
            raise QuickstartError(f"the rollback went to version {back.version}, not to {first.version}")
    elif not _await_served(operator):
        operator.deploy(MODEL, first.version)
    return {"from": second.version, "to": first.version, "done_now": not done}


def _await_served(operator: Tenant) -> bool:
    """Waits while the replica verifies what it is to serve, as after a restart; False where it is to serve nothing.

    Raises QuickstartError: it refuses it, or does not get there.
    """
    deadline = time.monotonic() + _VERIFY_SECONDS
    while True:
        status = operator.status()
        if not status["desired"] and status["observed"]:
            return False
        if status["served"]:
            return True
        if status["refused"] or time.monotonic() > deadline:
            raise QuickstartError(f"the replica serves nothing: {status['refused'] or status['problem']}")
        time.sleep(0.5)


def predict(people: People, example: Path) -> dict[str, Any]:
    """The served model's answer on the first application in the data, beside what was decided in 1990.

    Raises QuickstartError: another model is served.
    """
    served = people.operator.status()["served"] or {}
    if served.get("model") != MODEL:
        raise QuickstartError(
            f"{served.get('model') or 'nothing'} is served, not {MODEL}: deploy {MODEL} again and run this once more"
        )
    with (example / "hmda.csv").open(newline="", encoding="utf-8") as stream:
        row = next(csv.DictReader(stream))
    answer = people.data_scientist.predict(MODEL, [_inputs(row)])[0]
    return {"application": row, "answer": answer, "denied_in_1990": row["deny"], "version": served["version"]}


def _inputs(row: Mapping[str, str]) -> dict[str, float]:
    """An application as the model takes it: numbers, yes and no as 1 and 0; not the target, nor what it may not see."""
    numbers = {"yes": 1.0, "no": 0.0}
    return {
        name: numbers[value] if value in numbers else float(value)
        for name, value in row.items()
        if name not in {"deny", "afam"}
    }
