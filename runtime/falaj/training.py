"""Training as a job on the tenant's Ray cluster, over Ray's Jobs REST API.

The run in MLflow is made first and the job's id is made from it, so that a run and its job find each other even when
the process that started them is gone.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from falaj.errors import NotFound, ServiceError, TrainingFailed
from falaj.http import Http
from falaj.inside import MLFLOW_URL, RUN_ID
from falaj.package import Package
from falaj.registry import Registry

__all__ = ["Jobs", "Run"]

_POLL_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 60.0
_ENDED: Final = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})


@dataclass(frozen=True, slots=True)
class Run:
    """A finished training run. `digest` is its model's (`sha256:<hex>`), empty if it logged none."""

    id: str
    metrics: Mapping[str, float]
    params: Mapping[str, Any]
    digest: str
    reused: bool = False
    tags: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_mlflow(cls, run: Mapping[str, Any], *, reused: bool = False) -> Run:
        data = run.get("data") or {}
        tags = {tag["key"]: tag.get("value", "") for tag in data.get("tags") or ()}
        return cls(
            id=str(run["info"]["run_id"]),
            metrics={item["key"]: float(item["value"]) for item in data.get("metrics") or ()},
            params={item["key"]: item.get("value") for item in data.get("params") or ()},
            digest=tags.get("falaj.digest", ""),
            reused=reused,
            tags=tags,
        )


def to_stderr(line: str) -> None:
    print(f"  train | {line}", file=sys.stderr, flush=True)


class Jobs:
    """One tenant's Ray cluster. `http` carries Ray's token in `X-Ray-Authorization`."""

    def __init__(self, http: Http, registry: Registry, mlflow_url: str) -> None:
        self._http = http
        self._registry = registry
        self._mlflow_url = mlflow_url

    def submit(self, package: Package, run_id: str) -> str:
        """Starts the job of a run and returns its id; a job of that run that is there already is left as it is."""
        job_id = job_of(run_id)
        if self.status(job_id) is not None:
            return job_id
        name = f"_ray_pkg_{package.digest[:32]}.zip"
        path = f"api/packages/gcs/{name}"
        try:
            self._http.request("GET", path)
        except NotFound:
            self._http.request("PUT", path, body=package.content, headers={"Content-Type": "application/octet-stream"})
        body = {
            "entrypoint": f"python3 {shlex.quote(package.script)}",
            "submission_id": job_id,
            "metadata": {"falaj.run": run_id},
            "runtime_env": {
                "working_dir": f"gcs://{name}",
                "env_vars": {RUN_ID: run_id, MLFLOW_URL: self._mlflow_url, "PYTHONUNBUFFERED": "1"},
            },
        }
        self._http.json("POST", "api/jobs/", body)
        return job_id

    def status(self, job_id: str) -> tuple[str, str] | None:
        """(status, message) of a job, None when there is none of that id."""
        try:
            data = self._http.json("GET", f"api/jobs/{job_id}")
        except NotFound:
            return None
        return str(data.get("status")), str(data.get("message") or "")

    def stop(self, job_id: str) -> None:
        self._http.json("POST", f"api/jobs/{job_id}/stop", {})

    def follow(self, job_id: str, on_log: Callable[[str], None], timeout: float) -> None:
        """Waits until the job has ended, handing on its output line by line. A short outage is waited out.

        Raises TrainingFailed: it failed, was stopped, vanished, or took longer than `timeout` seconds (it is stopped
        then).
        """
        deadline, reached, shown = time.monotonic() + timeout, time.monotonic(), 0
        tail: list[str] = []
        while True:
            try:
                found = self.status(job_id)
                text = str(self._http.json("GET", f"api/jobs/{job_id}/logs").get("logs") or "") if found else ""
                reached = time.monotonic()
            except ServiceError as error:
                if 0 < error.status < 500 or time.monotonic() - reached > _PATIENCE_SECONDS:
                    raise
                time.sleep(_POLL_SECONDS)
                continue
            if found is None:
                raise TrainingFailed(f"the job {job_id} is gone: the Ray cluster was restarted; train again")
            status, message = found
            ended = status in _ENDED
            lines, shown = _new_lines(text, shown, ended)
            for line in lines:
                tail = [*tail[-4:], line]
                on_log(line)
            if status == "SUCCEEDED":
                return
            if ended:
                last = next((line.strip() for line in reversed(tail) if line.strip()), " ".join(message.split()))
                raise TrainingFailed(f"the job {job_id} ended as {status}: {last[:300] or 'no output'}")
            if time.monotonic() > deadline:
                self.stop(job_id)
                raise TrainingFailed(f"the job {job_id} took more than {timeout:.0f} s and was stopped")
            time.sleep(_POLL_SECONDS)


def job_of(run_id: str) -> str:
    """The Ray submission id of a run."""
    return f"falaj-{run_id}"


def _new_lines(text: str, shown: int, ended: bool) -> tuple[list[str], int]:
    """Whole lines after the first `shown` characters, and how many characters are shown then."""
    fresh = text[shown:]
    end = len(fresh) if ended else fresh.rfind("\n") + 1
    return fresh[:end].splitlines(), shown + end
