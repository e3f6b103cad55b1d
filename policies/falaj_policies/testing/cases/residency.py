"""Cases of the residency rules."""

from falaj_policies.testing.build import broken, good
from falaj_policies.testing.case import Case

CASES = (Case("RES-01", "a bucket abroad", good("aws:s3:Bucket"), broken("aws:s3:Bucket", "region", "eu-west-1")),)
