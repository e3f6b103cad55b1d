"""The company's own rules: what each bucket must say, and what must stand beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from falaj_policies import UNKNOWN, Objection, ResourceFact, Rule, Severity, StackFact, Stage

__all__ = ["RULES"]

TAG: Final = "cost-centre"
BUCKET: Final = "aws:s3:Bucket"
LIFECYCLE: Final = "aws:s3:BucketLifecycleConfiguration"
DECLARED: Final = frozenset({Stage.PULL_REQUEST, Stage.PROVISION})


def cost_centre(resource: ResourceFact) -> Iterator[Objection]:
    """A bucket names the cost centre that pays for it. Judges one resource by its inputs alone."""
    tags = resource.inputs.get("tags")
    value = tags.get(TAG) if isinstance(tags, Mapping) else tags
    if value is UNKNOWN:
        # A preview: it neither passes nor denies. It is judged again where everything is known.
        yield Objection(f"the tag {TAG} is not known yet", path="tags", undecided=True)
    elif not (isinstance(value, str) and value.isdecimal()):
        yield Objection(f"the tag {TAG} is missing or not a number", path="tags")


def old_versions_end(stack: StackFact) -> Iterator[Objection]:
    """Every bucket has a lifecycle configuration. Judges a whole stack: one resource alone does not show the other."""
    linked: set[str] = set()
    named: set[str] = set()
    unknown = False
    for other in stack.resources:
        if other.kind == LIFECYCLE:
            # What the program linked (`bucket=bucket.id`), and what it only named (`bucket="features"`).
            links, name = other.references.get("bucket", ()), other.inputs.get("bucket")
            linked.update(links)
            if isinstance(name, str):
                named.add(name)
            unknown = unknown or (name is UNKNOWN and not links)
    for bucket in stack.resources:
        if bucket.kind != BUCKET or bucket.urn in linked:
            continue
        name = bucket.inputs.get("bucket")
        if isinstance(name, str) and name in named:
            continue
        # Two names that are not known are not one name: it is judged again where they are.
        undecided = unknown or (name is UNKNOWN and bool(named))
        yield Objection("nothing ends its old versions", subject=bucket.urn, undecided=undecided)


RULES = (
    Rule(
        id="ACME-01",
        title="Every bucket names its cost centre",
        rationale="What nobody pays for, nobody deletes.",
        severity=Severity.LOW,
        remedy=f"set the tag {TAG} to the number of the cost centre",
        stages=DECLARED,
        applies_to=ResourceFact,
        kinds=frozenset({BUCKET}),
        check=cost_centre,
    ),
    Rule(
        id="ACME-02",
        title="Every bucket has a lifecycle configuration",
        rationale="Old versions of personal data are personal data.",
        severity=Severity.MEDIUM,
        remedy=f"add an {LIFECYCLE} with a rule for noncurrent versions",
        stages=DECLARED,
        applies_to=StackFact,
        check=old_versions_end,
    ),
)
