"""Cases of the supply chain rules over resources."""

from falaj_policies.testing.build import broken, good
from falaj_policies.testing.case import Case

_POD = "kubernetes:core:Pod"

CASES = (Case("SUP-04", "an image by tag", good(_POD), broken(_POD, "spec.containers[0].image", "nginx:1.29")),)
