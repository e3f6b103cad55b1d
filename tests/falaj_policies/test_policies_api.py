"""The rules' CEL says the same as their Python, to a real API server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from falaj.errors import ServiceError
from falaj.kubeconfig import read_kubeconfig
from falaj_policies import RULES, ResourceFact, Stage, evaluate

pytestmark = pytest.mark.api

BY_DIGEST = "localhost/falaj/platform@sha256:" + "a" * 64
WITH_CEL = [rule for rule in RULES if any("pods" in a.resources for a in rule.admission)]


@pytest.fixture(scope="module", params=WITH_CEL, ids=[rule.id for rule in WITH_CEL])
def admission(
    request: pytest.FixtureRequest, api_server: Any
) -> Iterator[tuple[str, Callable[[dict[str, Any]], bool]]]:
    """(rule's id, whether the API server admits a pod with this spec) under the rule's CEL alone."""
    rule = request.param
    http = read_kubeconfig(api_server.kubeconfig).http()
    name = f"rule-{os.urandom(4).hex()}"
    namespace = {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}}
    http.json("POST", "api/v1/namespaces", namespace)
    api = "apis/admissionregistration.k8s.io/v1"
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    policy = {
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [pods]},
            "validations": [{"expression": a.expression} for a in rule.admission],
        },
    }
    http.json("POST", f"{api}/validatingadmissionpolicies", policy)
    selector = {"matchLabels": {"kubernetes.io/metadata.name": name}}
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": {"namespaceSelector": selector}}
    http.json("POST", f"{api}/validatingadmissionpolicybindings", {"metadata": {"name": name}, "spec": binding})

    def admitted(spec: dict[str, Any]) -> bool:
        pod = {"metadata": {"name": "p"}, "spec": spec}
        try:
            http.json("POST", f"api/v1/namespaces/{name}/pods", pod, query={"dryRun": "All"})
        except ServiceError as error:
            if name not in str(error):
                raise
            return False
        return True

    # A policy takes effect a moment after it was made.
    until = time.monotonic() + 60
    while admitted({"containers": [{"name": "c", "image": "busybox"}]}):
        assert time.monotonic() < until, "the policy never took effect"
        time.sleep(0.1)
    yield rule.id, admitted
    for kind in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
        http.json("DELETE", f"{api}/{kind}/{name}")
    http.json("DELETE", f"api/v1/namespaces/{name}")


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{"name": "c", "image": BY_DIGEST}]},
        {"containers": [{"name": "c", "image": "localhost:5000/x/y:1@sha256:" + "0" * 64}]},
        {"containers": [{"name": "c", "image": BY_DIGEST}], "initContainers": [{"name": "i", "image": BY_DIGEST}]},
        {"containers": [{"name": "c", "image": "busybox"}]},
        {"containers": [{"name": "c", "image": "busybox:1.36"}]},
        {"containers": [{"name": "c", "image": BY_DIGEST[:-1]}]},
        {"containers": [{"name": "c", "image": BY_DIGEST}, {"name": "d", "image": "busybox"}]},
        {"containers": [{"name": "c", "image": BY_DIGEST}], "initContainers": [{"name": "i", "image": "busybox"}]},
        {"containers": [{"name": "c", "image": BY_DIGEST.upper()}]},
    ],
)
def test_cel_and_python_agree(admission: tuple[str, Callable[[dict[str, Any]], bool]], spec: dict[str, Any]) -> None:
    rule, admitted = admission
    fact = ResourceFact("u", "kubernetes:core/v1:Pod", "p", {"spec": spec}, "on-premises", "local", "uae")
    refused = rule in {finding.rule for finding in evaluate(fact, Stage.PROVISION)}
    assert admitted(spec) is not refused
