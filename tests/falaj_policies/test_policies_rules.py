"""Each rule: one good fact, then one thing broken at a time."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from falaj_policies import (
    CONTROLS,
    RULE_SET_VERSION,
    RULES,
    UNKNOWN,
    FileFact,
    ModelFact,
    ResourceFact,
    Stage,
    StatementFact,
    UnknownControl,
    control,
    evaluate,
    registry,
)
from falaj_policies.rules.model import APPROVAL_PREDICATE, SIGNATURE_PREDICATE

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
SIGNATURE = StatementFact("sign-alice", True, DIGEST, SIGNATURE_PREDICATE, exportable=False)
APPROVAL = StatementFact("approve-bob", True, DIGEST, APPROVAL_PREDICATE, model="m", version="1", exportable=False)
GOOD = ModelFact(
    name="m",
    version="1",
    digest=DIGEST,
    expected=DIGEST,
    files=(FileFact("model.onnx", 10, "c" * 64, "onnx"), FileFact("falaj.json", 2, "d" * 64, "json")),
    signature=SIGNATURE,
    approval=APPROVAL,
)


def rules(fact: Any, stage: Stage = Stage.RUNTIME) -> set[str]:
    return {finding.rule for finding in evaluate(fact, stage)}


def change(**changes: Any) -> ModelFact:
    return dataclasses.replace(GOOD, **changes)


def signature(**changes: Any) -> ModelFact:
    return change(signature=dataclasses.replace(SIGNATURE, **changes))


def approval(**changes: Any) -> ModelFact:
    return change(approval=dataclasses.replace(APPROVAL, **changes))


@pytest.mark.parametrize("stage", [Stage.DEPLOY, Stage.RUNTIME])
def test_a_good_model_passes(stage: Stage) -> None:
    assert evaluate(GOOD, stage) == []


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (change(signature=None), {"SUP-01"}),
        (change(expected=OTHER), {"SUP-01"}),
        (change(digest=OTHER), {"SUP-01", "CHG-01"}),
        (change(files=()), {"SUP-01", "SUP-02"}),
        (signature(verified=False, problem="forged"), {"SUP-01"}),
        (signature(subject=OTHER), {"SUP-01"}),
        (signature(key="approve-alice"), {"SUP-01"}),
        (signature(key="sign-"), {"SUP-01", "IAM-05"}),
        (signature(key="other"), {"SUP-01", "IAM-05"}),
        (signature(predicate_type=APPROVAL_PREDICATE), {"SUP-01"}),
        (signature(exportable=True), {"CRY-05"}),
        (signature(exportable=None), {"CRY-05"}),
        (change(approval=None), {"CHG-01"}),
        (approval(verified=False), {"CHG-01"}),
        (approval(subject=OTHER), {"CHG-01"}),
        (approval(model="another"), {"CHG-01"}),
        (approval(version="2"), {"CHG-01"}),
        (approval(key="sign-bob"), {"CHG-01"}),
        (approval(key="approve-alice"), {"IAM-05"}),
        (approval(predicate_type=SIGNATURE_PREDICATE), {"CHG-01"}),
        (change(files=(*GOOD.files, FileFact("extra.pkl", 1, "e" * 64, "pickle"))), {"SUP-02"}),
        (change(files=GOOD.files[1:]), {"SUP-02"}),
    ],
)
def test_one_thing_broken_in_a_model_is_refused(fact: ModelFact, expected: set[str]) -> None:
    assert rules(fact) == expected
    assert rules(fact, Stage.DEPLOY) == expected


@pytest.mark.parametrize(
    "name",
    ["../model.onnx", "/etc/passwd", "a/../b", "a//b", "", "a\\b", "%2e%2e/b", "a\x00b", "a\nb", ".hidden", "a/.git/x",
     "con", "nul.json", "trailing.", "space ", "C:b", "e\u0301.onnx", "\u202egpj.onnx"],
)  # fmt: skip
def test_names_that_are_more_than_names_are_refused(name: str) -> None:
    file = FileFact(name, 1, "e" * 64, "onnx")
    assert rules(change(files=(*GOOD.files, file))) == {"SUP-07"}


def test_names_that_differ_in_case_only_are_refused() -> None:
    assert rules(change(files=(*GOOD.files, FileFact("MODEL.onnx", 1, "e" * 64, "onnx")))) == {"SUP-07"}


def test_nested_and_unicode_names_are_allowed() -> None:
    assert rules(change(files=(*GOOD.files, FileFact("sub/نموذج.onnx", 1, "e" * 64, "onnx")))) == set()


def test_a_rule_that_crashes_denies(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    def crash(_: ModelFact) -> Any:
        raise ZeroDivisionError

    broken = tuple(dataclasses.replace(rule, check=crash) if rule.id == "SUP-02" else rule for rule in RULES)
    monkeypatch.setattr(registry, "all_rules", lambda: broken)
    registry._rules_for.cache_clear()
    request.addfinalizer(registry._rules_for.cache_clear)
    (finding,) = evaluate(GOOD, Stage.RUNTIME)
    assert finding.rule == "SUP-02"
    assert not finding.undecided


# Resources


def resource(type_: str, inputs: dict[str, Any], **more: Any) -> ResourceFact:
    values = {"cloud": "on-premises", "region": "local", "jurisdiction": "uae", "tenant": "demo"} | more
    if type_.startswith("kubernetes:"):
        # In the tenant's own namespace, which is called like this as well.
        own = {"name": "tenant-demo", "namespace": "tenant-demo"}
        inputs = {**inputs, "metadata": {**own, **inputs.get("metadata", {})}}
    return ResourceFact(urn=f"urn:{type_}", type=type_, name="r", inputs=inputs, **values)


POD: dict[str, Any] = {
    "spec": {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "containers": [
            {
                "name": "c",
                "image": "localhost/falaj/platform@sha256:" + "a" * 64,
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    }
}
TEMPLATES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "kubernetes:core/v1:Pod": lambda pod: pod,
    "kubernetes:apps/v1:Deployment": lambda pod: {"spec": {"template": pod}},
    "kubernetes:apps/v1:StatefulSet": lambda pod: {"spec": {"template": pod}},
    "kubernetes:batch/v1:Job": lambda pod: {"spec": {"template": pod}},
    "kubernetes:batch/v1:CronJob": lambda pod: {"spec": {"jobTemplate": {"spec": {"template": pod}}}},
}


def broken_pod(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    pod = copy.deepcopy(POD)
    at: Any = pod
    for key in path[:-1]:
        at = at.setdefault(key, {}) if isinstance(at, dict) else at[key]
    if value is None:
        at.pop(path[-1])
    else:
        at[path[-1]] = value
    return pod


C0 = ("spec", "containers", 0)


@pytest.mark.parametrize("type_", TEMPLATES)
@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ((), None, set()),
        ((*C0, "image"), "localhost/falaj/platform:latest", {"SUP-04"}),
        ((*C0, "image"), "x@sha256:" + "a" * 63, {"SUP-04"}),
        ((*C0, "image"), None, {"SUP-04"}),
        (("spec", "initContainers"), [{**POD["spec"]["containers"][0], "image": "busybox"}], {"SUP-04"}),
        (("spec", "hostNetwork"), True, {"TEN-03"}),
        (("spec", "volumes"), [{"name": "h", "hostPath": {"path": "/"}}], {"TEN-03"}),
        (("spec", "securityContext", "runAsNonRoot"), None, {"TEN-03"}),
        (("spec", "securityContext", "seccompProfile"), None, {"TEN-03"}),
        ((*C0, "securityContext", "privileged"), True, {"TEN-03"}),
        ((*C0, "securityContext", "allowPrivilegeEscalation"), True, {"TEN-03"}),
        ((*C0, "securityContext", "runAsNonRoot"), False, {"TEN-03"}),
        ((*C0, "securityContext", "runAsUser"), 0, {"TEN-03"}),
        ((*C0, "securityContext", "capabilities", "drop"), [], {"TEN-03"}),
        ((*C0, "securityContext", "capabilities", "add"), ["SYS_ADMIN"], {"TEN-03"}),
        ((*C0, "ports"), [{"hostPort": 80}], {"TEN-03"}),
    ],
)
def test_pods(type_: str, path: tuple[Any, ...], value: Any, expected: set[str]) -> None:
    pod = broken_pod(path, value) if path else POD
    assert rules(resource(type_, TEMPLATES[type_](pod)), Stage.PROVISION) == expected


def test_the_regions_own_pods_may_differ_but_not_their_images() -> None:
    pod = broken_pod(("spec", "hostNetwork"), True)
    assert rules(resource("kubernetes:core/v1:Pod", pod, tenant=None), Stage.PROVISION) == set()
    tagged = broken_pod((*C0, "image"), "busybox")
    assert rules(resource("kubernetes:core/v1:Pod", tagged, tenant=None), Stage.PROVISION) == {"SUP-04"}


def test_a_tenants_namespace_enforces_restricted() -> None:
    def labels(level: object) -> dict[str, Any]:
        return {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}}

    token = "kubernetes:core/v1:Namespace"
    assert rules(resource(token, labels("restricted")), Stage.PROVISION) == set()
    assert rules(resource(token, labels("baseline")), Stage.PROVISION) == {"TEN-03"}
    assert rules(resource(token, {}), Stage.PROVISION) == {"TEN-03"}
    (finding,) = evaluate(resource(token, labels(UNKNOWN)), Stage.PROVISION)
    assert finding.undecided


def test_unknown_values_are_undecided_never_passed() -> None:
    pod = broken_pod((*C0, "image"), UNKNOWN)
    (finding,) = evaluate(resource("kubernetes:core/v1:Pod", pod), Stage.PROVISION)
    assert (finding.rule, finding.undecided) == ("SUP-04", True)
    whole = evaluate(resource("kubernetes:apps/v1:Deployment", {"spec": UNKNOWN}), Stage.PROVISION)
    assert {f.rule for f in whole} == {"IAM-02", "IAM-04", "SUP-04", "TEN-03", "TEN-04"}
    assert all(f.undecided for f in whole)
    (place,) = evaluate(resource("aws:s3/bucket:Bucket", {}, cloud="aws", region=UNKNOWN), Stage.PROVISION)
    assert (place.rule, place.undecided) == ("RES-01", True)


@pytest.mark.parametrize(
    ("cloud", "region", "jurisdiction", "inputs", "refused"),
    [
        ("aws", "me-central-1", "uae", {}, False),
        ("alibaba", "me-central-1", "uae", {}, True),
        ("alibaba", "me-central-1", "ksa", {}, False),
        ("aws", "eu-central-1", "uae", {}, True),
        ("aws", "eu-central-1", "eu", {}, False),
        ("on-premises", "local", "uae", {}, False),
        ("aws", "me-central-1", "atlantis", {}, True),
        ("aws", "me-central-1", "uae", {"region": "us-east-1"}, True),
        ("aws", "me-central-1", "uae", {"replicas": [{"regionName": "eu-west-1"}]}, True),
        ("aws", "me-central-1", "uae", {"replicas": [{"regionName": "me-central-1"}]}, False),
        ("azure", "uaenorth", "uae", {"location": "UAE North"}, False),
        ("azure", "uaenorth", "uae", {"failoverPolicies": [{"locations": ["westeurope"]}]}, True),
        ("azure", "uaenorth", "uae", {"networks": [{"locations": ["westeurope"]}]}, True),
        ("on-premises", "local", "uae", {"spec": {"nodeSelector": {"topology.kubernetes.io/region": "paris"}}}, True),
    ],
)
def test_residency(cloud: str, region: str, jurisdiction: str, inputs: dict[str, Any], refused: bool) -> None:
    fact = resource("x:y:Z", inputs, cloud=cloud, region=region, jurisdiction=jurisdiction)
    # What is replicated is refused by a rule of its own.
    assert bool({"RES-01", "RES-03"} & rules(fact, Stage.PROVISION)) is refused


def test_wildcard_rights_are_refused() -> None:
    token = "kubernetes:rbac.authorization.k8s.io/v1:Role"
    good = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
    assert rules(resource(token, {"rules": [good]}), Stage.PROVISION) == set()
    for key in good:
        assert rules(resource(token, {"rules": [good | {key: ["*"]}]}), Stage.PROVISION) == {"IAM-03"}


# Metadata


def test_every_rule_answers_for_a_control_of_the_table() -> None:
    assert len({(rule.id, rule.applies_to) for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.title == CONTROLS[rule.id].title
        assert rule.references
        assert rule.remedy
        assert rule.rationale


def test_references_from_memory_are_marked_unverified() -> None:
    by_text = {str(reference): reference.verified for reference in control("CRY-01").references}
    assert by_text == {"I 8.24": True, "G 32(1)(a)?": False, "P 20": True, "Ad 30?": False}


def test_an_unknown_control_names_the_nearest() -> None:
    with pytest.raises(UnknownControl, match=r"did you mean SUP-01\?"):
        control("SUP-1")


def test_the_rule_set_version_is_the_contents() -> None:
    assert RULE_SET_VERSION.startswith("sha256:")
    assert len(RULE_SET_VERSION) == len("sha256:") + 16


def test_unknown_has_no_truth_value() -> None:
    with pytest.raises(TypeError):
        bool(UNKNOWN)
