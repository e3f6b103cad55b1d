"""Copies: keys, logs, snapshots, registries and state (RES-02), and what replicates itself (RES-03)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ResourceFact, StackFact
from falaj_policies.model import Check, Objection, Severity
from falaj_policies.rules.declare import rule
from falaj_policies.rules.pairing import of_kind, partners
from falaj_policies.rules.reading import get, items
from falaj_policies.rules.requiring import undecided
from falaj_policies.rules.state import backend, encryption
from falaj_policies.rules.where import allowed_pairs, foreign_texts, outside, short_region

__all__ = ["RULES"]

# Where Azure puts the second copy of what is geo-redundant (from memory; a region that is not listed has none).
_AZURE_PAIRS: Final[Mapping[str, str]] = {
    "uaenorth": "uaecentral",
    "uaecentral": "uaenorth",
    "westeurope": "northeurope",
    "northeurope": "westeurope",
    "germanywestcentral": "germanynorth",
    "francecentral": "francesouth",
    "swedencentral": "swedensouth",
}


def copies_inside(resource: ResourceFact) -> Iterator[Objection]:
    """No key, log, snapshot or image is taken from or sent to another place, by region, ARN or host name."""
    yield from outside(resource, "RES-02")
    for path, region in foreign_texts(resource):
        yield from _must_be_inside(resource, "aws", region, path)
    if resource.kind == "aws:dlm:LifecyclePolicy":
        for at, copy in items(
            get(resource.inputs, "policyDetails", "action"), "crossRegionCopies", "policyDetails.action"
        ):
            yield from _must_be_inside(resource, "aws", get(copy, "target"), f"{at}.target")


def _must_be_inside(resource: ResourceFact, cloud: str, region: Any, path: str) -> Iterator[Objection]:
    allowed = allowed_pairs(resource)
    if isinstance(allowed, str) or region is None:
        return
    if region is UNKNOWN:
        yield undecided(path)
    elif (cloud, short_region(cloud, str(region))) not in allowed:
        yield Objection(f"{cloud} {region} is not in {resource.jurisdiction}", path=path)


def state_inside(stack: StackFact) -> Iterator[Objection]:
    """The state and the key of its secrets are where the stack may be."""
    yield from backend(stack)
    yield from encryption(stack)


def not_replicated(resource: ResourceFact) -> Iterator[Objection]:
    yield from outside(resource, "RES-03")
    check = _REPLICATING.get(resource.kind)
    if check is not None:
        yield from check(resource)


def _spans_regions(resource: ResourceFact) -> Iterator[Objection]:
    """What exists only to span regions, where the jurisdiction has no second one of this cloud."""
    allowed = allowed_pairs(resource)
    if not isinstance(allowed, str) and sum(cloud == resource.cloud for cloud, _ in allowed) < 2:
        yield Objection(f"spans regions, and {resource.jurisdiction} has one of {resource.cloud}")


def _multi_region_key(resource: ResourceFact) -> Iterator[Objection]:
    value = resource.inputs.get("multiRegion")
    if value is UNKNOWN:
        yield undecided("multiRegion")
    elif value not in (None, False):
        yield from (Objection(found.message, path="multiRegion") for found in _spans_regions(resource))


def _geo_redundant(path: str, *marks: str) -> Check:
    """The second copy of what says one of `marks` is in the region that Azure pairs with the resource's own."""
    keys = tuple(path.split("."))

    def check(resource: ResourceFact) -> Iterator[Objection]:
        value = get(resource.inputs, *keys)
        if value is UNKNOWN:
            yield undecided(path)
            return
        if not isinstance(value, str) or not any(mark in value.lower() for mark in marks):
            return
        allowed = allowed_pairs(resource)
        if isinstance(allowed, str):
            return
        if resource.region is UNKNOWN:
            yield Objection("where its second copy will be is not known yet", path=path, undecided=True)
            return
        region = short_region("azure", str(resource.region))
        paired = _AZURE_PAIRS.get(region)
        if paired is None or ("azure", paired) not in allowed:
            where = f"azure {paired}" if paired else f"the pair of {region}, which is not known"
            yield Objection(f"keeps a second copy in {where}: not in {resource.jurisdiction}", path=path)

    return check


_REPLICATING: Final[Mapping[str, Check]] = {
    "aws:kms:Key": _multi_region_key,
    "aws:kms:ExternalKey": _multi_region_key,
    "aws:rds:GlobalCluster": _spans_regions,
    "aws:dynamodb:GlobalTable": _spans_regions,
    "aws:docdb:GlobalCluster": _spans_regions,
    "aws:neptune:GlobalCluster": _spans_regions,
    "aws:elasticache:GlobalReplicationGroup": _spans_regions,
    "azure-native:storage:StorageAccount": _geo_redundant("sku.name", "grs", "gzrs"),
    "azure-native:dbforpostgresql:Server": _geo_redundant("backup.geoRedundantBackup", "enabled"),
    "azure-native:recoveryservices:Vault": _geo_redundant(
        "properties.redundancySettings.standardTierStorageRedundancy", "geo"
    ),
}


def replicated_inside(stack: StackFact) -> Iterator[Objection]:
    yield from second_site_inside(stack)
    yield from buckets_replicated_inside(stack)


def second_site_inside(stack: StackFact) -> Iterator[Objection]:
    """What stands by holds a copy of everything, so it is where the stack may be."""
    allowed = allowed_pairs(stack)
    if isinstance(allowed, str) or stack.standby is None:
        return
    cloud, region = stack.standby
    if (cloud, short_region(cloud, region)) not in allowed:
        message = f"the second site {cloud} {region} is not in {stack.jurisdiction}"
        remedy = "name as `standby` another (cloud, region) pair of the same jurisdiction"
        yield Objection(message, path="standby", remedy=remedy)


_BUCKET: Final = "aws:s3:Bucket"


def buckets_replicated_inside(stack: StackFact) -> Iterator[Objection]:
    """A bucket's name says no region: whatever objects are replicated to must be a bucket that the stack declares."""
    buckets = of_kind(stack, _BUCKET)
    for replication in of_kind(stack, "aws:s3:BucketReplicationConfig"):
        for at, one in items(replication.inputs, "rules", ""):
            arn = get(one, "destination", "bucket")
            path = f"{at}.destination.bucket"
            if isinstance(arn, str):
                name = arn.rpartition(":")[2]
                known = [bucket for bucket in buckets if bucket.inputs.get("bucket") == name]
            else:
                source = {bucket.urn for bucket in partners(replication, "bucket", buckets, "bucket")}
                known = [b for b in partners(replication, "rules", buckets, "bucket") if b.urn not in source]
            if not known and arn is UNKNOWN:
                message = "it is not known yet where objects are replicated to"
                yield Objection(message, path=path, subject=replication.urn, undecided=True)
            elif not known:
                message = "objects are replicated to a bucket that the stack does not declare, so nobody knows where"
                yield Objection(message, path=path, subject=replication.urn)
            for bucket in known:
                for found in _must_be_inside(replication, str(bucket.cloud), bucket.region, path):
                    yield Objection(found.message, found.path, found.undecided, subject=replication.urn)


RULES = (
    rule(
        "RES-02",
        rationale="A snapshot, a key or a log abroad is the data abroad, or the power over it.",
        severity=Severity.CRITICAL,
        remedy="name keys, logs, snapshots and registries of the jurisdiction's own regions",
        check=copies_inside,
    ),
    rule(
        "RES-02",
        rationale="The state holds every value of the stack, secrets included.",
        severity=Severity.CRITICAL,
        remedy="keep state and its key inside: `s3://bucket?region=...`, `awskms://key?region=...`",
        check=state_inside,
        applies_to=StackFact,
    ),
    rule(
        "RES-03",
        rationale="What replicates itself leaves without anyone copying it.",
        severity=Severity.CRITICAL,
        remedy="replicate within the jurisdiction, or not at all",
        check=not_replicated,
    ),
    rule(
        "RES-03",
        rationale="What replicates itself leaves without anyone copying it.",
        severity=Severity.CRITICAL,
        remedy="replicate to a bucket of the same stack, within the jurisdiction",
        check=replicated_inside,
        applies_to=StackFact,
    ),
)
