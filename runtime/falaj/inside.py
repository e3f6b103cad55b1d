"""Inside a training job: `falaj.job()` says what to train on and takes what came out.

job = falaj.job()
frame = pandas.read_csv(job.data[0])
...
job.log_model("model", metrics={"auc": 0.79}, features=list(frame.columns))
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from falaj.errors import UsageError
from falaj.http import Http
from falaj.modelfiles import digest_of_files, read_model
from falaj.registry import Registry

__all__ = ["JOB_FILE", "METADATA_FILE", "Job", "job"]

JOB_FILE: Final = "falaj-job.json"
METADATA_FILE: Final = "falaj.json"
RUN_ID: Final = "FALAJ_RUN_ID"
MLFLOW_URL: Final = "FALAJ_MLFLOW_URL"


@dataclass(frozen=True, slots=True)
class Job:
    """`params` as given to `train`, `data` the files in the order given, `run_id` the MLflow run."""

    run_id: str
    params: Mapping[str, Any]
    data: tuple[Path, ...]
    _registry: Registry = field(repr=False)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        self._registry.log(self.run_id, metrics=metrics)

    def log_model(
        self,
        directory: str | Path,
        *,
        metrics: Mapping[str, float],
        features: Sequence[str] | None = None,
        decisions: Sequence[str] | None = None,
    ) -> str:
        """Stores the files below `directory` as this run's model and returns its digest (`sha256:<hex>`).

        `features` names the columns of the model's one input, in order, so that predictions can be asked for by name.
        `decisions` names the outputs that are decisions, such as a classifier's label: how often each comes out is
        recorded in the audit log. Other outputs are only counted.
        Raises UsageError: nothing there, or something that is not a plain file.
        """
        folder = Path(directory)
        given = {"features": features, "decisions": decisions}
        described = {key: list(names) for key, names in given.items() if names is not None}
        if described:
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"version": 1, **described}, indent=2) + "\n"
            (folder / METADATA_FILE).write_text(text, encoding="utf-8")
        digest = digest_of_files(read_model(folder))
        self._registry.upload_model(self.run_id, folder)
        self._registry.log(self.run_id, metrics=metrics, tags={"falaj.digest": digest})
        return digest


def job() -> Job:
    """The job that this process is. Raises UsageError anywhere else."""
    run_id, url = os.environ.get(RUN_ID), os.environ.get(MLFLOW_URL)
    path = Path(os.environ.get("FALAJ_JOB_FOLDER", ".")) / JOB_FILE
    if not run_id or not url or not path.is_file():
        raise UsageError("falaj.job() works inside a job only: start this script with tenant.train()")
    description = json.loads(path.read_text(encoding="utf-8"))
    registry = Registry(Http(url, what="MLflow", timeout=120.0))
    return Job(
        run_id=run_id,
        params=description["params"],
        data=tuple(path.parent / name for name in description["data"]),
        _registry=registry,
    )
