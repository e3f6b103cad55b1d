"""Cases of the continuity rules."""

from __future__ import annotations

from typing import Any

from falaj_policies.testing.build import REMOVED, broken, good, stack
from falaj_policies.testing.case import Case
from falaj_policies.testing.stacks import bucket


def _one(kind: str, path: str, value: Any, what: str, /, **options: Any) -> Case:
    return Case("BCP-01", f"{kind} {what}", good(kind, **options), broken(kind, path, value, **options))


def _stack(what: str, regime: str, standby: tuple[str, str] | None) -> Case:
    return Case("BCP-01", what, stack(*bucket(), regime=regime), stack(*bucket(), regime=regime, standby=standby))


CASES = (
    *(
        case
        for kind in ("aws:rds:Instance", "aws:rds:Cluster", "aws:docdb:Cluster", "aws:neptune:Cluster")
        for case in (
            _one(kind, "backupRetentionPeriod", 6, "with backups of six days", backupRetentionPeriod=7),
            _one(kind, "backupRetentionPeriod", REMOVED, "with the provider's choice of backups"),
            _one(kind, "deletionProtection", REMOVED, "that can be deleted in one step"),
        )
    ),
    _one("aws:redshift:Cluster", "automatedSnapshotRetentionPeriod", 6, "with snapshots of six days"),
    _one("aws:redshift:Cluster", "automatedSnapshotRetentionPeriod", REMOVED, "with snapshots of a day"),
    _one("aws:dynamodb:Table", "pointInTimeRecovery.enabled", False, "without point-in-time recovery"),
    _one("aws:s3:BucketVersioning", "versioningConfiguration.status", "Suspended", "that is suspended"),
    _one("azure-native:dbforpostgresql:Server", "backup.backupRetentionDays", 6, "with backups of six days"),
    _one("azure-native:storage:BlobServiceProperties", "isVersioningEnabled", False, "without versions"),
    _one("azure-native:storage:BlobServiceProperties", "deleteRetentionPolicy.enabled", False, "without soft delete"),
    _one("azure-native:storage:BlobServiceProperties", "deleteRetentionPolicy.days", 6, "with six days to notice"),
    _stack("no second site under the central bank", "cbuae", None),
    _stack("no second site under the health law", "health", None),
    _stack("a second site that is the first", "cbuae", ("aws", "me-central-1")),
    Case(
        "BCP-01",
        "a bucket without versions",
        stack(*bucket()),
        stack(*bucket(without="aws:s3:BucketVersioning")),
    ),
)
