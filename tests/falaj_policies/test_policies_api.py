"""The rules' CEL says the same as their Python, to a real API server, of every case that both can judge."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from falaj.errors import ServiceError
from falaj.kubeconfig import read_kubeconfig
from falaj_policies import RULES, Admission, ResourceFact, Stage, evaluate
from falaj_policies.testing import Case, good, own_cases

pytestmark = pytest.mark.api

# What the API server calls the kinds that rules with CEL judge: plural and group.
PLURALS = {
    "kubernetes:core:Pod": ("pods", ""),
    "kubernetes:core:Secret": ("secrets", ""),
    "kubernetes:core:Service": ("services", ""),
    "kubernetes:core:Namespace": ("namespaces", ""),
    "kubernetes:rbac:Role": ("roles", "rbac.authorization.k8s.io"),
    "kubernetes:rbac:RoleBinding": ("rolebindings", "rbac.authorization.k8s.io"),
}
DECLARED = [(rule.id, admission) for rule in RULES for admission in rule.admission]
JUDGED = {(rule, resource, one.group) for rule, one in DECLARED for resource in one.resources if "/" not in resource}
MARK = "falaj.test/rules"
IN_FORCE_WITHIN = 60.0

Refusal = Callable[[ResourceFact], str]


def _both_judge(case: Case) -> bool:
    kind = case.bad.kind if isinstance(case.bad, ResourceFact) else ""
    return kind in PLURALS and (case.rule, *PLURALS[kind]) in JUDGED


CASES = [case for case in own_cases() if _both_judge(case)]


@pytest.fixture(scope="module")
def refusal(api_server: Any) -> Iterator[Refusal]:
    """Why the API server does not take an object, or nothing, under the CEL of all rules alone; nothing is made."""
    http = read_kubeconfig(api_server.kubeconfig).http()
    name = f"rules-{os.urandom(4).hex()}"
    api = "apis/admissionregistration.k8s.io/v1"
    http.json("POST", "api/v1/namespaces", {"metadata": {"name": name, "labels": {MARK: name}}})
    made = []
    for number, (rule, admission) in enumerate(DECLARED):
        policy = f"{name}-{number}"
        made.append(policy)
        http.json("POST", f"{api}/validatingadmissionpolicies", _policy(policy, rule, admission))
        selector = "objectSelector" if admission.namespaces else "namespaceSelector"
        match = {selector: {"matchLabels": {MARK: name}}}
        spec = {"policyName": policy, "validationActions": ["Deny"], "matchResources": match}
        http.json("POST", f"{api}/validatingadmissionpolicybindings", {"metadata": {"name": policy}, "spec": spec})

    def ask(fact: ResourceFact) -> str:
        plural, group = PLURALS[fact.kind]
        manifest: dict[str, Any] = copy.deepcopy(dict(fact.inputs))
        manifest["metadata"] = {**manifest.get("metadata", {}), "name": "judged"}
        manifest["metadata"].pop("namespace", None)
        where = f"apis/{group}/v1" if group else "api/v1"
        if plural == "namespaces":
            manifest["metadata"]["labels"] = {**manifest["metadata"].get("labels", {}), MARK: name}
        else:
            where += f"/namespaces/{name}"
        try:
            http.json("POST", f"{where}/{plural}", manifest, query={"dryRun": "All"})
        except ServiceError as error:
            # Anything else that it objects to would be no answer of the rules'.
            if f"ValidatingAdmissionPolicy '{name}-" not in str(error):
                raise
            return str(error)
        return ""

    _until_in_force(ask)
    yield ask
    for policy in made:
        for kind in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
            http.json("DELETE", f"{api}/{kind}/{policy}")
    http.json("DELETE", f"api/v1/namespaces/{name}")


def _policy(name: str, rule: str, admission: Admission) -> dict[str, Any]:
    resources = {
        "apiGroups": [admission.group],
        "apiVersions": [admission.version],
        "operations": ["CREATE"],
        "resources": list(admission.resources),
    }
    return {
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [resources]},
            "validations": [{"expression": admission.expression, "message": f"{rule}: {admission.message}"}],
        },
    }


def _until_in_force(ask: Refusal) -> None:
    """A policy takes effect a moment after it was made: wait until each has refused one case, or the time is over."""
    until = time.monotonic() + IN_FORCE_WITHIN
    waiting = list(CASES)
    while waiting and time.monotonic() < until:
        waiting = [case for case in waiting if isinstance(case.bad, ResourceFact) and not ask(case.bad)]
        time.sleep(0.1 if waiting else 0)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_api_server_refuses_what_the_rule_refuses(refusal: Refusal, case: Case) -> None:
    assert isinstance(case.good, ResourceFact)
    assert isinstance(case.bad, ResourceFact)
    assert refusal(case.good) == ""
    assert case.rule in refusal(case.bad)


def test_every_cel_has_a_case() -> None:
    with_cases = {(case.rule, *PLURALS[case.bad.kind]) for case in CASES if isinstance(case.bad, ResourceFact)}
    assert with_cases == JUDGED


BY_DIGEST = "localhost/falaj/platform@sha256:" + "a" * 64
RAY = ["ray", "start", "--head"]


def _containers(**more: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": BY_DIGEST, **more}]}


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
        {**_containers(), "automountServiceAccountToken": True},
        {**_containers(), "automountServiceAccountToken": None},
        _containers(command=RAY),
        _containers(command=RAY, env=[{"name": "RAY_AUTH_MODE", "value": "token"}]),
        _containers(command=RAY, env=[{"name": "RAY_AUTH_MODE", "value": "Token"}]),
        _containers(command=["/bin/sh", "-c"], args=["exec ray start --block"]),
        {**_containers(), "initContainers": [{"name": "i", "image": BY_DIGEST, "args": RAY}]},
        _containers(args=["jupyter", "lab", "--ServerApp.token="]),
        _containers(args=["jupyter", "lab", '--IdentityProvider.token=""', "--no-browser"]),
        _containers(args=["jupyter", "lab", "--ServerApp.token=abc"]),
        *(
            _containers(env=[{"name": key, "value": value}])
            for key, value in (
                ("DB_PASSWORD", "text"),
                ("DB_PASSWORD", "/etc/password"),
                ("DB_PASSWORD", "$(OTHER)"),
                ("DB_PASSWORD", ""),
                ("DB_PASSWORD", "/etc/password\n"),
                ("PASSWORD_FILE", "text"),
                ("MAX_TOKEN", "4096"),
                ("API_KEY", "text"),
                ("APIKEY", "text"),
            )
        ),
        _containers(env=[{"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
    ],
)
def test_cel_and_python_agree(refusal: Refusal, spec: dict[str, Any]) -> None:
    spec = {"automountServiceAccountToken": False, **spec}
    if spec["automountServiceAccountToken"] is None:
        del spec["automountServiceAccountToken"]
    fact = good("kubernetes:core:Pod", tenant="acme", spec=spec)
    judged = {rule for rule, resource, _ in JUDGED if resource == "pods"}
    refused = judged & {finding.rule for finding in evaluate(fact, Stage.PROVISION)}
    said = refusal(fact)
    assert bool(said) is bool(refused)
    assert any(rule in said for rule in refused) or not refused
