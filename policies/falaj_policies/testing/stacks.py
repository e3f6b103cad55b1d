"""Good stacks of what only stands together: a bucket with everything that makes it one."""

from __future__ import annotations

import dataclasses
from typing import Any

from falaj_policies.facts import ResourceFact
from falaj_policies.testing.build import good

__all__ = ["bucket", "linked"]

_BUCKET = "aws:s3:Bucket"
_BESIDE = (
    "aws:s3:BucketServerSideEncryptionConfiguration",
    "aws:s3:BucketVersioning",
    "aws:s3:BucketPolicy",
    "aws:s3:BucketPublicAccessBlock",
)


def bucket(name: str = "acme-features", *, without: str = "", **options: Any) -> tuple[ResourceFact, ...]:
    """A bucket called `name` and what must stand beside it, but for the kind `without`."""
    made = (_BUCKET, *(kind for kind in _BESIDE if kind != without))
    return tuple(good(kind, name=f"{name}-{kind.rpartition(':')[2]}", bucket=name, **options) for kind in made)


def linked(child: ResourceFact, key: str, *parents: ResourceFact) -> ResourceFact:
    """`child` with its input `key` computed from `parents`, as the program's graph says it."""
    return dataclasses.replace(child, references={**child.references, key: tuple(one.urn for one in parents)})
