"""The MLflow tracking server and registry over its REST API.

Not MLflow's own client: it takes more than a second to import and is configured through the process's environment,
where tokens would stay. The calls below are MLflow's public API (2.0), and the same ones serve outside through the
door, in a training job and in the replica.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from falaj.errors import ModelProblem, NotFound, ServiceError, TooLarge, UsageError
from falaj.http import Http
from falaj.modelfiles import MAX_FILE_BYTES, MAX_FILES, MAX_MODEL_BYTES
from falaj.models import ModelVersion

__all__ = ["MODEL_PATH", "Registry"]

MODEL_PATH: Final = "model"
_API = "api/2.0/mlflow"
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_ARTIFACTS = "api/2.0/mlflow-artifacts/artifacts"


class Registry:
    """One tenant's MLflow."""

    def __init__(self, http: Http) -> None:
        self._http = http

    # Runs

    def experiment(self, name: str) -> str:
        """The id of the experiment of that name, which is made if there is none."""
        for _ in range(2):
            try:
                found = self._get("experiments/get-by-name", experiment_name=name)["experiment"]
                return str(found["experiment_id"])
            except NotFound:
                try:
                    return str(self._post("experiments/create", {"name": name})["experiment_id"])
                except ServiceError as error:
                    # Somebody made it in between: look again.
                    if error.code != "RESOURCE_ALREADY_EXISTS":
                        raise
        raise ServiceError(f"the registry neither finds nor makes the experiment {name}")

    def create_run(self, experiment_id: str, name: str, tags: Mapping[str, str]) -> dict[str, Any]:
        body = {"experiment_id": experiment_id, "run_name": name, "start_time": _now(), "tags": _pairs(tags)}
        return dict(self._post("runs/create", body)["run"])

    def get_run(self, run_id: str) -> dict[str, Any]:
        return dict(self._get("runs/get", run_id=run_id)["run"])

    def find_runs(self, experiment_id: str, tag: str, value: str) -> list[dict[str, Any]]:
        """Runs with a tag of that value, newest first."""
        body = {
            "experiment_ids": [experiment_id],
            "filter": f"tags.`{tag}` = '{value}'",
            "order_by": ["attributes.start_time DESC"],
            "max_results": 20,
        }
        return list(self._post("runs/search", body).get("runs") or [])

    def end_run(self, run_id: str, status: str) -> None:
        """`status` is FINISHED, FAILED or KILLED."""
        self._post("runs/update", {"run_id": run_id, "status": status, "end_time": _now()})

    def log(
        self,
        run_id: str,
        *,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        now = _now()
        body = {
            "run_id": run_id,
            "metrics": [{"key": k, "value": float(v), "timestamp": now, "step": 0} for k, v in (metrics or {}).items()],
            "params": _pairs(params or {}),
            "tags": _pairs(tags or {}),
        }
        self._post("runs/log-batch", body)

    # Files

    def upload(self, run_id: str, name: str, content: bytes) -> None:
        """Stores `content` as the run's artifact `name` (a relative path)."""
        base = self._artifact_base(run_id)
        self._http.request(
            "PUT", f"{_ARTIFACTS}/{base}/{name}", body=content, headers={"Content-Type": "application/octet-stream"}
        )

    def upload_model(self, run_id: str, directory: Path) -> None:
        """Stores every file below `directory` as the run's model."""
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                self.upload(run_id, f"{MODEL_PATH}/{path.relative_to(directory).as_posix()}", path.read_bytes())

    def download_model(self, run_id: str, target: Path, max_bytes: int = MAX_MODEL_BYTES) -> None:
        """Fetches the run's model into `target`, which must be empty. What is fetched is not trusted: judge its digest.

        Raises NotFound: the run logged no model; ModelProblem: names that leave `target` or cannot be there together,
        too many files, more than `max_bytes` in all.
        """
        base = self._artifact_base(run_id)
        left, count = max_bytes, 0
        folders = [MODEL_PATH]
        while folders:
            folder = folders.pop()
            for entry in self._get("artifacts/list", run_id=run_id, path=folder).get("files") or ():
                name = str(entry.get("path", ""))
                inner = name.removeprefix(f"{MODEL_PATH}/")
                parts = inner.split("/")
                if inner == name or any(part in {"", ".", ".."} or "\\" in part or "\0" in part for part in parts):
                    raise ModelProblem(f"the registry lists a file with an unsafe name: {name[:200]!r}", rule="SUP-07")
                count += 1
                if count > MAX_FILES:
                    raise ModelProblem(f"the model has more than {MAX_FILES} files", rule="SUP-07")
                if entry.get("is_dir"):
                    folders.append(name)
                    continue
                limit = min(left, MAX_FILE_BYTES)
                try:
                    left -= self._download(f"{_ARTIFACTS}/{base}/{name}", target.joinpath(*parts), limit)
                except TooLarge:
                    message = f"the model has more than {max_bytes} bytes, or a file more than {MAX_FILE_BYTES}"
                    raise ModelProblem(message, rule="SUP-01") from None
        if count == 0:
            raise NotFound(f"the run {run_id} logged no model", status=404)

    def _download(self, source: str, path: Path, limit: int) -> int:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._http.download(source, path, limit=limit)
            return path.stat().st_size
        except (OSError, ValueError) as error:
            # A name listed twice, one that is a file and a folder, one too long, one that no name can be; or no room.
            rule = "SUP-01" if getattr(error, "errno", None) in _NO_ROOM else "SUP-07"
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ModelProblem(f"a file of the model cannot be stored here: {reason}", rule=rule) from None

    def _artifact_base(self, run_id: str) -> str:
        uri = str(self.get_run(run_id)["info"].get("artifact_uri", ""))
        try:
            parts = urlsplit(uri)
        except ValueError:
            parts = urlsplit("")
        path = parts.path.strip("/")
        if parts.scheme != "mlflow-artifacts" or not path or ".." in path.split("/"):
            message = f"the registry does not serve the files of run {run_id} itself (artifact URI {uri[:100]!r})"
            raise ModelProblem(message, rule="SUP-01")
        return path

    # Versions

    def create_version(self, name: str, run_id: str, tags: Mapping[str, str]) -> ModelVersion:
        """A new version of the registered model `name`, which is made if there is none."""
        try:
            self._post("registered-models/create", {"name": name})
        except ServiceError as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise
        source = f"{self.get_run(run_id)['info']['artifact_uri']}/{MODEL_PATH}"
        body = {"name": name, "source": source, "run_id": run_id, "tags": _pairs(tags)}
        return ModelVersion.from_mlflow(self._post("model-versions/create", body)["model_version"])

    def version(self, name: str, version: str) -> ModelVersion:
        """Raises NotFound, which says what there is."""
        try:
            return ModelVersion.from_mlflow(
                self._get("model-versions/get", name=name, version=version)["model_version"]
            )
        except NotFound:
            raise NotFound(f"the registry has no version {version} of {name!r}", status=404) from None

    def versions(self, name: str) -> list[ModelVersion]:
        """Every version of `name`, newest first."""
        if "'" in name:
            raise UsageError(f"a model's name has no quotes: {name!r}")
        found: list[ModelVersion] = []
        token = ""
        while True:
            answer = self._get("model-versions/search", filter=f"name='{name}'", max_results="200", page_token=token)
            found.extend(ModelVersion.from_mlflow(item) for item in answer.get("model_versions") or ())
            token = str(answer.get("next_page_token") or "")
            if not token:
                return sorted(found, key=lambda item: -int(item.version))

    def set_version_tag(self, name: str, version: str, key: str, value: str) -> None:
        self._post("model-versions/set-tag", {"name": name, "version": version, "key": key, "value": value})

    def _get(self, call: str, **query: str) -> dict[str, Any]:
        return dict(self._http.json("GET", f"{_API}/{call}", query={k: v for k, v in query.items() if v}) or {})

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self._http.json("POST", f"{_API}/{path}", body) or {})


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _now() -> int:
    return int(time.time() * 1000)
