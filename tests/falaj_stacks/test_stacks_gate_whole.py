"""The gate inside the program judges the whole stack too, when the program has ended."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from falaj_engine.capture import Capture, capture
from falaj_engine.errors import ProgramError
from falaj_infra.judge import judge
from falaj_infra.waivers import Waivers
from falaj_policies import StackFact
from falaj_policies.testing import Case, good, own_cases, stack

# Declares the resources of a fact as a program would have them: each after those that its inputs come from, and with a
# provider that says where it is.
PROGRAM = """
import asyncio
import pickle
from pathlib import Path

import pulumi

from falaj_infra import gate
from falaj_policies import UNKNOWN, Place

fact = pickle.loads(Path("fact.pickle").read_bytes())
gate.attach(Place(cloud=fact.cloud, region=fact.region, jurisdiction=fact.jurisdiction, tenant=fact.tenant,
                  regime=fact.regime, transfer_basis=fact.transfer_basis, standby=fact.standby))
made, providers = {}, {}
waiting = list(fact.resources)


def known(value):
    if value is UNKNOWN:
        return pulumi.UNKNOWN
    if isinstance(value, dict):
        return {key: known(item) for key, item in value.items()}
    return [known(item) for item in value] if isinstance(value, (list, tuple)) else value


def computed(value, sources):
    async def of(result):
        return result

    return pulumi.Output(set(sources), of(value), of(True))


def provider(item):
    package = item.type.split(":", 1)[0]
    if package not in ("aws", "azure-native") or item.region is UNKNOWN:
        return None
    key = (package, item.region)
    if key not in providers:
        said = {"region" if package == "aws" else "location": item.region}
        providers[key] = pulumi.ProviderResource(package, f"{package}-{item.region}", said)
    return providers[key]


own = {item.urn for item in fact.resources}
while waiting:
    item = waiting.pop(0)
    needed = {urn for urns in item.references.values() for urn in urns if urn in own and urn != item.urn}
    if needed - set(made) and any(other.urn in needed for other in waiting):
        waiting.append(item)
        continue
    inputs = known(dict(item.inputs))
    for key, urns in item.references.items():
        sources = [made[urn] for urn in urns if urn in made]
        if sources:
            inputs[key] = computed(inputs.get(key), sources)
    options = pulumi.ResourceOptions(provider=provider(item))
    made[item.urn] = pulumi.CustomResource(item.type, item.name, inputs, options)
"""

Run = Callable[[StackFact], Capture]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the program of a fact, in preview, under an engine that does not judge."""
    root = tmp_path / "a project"
    root.mkdir()
    (root / "Pulumi.yaml").write_text("name: acme\nruntime: python\n")
    (root / "Pulumi.dev.yaml").write_text("config: {}\n")
    (root / "__main__.py").write_text(PROGRAM)

    def go(fact: StackFact) -> Capture:
        monkeypatch.setenv("PULUMI_BACKEND_URL", fact.backend)
        (root / "fact.pickle").write_bytes(pickle.dumps(fact))
        return capture(root, "dev")

    return go


def alone(fact: StackFact) -> bool:
    """Whether each resource passes by itself, in the stack's own place."""
    resources = [
        dataclasses.replace(resource, tenant=fact.tenant, regime=fact.regime, jurisdiction=fact.jurisdiction)
        for resource in fact.resources
    ]
    return not any(judge(resource, Waivers(), decided=True).refused for resource in resources)


def denied(fact: StackFact) -> set[str]:
    """What the rules say of the stack, without the key of its state, which no program knows."""
    return {line.split()[0] for line in judge(fact, Waivers(), decided=False).refused}


CASES = [case for case in own_cases() if isinstance(case.bad, StackFact) and not case.bad.encryption]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_case_of_a_stack_has_the_same_id_in_the_program(run: Run, case: Case) -> None:
    assert isinstance(case.bad, StackFact)
    assert isinstance(case.good, StackFact)
    if case.rule in denied(case.bad):
        with pytest.raises(ProgramError) as caught:
            run(case.bad)
        assert "\n" not in str(caught.value)
        if alone(case.bad):
            assert str(caught.value).startswith(f"{case.rule} ")
    if alone(case.good):
        run(case.good)


def test_what_is_declared_in_an_apply_is_judged_with_the_rest(run: Run, tmp_path: Path) -> None:
    late = """
later = pulumi.CustomResource("random:index/randomId:RandomId", "first", {})
later.urn.apply(lambda _: pulumi.CustomResource("kubernetes:core/v1:Pod", "late", {"spec": {"containers": [
    {"name": "c", "image": "evil"}]}}))
"""
    (tmp_path / "a project" / "__main__.py").write_text(PROGRAM + late)
    fact: Any = stack(good("kubernetes:rbac:Role"))
    with pytest.raises(ProgramError, match="SUP-04"):
        run(fact)
