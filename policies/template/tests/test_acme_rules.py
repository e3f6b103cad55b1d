"""Each case: a good fact, and the same with one thing broken, which its rule and no other refuses."""

from __future__ import annotations

import dataclasses

import acme_rules
import pytest

from falaj_policies import UNKNOWN, ResourceFact, Stage, all_rules, apply
from falaj_policies.testing import HERE, Case, broken, change, good, stack

BUCKET = good("aws:s3:Bucket", tags={"cost-centre": "4711"}, bucket="acme-features")
# A resource of a kind that the test kit does not know is made where the others are.
LIFECYCLE = HERE["aws"].resource(
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "lifecycle",
    {"bucket": UNKNOWN, "region": "me-central-1"},
    references={"bucket": (BUCKET.urn,)},
)

CASES = (
    Case("ACME-01", "no cost centre", BUCKET, broken("aws:s3:Bucket", "tags.cost-centre", tags={"cost-centre": "1"})),
    Case("ACME-01", "not a number", BUCKET, change(BUCKET, "tags.cost-centre", "marketing")),
    Case("ACME-02", "no lifecycle", stack(BUCKET, LIFECYCLE), stack(BUCKET)),
    Case(
        "ACME-02",
        "the lifecycle of another bucket",
        stack(BUCKET, dataclasses.replace(LIFECYCLE, inputs={"bucket": "acme-features"}, references={})),
        stack(BUCKET, dataclasses.replace(LIFECYCLE, inputs={"bucket": "other"}, references={})),
    ),
)


def refusing(fact: object) -> set[str]:
    """The company's own rules that object; Falaj's are tested where they are."""
    applied = (rule for rule in acme_rules.RULES if isinstance(fact, rule.applies_to))
    return {finding.rule for rule in applied for finding in apply(rule, fact, Stage.PULL_REQUEST) if finding.denies}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case_is_refused_by_its_rule_alone(case: Case) -> None:
    assert refusing(case.good) == set()
    assert refusing(case.bad) == {case.rule}


def test_what_is_not_known_yet_is_put_off() -> None:
    unknown = good("aws:s3:Bucket", tags=UNKNOWN)
    (finding,) = apply(acme_rules.RULES[0], unknown, Stage.PULL_REQUEST)
    assert finding.undecided
    assert not finding.denies


UNNAMED = change(BUCKET, "bucket", UNKNOWN)


@pytest.mark.parametrize(
    ("bucket", "name", "undecided"),
    [(UNNAMED, UNKNOWN, True), (BUCKET, UNKNOWN, True), (UNNAMED, "other", True), (UNNAMED, None, False)],
    ids=["neither name is known", "its name is not known", "the bucket's is not known", "it names nothing"],
)
def test_a_name_that_is_not_known_links_nothing(bucket: ResourceFact, name: object, undecided: bool) -> None:
    """A lifecycle without a link never passes by having as little of a name as the bucket has."""
    loose = dataclasses.replace(LIFECYCLE, inputs={"bucket": name}, references={})
    (finding,) = apply(acme_rules.RULES[1], stack(bucket, loose), Stage.PULL_REQUEST)
    assert (finding.subject, finding.undecided) == (bucket.urn, undecided)


def test_a_lifecycle_is_another_kind_of_resource() -> None:
    assert isinstance(LIFECYCLE, ResourceFact)
    assert refusing(LIFECYCLE) == set()


def test_the_rules_are_installed() -> None:
    """Fails where the package is importable and its entry point is not there: then no gate applies its rules."""
    assert set(acme_rules.RULES) <= set(all_rules())
