"""Continuity: a region can be lost, and what was deleted can be brought back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from falaj_policies.facts import UNKNOWN, ResourceFact, StackFact
from falaj_policies.model import Check, Objection, Severity
from falaj_policies.regimes import REGIMES
from falaj_policies.rules.declare import rule
from falaj_policies.rules.pairing import beside, of_kind
from falaj_policies.rules.requiring import all_of, at_least, is_there, is_true, one_of, unless
from falaj_policies.rules.where import allowed_pairs, short_region

__all__ = ["RULES"]

_LEAST_BACKUPS: Final = 7
_NAME_ONE: Final = "name as `standby` another (cloud, region) pair of the same jurisdiction"
_DEVELOPMENT: Final = ("on-premises", "local")


def second_site(stack: StackFact) -> Iterator[Objection]:
    """Another (cloud, region) pair of the jurisdiction stands by: must, where the regime says so, else should.

    The embedded site on one machine is for development: there it is never more than advice.
    """
    law = REGIMES.get(stack.regime)
    mandatory = law is not None and law.second_site_required and (stack.cloud, stack.region) != _DEVELOPMENT
    allowed = allowed_pairs(stack)
    if isinstance(allowed, str):
        return
    if stack.standby is None:
        yield Objection("no second site is named", path="standby", advisory=not mandatory, remedy=_NAME_ONE)
        return
    cloud, region = stack.standby
    short = short_region(cloud, region)
    # One that is elsewhere is RES-03's: whoever waives it lets data out, which takes two approvers.
    if UNKNOWN not in (stack.cloud, stack.region) and (cloud, short) == (
        stack.cloud,
        short_region(str(stack.cloud), str(stack.region)),
    ):
        message = f"the second site {cloud} {region} is the first one"
        yield Objection(message, path="standby", advisory=not mandatory, remedy=_NAME_ONE)


def _is_replica(resource: ResourceFact) -> bool:
    return is_there(resource.inputs.get("replicateSourceDb"))


def _backed_up(default: int) -> Check:
    return all_of(
        at_least(
            "backupRetentionPeriod", _LEAST_BACKUPS, f"keeps backups less than {_LEAST_BACKUPS} days", default=default
        ),
        is_true("deletionProtection", "can be deleted in one step, with its backups"),
    )


_RECOVERABLE: Final[Mapping[str, Check]] = {
    # Left out, an instance has no backups and a cluster has them for a day.
    "aws:rds:Instance": unless(_is_replica, _backed_up(0)),
    "aws:rds:Cluster": _backed_up(1),
    "aws:docdb:Cluster": _backed_up(1),
    "aws:neptune:Cluster": _backed_up(1),
    "aws:redshift:Cluster": at_least(
        "automatedSnapshotRetentionPeriod",
        _LEAST_BACKUPS,
        f"keeps snapshots less than {_LEAST_BACKUPS} days",
        default=1,
    ),
    "aws:dynamodb:Table": is_true("pointInTimeRecovery.enabled", "cannot be brought back to a moment before"),
    "aws:s3:BucketVersioning": one_of(
        "versioningConfiguration.status", ("Enabled",), "what is overwritten or deleted is gone"
    ),
    "azure-native:dbforpostgresql:Server": at_least(
        "backup.backupRetentionDays", _LEAST_BACKUPS, f"keeps backups less than {_LEAST_BACKUPS} days", default=7
    ),
    "azure-native:storage:BlobServiceProperties": all_of(
        is_true("isVersioningEnabled", "what is overwritten is gone"),
        is_true("deleteRetentionPolicy.enabled", "what is deleted is gone"),
        at_least(
            "deleteRetentionPolicy.days", _LEAST_BACKUPS, f"what is deleted is gone in {_LEAST_BACKUPS} days", default=0
        ),
    ),
}


def buckets_versioned(stack: StackFact) -> Iterator[Objection]:
    """Each bucket has a versioning configuration; whether that says Enabled is judged at the configuration."""
    message = "the bucket keeps no versions: what is overwritten or deleted is gone"
    buckets = of_kind(stack, "aws:s3:Bucket")
    yield from beside(stack, buckets, "aws:s3:BucketVersioning", "bucket", "bucket", lambda _: True, message)


def recoverable(stack: StackFact) -> Iterator[Objection]:
    yield from second_site(stack)
    yield from buckets_versioned(stack)


RULES = (
    rule(
        "BCP-01",
        rationale="Backups are what is left when a database, or somebody's rights to it, was lost.",
        severity=Severity.MEDIUM,
        remedy=f"keep backups for {_LEAST_BACKUPS} days or more, and protect what they are of from deletion",
        check=_RECOVERABLE,
    ),
    rule(
        "BCP-01",
        rationale="A region can be lost whole; residency leaves only the others of the jurisdiction to go to.",
        severity=Severity.HIGH,
        remedy="declare a BucketVersioning with status Enabled for the bucket",
        check=recoverable,
        applies_to=StackFact,
    ),
)
