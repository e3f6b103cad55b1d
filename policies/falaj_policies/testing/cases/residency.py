"""Cases of the residency rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from falaj_policies.facts import ResourceFact
from falaj_policies.place import Place
from falaj_policies.testing.build import REMOVED, broken, good, stack
from falaj_policies.testing.case import Case
from falaj_policies.testing.stacks import bucket, linked

_ABROAD: Final = "eu-west-1"
# Whose paired region is none of the jurisdiction's.
_FRANCE: Final[Mapping[str, Any]] = {
    "place": Place(cloud="azure", region="francecentral", jurisdiction="eu", regime="gdpr"),
    "location": "francecentral",
}
_POLICY: Final = "kubernetes:networking:NetworkPolicy"
_SERVICE: Final = "kubernetes:core:Service"


def _one(rule: str, kind: str, path: str, value: Any, what: str, /, **options: Any) -> Case:
    return Case(rule, what, good(kind, **options), broken(kind, path, value, **options))


def _stack(rule: str, what: str, bad: dict[str, Any], **fields: Any) -> Case:
    return Case(rule, what, stack(*bucket(), **fields), stack(*bucket(), **{**fields, **bad}))


def _replicating(**options: Any) -> Any:
    """A stack with a bucket whose objects are replicated to another of its own."""
    source, target = bucket(), bucket("acme-copies", **options)
    config = good("aws:s3:BucketReplicationConfig")
    return stack(*source, *target, linked(config, "rules", target[0]))


def _global_cluster(jurisdiction: str) -> ResourceFact:
    """What exists to span regions: it names none, so only the jurisdiction tells the two apart."""
    place = Place(cloud="aws", region="", jurisdiction=jurisdiction)
    here = {"eu": "eu-west-1", "uae": "me-central-1"}[jurisdiction]
    return place.resource("aws:rds/globalCluster:GlobalCluster", "r", {"region": here, "storageEncrypted": True})


_UNDECLARED: Final = stack(*bucket(), good("aws:s3:BucketReplicationConfig"))

CASES = (
    _one("RES-01", "aws:s3:Bucket", "region", _ABROAD, "a bucket abroad"),
    _one("RES-01", "azure-native:storage:StorageAccount", "location", "westeurope", "an account abroad"),
    _one("RES-01", "azure-native:containerregistry:Replication", "location", "West Europe", "a registry's copy abroad"),
    _one(
        "RES-01",
        "kubernetes:core:Pod",
        "spec.nodeSelector.'topology.kubernetes.io/region'",
        _ABROAD,
        "a pod that asks for nodes abroad",
    ),
    _one(
        "RES-01",
        "kubernetes:core:Pod",
        "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution",
        {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "topology.kubernetes.io/region", "operator": "In", "values": [_ABROAD]}]}
            ]
        },
        "a pod that has an affinity for nodes abroad",
    ),
    Case(
        "RES-01",
        "a bucket of a stack without a jurisdiction",
        good("aws:s3:Bucket"),
        dataclasses.replace(good("aws:s3:Bucket"), jurisdiction=""),
    ),
    Case(
        "RES-01",
        "a law that does not bind in the country",
        good("aws:s3:Bucket"),
        dataclasses.replace(good("aws:s3:Bucket"), regime="gdpr"),
    ),
    _stack("RES-01", "a stack abroad", {"region": _ABROAD}),
    _stack("RES-01", "a stack in Riyadh by the name of the UAE", {"cloud": "alibaba"}),
    _one("RES-02", "aws:rds:SnapshotCopy", "destinationRegion", _ABROAD, "a database's snapshot abroad"),
    _one("RES-02", "aws:ebs:Volume", "kmsKeyId", f"arn:aws:kms:{_ABROAD}:1:key/k", "a key abroad"),
    _one(
        "RES-02",
        "aws:dlm:LifecyclePolicy",
        "policyDetails.action",
        {"crossRegionCopies": [{"target": _ABROAD}]},
        "snapshots that are copied abroad on an event",
    ),
    _one(
        "RES-02",
        "aws:dlm:LifecyclePolicy",
        "policyDetails.schedules[0].crossRegionCopyRules",
        [{"targetRegion": _ABROAD}],
        "snapshots that are copied abroad by a schedule",
    ),
    _one(
        "RES-02",
        "aws:backup:Plan",
        "rules[0].copyActions",
        [{"destinationVaultArn": f"arn:aws:backup:{_ABROAD}:1:backup-vault:v"}],
        "backups that are copied abroad",
    ),
    _one(
        "RES-02",
        "aws:cloudtrail:Trail",
        "cloudWatchLogsGroupArn",
        f"arn:aws:logs:{_ABROAD}:1:log-group:g",
        "logs that go abroad",
    ),
    _one(
        "RES-02",
        "kubernetes:core:Pod",
        "spec.containers[0].image",
        f"1.dkr.ecr.{_ABROAD}.amazonaws.com/i@sha256:" + "a" * 64,
        "an image from a registry abroad",
    ),
    _stack("RES-02", "state in a bucket abroad", {"backend": f"s3://b?region={_ABROAD}"}),
    _stack("RES-02", "state in a bucket of no region", {"backend": "s3://b"}),
    _stack("RES-02", "state in Pulumi Cloud", {"backend": "https://api.pulumi.com"}),
    _stack("RES-02", "state on somebody's machine", {"backend": "file://~"}),
    _stack(
        "RES-02", "state behind an endpoint of its own", {"backend": "s3://b?region=me-central-1&endpoint=x.example"}
    ),
    _stack("RES-02", "state in an account that nothing declares", {"backend": "azblob://c?storage_account=elsewhere"}),
    _stack("RES-02", "state in a bucket that no region is known of", {"backend": "gs://b"}),
    _stack("RES-02", "state nobody knows where", {"backend": ""}),
    _stack(
        "RES-02",
        "the secrets' key abroad",
        {"encryption": f"awskms://alias/k?region={_ABROAD}"},
        encryption="awskms://alias/k?region=me-central-1",
    ),
    _stack("RES-02", "the secrets' key abroad by ARN", {"encryption": f"awskms:///arn:aws:kms:{_ABROAD}:1:key/k"}),
    _stack("RES-02", "the secrets' key at Google", {"encryption": "gcpkms://projects/p/locations/europe-west1/k"}),
    _stack("RES-02", "the secrets' key in an undeclared vault", {"encryption": "azurekeyvault://v.vault.azure.net/k"}),
    _one("RES-03", "aws:dynamodb:Table", "replicas", [{"regionName": _ABROAD}], "a table with a replica abroad"),
    _one("RES-03", "aws:secretsmanager:Secret", "replicas", [{"region": _ABROAD}], "a secret with a replica abroad"),
    _one("RES-03", "aws:efs:ReplicationConfiguration", "destination.region", _ABROAD, "files replicated abroad"),
    _one(
        "RES-03",
        "aws:ecr:ReplicationConfiguration",
        "replicationConfiguration.rules[0].destinations[0].region",
        _ABROAD,
        "images replicated abroad",
    ),
    _one("RES-03", "aws:kms:Key", "multiRegion", True, "a key of many regions, where there is one"),
    Case(
        "RES-03",
        "a database of many regions, where there is one",
        _global_cluster("eu"),
        _global_cluster("uae"),
    ),
    _one(
        "RES-03", "azure-native:storage:StorageAccount", "sku.name", "Standard_GRS", "a second copy abroad", **_FRANCE
    ),
    _one(
        "RES-03",
        "azure-native:storage:StorageAccount",
        "sku.name",
        "Standard_RAGZRS",
        "a second copy abroad that can be read",
        **_FRANCE,
    ),
    _one(
        "RES-03",
        "azure-native:dbforpostgresql:Server",
        "backup.geoRedundantBackup",
        "Enabled",
        "backups in the paired region",
        **_FRANCE,
    ),
    _one(
        "RES-03",
        "azure-native:recoveryservices:Vault",
        "properties.redundancySettings.standardTierStorageRedundancy",
        "GeoRedundant",
        "recovery points in the paired region",
        **_FRANCE,
    ),
    _one(
        "RES-03",
        "azure-native:cosmosdb:DatabaseAccount",
        "locations[1]",
        {"locationName": "West Europe", "failoverPriority": 1},
        "a database with a location abroad",
    ),
    _stack("RES-03", "a second site abroad", {"standby": ("aws", _ABROAD)}),
    Case("RES-03", "a bucket replicated abroad", _replicating(), _replicating(region=_ABROAD)),
    Case("RES-03", "a bucket replicated nobody knows where", _replicating(), _UNDECLARED),
    _one("RES-04", "aws:ec2:SecurityGroup", "egress[0].cidrBlocks[0]", "0.0.0.0/0", "everything out"),
    _one("RES-04", "aws:ec2:SecurityGroup", "egress[0].cidrBlocks[0]", "128.0.0.0/1", "half of everything out"),
    _one("RES-04", "aws:ec2:SecurityGroup", "egress[0].ipv6CidrBlocks[0]", "::/0", "everything out by IPv6"),
    _one("RES-04", "aws:ec2:SecurityGroupRule", "cidrBlocks[0]", "0.0.0.0/0", "a rule that lets everything out"),
    _one("RES-04", "aws:vpc:SecurityGroupEgressRule", "cidrIpv4", "0.0.0.0/0", "an egress rule for everything"),
    _one("RES-04", "aws:vpc:SecurityGroupEgressRule", "cidrIpv6", "::/0", "an egress rule for all of IPv6"),
    _one(
        "RES-04",
        "azure-native:network:NetworkSecurityGroup",
        "securityRules[0].destinationAddressPrefix",
        "Internet",
        "a group that lets everything out",
    ),
    _one("RES-04", "azure-native:network:SecurityRule", "destinationAddressPrefix", "*", "a rule for any destination"),
    _one(
        "RES-04",
        "azure-native:network:SecurityRule",
        "destinationAddressPrefixes",
        ["10.0.0.0/8", "0.0.0.0/0"],
        "a rule with everything among its destinations",
    ),
    _one("RES-04", _POLICY, "spec.egress[0].to[0].ipBlock.cidr", "0.0.0.0/0", "pods that reach everything"),
    _one("RES-04", _POLICY, "spec.egress[0].to", REMOVED, "pods with no destination named"),
    _one("RES-04", _SERVICE, "spec.type", "LoadBalancer", "a tenant's load balancer", tenant="acme"),
    _one("RES-04", _SERVICE, "spec.type", "NodePort", "a tenant's port on every node", tenant="acme"),
    _one(
        "RES-04",
        _SERVICE,
        "spec",
        {"type": "ExternalName", "externalName": "acme.example"},
        "a tenant's name for what is outside",
        tenant="acme",
    ),
    _one("RES-04", _SERVICE, "spec.externalIPs", ["198.51.100.7"], "a tenant's external address", tenant="acme"),
    _stack("RES-05", "a tenant of no regime", {"regime": ""}, tenant="acme"),
    _stack("RES-05", "DIFC without a transfer basis", {"transfer_basis": ""}, regime="difc", transfer_basis="x"),
    _stack("RES-05", "ADGM without a transfer basis", {"transfer_basis": ""}, regime="adgm", transfer_basis="x"),
)
