"""The replica's HTTP interface: the Open Inference Protocol, and its own account at /v1/status.

GET  /healthz                        200 while the loop turns (for the pod's probes: ready to be told what to serve)
GET  /v1/status                      observed, desired, served, refused (with rule ids), problem
GET  /v2/health/live, /v2/health/ready   ready: a verified model is served
GET  /v2/models/NAME[/versions/V][/ready]
POST /v2/models/NAME[/versions/V]/infer
"""

from __future__ import annotations

import re
from typing import Final

from falaj.httpserver import Answer, HttpProblem, Request
from falaj.serving.model import Model
from falaj.serving.replica import Replica
from falaj.serving.tally import Tally

__all__ = ["MAX_BODY", "Routes"]

MAX_BODY: Final = 8 * 1024 * 1024
_MODEL = re.compile(r"/v2/models/([^/]{1,200})(?:/versions/([^/]{1,20}))?(?:/(infer|ready))?")


class Routes:
    def __init__(self, replica: Replica, tally: Tally) -> None:
        self._replica = replica
        self._tally = tally

    def handle(self, request: Request) -> Answer:
        if request.path.startswith("/v2/models/"):
            return self._model(request)
        if request.method != "GET":
            raise HttpProblem(404, f"there is no {request.method} {request.path}")
        if request.path in ("/healthz", "/v2/health/live"):
            alive = self._replica.alive
            return Answer({"live": alive}, 200 if alive else 503)
        if request.path == "/v2/health/ready":
            ready = self._replica.state.model is not None
            return Answer({"ready": ready}, 200 if ready else 503)
        if request.path == "/v1/status":
            return Answer(self._replica.state.data | {"inferences": self._tally.total})
        if request.path == "/v2":
            return Answer({"name": "falaj", "version": "1", "extensions": []})
        raise HttpProblem(404, f"there is no {request.path}")

    def _model(self, request: Request) -> Answer:
        match = _MODEL.fullmatch(request.path)
        if match is None:
            raise HttpProblem(404, f"there is no {request.path}")
        name, version, verb = match.groups()
        model = self._replica.state.model
        if model is None or model.name != name or version not in (None, model.version):
            raise HttpProblem(404, f"the model {name}{f' version {version}' if version else ''} is not served here")
        if verb == "infer" and request.method == "POST":
            return self._infer(model, request)
        if request.method != "GET" or verb == "infer":
            raise HttpProblem(405, f"{request.method} is not for {request.path}")
        return Answer({"name": name, "ready": True} if verb == "ready" else model.metadata)

    def _infer(self, model: Model, request: Request) -> Answer:
        try:
            body = request.json()
            outputs, rows = model.infer(body)
        except HttpProblem:
            self._tally.count_error(model.digest)
            raise
        self._tally.count(model.digest, rows, outputs, model.decisions)
        answer = {"model_name": model.name, "model_version": model.version, "outputs": outputs}
        if isinstance(body, dict) and isinstance(body.get("id"), str):
            answer["id"] = body["id"][:256]
        return Answer(answer | {"parameters": {"digest": model.digest}})
