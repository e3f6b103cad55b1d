"""Crypto: data at rest under the customer's own keys, and what may happen to those keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ResourceFact, StackFact
from falaj_policies.model import Check, Objection, Severity
from falaj_policies.rules import tls
from falaj_policies.rules.declare import rule
from falaj_policies.rules.pairing import beside, of_kind
from falaj_policies.rules.reading import get, items
from falaj_policies.rules.requiring import (
    all_of,
    at_least,
    customer_key,
    is_customer_key,
    is_number,
    is_there,
    is_true,
    not_false,
    not_true,
    one_of,
    present,
    satisfies,
    undecided,
    unless,
)

__all__ = ["RULES"]

# How long a key that was deleted can still be brought back, in days. The clouds allow 7 to 30 (AWS) and 7 to 90
# (Azure); a fortnight outlasts a holiday and the week in which nobody misses a key.
LEAST_DELETION_WINDOW: Final = 14
_LONGEST_ROTATION: Final = 365

_NOT_UNDER_A_KEY: Final = "is not encrypted under a key of the customer's"
_NOT_ENCRYPTED: Final = "is not encrypted at rest"
_SCRATCH_IN_CLEAR: Final = "keeps its nodes' scratch disks in clear"
_KMS_ALGORITHMS: Final = ("aws:kms", "aws:kms:dsse")


def _encrypted(flag: str, key: str) -> Check:
    return all_of(is_true(flag, _NOT_ENCRYPTED), customer_key(key))


def _is_replica(resource: ResourceFact) -> bool:
    """A database that is made of another takes its encryption and backups from there."""
    return is_there(resource.inputs.get("replicateSourceDb"))


def _disk(disk: Any, path: str) -> Iterator[Objection]:
    """A disk as instances and launch templates describe it; the templates say `encrypted` as text."""
    encrypted = get(disk, "encrypted")
    if encrypted is UNKNOWN:
        yield undecided(f"{path}.encrypted")
    elif encrypted not in (True, "true"):
        yield Objection(_NOT_ENCRYPTED, path=f"{path}.encrypted")
    elif not is_customer_key(get(disk, "kmsKeyId")):
        yield Objection(_NOT_UNDER_A_KEY, path=f"{path}.kmsKeyId")


def _instance(resource: ResourceFact) -> Iterator[Objection]:
    root = resource.inputs.get("rootBlockDevice")
    if root is UNKNOWN:
        yield undecided("rootBlockDevice")
    else:
        yield from _disk(root, "rootBlockDevice")
    for at, disk in items(resource.inputs, "ebsBlockDevices", ""):
        yield from [undecided(at)] if disk is UNKNOWN else _disk(disk, at)


def _launch_template(resource: ResourceFact) -> Iterator[Objection]:
    disks = list(items(resource.inputs, "blockDeviceMappings", ""))
    if not disks:
        yield Objection("its disks are the image's, under whatever key that has", path="blockDeviceMappings")
    for at, mapping in disks:
        ebs = get(mapping, "ebs")
        if ebs is UNKNOWN:
            yield undecided(f"{at}.ebs")
        elif ebs is not None:
            yield from _disk(ebs, f"{at}.ebs")


def _repository(resource: ResourceFact) -> Iterator[Objection]:
    found = list(items(resource.inputs, "encryptionConfigurations", ""))
    if not found:
        yield Objection(_NOT_UNDER_A_KEY, path="encryptionConfigurations")
    for at, one in found:
        kind = get(one, "encryptionType")
        if kind is UNKNOWN:
            yield undecided(f"{at}.encryptionType")
        elif kind not in ("KMS", "KMS_DSSE") or not is_customer_key(get(one, "kmsKey")):
            yield Objection(_NOT_UNDER_A_KEY, path=at)


def _bucket_encryption(resource: ResourceFact) -> Iterator[Objection]:
    found = list(items(resource.inputs, "rules", ""))
    if not found:
        yield Objection(_NOT_UNDER_A_KEY, path="rules")
    for at, one in found:
        default = get(one, "applyServerSideEncryptionByDefault")
        path = f"{at}.applyServerSideEncryptionByDefault"
        algorithm = get(default, "sseAlgorithm")
        if algorithm is UNKNOWN:
            yield undecided(f"{path}.sseAlgorithm")
        elif algorithm not in _KMS_ALGORITHMS:
            yield Objection(_NOT_UNDER_A_KEY, path=f"{path}.sseAlgorithm")
        elif not is_customer_key(get(default, "kmsMasterKeyId")):
            yield Objection(_NOT_UNDER_A_KEY, path=f"{path}.kmsMasterKeyId")


def _agent_pools(resource: ResourceFact) -> Iterator[Objection]:
    for at, pool in items(resource.inputs, "agentPoolProfiles", ""):
        value = get(pool, "enableEncryptionAtHost")
        if value is UNKNOWN:
            yield undecided(f"{at}.enableEncryptionAtHost")
        elif value is not True:
            yield Objection(_SCRATCH_IN_CLEAR, path=f"{at}.enableEncryptionAtHost")


def _plain_parameter(resource: ResourceFact) -> bool:
    return resource.inputs.get("type") in ("String", "StringList")


def _has_launch_template(resource: ResourceFact) -> Iterator[Objection]:
    """Without one, a node group's disks are what the service makes them."""
    template = resource.inputs.get("launchTemplate")
    if template is not UNKNOWN and not isinstance(template, Mapping):
        yield Objection(
            "without a launch template its nodes' disks are under no key of the customer's", "launchTemplate"
        )


def _machine(resource: ResourceFact) -> Iterator[Objection]:
    profile = resource.inputs.get("storageProfile")
    disks = [("storageProfile.osDisk", get(profile, "osDisk")), *items(profile, "dataDisks", "storageProfile")]
    for at, disk in disks:
        found = get(disk, "managedDisk", "diskEncryptionSet", "id")
        if not is_there(found):
            yield Objection(_NOT_UNDER_A_KEY, path=f"{at}.managedDisk.diskEncryptionSet.id")


_AT_REST: Final[Mapping[str, Check]] = {
    "aws:ebs:Volume": _encrypted("encrypted", "kmsKeyId"),
    "aws:ebs:SnapshotCopy": _encrypted("encrypted", "kmsKeyId"),
    "aws:ec2:AmiCopy": _encrypted("encrypted", "kmsKeyId"),
    "aws:ec2:Instance": _instance,
    "aws:ec2:LaunchTemplate": _launch_template,
    "aws:rds:Instance": unless(_is_replica, _encrypted("storageEncrypted", "kmsKeyId")),
    "aws:rds:Cluster": _encrypted("storageEncrypted", "kmsKeyId"),
    "aws:docdb:Cluster": _encrypted("storageEncrypted", "kmsKeyId"),
    "aws:neptune:Cluster": _encrypted("storageEncrypted", "kmsKeyArn"),
    "aws:redshift:Cluster": _encrypted("encrypted", "kmsKeyId"),
    "aws:efs:FileSystem": _encrypted("encrypted", "kmsKeyId"),
    "aws:ecr:Repository": _repository,
    "aws:cloudwatch:LogGroup": customer_key("kmsKeyId"),
    "aws:cloudtrail:Trail": customer_key("kmsKeyId"),
    "aws:dynamodb:Table": _encrypted("serverSideEncryption.enabled", "serverSideEncryption.kmsKeyArn"),
    "aws:sns:Topic": customer_key("kmsMasterKeyId"),
    "aws:sqs:Queue": customer_key("kmsMasterKeyId"),
    "aws:kinesis:Stream": all_of(one_of("encryptionType", ("KMS",), _NOT_ENCRYPTED), customer_key("kmsKeyId")),
    "aws:secretsmanager:Secret": customer_key("kmsKeyId"),
    "aws:ssm:Parameter": unless(_plain_parameter, customer_key("keyId")),
    "aws:opensearch:Domain": _encrypted("encryptAtRest.enabled", "encryptAtRest.kmsKeyId"),
    "aws:elasticache:ReplicationGroup": _encrypted("atRestEncryptionEnabled", "kmsKeyId"),
    "aws:msk:Cluster": customer_key("encryptionInfo.encryptionAtRestKmsKeyArn"),
    "aws:backup:Vault": customer_key("kmsKeyArn"),
    "aws:fsx:LustreFileSystem": customer_key("kmsKeyId"),
    "aws:eks:NodeGroup": _has_launch_template,
    "aws:sagemaker:NotebookInstance": customer_key("kmsKeyId"),
    "aws:sagemaker:Domain": customer_key("kmsKeyId"),
    "aws:sagemaker:EndpointConfiguration": customer_key("kmsKeyArn"),
    "aws:s3:BucketServerSideEncryptionConfiguration": _bucket_encryption,
    "azure-native:storage:StorageAccount": all_of(
        one_of("encryption.keySource", ("Microsoft.Keyvault",), _NOT_UNDER_A_KEY),
        present("encryption.keyVaultProperties.keyName", _NOT_UNDER_A_KEY),
        present("encryption.keyVaultProperties.keyVaultUri", _NOT_UNDER_A_KEY),
    ),
    **{
        f"azure-native:compute:{name}": all_of(
            one_of(
                "encryption.type",
                ("EncryptionAtRestWithCustomerKey", "EncryptionAtRestWithPlatformAndCustomerKeys"),
                _NOT_UNDER_A_KEY,
            ),
            present("encryption.diskEncryptionSetId", _NOT_UNDER_A_KEY),
        )
        for name in ("Disk", "Snapshot")
    },
    "azure-native:compute:VirtualMachine": all_of(
        is_true("securityProfile.encryptionAtHost", "keeps its scratch disks in clear"), _machine
    ),
    "azure-native:dbforpostgresql:Server": all_of(
        one_of("dataEncryption.type", ("AzureKeyVault",), _NOT_UNDER_A_KEY),
        present("dataEncryption.primaryKeyURI", _NOT_UNDER_A_KEY),
    ),
    "azure-native:containerregistry:Registry": all_of(
        one_of("encryption.status", ("enabled",), _NOT_UNDER_A_KEY),
        present("encryption.keyVaultProperties.keyIdentifier", _NOT_UNDER_A_KEY),
    ),
    "azure-native:operationalinsights:Cluster": present("keyVaultProperties.keyVaultUri", _NOT_UNDER_A_KEY),
    "azure-native:cosmosdb:DatabaseAccount": present("keyVaultKeyUri", _NOT_UNDER_A_KEY),
    "azure-native:machinelearningservices:Workspace": all_of(
        one_of("encryption.status", ("Enabled",), _NOT_UNDER_A_KEY),
        present("encryption.keyVaultProperties.keyIdentifier", _NOT_UNDER_A_KEY),
    ),
    "azure-native:containerservice:ManagedCluster": all_of(
        present("diskEncryptionSetID", "its nodes' disks are not encrypted under a key of the customer's"),
        _agent_pools,
    ),
    "azure-native:containerservice:AgentPool": is_true("enableEncryptionAtHost", _SCRATCH_IN_CLEAR),
}


def buckets_encrypted(stack: StackFact) -> Iterator[Objection]:
    """Each bucket has an encryption configuration; which key that names is judged at the configuration."""
    kind = "aws:s3:BucketServerSideEncryptionConfiguration"
    message = "the bucket has no encryption configuration that names a key of the customer's"
    yield from beside(stack, of_kind(stack, "aws:s3:Bucket"), kind, "bucket", "bucket", lambda _: True, message)


def _secrets_listed(resource: ResourceFact) -> Iterator[Objection]:
    names = [value for _, value in items(get(resource.inputs, "encryptionConfig"), "resources", "")]
    if "secrets" not in names:
        path = "encryptionConfig.resources"
        yield undecided(path) if UNKNOWN in names else Objection("its secrets are not encrypted", path=path)


_SECRETS: Final[Mapping[str, Check]] = {
    "aws:eks:Cluster": all_of(
        present("encryptionConfig.provider.keyArn", "its secrets are under a key of the provider's"), _secrets_listed
    ),
    "azure-native:containerservice:ManagedCluster": all_of(
        is_true("securityProfile.azureKeyVaultKms.enabled", "its secrets are under a key of the provider's"),
        present("securityProfile.azureKeyVaultKms.keyId", "its secrets are under a key of the provider's"),
    ),
}


def _cannot_rotate(resource: ResourceFact) -> bool:
    """AWS rotates symmetric encryption keys of its own making only."""
    inputs = resource.inputs
    return (
        inputs.get("customerMasterKeySpec") not in (None, "SYMMETRIC_DEFAULT")
        or inputs.get("keyUsage") not in (None, "ENCRYPT_DECRYPT")
        or is_there(inputs.get("customKeyStoreId"))
    )


def _rotated_on_its_own(resource: ResourceFact) -> Iterator[Objection]:
    path = "properties.rotationPolicy.lifetimeActions"
    found = list(items(get(resource.inputs, "properties", "rotationPolicy"), "lifetimeActions", path))
    kinds = [UNKNOWN if one is UNKNOWN else get(one, "action", "type") for _, one in found]
    if any(isinstance(kind, str) and kind.lower() == "rotate" for kind in kinds):
        return
    yield undecided(path) if UNKNOWN in kinds else Objection("the key is never rotated", path=path)


def _deletion_window(path: str, default: int) -> Check:
    message = f"once deleted it is gone in less than {LEAST_DELETION_WINDOW} days"
    return at_least(path, LEAST_DELETION_WINDOW, message, default=default)


_KEYS: Final[Mapping[str, Check]] = {
    "aws:kms:Key": all_of(
        unless(
            _cannot_rotate,
            all_of(
                is_true("enableKeyRotation", "the key is never rotated"),
                satisfies(
                    "rotationPeriodInDays",
                    lambda days: days is None or (is_number(days) and days <= _LONGEST_ROTATION),
                    f"the key is rotated less than every {_LONGEST_ROTATION} days",
                ),
            ),
        ),
        _deletion_window("deletionWindowInDays", 30),
    ),
    "aws:kms:ReplicaKey": _deletion_window("deletionWindowInDays", 30),
    "aws:kms:ExternalKey": _deletion_window("deletionWindowInDays", 30),
    "aws:secretsmanager:Secret": _deletion_window("recoveryWindowInDays", 30),
    "azure-native:keyvault:Vault": all_of(
        not_false("properties.enableSoftDelete", "what is deleted from the vault is gone at once"),
        _deletion_window("properties.softDeleteRetentionInDays", 90),
        is_true("properties.enablePurgeProtection", "what was deleted can be purged before its time"),
    ),
    "azure-native:keyvault:Key": _rotated_on_its_own,
    "azure-native:compute:DiskEncryptionSet": is_true(
        "rotationToLatestKeyVersionEnabled", "disks stay under a version of the key that was rotated away"
    ),
    "vault:transit:SecretBackendKey": not_true("deletionAllowed", "the key may be deleted at once"),
}

_EXPORTABLE: Final[Mapping[str, Check]] = {
    # Falaj's own Vault key is made unexportable by its provider; its program can say no otherwise.
    "pulumi-python:dynamic:VaultTransitKey": all_of(
        not_true("exportable", "the key can be exported"),
        not_true("allow_plaintext_backup", "the key can be backed up in clear"),
    ),
    "vault:transit:SecretBackendKey": all_of(
        not_true("exportable", "the key can be exported"),
        not_true("allowPlaintextBackup", "the key can be backed up in clear"),
    ),
    "azure-native:keyvault:Key": not_true("properties.attributes.exportable", "the key can be exported"),
}

RULES = (
    rule(
        "CRY-01",
        rationale="Under the provider's key the provider decides who reads; under yours, taking it away ends that.",
        severity=Severity.HIGH,
        remedy="encrypt it under a key of your own (KMS, Key Vault)",
        check=_AT_REST,
    ),
    rule(
        "CRY-01",
        rationale="A bucket's encryption is a resource of its own: without it the provider's key is used.",
        severity=Severity.HIGH,
        remedy="declare a BucketServerSideEncryptionConfiguration with `aws:kms` and your key",
        check=buckets_encrypted,
        applies_to=StackFact,
    ),
    rule(
        "CRY-02",
        rationale="A cluster's secrets lie in its store: a copy of that is a copy of them.",
        severity=Severity.HIGH,
        remedy="encrypt the cluster's secrets under a key of your own",
        check=_SECRETS,
    ),
    *tls.RULES,
    rule(
        "CRY-04",
        rationale="A key that is never rotated protects everything for ever; one that is gone at once takes it along.",
        severity=Severity.MEDIUM,
        remedy=f"rotate the key, and let no deletion take effect in less than {LEAST_DELETION_WINDOW} days",
        check=_KEYS,
    ),
    rule(
        "CRY-05",
        rationale="A key that can be copied signs for people who never had it.",
        severity=Severity.CRITICAL,
        remedy="make the key unexportable, without plaintext backup",
        check=_EXPORTABLE,
    ),
)
