"""Every case of every rule, at the rules themselves; tests of the other places take the same cases."""

from __future__ import annotations

import pytest

from falaj_policies import CONTROLS, RULES, Fact, ModelFact, Stage, evaluate
from falaj_policies.testing import Case, good, kinds, own_cases


def refusing(fact: Fact) -> set[str]:
    stage = Stage.DEPLOY if isinstance(fact, ModelFact) else Stage.PULL_REQUEST
    return {finding.rule for finding in evaluate(fact, stage)}


@pytest.mark.parametrize("case", own_cases(), ids=str)
def test_a_case_is_refused_by_its_rule_alone(case: Case) -> None:
    assert refusing(case.good) == set()
    assert refusing(case.bad) == {case.rule}


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("tenant", [None, "acme"])
def test_a_good_resource_is_good_at_every_stage(kind: str, tenant: str | None) -> None:
    for stage in (Stage.PULL_REQUEST, Stage.PROVISION):
        assert evaluate(good(kind, tenant=tenant), stage) == []


def test_every_rule_over_what_is_declared_has_a_case() -> None:
    with_cases = {(case.rule, type(case.good)) for case in own_cases()}
    assert {(rule.id, rule.applies_to) for rule in RULES if rule.applies_to is not ModelFact} <= with_cases
    assert {case.rule for case in own_cases()} <= set(CONTROLS)
