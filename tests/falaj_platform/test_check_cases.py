"""The rules' own cases at this place: a program that declares the bad resource gets the same rule's finding."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from falaj_platform.check.run import check
from falaj_policies import UNKNOWN, ResourceFact, StackFact, Stage, evaluate
from falaj_policies.testing import Case, own_cases

# One stack for each case; what it declares lies beside the program.
PROGRAM = """
import json
import pathlib

import pulumi

case = json.loads(pathlib.Path("cases.json").read_text())[pulumi.get_stack()]
made = {}


def value(item):
    if isinstance(item, dict):
        if "$unknown" in item:
            return pulumi.UNKNOWN
        return {key: value(part) for key, part in item.items()}
    return [value(part) for part in item] if isinstance(item, list) else item


for index, resource in enumerate(case):
    inputs = {key: value(item) for key, item in resource["inputs"].items()}
    for key, names in resource["references"].items():
        known = [made[name].urn for name in names if name in made]
        if key in inputs and known:
            inputs[key] = pulumi.Output.all(*known, inputs[key]).apply(lambda all_of: all_of[-1])
    package, module, name = resource["type"].split(":")
    if module == "providers":
        made[resource["urn"]] = pulumi.ProviderResource(name, f"{resource['name']}-{index}", inputs)
    else:
        made[resource["urn"]] = pulumi.CustomResource(resource["type"], f"{resource['name']}-{index}", inputs)
"""


def _wire(value: object) -> Any:
    if value is UNKNOWN:
        return {"$unknown": True}
    if isinstance(value, Mapping):
        return {key: _wire(item) for key, item in value.items()}
    return [_wire(item) for item in value] if isinstance(value, list | tuple) else value


def _resources(case: Case) -> tuple[ResourceFact, ...]:
    return (case.bad,) if isinstance(case.bad, ResourceFact) else case.bad.resources  # type: ignore[attr-defined]


def _reproducible(case: Case) -> bool:
    """Whether a program of one stack can declare it: state lies in the project's file, and places are of stacks."""
    bad = case.bad
    if isinstance(bad, StackFact):
        return not bad.backend or bad.backend == "file://"
    return isinstance(bad, ResourceFact) and isinstance(bad.region, str)


def _sample() -> Iterator[tuple[str, Case]]:
    """Up to two cases of each rule, over a resource and over a stack, by a stack's name."""
    taken: set[tuple[str, type]] = set()
    for case in own_cases():
        kind = (case.rule, type(case.bad))
        if _reproducible(case) and kind not in taken:
            taken.add(kind)
            yield f"{case.rule.lower()}-{type(case.bad).__name__.lower()}", case


SAMPLE = dict(_sample())


def _config(case: Case) -> dict[str, Any]:
    bad: Any = case.bad
    said = {
        "falaj:jurisdiction": bad.jurisdiction,
        "falaj:regime": bad.regime,
        "falaj:cloud": bad.cloud if isinstance(bad.cloud, str) else "",
        "falaj:region": bad.region if isinstance(bad.region, str) else "",
        "falaj:tenant": bad.tenant,
        "falaj:transfer_basis": getattr(bad, "transfer_basis", ""),
        "falaj:standby": dict(zip(("cloud", "region"), getattr(bad, "standby", None) or (), strict=False)),
        "aws:region": "me-central-1",
        "azure-native:location": "uaenorth",
    }
    return {key: value for key, value in said.items() if value}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[tuple[str, bool]]]:
    """The ids of the findings and whether they are undecided, by stack."""
    root = tmp_path_factory.mktemp("all cases")
    (root / "Pulumi.yaml").write_text("name: acme\nruntime: python\n")
    (root / "__main__.py").write_text(PROGRAM)
    wire = {}
    for stack, case in SAMPLE.items():
        wire[stack] = [
            {
                "urn": fact.urn,
                "type": fact.type,
                "name": fact.name,
                "inputs": _wire(fact.inputs),
                "references": {key: list(urns) for key, urns in fact.references.items()},
            }
            for fact in _resources(case)
        ]
        document: dict[str, Any] = {"config": _config(case)}
        if getattr(case.bad, "encryption", ""):
            document["secretsprovider"] = case.bad.encryption  # type: ignore[attr-defined]
        (root / f"Pulumi.{stack}.yaml").write_text(json.dumps(document))
    (root / "cases.json").write_text(json.dumps(wire))
    result = check(root, without={"checkov"}, limit=300)
    rules: dict[str, set[tuple[str, bool]]] = {stack: set() for stack in SAMPLE}
    for finding in result.findings:
        if finding.stack:
            rules[finding.stack].add((finding.rule, finding.undecided))
    return rules


@pytest.mark.parametrize("stack", SAMPLE)
def test_a_bad_resource_gets_the_same_rule_here(found: Mapping[str, set[tuple[str, bool]]], stack: str) -> None:
    case = SAMPLE[stack]
    (undecided,) = {item.undecided for item in evaluate(case.bad, Stage.PULL_REQUEST) if item.rule == case.rule}
    assert (case.rule, undecided) in found[stack], case.what


def test_every_rule_over_what_is_declared_is_tried() -> None:
    tried = {case.rule for case in SAMPLE.values()}
    assert {case.rule for case in own_cases() if _reproducible(case)} == tried
    assert len(tried) >= 12
