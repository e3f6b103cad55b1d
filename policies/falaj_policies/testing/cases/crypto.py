"""Cases of the crypto rules."""

from __future__ import annotations

from typing import Any, Final

from falaj_policies.facts import ResourceFact
from falaj_policies.testing.build import HERE, REMOVED, broken, change, good, stack
from falaj_policies.testing.case import Case
from falaj_policies.testing.stacks import bucket

_AWS_KEY: Final = "alias/aws/service"


def _one(rule: str, kind: str, path: str, value: Any, what: str, /, **options: Any) -> Case:
    return Case(rule, f"{kind} {what}", good(kind, **options), broken(kind, path, value, **options))


def _at_rest(kind: str, flag: str, key: str) -> tuple[Case, ...]:
    return (
        _one("CRY-01", kind, flag, False, f"with {flag} off"),
        _one("CRY-01", kind, key, REMOVED, "without a key"),
        _one("CRY-01", kind, key, _AWS_KEY, "under the provider's key"),
    )


def _key(kind: str, key: str) -> tuple[Case, ...]:
    return (
        _one("CRY-01", kind, key, REMOVED, "without a key"),
        _one("CRY-01", kind, key, _AWS_KEY, "under the provider's key"),
    )


def _transit(type_: str, path: str, **inputs: Any) -> Case:
    fact = HERE["kubernetes"].resource(type_, "sign-alice", inputs)
    return Case("CRY-05", f"{type_} with {path}", fact, change(fact, path, True))


def _azure_key(rule: str, kind: str, *paths: str) -> tuple[Case, ...]:
    return tuple(_one(rule, kind, path, REMOVED, f"without {path}") for path in paths)


_DEFAULT_ENCRYPTION: Final = "rules[0].applyServerSideEncryptionByDefault"
_REDIRECT: Final = [{"type": "redirect", "redirect": {"protocol": "HTTPS", "statusCode": "HTTP_301"}}]
_LISTENER: Final = "aws:lb:Listener"
_ACCOUNT: Final = "azure-native:storage:StorageAccount"
_MACHINE: Final = "azure-native:compute:VirtualMachine"
_CLUSTER: Final = "azure-native:containerservice:ManagedCluster"
_GROUPS: Final = (
    ("aws:rds:ParameterGroup", "postgres17", "rds.force_ssl", "0"),
    ("aws:rds:ParameterGroup", "sqlserver-se-16.0", "rds.force_ssl", "0"),
    ("aws:rds:ParameterGroup", "mysql8.4", "require_secure_transport", "0"),
    ("aws:rds:ParameterGroup", "mariadb11.4", "require_secure_transport", "0"),
    ("aws:docdb:ClusterParameterGroup", "docdb5.0", "tls", "disabled"),
    ("aws:redshift:ParameterGroup", "redshift-2.0", "require_ssl", "false"),
    ("aws:rds:ClusterParameterGroup", "aurora-mysql8.0", "require_secure_transport", "OFF"),
    ("aws:rds:ClusterParameterGroup", "aurora-postgresql16", "rds.force_ssl", "0"),
)


def _parameter_group(kind: str, family: str, name: str, off: str) -> Case:
    options: dict[str, Any] = {"family": family, "parameters": [{"name": name, "value": "1"}]}
    return _one("CRY-03", kind, "parameters[0].value", off, f"of {family} with {name} off", **options)


def _postgres_setting(name: str, value: str, bad: str) -> Case:
    kind = "azure-native:dbforpostgresql:Configuration"
    return _one("CRY-03", kind, "value", bad, f"{name} {bad}", configurationName=name, value=value)


def _vault_key(**inputs: Any) -> ResourceFact:
    return HERE["kubernetes"].resource("vault:transit/secretBackendKey:SecretBackendKey", "sign-alice", inputs)


def _stack_without(rule: str, kind: str, what: str) -> Case:
    return Case(rule, what, stack(*bucket()), stack(*bucket(without=kind)))


_CLEAR_POLICY: Final = tuple(
    change(fact, "policy.Statement[0].Condition.Bool.'aws:SecureTransport'", "true")
    if fact.kind == "aws:s3:BucketPolicy"
    else fact
    for fact in bucket()
)

CASES = (
    *_at_rest("aws:ebs:Volume", "encrypted", "kmsKeyId"),
    *_at_rest("aws:ebs:SnapshotCopy", "encrypted", "kmsKeyId"),
    *_at_rest("aws:rds:Instance", "storageEncrypted", "kmsKeyId"),
    *_at_rest("aws:rds:Cluster", "storageEncrypted", "kmsKeyId"),
    *_at_rest("aws:docdb:Cluster", "storageEncrypted", "kmsKeyId"),
    *_at_rest("aws:neptune:Cluster", "storageEncrypted", "kmsKeyArn"),
    *_at_rest("aws:redshift:Cluster", "encrypted", "kmsKeyId"),
    *_at_rest("aws:ec2:AmiCopy", "encrypted", "kmsKeyId"),
    *_key("aws:fsx:LustreFileSystem", "kmsKeyId"),
    _one("CRY-01", "aws:eks:NodeGroup", "launchTemplate", REMOVED, "with the service's own disks"),
    *_at_rest("aws:efs:FileSystem", "encrypted", "kmsKeyId"),
    *_at_rest("aws:dynamodb:Table", "serverSideEncryption.enabled", "serverSideEncryption.kmsKeyArn"),
    *_at_rest("aws:opensearch:Domain", "encryptAtRest.enabled", "encryptAtRest.kmsKeyId"),
    *_at_rest("aws:elasticache:ReplicationGroup", "atRestEncryptionEnabled", "kmsKeyId"),
    *_at_rest("aws:ec2:Instance", "rootBlockDevice.encrypted", "rootBlockDevice.kmsKeyId"),
    *_at_rest("aws:ec2:Instance", "ebsBlockDevices[0].encrypted", "ebsBlockDevices[0].kmsKeyId"),
    *_at_rest("aws:ec2:LaunchTemplate", "blockDeviceMappings[0].ebs.encrypted", "blockDeviceMappings[0].ebs.kmsKeyId"),
    _one("CRY-01", "aws:ec2:LaunchTemplate", "blockDeviceMappings", REMOVED, "with the image's own disks"),
    *_key("aws:cloudwatch:LogGroup", "kmsKeyId"),
    *_key("aws:cloudtrail:Trail", "kmsKeyId"),
    *_key("aws:sns:Topic", "kmsMasterKeyId"),
    *_key("aws:sqs:Queue", "kmsMasterKeyId"),
    *_key("aws:kinesis:Stream", "kmsKeyId"),
    _one("CRY-01", "aws:kinesis:Stream", "encryptionType", "NONE", "with encryption off"),
    *_key("aws:secretsmanager:Secret", "kmsKeyId"),
    *_key("aws:ssm:Parameter", "keyId"),
    *_key("aws:msk:Cluster", "encryptionInfo.encryptionAtRestKmsKeyArn"),
    *_key("aws:backup:Vault", "kmsKeyArn"),
    *_key("aws:ecr:Repository", "encryptionConfigurations[0].kmsKey"),
    _one("CRY-01", "aws:ecr:Repository", "encryptionConfigurations", REMOVED, "without encryption"),
    _one("CRY-01", "aws:ecr:Repository", "encryptionConfigurations[0].encryptionType", "AES256", "under AES256"),
    *_key("aws:s3:BucketServerSideEncryptionConfiguration", f"{_DEFAULT_ENCRYPTION}.kmsMasterKeyId"),
    _one(
        "CRY-01",
        "aws:s3:BucketServerSideEncryptionConfiguration",
        f"{_DEFAULT_ENCRYPTION}.sseAlgorithm",
        "AES256",
        "under AES256",
    ),
    _one("CRY-01", "aws:s3:BucketServerSideEncryptionConfiguration", "rules", [], "without a rule"),
    _one("CRY-01", _ACCOUNT, "encryption.keySource", "Microsoft.Storage", "under the provider's key"),
    *_azure_key(
        "CRY-01",
        _ACCOUNT,
        "encryption",
        "encryption.keyVaultProperties.keyName",
        "encryption.keyVaultProperties.keyVaultUri",
    ),
    *(
        case
        for kind in ("azure-native:compute:Disk", "azure-native:compute:Snapshot")
        for case in (
            *_azure_key("CRY-01", kind, "encryption", "encryption.diskEncryptionSetId"),
            _one("CRY-01", kind, "encryption.type", "EncryptionAtRestWithPlatformKey", "under the provider's key"),
        )
    ),
    _one("CRY-01", _MACHINE, "securityProfile.encryptionAtHost", REMOVED, "with scratch disks in clear"),
    *_azure_key(
        "CRY-01",
        _MACHINE,
        "storageProfile.osDisk.managedDisk.diskEncryptionSet",
        "storageProfile.dataDisks[0].managedDisk.diskEncryptionSet.id",
    ),
    *_azure_key("CRY-01", "azure-native:dbforpostgresql:Server", "dataEncryption", "dataEncryption.primaryKeyURI"),
    _one(
        "CRY-01",
        "azure-native:dbforpostgresql:Server",
        "dataEncryption.type",
        "SystemManaged",
        "under the provider's key",
    ),
    *_azure_key("CRY-01", "azure-native:containerregistry:Registry", "encryption.keyVaultProperties"),
    _one("CRY-01", "azure-native:containerregistry:Registry", "encryption.status", "disabled", "with encryption off"),
    *_azure_key("CRY-01", "azure-native:operationalinsights:Cluster", "keyVaultProperties.keyVaultUri"),
    *_azure_key("CRY-01", "azure-native:cosmosdb:DatabaseAccount", "keyVaultKeyUri"),
    *_azure_key("CRY-01", _CLUSTER, "diskEncryptionSetID"),
    _one("CRY-01", _CLUSTER, "agentPoolProfiles[0].enableEncryptionAtHost", False, "with scratch disks in clear"),
    _one(
        "CRY-01",
        "azure-native:containerservice:AgentPool",
        "enableEncryptionAtHost",
        False,
        "with scratch disks in clear",
    ),
    _stack_without("CRY-01", "aws:s3:BucketServerSideEncryptionConfiguration", "a bucket without encryption"),
    _one("CRY-02", "aws:eks:Cluster", "encryptionConfig", REMOVED, "with its secrets under the provider's key"),
    _one("CRY-02", "aws:eks:Cluster", "encryptionConfig.provider.keyArn", REMOVED, "without a key"),
    _one("CRY-02", "aws:eks:Cluster", "encryptionConfig.resources", [], "with secrets left out"),
    _one("CRY-02", _CLUSTER, "securityProfile.azureKeyVaultKms.enabled", False, "with its secrets under no key"),
    _one("CRY-02", _CLUSTER, "securityProfile.azureKeyVaultKms.keyId", REMOVED, "without a key"),
    _one("CRY-03", _LISTENER, "protocol", "HTTP", "in clear"),
    _one("CRY-03", _LISTENER, "sslPolicy", REMOVED, "with the policy that starts at TLS 1.0"),
    _one("CRY-03", _LISTENER, "sslPolicy", "ELBSecurityPolicy-TLS13-1-1-2021-06", "with TLS 1.1"),
    _one(
        "CRY-03",
        _LISTENER,
        "defaultActions[0].redirect.protocol",
        "HTTP",
        "that sends callers to plain HTTP",
        protocol="HTTP",
        sslPolicy=None,
        defaultActions=_REDIRECT,
    ),
    _one("CRY-03", _LISTENER, "defaultActions", [], "without actions", protocol="HTTP", defaultActions=_REDIRECT),
    _one("CRY-03", "aws:elb:LoadBalancer", "listeners[0].lbProtocol", "http", "in clear"),
    *(_parameter_group(*group) for group in _GROUPS),
    _one("CRY-03", "aws:rds:ParameterGroup", "parameters", [], "that leaves TLS to the default"),
    _one("CRY-03", "aws:elasticache:ReplicationGroup", "transitEncryptionEnabled", False, "in clear"),
    _one("CRY-03", "aws:elasticache:ReplicationGroup", "transitEncryptionMode", "preferred", "in clear if asked"),
    _one("CRY-03", "aws:msk:Cluster", "encryptionInfo.encryptionInTransit.clientBroker", "TLS_PLAINTEXT", "in clear"),
    _one("CRY-03", "aws:msk:Cluster", "encryptionInfo.encryptionInTransit.inCluster", False, "in clear inside"),
    _one("CRY-03", "aws:opensearch:Domain", "domainEndpointOptions.enforceHttps", False, "in clear"),
    _one("CRY-03", "aws:opensearch:Domain", "nodeToNodeEncryption.enabled", False, "in clear between nodes"),
    _one(
        "CRY-03",
        "aws:opensearch:Domain",
        "domainEndpointOptions.tlsSecurityPolicy",
        "Policy-Min-TLS-1-0-2019-07",
        "with TLS 1.0",
    ),
    _one("CRY-03", _ACCOUNT, "enableHttpsTrafficOnly", False, "in clear"),
    _one("CRY-03", _ACCOUNT, "minimumTlsVersion", "TLS1_0", "with TLS 1.0"),
    _one("CRY-03", _ACCOUNT, "minimumTlsVersion", REMOVED, "with the provider's choice of TLS"),
    _postgres_setting("require_secure_transport", "on", "off"),
    _postgres_setting("ssl_min_protocol_version", "TLSv1.2", "TLSv1.1"),
    _one("CRY-03", "azure-native:web:WebApp", "httpsOnly", False, "in clear"),
    _one("CRY-03", "azure-native:web:WebApp", "siteConfig.minTlsVersion", "1.0", "with TLS 1.0"),
    _one("CRY-03", "azure-native:web:WebApp", "siteConfig.ftpsState", "AllAllowed", "with plain FTP"),
    _one("CRY-03", "azure-native:redis:Redis", "enableNonSslPort", True, "in clear"),
    _one("CRY-03", "azure-native:redis:Redis", "minimumTlsVersion", "1.0", "with TLS 1.0"),
    _one("CRY-03", "aws:rds:Proxy", "requireTls", REMOVED, "in clear"),
    _one("CRY-03", "aws:apigateway:DomainName", "securityPolicy", "TLS_1_0", "with TLS 1.0"),
    _one("CRY-03", "azure-native:eventhub:Namespace", "minimumTlsVersion", "1.0", "with TLS 1.0"),
    _one("CRY-03", "azure-native:servicebus:Namespace", "minimumTlsVersion", "1.1", "with TLS 1.1"),
    _one("CRY-03", "azure-native:sql:Server", "minimalTlsVersion", "1.1", "with TLS 1.1"),
    _one("CRY-03", "kubernetes:networking:Ingress", "spec.tls", REMOVED, "without a certificate"),
    _stack_without("CRY-03", "aws:s3:BucketPolicy", "a bucket without a policy"),
    Case("CRY-03", "a bucket whose policy lets plain HTTP in", stack(*bucket()), stack(*_CLEAR_POLICY)),
    _one("CRY-04", "aws:kms:Key", "enableKeyRotation", REMOVED, "that is never rotated"),
    _one("CRY-04", "aws:kms:Key", "rotationPeriodInDays", 366, "that is rotated too seldom", rotationPeriodInDays=365),
    _one("CRY-04", "aws:kms:Key", "deletionWindowInDays", 13, "that is gone in 13 days", deletionWindowInDays=14),
    _one("CRY-04", "aws:kms:ReplicaKey", "deletionWindowInDays", 7, "that is gone in a week"),
    _one("CRY-04", "aws:kms:ExternalKey", "deletionWindowInDays", 7, "that is gone in a week"),
    _one("CRY-04", "aws:secretsmanager:Secret", "recoveryWindowInDays", 0, "that is gone at once"),
    _one("CRY-04", "azure-native:keyvault:Vault", "properties.enableSoftDelete", False, "without soft delete"),
    _one("CRY-04", "azure-native:keyvault:Vault", "properties.softDeleteRetentionInDays", 7, "with a week to notice"),
    _one("CRY-04", "azure-native:keyvault:Vault", "properties.enablePurgeProtection", REMOVED, "that can be purged"),
    _one("CRY-04", "azure-native:keyvault:Key", "properties.rotationPolicy", REMOVED, "that is never rotated"),
    _one(
        "CRY-04",
        "azure-native:keyvault:Key",
        "properties.rotationPolicy.lifetimeActions[0].action.type",
        "notify",
        "that somebody is only told about",
    ),
    _one(
        "CRY-04",
        "azure-native:compute:DiskEncryptionSet",
        "rotationToLatestKeyVersionEnabled",
        REMOVED,
        "that stays at one version",
    ),
    Case("CRY-04", "a transit key that may be deleted", _vault_key(), _vault_key(deletionAllowed=True)),
    *(
        _transit(
            "pulumi-python:dynamic/falaj:VaultTransitKey", path, mount="acme", name="sign-alice", type="ecdsa-p256"
        )
        for path in ("exportable", "allow_plaintext_backup")
    ),
    *(
        _transit("vault:transit/secretBackendKey:SecretBackendKey", path, backend="acme", name="sign-alice")
        for path in ("exportable", "allowPlaintextBackup")
    ),
    _one("CRY-05", "azure-native:keyvault:Key", "properties.attributes.exportable", True, "that can be exported"),
)
