"""The gate inside the program: it refuses what a rule refuses, with the rule's id, in one line."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.batch.v1 import CronJob
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    ContainerArgs,
    Namespace,
    Pod,
    PodSpecArgs,
    Secret,
    SecurityContextArgs,
)
from pulumi_kubernetes.rbac.v1 import ClusterRole, Role

from falaj_infra import gate
from falaj_infra.judge import Verdict, holds_unknown, judge
from falaj_infra.waivers import FILE, Waivers, today
from falaj_policies import UNKNOWN, Objection, Place, ResourceFact, Rule, Severity, StackFact, apply
from falaj_policies.rules.declare import rule
from falaj_policies.testing import Case, good, kinds, own_cases

HERE = Place(cloud="on-premises", region="local", jurisdiction="uae")
DIGEST = "localhost/falaj/platform@sha256:" + "a" * 64

TENANT = Place(cloud="on-premises", region="local", jurisdiction="uae", tenant="demo")
OWN = {"name": "r", "namespace": "tenant-demo"}
RESTRICTED = {
    "run_as_non_root": True,
    "allow_privilege_escalation": False,
    "seccomp_profile": {"type": "RuntimeDefault"},
    "capabilities": {"drop": ["ALL"]},
}

Run = Callable[..., list[Any]]
# Where a tenant's objects are.
R = {"name": "r", "namespace": "tenant-demo"}


@pulumi.input_type
class ReplicaArgs:
    """As Pulumi's generator writes a nested type of a cloud's resource."""

    def __init__(self, region_name: Any = None) -> None:
        pulumi.set(self, "region_name", region_name)

    @property
    @pulumi.getter(name="regionName")
    def region_name(self) -> pulumi.Input[str]:
        return pulumi.get(self, "region_name")  # type: ignore[no-any-return]


@pulumi.input_type
class TableArgs:
    def __init__(self, region: Any = None, global_replicas: Any = None) -> None:
        pulumi.set(self, "region", region)
        pulumi.set(self, "global_replicas", global_replicas)

    @property
    @pulumi.getter
    def region(self) -> pulumi.Input[str]:
        return pulumi.get(self, "region")  # type: ignore[no-any-return]

    @property
    @pulumi.getter(name="globalReplicas")
    def global_replicas(self) -> pulumi.Input[Sequence[pulumi.Input[ReplicaArgs]]]:
        return pulumi.get(self, "global_replicas")  # type: ignore[no-any-return]


class Table(pulumi.CustomResource):
    def __init__(self, name: str, args: TableArgs) -> None:
        super().__init__("aws:dynamodb/table:Table", name, args)  # type: ignore[arg-type]


def _later(value: Any) -> pulumi.Output[Any]:
    """A value that is an output, as those that other resources give."""
    return pulumi.Output.from_input(value).apply(lambda known: known)


def _deployment(image: Any) -> dict[str, Any]:
    return {"replicas": 1, "template": {"spec": {"containers": [{"name": "c", "image": image}]}}}


def _refused(run_program: Run, program: Callable[[], object], place: Any = HERE) -> str:
    def whole() -> None:
        gate.attach(place)
        program()

    with pytest.raises(Exception, match=r"[A-Z]{3}-\d\d") as caught:
        run_program(whole)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_good_program_passes_unchanged(run_program: Run) -> None:
    def program() -> None:
        gate.attach(HERE)
        made = Namespace("n", metadata={"name": "n"})
        ConfigMap("c", metadata={"name": "c", "namespace": made.metadata["name"]}, data={"a": "b"})
        Deployment("d", metadata={"name": "d"}, spec=_deployment(_later(DIGEST)))
        Secret("s", metadata={"name": "s"}, string_data={"k": pulumi.Output.secret("v")})

    made = {resource.name: resource.inputs for resource in run_program(program)}
    assert made["c"]["data"] == {"a": "b"}
    assert made["c"]["metadata"] == {"name": "c", "namespace": "n"}
    assert made["d"]["spec"] == _deployment(DIGEST)
    assert "s" in made


@pytest.mark.parametrize("pair", [("on-premises", "moon"), ("alibaba", "me-central-1"), ("aws", "eu-west-1")])
def test_a_region_outside_the_jurisdiction_is_refused(run_program: Run, pair: tuple[str, str]) -> None:
    place = Place(cloud=pair[0], region=pair[1], jurisdiction="uae")
    assert "RES-01" in _refused(run_program, lambda: ConfigMap("c", metadata={"name": "c"}), place)


def test_an_unknown_jurisdiction_is_refused(run_program: Run) -> None:
    place = Place(cloud="on-premises", region="local", jurisdiction="atlantis")
    assert "RES-01" in _refused(run_program, lambda: ConfigMap("c", metadata={"name": "c"}), place)


@pytest.mark.parametrize("image", ["nginx", "nginx:1.27", _later])
def test_an_image_without_digest_is_refused(run_program: Run, image: Any) -> None:
    def program() -> None:
        Deployment("d", metadata={"name": "d"}, spec=_deployment(image("nginx") if callable(image) else image))

    assert "SUP-04" in _refused(run_program, program)


def test_a_refusal_does_not_say_a_secret(run_program: Run) -> None:
    def program() -> None:
        Deployment("d", metadata={"name": "d"}, spec=_deployment(pulumi.Output.secret("hush-hush")))

    said = _refused(run_program, program)
    assert "SUP-04" in said
    assert "hush" not in said


def test_typed_arguments_are_read_too(run_program: Run) -> None:
    def program() -> None:
        Pod("p", metadata={"name": "p"}, spec=PodSpecArgs(containers=[ContainerArgs(name="c", image="nginx")]))

    assert "SUP-04" in _refused(run_program, program)


def test_a_tenants_pods_are_restricted(run_program: Run) -> None:
    place = Place(cloud="on-premises", region="local", jurisdiction="uae", tenant="demo")
    privileged = {"containers": [{"name": "c", "image": DIGEST, "securityContext": {"privileged": True}}]}
    assert "TEN-03" in _refused(run_program, lambda: Pod("p", metadata={"name": "p"}, spec=privileged), place)


def test_a_place_known_only_later_judges_as_well(run_program: Run) -> None:
    far = Place(cloud="on-premises", region="moon", jurisdiction="uae")

    def program() -> None:
        gate.attach(_later(far))
        ConfigMap("c", metadata={"name": "c"})

    with pytest.raises(Exception, match="RES-01"):
        run_program(program)


def test_at_preview_an_unknown_beside_it_hides_nothing(run_program: Run) -> None:
    def program() -> None:
        gate.attach(HERE)
        made = Namespace("n", metadata={"name": "n"})
        # What only a server could say is unknown at preview.
        Deployment("d", metadata={"name": made.status["phase"]}, spec=_deployment(_later("nginx")))

    with pytest.raises(Exception, match="SUP-04"):
        run_program(program, preview=True)


def test_at_preview_what_is_unknown_is_left_for_later(run_program: Run) -> None:
    def program() -> None:
        gate.attach(HERE)
        made = Namespace("n", metadata={"name": "n"})
        Deployment("d", metadata={"name": "d"}, spec=_deployment(made.status["phase"]))

    assert {item.name for item in run_program(program, preview=True)} == {"n", "d"}


def _refusals(type_: str, inputs: Any, place: Place, *, decided: bool) -> tuple[str, ...]:
    return judge(place.resource(type_, "r", inputs), Waivers(), decided=decided).refused


def test_one_unknown_does_not_hide_the_other_properties() -> None:
    inputs = {"metadata": UNKNOWN, "spec": _deployment("nginx")}
    found = _refusals("kubernetes:apps/v1:Deployment", inputs, HERE, decided=False)
    assert [line.split()[0] for line in found] == ["SUP-04"]


def test_what_is_still_unknown_at_the_end_is_refused() -> None:
    inputs = {"spec": _deployment(UNKNOWN)}
    assert not _refusals("kubernetes:apps/v1:Deployment", inputs, HERE, decided=False)
    assert _refusals("kubernetes:apps/v1:Deployment", inputs, HERE, decided=True)


def test_a_cloud_resource_is_where_it_says(run_program: Run) -> None:
    place = Place(cloud="aws", region="me-central-1", jurisdiction="uae")
    kind = "aws:s3/bucket:Bucket"
    inside, outside, nowhere = (
        _refusals(kind, {"bucket": "b", **said}, place, decided=True)
        for said in ({"region": "me-central-1"}, {"region": "eu-west-1"}, {})
    )
    assert not any(line.startswith("RES-01") for line in inside)
    assert any(line.startswith("RES-01") for line in outside)
    assert any(line.startswith("RES-01") for line in nowhere), "without a region of its own it could be anywhere"


def _camel(value: Any) -> Any:
    """`value` with its mappings' keys in the provider's spelling."""
    if isinstance(value, dict):
        return {re.sub(r"_(.)", lambda found: found[1].upper(), key): _camel(item) for key, item in value.items()}
    return [_camel(item) for item in value] if isinstance(value, list) else value


def _same(value: Any) -> Any:
    return value


def _pod(**spec: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": DIGEST, "security_context": RESTRICTED}]
    return {"containers": containers, "automount_service_account_token": False, **spec}


def _container(**security: Any) -> dict[str, Any]:
    return _pod(init_containers=[{"name": "i", "image": DIGEST, "security_context": {**RESTRICTED, **security}}])


def _with_image(image: Any) -> dict[str, Any]:
    return _pod(init_containers=[{"name": "i", "image": image, "security_context": RESTRICTED}])


def _cron(pod: dict[str, Any]) -> dict[str, Any]:
    return {"schedule": "@daily", "job_template": {"spec": {"template": {"spec": pod}}}}


BROKEN: list[tuple[str, Callable[..., object], str, Any]] = [
    ("TEN-03", Pod, "spec", _pod(host_network=True)),
    ("TEN-03", Pod, "spec", _pod(host_ipc=True)),
    ("TEN-03", Pod, "spec", _pod(volumes=[{"name": "v", "host_path": {"path": "/"}}])),
    ("TEN-03", Pod, "spec", _container(privileged=True)),
    ("TEN-03", Pod, "spec", _container(allow_privilege_escalation=True)),
    ("TEN-03", Pod, "spec", _container(run_as_non_root=False)),
    ("TEN-03", Pod, "spec", _container(run_as_user=0)),
    ("TEN-03", Pod, "spec", _container(seccomp_profile={"type": "Unconfined"})),
    ("TEN-03", Pod, "spec", _container(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]})),
    ("TEN-03", Pod, "spec", _pod(containers=[{"name": "c", "image": DIGEST, "security_context": RESTRICTED,
                                              "ports": [{"container_port": 1, "host_port": 1}]}])),
    ("TEN-03", CronJob, "spec", _cron(_pod(host_pid=True))),
    ("SUP-04", Pod, "spec", _with_image("evil:latest")),
    ("SUP-04", Pod, "spec", _pod(ephemeral_containers=[{"name": "e", "image": "evil"}])),
    ("SUP-04", CronJob, "spec", _cron(_with_image("evil:latest"))),
    ("IAM-03", Role, "rules", [{"api_groups": ["*"], "resources": ["pods"], "verbs": ["get"]}]),
    ("IAM-03", ClusterRole, "rules", [{"non_resource_urls": ["*"], "verbs": ["get"]}]),
    ("RES-01", Pod, "spec", _pod(node_selector={"topology.kubernetes.io/region": "eu-west-1"})),
]  # fmt: skip


def _pulumi_spelling(value: Any) -> Any:
    """In the provider's spelling; two names have capitals that no rule derives."""
    text = json.dumps(_camel(value))
    for derived, real in (("hostIpc", "hostIPC"), ("hostPid", "hostPID"), ("nonResourceUrls", "nonResourceURLs")):
        text = text.replace(f'"{derived}"', f'"{real}"')
    return json.loads(text)


@pytest.mark.parametrize("spelling", [_same, _pulumi_spelling])
@pytest.mark.parametrize("wrapped", [_same, _later, pulumi.Output.secret])
@pytest.mark.parametrize(("rule", "kind", "key", "value"), BROKEN)
def test_every_spelling_is_judged(
    run_program: Run, rule: str, kind: Any, key: str, value: Any, wrapped: Any, spelling: Any
) -> None:
    said = _refused(run_program, lambda: kind("r", metadata=OWN, **{key: wrapped(spelling(value))}), TENANT)
    assert rule in said


@pytest.mark.parametrize("spelling", [_same, _pulumi_spelling])
@pytest.mark.parametrize(("kind", "value"), [(Pod, _pod()), (CronJob, _cron(_container()))])
def test_what_keeps_the_rules_passes_in_every_spelling(run_program: Run, kind: Any, value: Any, spelling: Any) -> None:
    def program() -> None:
        gate.attach(TENANT)
        kind("r", metadata=OWN, spec=spelling(value))

    assert [item.name for item in run_program(program)] == ["r"]


@pytest.mark.parametrize(
    "replica", [{"region_name": "eu-west-1"}, {"regionName": "eu-west-1"}, ReplicaArgs(region_name="eu-west-1")]
)
def test_a_replica_elsewhere_is_refused_in_every_spelling(run_program: Run, replica: Any) -> None:
    place = Place(cloud="aws", region="me-central-1", jurisdiction="uae")
    args = TableArgs(region="me-central-1", global_replicas=[replica])
    assert "RES-03" in _refused(run_program, lambda: Table("t", args), place)


def test_what_is_judged_is_what_is_registered(run_program: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: dict[str, Any] = {}

    def record(fact: ResourceFact, _waivers: Waivers, **_: Any) -> Verdict:
        judged[fact.name] = fact.inputs
        return Verdict()

    monkeypatch.setattr(gate, "judge", record)

    def program() -> None:
        gate.attach(TENANT)
        # The keys of labels, data, selectors and limits are the user's own: nobody renames them.
        ConfigMap("c", metadata={"name": "c", "labels": {"a_b": "c_d"}}, data={"host_network": "x"})
        container = {"name": "c", "image": DIGEST, "resources": {"limits": {"example.com/a_b": "1"}}, "env_from": None}
        spec = {"node_selector": {"a_b": "c"}, "containers": [container], "init_containers": []}
        template = {"metadata": {"annotations": {"x_y": "z"}}, "spec": spec}
        selector = {"match_labels": {"a_b": "c"}}
        Deployment(
            "d", metadata={"name": "d"}, spec={"selector": selector, "template": template, "min_ready_seconds": 1}
        )
        Pod("p", spec=PodSpecArgs(host_network=_later(False), containers=[
            ContainerArgs(name="c", security_context=SecurityContextArgs(run_as_user=_later(5)))]))  # fmt: skip
        Secret("s", string_data={"k_k": pulumi.Output.secret("v")})

    made = {item.name: item.inputs for item in run_program(program)}
    assert set(made) == {"c", "d", "p", "s"}
    for name in ("c", "d", "p"):
        assert judged[name] == made[name]
    assert judged["s"]["stringData"] == {"k_k": "v"}, "secrets are judged in clear"
    assert judged["c"]["data"] == {"host_network": "x"}
    assert judged["d"]["spec"]["template"]["spec"]["nodeSelector"] == {"a_b": "c"}
    assert judged["p"]["spec"]["containers"][0]["securityContext"] == {"runAsUser": 5}


def test_a_coroutine_is_judged_and_registered(run_program: Run) -> None:
    async def image(said: str) -> str:
        return said

    def program(said: str) -> None:
        # In a mapping and in a typed argument, at depth.
        Pod("m", metadata={"name": "m"}, spec=_with_image(image(said)))
        container = ContainerArgs(name="c", image=image(said))
        Pod("t", metadata={"name": "t"}, spec=PodSpecArgs(containers=[container]))

    def good() -> None:
        gate.attach(HERE)
        program(DIGEST)

    assert {item.name: item.inputs["spec"]["containers"][0]["image"] for item in run_program(good)} == {
        "m": DIGEST, "t": DIGEST,
    }  # fmt: skip
    assert "SUP-04" in _refused(run_program, lambda: program("evil"))


@pytest.mark.parametrize(("rule", "kind", "key", "value"), [
    ("SUP-04", Pod, "spec", lambda later: {**_with_image("evil"), "node_name": later}),
    ("SUP-04", Pod, "spec", lambda later: _pod(init_containers=[{"name": later, "image": "evil"}])),
    ("TEN-03", Pod, "spec", lambda later: _pod(host_network=True, hostname=later)),
    ("TEN-03", Pod, "spec", lambda later: {**_container(privileged=True), "volumes": later}),
    ("TEN-03", Pod, "spec", lambda later: _pod(volumes=[later, {"name": "v", "host_path": {"path": "/"}}])),
    ("IAM-03", Role, "rules", lambda later: [{"api_groups": ["*"], "resources": [later], "verbs": later}]),
    ("RES-01", Pod, "spec", lambda later: _pod(hostname=later, node_selector={"topology.kubernetes.io/region": "x"})),
])  # fmt: skip
def test_at_preview_an_unknown_at_depth_hides_nothing_beside_it(
    run_program: Run, rule: str, kind: Any, key: str, value: Any
) -> None:
    def program() -> None:
        gate.attach(TENANT)
        # What only a server could say is unknown at preview.
        made = Namespace(
            "n", metadata={"name": "tenant-demo", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
        )
        kind("r", metadata=OWN, **{key: value(made.status["phase"])})

    with pytest.raises(Exception, match=rule):
        run_program(program, preview=True)


@pytest.mark.parametrize(("kind", "key", "value"), [
    (Pod, "spec", lambda later: later),
    (Pod, "spec", lambda later: _with_image(later)),
    (Pod, "spec", lambda later: _pod(host_network=later)),
    (Pod, "spec", lambda later: _pod(volumes=later)),
    (Pod, "spec", lambda later: _pod(volumes=[later])),
    (Pod, "spec", lambda later: _pod(init_containers=later)),
    (Pod, "spec", lambda later: _pod(init_containers=[later])),
    (Pod, "spec", lambda later: _container(privileged=later)),
    (Pod, "spec", lambda later: _container(run_as_user=later)),
    (Pod, "spec", lambda later: _container(capabilities=later)),
    (Pod, "spec", lambda later: _container(capabilities={"drop": [later]})),
    (Pod, "spec", lambda later: _container(capabilities={"drop": ["ALL"], "add": [later]})),
    (Pod, "spec", lambda later: _pod(containers=[{"image": DIGEST, "security_context": RESTRICTED, "ports": later}])),
    (Role, "rules", lambda later: [{"api_groups": later, "resources": [later], "verbs": ["get"]}]),
    (Role, "rules", lambda later: [later]),
])  # fmt: skip
def test_an_unknown_at_depth_waits_at_preview_and_is_refused_at_the_end(
    run_program: Run, kind: Any, key: str, value: Any
) -> None:
    def program() -> None:
        gate.attach(TENANT)
        made = Namespace(
            "n", metadata={"name": "tenant-demo", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
        )
        kind("r", metadata=OWN, **{key: value(made.status["phase"])})

    assert {item.name for item in run_program(program, preview=True)} == {"n", "r"}
    inputs = {key: _pulumi_spelling_of_unknown(value(UNKNOWN))}
    type_ = "kubernetes:rbac.authorization.k8s.io/v1:Role" if kind is Role else "kubernetes:core/v1:Pod"
    assert _refusals(type_, inputs, TENANT, decided=True)


def _pulumi_spelling_of_unknown(value: Any) -> Any:
    return value if value is UNKNOWN else _camel(value)


# Every case of Falaj's own rules over a resource, declared in a program: the same id as anywhere else.

CASES = [case for case in own_cases() if isinstance(case.bad, ResourceFact)]


def _of_program(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _of_program(item) for key, item in value.items()}
    return [_of_program(item) for item in value] if isinstance(value, list | tuple) else value


def _declare(fact: ResourceFact) -> None:
    """The fact as a program would have it: a plain resource whose provider says where it is."""
    package = fact.type.split(":", 1)[0]
    provider = None
    if package in ("aws", "azure-native") and fact.region is not UNKNOWN:
        key = "region" if package == "aws" else "location"
        provider = pulumi.ProviderResource(package, "p", {key: fact.region})
    pulumi.CustomResource(
        fact.type, fact.name, _of_program(dict(fact.inputs)), pulumi.ResourceOptions(provider=provider)
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_case_has_the_same_id_in_the_program(run_program: Run, case: Case) -> None:
    assert isinstance(case.good, ResourceFact)
    assert isinstance(case.bad, ResourceFact)
    good, bad = case.good, case.bad
    if holds_unknown(bad.inputs):
        # No program holds an unknown value at up: what is left of one is judged as it stands.
        found = judge(bad, Waivers(), decided=True).refused
    else:
        found = tuple(_refused(run_program, lambda: _declare(bad), _place(bad)).split("; "))
    assert {line.split()[0] for line in found if re.match(r"[A-Z]+-\d+ urn:", line)} == {case.rule}

    def program() -> None:
        gate.attach(_place(good))
        _declare(good)

    assert good.name in {item.name for item in run_program(program)}


def _place(fact: ResourceFact) -> Place:
    return Place(
        cloud=fact.cloud,
        region=fact.region,
        jurisdiction=fact.jurisdiction,
        tenant=fact.tenant,
        regime=fact.regime,
    )


# Where a resource is whose provider says it.

AWS = Place(cloud="aws", region="me-central-1", jurisdiction="uae")


class Provider(pulumi.ProviderResource):
    """As Pulumi's generator writes a provider: what it was given is an output of it."""

    region: pulumi.Output[str]

    def __init__(self, name: str, region: Any) -> None:
        super().__init__("aws", name, {"region": region})


def _topic(**options: Any) -> None:
    given = good("aws:sns:Topic").inputs if "aws:sns:Topic" in kinds() else {}
    inputs = {key: value for key, value in given.items() if key != "region"}
    pulumi.CustomResource("aws:sns/topic:Topic", "t", inputs, pulumi.ResourceOptions(**options))


def _home(**options: Any) -> pulumi.ComponentResource:
    return pulumi.ComponentResource("acme:index:Home", "h", None, pulumi.ResourceOptions(**options))


GIVEN: list[Callable[[Any], dict[str, Any]]] = [
    lambda region: {"provider": Provider("p", region)},
    lambda region: {"parent": _home(providers={"aws": Provider("p", region)})},
    lambda region: {"parent": _home(providers=[Provider("p", _later(region))])},
]


@pytest.mark.parametrize("given", GIVEN)
def test_a_resource_without_a_region_is_where_its_provider_says(run_program: Run, given: Any) -> None:
    def inside() -> None:
        gate.attach(AWS)
        _topic(**given("me-central-1"))

    assert "t" in {item.name for item in run_program(inside)}
    said = _refused(run_program, lambda: _topic(**given("eu-west-1")), AWS)
    assert "RES-01" in said


def test_a_provider_made_before_the_gate_says_it_too(run_program: Run) -> None:
    def program(region: str) -> None:
        provider = Provider("p", region)
        gate.attach(AWS)
        _topic(provider=provider)

    with pytest.raises(Exception, match="RES-01"):
        run_program(lambda: program("eu-west-1"))


def test_the_default_provider_is_where_the_configuration_says(run_program: Run) -> None:
    def program(region: str) -> None:
        pulumi.runtime.set_config("aws:region", region)
        gate.attach(AWS)
        _topic()

    assert "t" in {item.name for item in run_program(lambda: program("me-central-1"))}
    with pytest.raises(Exception, match="RES-01"):
        run_program(lambda: program("eu-west-1"))


def test_a_resource_that_nothing_places_is_refused(run_program: Run) -> None:
    assert "RES-01" in _refused(run_program, _topic, AWS)


def test_what_is_only_looked_up_is_not_judged(run_program: Run) -> None:
    def program() -> None:
        gate.attach(TENANT)
        Namespace.get("n", "kube-system")

    run_program(program)


def test_a_remote_component_is_refused(run_program: Run) -> None:
    """Another process makes its resources, so the gate sees none of them."""

    class Remote(pulumi.ComponentResource):
        def __init__(self, name: str, remote: bool) -> None:
            super().__init__("acme:index:Remote", name, {"a": _later("b")}, None, remote)
            Pod("r", metadata=R, spec=_pod(), opts=pulumi.ResourceOptions(parent=self))

    def program(remote: bool) -> None:
        gate.attach(HERE)
        Remote("x", remote)

    assert "r" in {item.name for item in run_program(lambda: program(False))}
    for preview in (True, False):
        with pytest.raises(pulumi.RunError, match=r"RES-01 urn:pulumi:test::falaj::acme:index:Remote::x: a remote"):
            run_program(lambda: program(True), preview=preview)


def test_a_package_that_nothing_places_is_refused(run_program: Run) -> None:
    said = _refused(run_program, lambda: pulumi.CustomResource("gcp:bigquery/dataset:Dataset", "d", {}), AWS)
    assert "RES-01" in said


def test_a_package_for_one_api_version_is_where_its_provider_says(run_program: Run) -> None:
    place = Place(cloud="azure", region="uaenorth", jurisdiction="uae")
    package = "azure-native_network_v20240101"

    def program(location: str) -> None:
        gate.attach(place)
        provider = pulumi.ProviderResource(package, "p", {"location": location})
        inputs = {"resourceGroupName": "g"}
        pulumi.CustomResource(f"{package}:network:RouteTable", "t", inputs, pulumi.ResourceOptions(provider=provider))

    assert "t" in {item.name for item in run_program(lambda: program("uaenorth"))}
    with pytest.raises(Exception, match="azure westeurope is not in uae"):
        run_program(lambda: program("westeurope"))


# The whole stack, at up and before it.


def _stack_that_waits(path: str) -> Rule:
    def check(fact: StackFact) -> Any:
        yield Objection("is not known", path=path, undecided=True)
        yield Objection("is worth a thought", path="advice", advisory=True)

    return rule("CHG-01", rationale="", severity=Severity.HIGH, remedy="say it", check=check, applies_to=StackFact)


@pytest.mark.parametrize(
    ("path", "preview", "refused"),
    [("resources", False, True), ("resources", True, False), ("backend", False, False), ("backend", True, False)],
)
def test_what_is_undecided_about_the_stack_is_refused_at_up(
    run_program: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, preview: bool, refused: bool
) -> None:
    said: list[str] = []
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_: said.append(text))
    monkeypatch.setattr(pulumi.log, "info", lambda text, *_: said.append(text))
    waits = _stack_that_waits(path)
    monkeypatch.setattr(gate, "evaluate", lambda fact, stage: list(apply(waits, fact, stage)))

    def program() -> None:
        # Mocks have no stack resource, whose end of registration is where `attach` asks.
        pulumi.Output.from_input(gate._whole([], HERE, Waivers()))

    if refused:
        with pytest.raises(pulumi.RunError, match="CHG-01 test at resources: is not known"):
            run_program(program, preview=preview)
    else:
        run_program(program, preview=preview)
        assert any("is not known" in text for text in said)
    assert any("is worth a thought" in text for text in said)


# Waivers

WAIVER = """waivers:
  - rule: {rule}
    resource: {resource}
    reason: the image is built next week
    expires: {day}
    approved_by: [Basma]
"""
URN = "urn:pulumi:test::falaj::kubernetes:core/v1:Pod::r"


@pytest.mark.parametrize(
    ("rule", "resource", "days", "passes"),
    [
        ("SUP-04", URN, 3, True),
        ("SUP-04", "kubernetes:core/v1:Pod::r", 3, True),
        ("SUP-04", "acme:index:Home$kubernetes:core/v1:Pod::r", 3, False),
        ("SUP-04", URN, -1, False),
        ("SUP-04", URN + "r", 3, False),
        ("TEN-03", URN, 3, False),
    ],
)
def test_a_waiver_is_honoured_for_its_rule_and_resource(
    run_program: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    rule: str, resource: str, days: int, passes: bool,
) -> None:  # fmt: skip
    (tmp_path / FILE).write_text(WAIVER.format(rule=rule, resource=resource, day=today() + timedelta(days=days)))
    monkeypatch.chdir(tmp_path)

    def program() -> None:
        gate.attach(TENANT)
        Pod("r", metadata=R, spec=_with_image("evil:latest"))

    if passes:
        assert [item.name for item in run_program(program)] == ["r"]
    else:
        with pytest.raises(Exception, match="SUP-04"):
            run_program(program)


def test_a_waiver_file_that_cannot_be_read_denies(
    run_program: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE).write_text("waivers: [")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pulumi.RunError, match=FILE):
        run_program(lambda: gate.attach(TENANT))


def test_no_environment_variable_turns_the_gate_off(run_program: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FALAJ_GATE", "FALAJ_JUDGED", "FALAJ_ENGINE", "FALAJ_PROJECT", "FALAJ_HOME"):
        monkeypatch.setenv(name, "off")
    source = Path(str(inspect.getsourcefile(gate))).read_text(encoding="utf-8")
    assert "environ" not in source
    assert "SUP-04" in _refused(run_program, lambda: Pod("p", metadata={"name": "p"}, spec=_with_image("evil")))
