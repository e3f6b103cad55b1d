"""Cases of the access rules."""

from falaj_policies.testing.build import broken, good
from falaj_policies.testing.case import Case

CASES = (
    Case(
        "IAM-03",
        "a role over all resources",
        good("kubernetes:rbac:Role"),
        broken("kubernetes:rbac:Role", "rules[0].resources[0]", "*"),
    ),
)
