"""The test kit for rules: good resources to start from, one thing broken at a time.

    from falaj_policies.testing import Case, broken, good

    CASE = Case(
        "ACME-01",
        "a bucket without the cost centre",
        good("aws:s3:Bucket", tags={"cost-centre": "42"}),
        broken("aws:s3:Bucket", "tags.cost-centre"),
    )

    @pytest.mark.parametrize("case", [CASE], ids=str)
    def test_it(case):
        assert not list(apply(RULE, case.good, Stage.PULL_REQUEST))
        assert list(apply(RULE, case.bad, Stage.PULL_REQUEST))

`good` gives a resource that every one of Falaj's rules accepts, `stack` puts resources into a StackFact, `change` sets
one input of any of them. A resource of a kind that `kinds` does not list is made by `HERE["aws"].resource(type, name,
inputs)`. Nothing here is imported by what judges.
"""

from falaj_policies.testing.build import HERE, REMOVED, broken, change, good, kinds, stack
from falaj_policies.testing.case import Case, own_cases

__all__ = ["HERE", "REMOVED", "Case", "broken", "change", "good", "kinds", "own_cases", "stack"]
