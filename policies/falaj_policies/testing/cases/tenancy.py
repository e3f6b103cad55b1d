"""Cases of the tenancy rules."""

from falaj_policies.testing.build import broken, good
from falaj_policies.testing.case import Case

_POD = "kubernetes:core:Pod"

CASES = (
    Case(
        "TEN-03",
        "a pod in the host's network",
        good(_POD, tenant="acme"),
        broken(_POD, "spec.hostNetwork", True, tenant="acme"),
    ),
)
