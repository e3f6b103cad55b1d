"""Deploying is one ConfigMap: it says what should be served, and the replica says what it serves or why it refuses."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from falaj.errors import GateRefused, NotFound, ServiceError
from falaj.http import Http
from falaj.kube import Kube
from falaj.models import ModelVersion, refused_rules
from falaj_policies import RULES, Finding, Severity

__all__ = ["CONFIG_MAP", "Desired", "Serving"]

CONFIG_MAP: Final = "serving"
_POLL_SECONDS: Final = 0.25
Desired = Mapping[str, str]


def desired_of(config_map: Mapping[str, Any]) -> dict[str, str]:
    """`model`, `version` and `digest` as the ConfigMap has them; empty when nothing is to be served."""
    data = config_map.get("data") or {}
    wanted = {key: str(data.get(key) or "") for key in ("model", "version", "digest")}
    return wanted if any(wanted.values()) else {}


class Serving:
    """The desired state and the replica's answer."""

    def __init__(self, kube: Kube, http: Http, namespace: str) -> None:
        self._kube = kube
        self._http = http
        self._namespace = namespace

    def status(self) -> dict[str, Any]:
        """The replica's own account: observed, desired, served, refused, problem."""
        return dict(self._http.json("GET", "v1/status"))

    def deploy(self, version: ModelVersion, timeout: float, asking: Callable[[], None]) -> bool:
        """Asks for `version` and waits for the replica's verdict; False when it was served already.

        `asking` is called before anything is changed; what it raises ends it there.

        A refused version is withdrawn: what was wanted before is wanted again, so that a restart of the replica does
        not leave the tenant with nothing. Raises GateRefused with the replica's findings; ServiceError: no verdict in
        `timeout` seconds, or somebody else deployed meanwhile.
        """
        before = self._kube.config_map(self._namespace, CONFIG_MAP)
        wanted = {"model": version.name, "version": version.version, "digest": version.digest}
        if desired_of(before) == wanted and _is(self.status().get("served"), wanted):
            return False
        asking()
        after = self._set(wanted, str(before["metadata"]["resourceVersion"]))
        try:
            self._await(wanted, after, timeout)
        except GateRefused:
            self._withdraw(desired_of(before), after)
            raise
        return True

    def clear(self, timeout: float) -> bool:
        """Asks for nothing to be served and waits until it is so; False when it was so already."""
        before = self._kube.config_map(self._namespace, CONFIG_MAP)
        if not desired_of(before) and self.status().get("served") is None:
            return False
        after = self._set({}, str(before["metadata"]["resourceVersion"]))
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            status = self.status()
            if _reached(str(status.get("observed") or ""), after) and status.get("served") is None:
                return True
            time.sleep(_POLL_SECONDS)
        raise ServiceError(f"the replica still serves after {timeout:.0f} s")

    def predict(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """An answer in the Open Inference Protocol. Raises NotFound: that model is not served."""
        return dict(self._http.json("POST", f"v2/models/{name}/infer", body))

    def describe(self, name: str) -> dict[str, Any]:
        """The served model's inputs and outputs, in the Open Inference Protocol."""
        return dict(self._http.json("GET", f"v2/models/{name}"))

    def _set(self, wanted: Desired, resource_version: str) -> str:
        # Removed keys need an explicit null in a merge patch.
        data: dict[str, str | None] = {key: wanted.get(key) for key in ("model", "version", "digest")}
        try:
            patched = self._kube.set_config_map_data(self._namespace, CONFIG_MAP, data, resource_version)
        except NotFound:
            raise ServiceError("the tenant has no serving endpoint (ConfigMap serving)", status=404) from None
        except ServiceError as error:
            if error.status == 409:
                raise ServiceError(
                    "somebody else deployed at the same moment: look and try again", status=409
                ) from None
            raise
        return str(patched["metadata"]["resourceVersion"])

    def _withdraw(self, before: Desired, resource_version: str) -> None:
        try:
            self._set(before, resource_version)
        except ServiceError as error:
            # A conflict means that somebody has deployed since: theirs stands.
            if error.status != 409:
                raise

    def _await(self, wanted: Desired, resource_version: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        problem = ""
        while time.monotonic() < deadline:
            try:
                status = self.status()
            except ServiceError as error:
                # The replica may be restarting; a refusal by the door is final.
                if 0 < error.status < 500:
                    raise
                problem = str(error)
                time.sleep(_POLL_SECONDS)
                continue
            problem = str(status.get("problem") or "")
            if _reached(str(status.get("observed") or ""), resource_version):
                if _is(status.get("served"), wanted):
                    return
                refused = status.get("refused") or {}
                if _is(refused, wanted):
                    raise GateRefused(_findings(refused, wanted["digest"]), where="serving replica")
                if not _is(status.get("desired"), wanted):
                    raise ServiceError("somebody else deployed at the same moment: look and try again", status=409)
            time.sleep(_POLL_SECONDS)
        raise ServiceError(
            f"the replica gave no verdict on {wanted['model']} version {wanted['version']} in {timeout:.0f} s"
            + (f": {problem}" if problem else "")
        )


def _reached(observed: str, resource_version: str) -> bool:
    """Whether the replica has acted on this state or a later one (an API server's versions only grow)."""
    if observed.isdigit() and resource_version.isdigit():
        return int(observed) >= int(resource_version)
    return observed == resource_version


def _is(found: object, wanted: Desired) -> bool:
    return isinstance(found, Mapping) and all(found.get(key) == wanted[key] for key in ("model", "version", "digest"))


def _findings(refused: Mapping[str, Any], subject: str) -> list[Finding]:
    severities = {rule.id: rule.severity for rule in RULES}
    return [
        Finding(rule, subject, message, severities.get(rule, Severity.CRITICAL), remedy)
        for rule, message, remedy in refused_rules(refused)
    ] or [Finding("SUP-01", subject, "the replica refused it without a reason", Severity.CRITICAL, "see its log")]
