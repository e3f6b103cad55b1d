"""The test kit for rules: good resources to start from, one thing broken at a time.

    from falaj_policies.testing import Case, broken, good

    CASE = Case(
        "ACME-01",
        "a bucket without the cost centre",
        good("aws:s3:Bucket", tags={"cost-centre": "42"}),
        broken("aws:s3:Bucket", "tags.cost-centre"),
    )

`good` gives a resource that every one of Falaj's rules accepts. Nothing here is imported by what judges.
"""

from falaj_policies.testing.build import HERE, REMOVED, broken, change, good, kinds, stack
from falaj_policies.testing.case import Case, own_cases

__all__ = ["HERE", "REMOVED", "Case", "broken", "change", "good", "kinds", "own_cases", "stack"]
