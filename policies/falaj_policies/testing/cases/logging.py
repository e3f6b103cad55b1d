"""Cases of the logging rules."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from falaj_policies.testing.build import HERE, REMOVED, broken, good, stack
from falaj_policies.testing.case import Case
from falaj_policies.testing.stacks import bucket, linked

_HEALTH: Final = dataclasses.replace(HERE["aws"], regime="health")
_VPC: Final = good("aws:ec2:Vpc")
_BUCKET: Final = bucket()
_TRAIL: Final = good("aws:cloudtrail:Trail")


def _one(rule: str, kind: str, path: str, value: Any, what: str, /, **options: Any) -> Case:
    return Case(rule, f"{kind} {what}", good(kind, **options), broken(kind, path, value, **options))


def _beside(what: str, kind: str, child: str, key: str, path: str, value: Any) -> tuple[Case, ...]:
    """Something with what must stand beside it; without; and with one that does not do."""
    parent, other = good(kind), linked(good(child), key, good(kind))
    spoilt = linked(broken(child, path, value), key, parent)
    whole = stack(parent, other)
    return (
        Case("LOG-01", f"{what}, none", whole, stack(parent)),
        Case("LOG-01", f"{what}, one with {path} {value}", whole, stack(parent, spoilt)),
        Case("LOG-01", f"{what}, one of another", whole, stack(parent, good(child))),
    )


def _in_log_bucket(what: str, kind: str, path: str, value: Any, **inputs: Any) -> Case:
    kept = good(kind, **inputs)
    return Case(
        "LOG-03",
        what,
        stack(*_BUCKET, _TRAIL, kept),
        stack(*_BUCKET, _TRAIL, broken(kind, path, value, **inputs)),
    )


_SETTING: Final = "azure-native:monitor:DiagnosticSetting"
_EKS_LOGS: Final = ("api", "audit", "authenticator", "controllerManager", "scheduler")

CASES = (
    *(
        _one(
            "LOG-01",
            "aws:eks:Cluster",
            "enabledClusterLogTypes",
            [name for name in _EKS_LOGS if name != missing],
            f"without its {missing} log",
        )
        for missing in _EKS_LOGS
    ),
    _one("LOG-01", "aws:eks:Cluster", "enabledClusterLogTypes", REMOVED, "without logs"),
    _one("LOG-01", "aws:cloudtrail:Trail", "isMultiRegionTrail", REMOVED, "of one region"),
    _one("LOG-01", "aws:cloudtrail:Trail", "enableLogFileValidation", REMOVED, "that may be changed"),
    _one("LOG-01", "aws:cloudtrail:Trail", "enableLogging", False, "that is off"),
    _one("LOG-01", "aws:cloudtrail:Trail", "includeGlobalServiceEvents", False, "without users and roles"),
    _one("LOG-01", "aws:rds:Instance", "enabledCloudwatchLogsExports", REMOVED, "without logs"),
    _one("LOG-01", "aws:rds:Cluster", "enabledCloudwatchLogsExports", [], "without logs"),
    _one("LOG-01", "aws:docdb:Cluster", "enabledCloudwatchLogsExports", REMOVED, "without logs"),
    _one("LOG-01", "aws:neptune:Cluster", "enableCloudwatchLogsExports", REMOVED, "without logs"),
    _one("LOG-01", "aws:apigateway:Stage", "accessLogSettings", REMOVED, "without an access log"),
    _one("LOG-01", "azure-native:web:WebApp", "siteConfig.httpLoggingEnabled", False, "without an access log"),
    _one("LOG-01", "aws:lb:LoadBalancer", "accessLogs.enabled", REMOVED, "without an access log"),
    _one("LOG-01", "aws:lb:LoadBalancer", "accessLogs.bucket", "", "with an access log that goes nowhere"),
    _one("LOG-01", "aws:elb:LoadBalancer", "accessLogs", REMOVED, "without an access log"),
    _one("LOG-01", "aws:elb:LoadBalancer", "accessLogs.enabled", False, "with its access log off"),
    _one("LOG-01", "aws:opensearch:Domain", "logPublishingOptions[0].logType", "INDEX_SLOW_LOGS", "without audit"),
    _one("LOG-01", "aws:opensearch:Domain", "logPublishingOptions[0].enabled", False, "with audit off"),
    _one(
        "LOG-01",
        "azure-native:containerservice:ManagedCluster",
        "addonProfiles.omsagent.enabled",
        False,
        "without its containers' logs",
    ),
    *(
        _one(
            "LOG-01",
            "azure-native:dbforpostgresql:Configuration",
            "value",
            "off",
            f"with {name} off",
            configurationName=name,
        )
        for name in ("log_connections", "log_disconnections", "log_checkpoints")
    ),
    *_beside("a network's flow log", "aws:ec2:Vpc", "aws:ec2:FlowLog", "vpcId", "trafficType", "ACCEPT"),
    *_beside(
        "a key vault's audit log",
        "azure-native:keyvault:Vault",
        _SETTING,
        "resourceUri",
        "logs[0].categoryGroup",
        "metrics",
    ),
    *_beside(
        "a cluster's audit log",
        "azure-native:containerservice:ManagedCluster",
        _SETTING,
        "resourceUri",
        "logs[0].enabled",
        False,
    ),
    _one("LOG-03", "aws:cloudwatch:LogGroup", "retentionInDays", 180, "of five months and a half", retentionInDays=365),
    _one(
        "LOG-03",
        "aws:cloudwatch:LogGroup",
        "retentionInDays",
        3653,
        "of ten years under the health law",
        place=_HEALTH,
        retentionInDays=0,
    ),
    _one("LOG-03", "aws:cloudtrail:EventDataStore", "retentionPeriod", 90, "of three months"),
    _one(
        "LOG-03",
        "azure-native:operationalinsights:Workspace",
        "retentionInDays",
        183,
        "a day short",
        retentionInDays=184,
    ),
    _one("LOG-03", "azure-native:operationalinsights:Workspace", "retentionInDays", REMOVED, "of a month"),
    _one(
        "LOG-03",
        _SETTING,
        "logs[0].retentionPolicy.days",
        30,
        "of a month",
        logs=[{"categoryGroup": "audit", "enabled": True, "retentionPolicy": {"enabled": True, "days": 0}}],
    ),
    _in_log_bucket(
        "logs that expire after a month", "aws:s3:BucketLifecycleConfiguration", "rules[0].expiration.days", 30
    ),
    _in_log_bucket(
        "a lock that lets logs go after a month",
        "aws:s3:BucketObjectLockConfiguration",
        "rule.defaultRetention.days",
        30,
    ),
)
