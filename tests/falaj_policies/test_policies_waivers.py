"""Waivers: one rule, one resource, until a day; whatever else stands in the file waives nothing."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falaj_policies import Finding, ResourceFact, Severity, Stage, apply
from falaj_policies.rules.declare import rule
from falaj_policies.testing import good
from falaj_policies.waivers import Waiver, apply_waivers, parse

TODAY = date(2026, 11, 24)
URN = "urn:pulumi:prod::acme::app:index:Team$aws:eks/cluster:Cluster::ml"
ENTRY = {
    "rule": "IAM-01",
    "resource": URN,
    "reason": "the link is late",
    "expires": "2027-01-31",
    "approved_by": ["Basma", "Omar"],
}
WAIVER = Waiver("IAM-01", URN, "the link is late", date(2027, 1, 31), ("Basma", "Omar"), 7)


def finding(rule_id: str = "IAM-01", subject: str = URN) -> Finding:
    return Finding(rule_id, subject, "is public", Severity.HIGH, "make it private")


def judged(waiver: Waiver, *findings: Finding, complete: bool = False) -> tuple[int, int, list[str]]:
    standing, waived, problems = apply_waivers(findings, [waiver], TODAY, complete=complete)
    assert len(standing) + len(waived) == len(findings)
    return len(standing), len(waived), [problem.rule for problem in problems]


def test_an_entry_is_read() -> None:
    waivers, problems = parse({"waivers": [ENTRY]}, [7])
    assert (waivers, problems) == ((WAIVER,), ())
    assert parse(None) == parse({"waivers": None}) == parse({"waivers": []}) == ((), ())


def test_a_waiver_waives_its_finding_and_both_stay_visible() -> None:
    standing, waived, problems = apply_waivers([finding()], [WAIVER], TODAY, complete=True)
    assert (standing, problems) == ([], [])
    assert waived[0].finding == finding()
    assert str(waived[0].waiver) == "waived until 2027-01-31 by Basma, Omar: the link is late"


@pytest.mark.parametrize("resource", [URN, "app:index:Team$aws:eks/cluster:Cluster::ml"])
def test_a_resource_is_named_by_its_urn_or_by_all_types_and_name(resource: str) -> None:
    assert judged(dataclasses.replace(WAIVER, resource=resource), finding()) == (0, 1, [])


@pytest.mark.parametrize(
    "other",
    [
        finding("IAM-02"),
        finding("IAM-011"),
        finding(subject=URN + "2"),
        finding(subject=URN.replace("prod", "dev")),
        finding(subject=URN.replace("app:index:Team$", "")),
        finding(subject="ml"),
    ],
)
def test_it_waives_no_other_rule_or_resource(other: Finding) -> None:
    assert judged(WAIVER, other) == (1, 0, [])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"expires": TODAY - timedelta(days=1)}, "CHG-01"),
        ({"expires": TODAY + timedelta(days=367)}, "CHG-01"),
        ({"authors": ("Basma", "omar")}, "IAM-05"),
        ({"authors": ("ＢＡＳＭＡ ", "b@acme.example"), "approved_by": ("basma",)}, "IAM-05"),
        ({"unproven": "the checkout is shallow"}, "IAM-05"),
        ({"rule": "RES-01", "approved_by": ("Basma",)}, "RES-06"),
        ({"rule": "RES-01", "approved_by": ("Basma", " basma")}, "RES-06"),
    ],
)
def test_a_defective_waiver_waives_nothing_and_is_a_finding(changes: dict[str, Any], problem: str) -> None:
    waiver = dataclasses.replace(WAIVER, **changes)
    assert judged(waiver, finding(waiver.rule)) == (1, 0, [problem])
    found = apply_waivers([], [waiver], TODAY)[2][0].finding()
    assert found.denies
    assert found.subject == "falaj-waivers.yaml:7"


@pytest.mark.parametrize(
    "changes",
    [
        {"expires": TODAY},
        {"expires": TODAY + timedelta(days=366)},
        {"authors": ("Basma",)},
        {"rule": "RES-01", "authors": ("Basma",)},
    ],
)
def test_what_is_just_within_waives(changes: dict[str, Any]) -> None:
    waiver = dataclasses.replace(WAIVER, **changes)
    assert judged(waiver, finding(waiver.rule)) == (0, 1, [])


def test_an_unused_waiver_is_a_finding_only_where_everything_was_judged() -> None:
    assert judged(WAIVER, complete=False) == (0, 0, [])
    assert judged(WAIVER, complete=True) == (0, 0, ["CHG-01"])


def test_a_short_name_is_for_one_resource_of_a_stack() -> None:
    """However many are judged at a time: a gate sees them one by one."""
    short = dataclasses.replace(WAIVER, resource="aws:eks/cluster:Cluster::ml")
    top = finding(subject=URN.replace("app:index:Team$", ""))
    assert judged(short, top) == (0, 1, [])
    assert judged(short, finding()) == (1, 0, [])
    assert judged(short, finding(subject=URN.replace("Team", "Group"))) == (1, 0, [])
    assert judged(short, finding(subject=URN.replace("Team", "Team$app:index:Team"))) == (1, 0, [])
    assert judged(short, top, finding(subject=top.subject.replace("prod", "dev"))) == (0, 2, [])


@pytest.mark.parametrize("rule_id", ["SUP-01", "SUP-02", "SUP-07", "CRY-05"])
def test_nothing_about_a_model_is_waived(rule_id: str) -> None:
    digest = "sha256:" + "a" * 64
    assert parse({"waivers": [{**ENTRY, "rule": rule_id, "resource": digest}]})[1]
    waiver = dataclasses.replace(WAIVER, rule=rule_id, resource=digest)
    assert judged(waiver, finding(rule_id, digest)) == (1, 0, [])


def test_a_rule_that_crashes_is_not_waived() -> None:
    def crash(_fact: ResourceFact) -> Any:
        raise KeyError

    broken = rule("IAM-01", rationale="", severity=Severity.HIGH, remedy="", check=crash)
    found = list(apply(broken, good("aws:s3:Bucket"), Stage.PROVISION))
    assert judged(dataclasses.replace(WAIVER, resource=found[0].subject), *found) == (1, 0, [])


@pytest.mark.parametrize(
    "changes",
    [
        {"rule": "all"},
        {"rule": "SUP-01"},
        {"resource": "urn:pulumi:prod::*"},
        {"reason": " "},
        {"expires": "never"},
        {"expires": "2027-02-30"},
        {"expires": "20270131"},
        {"approved_by": []},
        {"approved_by": "Basma"},
        {"approved_by": ["Basma", ""]},
        {"until": "2027-01-31"},
        *({key: None} for key in ENTRY),
    ],
)
def test_a_malformed_entry_is_a_finding_and_leaves_the_others(changes: dict[str, Any]) -> None:
    waivers, problems = parse({"waivers": [ENTRY, {**ENTRY, **changes}]}, [7, 12])
    assert waivers == (WAIVER,)
    assert [(problem.rule, problem.line) for problem in problems] == [("CHG-01", 12)]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.dates() | st.sampled_from(list(ENTRY)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@given(ANY)
def test_whatever_the_document_holds_nothing_is_raised(document: Any) -> None:
    for given_document in (document, {"waivers": document}, {"waivers": [document, ENTRY]}):
        waivers, problems = parse(given_document)
        assert all(isinstance(waiver, Waiver) for waiver in waivers)
        assert all(problem.finding().denies for problem in problems)


NAMES = st.sampled_from(["IAM-01", "IAM-02", "RES-01", "CHG-01"])
PARTS = st.sampled_from(["ml", "a::ml", "Team$x", "b"])
URNS = st.builds(lambda stack, kind, name: f"urn:pulumi:{stack}::acme::{kind}:i:C::{name}", PARTS, PARTS, PARTS)


@given(NAMES, URNS, st.lists(st.tuples(NAMES, URNS), max_size=6))
def test_what_is_waived_is_always_of_the_waivers_rule_and_resource(
    rule_id: str, urn: str, others: list[tuple[str, str]]
) -> None:
    waiver = dataclasses.replace(WAIVER, rule=rule_id, resource=urn)
    standing, waived, _ = apply_waivers([finding(*other) for other in others], [waiver], TODAY)
    assert {(item.finding.rule, item.finding.subject) for item in waived} <= {(rule_id, urn)}
    assert (rule_id, urn) not in {(item.rule, item.subject) for item in standing}
