"""Logging: what was done is written down, kept, and cannot be unwritten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from falaj_policies.errors import UnknownRegime
from falaj_policies.facts import UNKNOWN, ResourceFact, StackFact
from falaj_policies.model import Check, Objection, Severity
from falaj_policies.regimes import retention_days
from falaj_policies.rules.declare import rule
from falaj_policies.rules.pairing import beside, of_kind, partners
from falaj_policies.rules.reading import get, items
from falaj_policies.rules.requiring import all_of, is_number, is_true, not_false, present, undecided

__all__ = ["RULES"]

_EKS_LOGS: Final = frozenset({"api", "audit", "authenticator", "controllerManager", "scheduler"})
# The longest that a Log Analytics workspace and a CloudTrail event data store hold, in days.
_WORKSPACE_HOLDS: Final = 730
_EVENT_STORE_HOLDS: Final = 3653
_YEAR: Final = 365.25


def _cluster_logs(resource: ResourceFact) -> Iterator[Objection]:
    said = [value for _, value in items(resource.inputs, "enabledClusterLogTypes", "")]
    missing = sorted(_EKS_LOGS.difference(value for value in said if isinstance(value, str)))
    if missing:
        path = "enabledClusterLogTypes"
        yield undecided(path) if UNKNOWN in said else Objection(f"does not log {', '.join(missing)}", path=path)


def _some_of(key: str, message: str) -> Check:
    def check(resource: ResourceFact) -> Iterator[Objection]:
        if not list(items(resource.inputs, key, "")):
            yield Objection(message, path=key)

    return check


def _access_logs(resource: ResourceFact) -> Iterator[Objection]:
    if resource.inputs.get("loadBalancerType") != "gateway":
        yield from _ACCESS_LOGS(resource)


_ACCESS_LOGS: Final = all_of(
    is_true("accessLogs.enabled", "does not log who asks for what"),
    present("accessLogs.bucket", "its access log goes nowhere"),
)


def _audit_published(resource: ResourceFact) -> Iterator[Objection]:
    path = "logPublishingOptions"
    found = [one for _, one in items(resource.inputs, path, "")]
    kinds = [UNKNOWN if one is UNKNOWN else get(one, "logType") for one in found if get(one, "enabled") is not False]
    if "AUDIT_LOGS" not in kinds:
        yield undecided(path) if UNKNOWN in kinds else Objection("does not publish its audit log", path=path)


def _postgres_setting(resource: ResourceFact) -> Iterator[Objection]:
    name, value = resource.inputs.get("configurationName"), resource.inputs.get("value")
    if name in ("log_connections", "log_disconnections", "log_checkpoints"):
        if value is UNKNOWN:
            yield undecided("value")
        elif str(value).lower() not in ("on", "true", "1"):
            yield Objection(f"switches {name} off", path="value")


_LOGGED: Final[Mapping[str, Check]] = {
    "aws:eks:Cluster": _cluster_logs,
    "aws:cloudtrail:Trail": all_of(
        is_true("isMultiRegionTrail", "what is done through other regions is not logged"),
        is_true("enableLogFileValidation", "nothing shows whether the log was changed"),
        not_false("enableLogging", "does not log"),
        not_false("includeGlobalServiceEvents", "what is done to users and roles is not logged"),
    ),
    "aws:rds:Instance": _some_of("enabledCloudwatchLogsExports", "none of its logs leaves the database"),
    "aws:rds:Cluster": _some_of("enabledCloudwatchLogsExports", "none of its logs leaves the database"),
    "aws:docdb:Cluster": _some_of("enabledCloudwatchLogsExports", "none of its logs leaves the database"),
    "aws:neptune:Cluster": _some_of("enableCloudwatchLogsExports", "none of its logs leaves the database"),
    "aws:lb:LoadBalancer": _access_logs,
    "aws:alb:LoadBalancer": _access_logs,
    "aws:elb:LoadBalancer": all_of(
        present("accessLogs.bucket", "does not log who asks for what"),
        not_false("accessLogs.enabled", "does not log who asks for what"),
    ),
    "aws:apigateway:Stage": present("accessLogSettings.destinationArn", "does not log who asks for what"),
    "aws:opensearch:Domain": _audit_published,
    "azure-native:containerservice:ManagedCluster": is_true(
        "addonProfiles.omsagent.enabled", "what its containers log is kept nowhere"
    ),
    "azure-native:dbforpostgresql:Configuration": _postgres_setting,
    "azure-native:web:WebApp": is_true("siteConfig.httpLoggingEnabled", "does not log who asks for what"),
}

_AUDIT_CATEGORIES: Final[Mapping[str, tuple[str, ...]]] = {
    "azure-native:containerservice:ManagedCluster": ("kube-audit", "kube-audit-admin"),
    "azure-native:keyvault:Vault": ("AuditEvent",),
}
_AUDIT_GROUPS: Final = ("audit", "allLogs")


def logged_beside(stack: StackFact) -> Iterator[Objection]:
    """Each network has a flow log, each Azure cluster and key vault a diagnostic setting for its audit log."""
    networks, message = of_kind(stack, "aws:ec2:Vpc"), "the network has no flow log of all its traffic"
    yield from beside(stack, networks, "aws:ec2:FlowLog", "vpcId", "id", _logs_all_traffic, message)
    for kind, categories in _AUDIT_CATEGORIES.items():
        parents = of_kind(stack, kind)

        def keeps(setting: ResourceFact, categories: tuple[str, ...] = categories) -> bool:
            return any(_logs_audit(one, categories) for _, one in items(setting.inputs, "logs", ""))

        message = "no diagnostic setting keeps its audit log"
        yield from beside(stack, parents, "azure-native:monitor:DiagnosticSetting", "resourceUri", "id", keeps, message)


def _logs_all_traffic(log: ResourceFact) -> bool:
    return log.inputs.get("trafficType") in ("ALL", UNKNOWN)


def _logs_audit(log: Any, categories: tuple[str, ...]) -> bool:
    if log is UNKNOWN:
        return True
    if get(log, "enabled") in (None, False):
        return False
    category, group = get(log, "category"), get(log, "categoryGroup")
    return UNKNOWN in (category, group) or category in categories or group in _AUDIT_GROUPS


def _days(resource: ResourceFact | StackFact) -> int | str:
    """How long logs are kept at least under the resource's regime, or one line that says why nobody knows."""
    try:
        return retention_days(resource.regime)
    except UnknownRegime as error:
        return str(error)


def _kept(key: str, *, absent: int | None, holds: int | None = None) -> Check:
    """The days under `key` are enough; `absent` is what is taken where nothing is said, None for ever; so is 0.

    `holds` is the most that such a store can do: where the regime asks for more, it is the least, and a reminder says
    that the rest must be kept elsewhere.
    """

    def check(resource: ResourceFact) -> Iterator[Objection]:
        least = _days(resource)
        if isinstance(least, str):
            yield Objection(least, path=key)
            return
        if holds is not None and least > holds:
            message = f"holds {holds} days at most of the {least}: export what it logs to a store that keeps the rest"
            yield Objection(message, path=key, advisory=True)
            least = holds
        value: Any = resource.inputs.get(key, absent)
        if value is UNKNOWN:
            yield undecided(key)
        elif value is not None and not (is_number(value) and (value >= least or (value == 0 and holds is None))):
            yield Objection(f"keeps logs {value} days, not {least}", path=key)

    return check


def _diagnostic_setting(resource: ResourceFact) -> Iterator[Objection]:
    """The retention of a setting is for its storage account only; 0 is for ever."""
    least = _days(resource)
    for at, one in items(resource.inputs, "logs", ""):
        days, enabled = get(one, "retentionPolicy", "days"), get(one, "retentionPolicy", "enabled")
        path = f"{at}.retentionPolicy.days"
        if isinstance(least, str):
            yield Objection(least, path=path)
        elif one is UNKNOWN or days is UNKNOWN or enabled is UNKNOWN:
            yield undecided(path)
        elif enabled is True and not (is_number(days) and (days >= least or days == 0)):
            yield Objection(f"keeps logs {days} days, not {least}", path=path)


_RETENTION: Final[Mapping[str, Check]] = {
    "aws:cloudwatch:LogGroup": _kept("retentionInDays", absent=None),
    "aws:cloudtrail:EventDataStore": _kept("retentionPeriod", absent=2555, holds=_EVENT_STORE_HOLDS),
    "azure-native:operationalinsights:Workspace": _kept("retentionInDays", absent=30, holds=_WORKSPACE_HOLDS),
    "azure-native:monitor:DiagnosticSetting": _diagnostic_setting,
    "azure-native:insights:DiagnosticSetting": _diagnostic_setting,
}

# Where logs go into a bucket: the kind and the input that names it.
_INTO_BUCKETS: Final = (
    ("aws:cloudtrail:Trail", "s3BucketName"),
    ("aws:s3:BucketLogging", "targetBucket"),
    ("aws:cfg:DeliveryChannel", "s3BucketName"),
    ("aws:lb:LoadBalancer", "accessLogs"),
    ("aws:ec2:FlowLog", "logDestination"),
)


def log_buckets_keep(stack: StackFact) -> Iterator[Objection]:
    """Nothing expires early in a bucket that logs go to, and a lock on it holds as long."""
    least = _days(stack)
    if isinstance(least, str):
        yield Objection(least)
        return
    buckets = of_kind(stack, "aws:s3:Bucket")
    logs = {
        bucket.urn
        for kind, key in _INTO_BUCKETS
        for source in of_kind(stack, kind)
        for bucket in [*partners(source, key, buckets, "bucket"), *_named_by(source, key, buckets)]
    }
    for lifecycle in of_kind(stack, "aws:s3:BucketLifecycleConfiguration"):
        if not any(bucket.urn in logs for bucket in partners(lifecycle, "bucket", buckets, "bucket")):
            continue
        for at, one in items(lifecycle.inputs, "rules", ""):
            days, path = get(one, "expiration", "days"), f"{at}.expiration.days"
            if days is UNKNOWN:
                yield Objection("it is not known yet when logs expire", path, undecided=True, subject=lifecycle.urn)
            elif days is not None and get(one, "status") != "Disabled" and not (is_number(days) and days >= least):
                yield Objection(f"logs expire after {days} days, not {least}", path, subject=lifecycle.urn)
    for lock in of_kind(stack, "aws:s3:BucketObjectLockConfiguration"):
        if any(bucket.urn in logs for bucket in partners(lock, "bucket", buckets, "bucket")):
            yield from _lock_holds(lock, least)


def _named_by(source: ResourceFact, key: str, buckets: list[ResourceFact]) -> list[ResourceFact]:
    """Buckets that an ARN or an object with a `bucket` names."""
    said = source.inputs.get(key)
    name = get(said, "bucket") if isinstance(said, Mapping) else said
    plain = name.removeprefix("arn:aws:s3:::").partition("/")[0] if isinstance(name, str) else None
    return [bucket for bucket in buckets if plain is not None and bucket.inputs.get("bucket") == plain]


def _lock_holds(lock: ResourceFact, least: int) -> Iterator[Objection]:
    retention = get(lock.inputs, "rule", "defaultRetention")
    days, years = get(retention, "days"), get(retention, "years")
    path = "rule.defaultRetention"
    if UNKNOWN in (retention, days, years):
        yield Objection("it is not known yet how long the lock holds", path, undecided=True, subject=lock.urn)
    elif retention is not None:
        held = years * _YEAR if is_number(years) else days
        if not (is_number(held) and held >= least):
            yield Objection(f"the lock does not hold for {least} days", path, subject=lock.urn)


RULES = (
    rule(
        "LOG-01",
        rationale="What was not logged cannot be shown, to an auditor or after a breach.",
        severity=Severity.HIGH,
        remedy="switch all of its logs on",
        check=_LOGGED,
    ),
    rule(
        "LOG-01",
        rationale="Some logs are resources of their own: without them nothing is written.",
        severity=Severity.HIGH,
        remedy="declare a FlowLog of all traffic, or a DiagnosticSetting with the audit category",
        check=logged_beside,
        applies_to=StackFact,
    ),
    rule(
        "LOG-03",
        rationale="A breach is found months after it began; the law asks for longer still.",
        severity=Severity.MEDIUM,
        remedy="keep logs as long as the regime asks, or without end",
        check=_RETENTION,
    ),
    rule(
        "LOG-03",
        rationale="A lifecycle rule deletes logs as it deletes anything.",
        severity=Severity.MEDIUM,
        remedy="let logs expire no sooner than the regime asks",
        check=log_buckets_keep,
        applies_to=StackFact,
    ),
)
