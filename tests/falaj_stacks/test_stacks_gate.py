"""The gate inside the program: it refuses what a rule refuses, with the rule's id, in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import ConfigMap, ContainerArgs, Namespace, Pod, PodSpecArgs, Secret

from falaj_infra import gate

HERE = gate.Place(cloud="on-premises", region="local", jurisdiction="uae")
DIGEST = "localhost/falaj/platform@sha256:" + "a" * 64

Run = Callable[..., list[Any]]


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
    place = gate.Place(cloud=pair[0], region=pair[1], jurisdiction="uae")
    assert "RES-01" in _refused(run_program, lambda: ConfigMap("c", metadata={"name": "c"}), place)


def test_an_unknown_jurisdiction_is_refused(run_program: Run) -> None:
    place = gate.Place(cloud="on-premises", region="local", jurisdiction="atlantis")
    assert "RES-01" in _refused(run_program, lambda: ConfigMap("c", metadata={"name": "c"}), place)


@pytest.mark.parametrize("image", ["nginx", "nginx:1.27", _later])
def test_an_image_without_digest_is_refused(run_program: Run, image: Any) -> None:
    def program() -> None:
        Deployment("d", metadata={"name": "d"}, spec=_deployment(image("nginx") if callable(image) else image))

    assert "SUP-04" in _refused(run_program, program)


def test_typed_arguments_are_read_too(run_program: Run) -> None:
    def program() -> None:
        Pod("p", metadata={"name": "p"}, spec=PodSpecArgs(containers=[ContainerArgs(name="c", image="nginx")]))

    assert "SUP-04" in _refused(run_program, program)


def test_a_tenants_pods_are_restricted(run_program: Run) -> None:
    place = gate.Place(cloud="on-premises", region="local", jurisdiction="uae", tenant="demo")
    privileged = {"containers": [{"name": "c", "image": DIGEST, "securityContext": {"privileged": True}}]}
    assert "TEN-03" in _refused(run_program, lambda: Pod("p", metadata={"name": "p"}, spec=privileged), place)


def test_a_place_known_only_later_judges_as_well(run_program: Run) -> None:
    far = gate.Place(cloud="on-premises", region="moon", jurisdiction="uae")

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


def test_one_unknown_does_not_hide_the_other_properties() -> None:
    from falaj_policies import UNKNOWN

    inputs = {"metadata": UNKNOWN, "spec": _deployment("nginx")}
    found = gate.judge("kubernetes:apps/v1:Deployment", "d", inputs, HERE, everything_known=False)
    assert [finding.rule for finding in found] == ["SUP-04"]


def test_what_is_still_unknown_at_the_end_is_refused() -> None:
    from falaj_policies import UNKNOWN

    inputs = {"spec": _deployment(UNKNOWN)}
    assert not gate.judge("kubernetes:apps/v1:Deployment", "d", inputs, HERE, everything_known=False)
    assert gate.judge("kubernetes:apps/v1:Deployment", "d", inputs, HERE, everything_known=True)


def test_a_cloud_resource_is_where_it_says(run_program: Run) -> None:
    place = gate.Place(cloud="aws", region="me-central-1", jurisdiction="uae")
    kind = "aws:s3/bucket:Bucket"
    assert not gate.judge(kind, "b", {"region": "me-central-1"}, place, everything_known=True)
    assert gate.judge(kind, "b", {"region": "eu-west-1"}, place, everything_known=True)
    assert gate.judge(kind, "b", {}, place, everything_known=True), "without a region of its own it could be anywhere"
