"""Good AWS resources, by Pulumi type token: inputs as pulumi-aws 7 takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

GOOD: Final[Mapping[str, Mapping[str, Any]]] = {
    "aws:s3/bucket:Bucket": {"bucket": "acme-features", "region": "me-central-1"},
}
