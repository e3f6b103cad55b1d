"""Each conversion, proved check by check: what is known to be bad fails that check, and its repaired twin does not.

All good resources are scanned together, and all bad ones, in one process.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from falaj_platform.checkov import Scanner
from falaj_policies.facts import ResourceFact, kind_of
from falaj_policies.testing import HERE, REMOVED, change

DIGEST: Final = "registry.example/platform@sha256:" + "a" * 64
KEY: Final = "arn:aws:kms:me-central-1:111122223333:key/0f0f0f0f-0000-4000-8000-000000000000"


def _document(**statement: Any) -> str:
    whole = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::acme-data/*", **statement}
    return json.dumps({"Version": "2012-10-17", "Statement": [whole]})


_TRUST: Final = _document(Action="sts:AssumeRole", Principal={"Service": "ec2.amazonaws.com"}, Resource=None)
_POD: Final = {
    "automountServiceAccountToken": False,
    "securityContext": {"runAsNonRoot": True, "runAsUser": 20000, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "c",
            "image": DIGEST,
            "imagePullPolicy": "Always",
            "resources": {
                "requests": {"cpu": "1", "memory": "1Gi"},
                "limits": {"cpu": "1", "memory": "1Gi"},
            },
            "securityContext": {
                "privileged": False,
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    ],
}
_META: Final = {"name": "r", "namespace": "tenant-acme"}
_C: Final = "spec.template.spec.containers[0]"

# Good inputs by Pulumi's type token.
GOOD: Final[Mapping[str, Mapping[str, Any]]] = {
    "kubernetes:apps/v1:Deployment": {
        "metadata": _META,
        "spec": {"template": {"metadata": {"labels": {"app": "r"}}, "spec": _POD}},
    },
    "kubernetes:core/v1:Pod": {"metadata": _META, "spec": _POD},
    "kubernetes:batch/v1:CronJob": {
        "metadata": _META,
        "spec": {"jobTemplate": {"spec": {"template": {"metadata": {"labels": {"app": "r"}}, "spec": _POD}}}},
    },
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole": {
        "metadata": {"name": "r"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
    },
    "kubernetes:core/v1:ServiceAccount": {
        "metadata": {"name": "default", "namespace": "tenant-acme"},
        "automountServiceAccountToken": False,
    },
    "kubernetes:networking.k8s.io/v1:Ingress": {"metadata": {**_META, "annotations": {}}, "spec": {}},
    "kubernetes:core/v1:Service": {"metadata": _META, "spec": {"ports": [{"port": 80}]}},
    "aws:kms/key:Key": {
        "enableKeyRotation": True,
        "isEnabled": True,
        "policy": _document(Action="kms:*", Resource="*"),
    },
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": {
        "bucket": "other",
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    },
    "aws:s3/bucketPolicy:BucketPolicy": {
        "bucket": "other",
        "policy": _document(Principal={"AWS": "arn:aws:iam::111122223333:role/reader"}),
    },
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": {
        "bucket": "other",
        "rules": [
            {
                "id": "all",
                "status": "Enabled",
                "filter": {},
                "abortIncompleteMultipartUpload": {"daysAfterInitiation": 3},
            }
        ],
    },
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": {
        "bucket": "other",
        "rule": {"objectOwnership": "BucketOwnerEnforced"},
    },
    "aws:eks/cluster:Cluster": {
        "enabledClusterLogTypes": ["api", "audit", "authenticator", "controllerManager", "scheduler"],
        "vpcConfig": {"endpointPublicAccess": False, "endpointPrivateAccess": True, "subnetIds": ["subnet-1"]},
        "encryptionConfig": {"resources": ["secrets"], "provider": {"keyArn": KEY}},
    },
    "aws:eks/nodeGroup:NodeGroup": {
        "scalingConfig": {"minSize": 1, "maxSize": 2, "desiredSize": 1},
        "remoteAccess": {"ec2SshKey": "k", "sourceSecurityGroupIds": ["sg-1"]},
    },
    "aws:ec2/securityGroup:SecurityGroup": {
        "description": "inside",
        "ingress": [
            {"description": "a", "protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["10.0.0.0/8"]},
        ],
        "egress": [
            {"description": "b", "protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["10.0.0.0/8"]},
        ],
    },
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {
        "description": "a",
        "cidrIpv4": "10.0.0.0/8",
        "fromPort": 3389,
        "toPort": 3389,
        "ipProtocol": "tcp",
    },
    "aws:ec2/instance:Instance": {
        "ebsOptimized": True,
        "monitoring": True,
        "associatePublicIpAddress": False,
        "iamInstanceProfile": "worker",
        "metadataOptions": {"httpTokens": "required", "httpEndpoint": "enabled"},
        "rootBlockDevice": {"encrypted": True, "kmsKeyId": KEY},
        "ebsBlockDevices": [{"deviceName": "/dev/sdb", "encrypted": True}],
    },
    "aws:ec2/launchTemplate:LaunchTemplate": {
        "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
        "networkInterfaces": [{"associatePublicIpAddress": False}],
    },
    "aws:ec2/subnet:Subnet": {"cidrBlock": "10.0.0.0/24", "mapPublicIpOnLaunch": False},
    "aws:ebs/volume:Volume": {"encrypted": True, "kmsKeyId": KEY, "size": 10},
    "aws:iam/role:Role": {"assumeRolePolicy": _TRUST},
    "aws:iam/policy:Policy": {"policy": _document()},
    "aws:iam/rolePolicy:RolePolicy": {"role": "worker", "policy": _document()},
    "aws:rds/instance:Instance": {
        "engine": "postgres",
        "storageEncrypted": True,
        "kmsKeyId": KEY,
        "publiclyAccessible": False,
        "backupRetentionPeriod": 14,
        "multiAz": True,
        "deletionProtection": True,
        "iamDatabaseAuthenticationEnabled": True,
        "enabledCloudwatchLogsExports": ["postgresql", "upgrade"],
        "autoMinorVersionUpgrade": True,
        "copyTagsToSnapshot": True,
        "monitoringInterval": 60,
        "performanceInsightsEnabled": True,
        "performanceInsightsKmsKeyId": KEY,
        "caCertIdentifier": "rds-ca-rsa2048-g1",
    },
    "aws:rds/cluster:Cluster": {
        "engine": "aurora-postgresql",
        "storageEncrypted": True,
        "kmsKeyId": KEY,
        "deletionProtection": True,
        "backupRetentionPeriod": 14,
        "iamDatabaseAuthenticationEnabled": True,
        "enabledCloudwatchLogsExports": ["postgresql"],
        "copyTagsToSnapshot": True,
    },
    "aws:ecr/repository:Repository": {
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": KEY}],
    },
    "aws:cloudtrail/trail:Trail": {
        "s3BucketName": "acme-trail",
        "kmsKeyId": KEY,
        "enableLogFileValidation": True,
        "isMultiRegionTrail": True,
        "enableLogging": True,
        "snsTopicName": "t",
        "cloudWatchLogsGroupArn": "arn:aws:logs:me-central-1:111122223333:log-group:t:*",
    },
    "aws:cloudwatch/logGroup:LogGroup": {"retentionInDays": 400, "kmsKeyId": KEY},
    "aws:secretsmanager/secret:Secret": {"kmsKeyId": KEY},
    "aws:sns/topic:Topic": {"kmsMasterKeyId": KEY},
    "aws:sqs/queue:Queue": {"kmsMasterKeyId": KEY},
    "aws:dynamodb/table:Table": {
        "attributes": [{"name": "id", "type": "S"}],
        "hashKey": "id",
        "pointInTimeRecovery": {"enabled": True},
        "serverSideEncryption": {"enabled": True, "kmsKeyArn": KEY},
    },
    "aws:efs/fileSystem:FileSystem": {"encrypted": True, "kmsKeyId": KEY},
    "aws:elasticache/replicationGroup:ReplicationGroup": {
        "atRestEncryptionEnabled": True,
        "transitEncryptionEnabled": True,
        "authToken": "long-enough-to-be-a-token",
        "kmsKeyId": KEY,
        "automaticFailoverEnabled": True,
        "multiAzEnabled": True,
        "numCacheClusters": 2,
    },
    "aws:lb/loadBalancer:LoadBalancer": {
        "internal": True,
        "loadBalancerType": "application",
        "dropInvalidHeaderFields": True,
        "desyncMitigationMode": "strictest",
        "enableDeletionProtection": True,
        "enableCrossZoneLoadBalancing": True,
        "accessLogs": {"bucket": "acme-logs", "enabled": True},
    },
    "aws:lb/listener:Listener": {
        "protocol": "HTTPS",
        "port": 443,
        "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "defaultActions": [{"type": "forward", "targetGroupArn": "arn:tg"}],
    },
    "aws:lambda/function:Function": {
        "runtime": "python3.12",
        "vpcConfig": {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]},
        "kmsKeyArn": KEY,
        "environment": {"variables": {"STAGE": "prod"}},
        "codeSigningConfigArn": "arn:csc",
        "tracingConfig": {"mode": "Active"},
        "deadLetterConfig": {"targetArn": "arn:q"},
        "reservedConcurrentExecutions": 5,
    },
    "aws:lambda/functionUrl:FunctionUrl": {"functionName": "f", "authorizationType": "AWS_IAM"},
    "aws:backup/vault:Vault": {"kmsKeyArn": KEY},
    "aws:opensearch/domain:Domain": {
        "encryptAtRest": {"enabled": True, "kmsKeyId": KEY},
        "nodeToNodeEncryption": {"enabled": True},
        "domainEndpointOptions": {"enforceHttps": True, "tlsSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10"},
        "logPublishingOptions": [{"logType": "AUDIT_LOGS", "cloudwatchLogGroupArn": "arn:l", "enabled": True}],
        "vpcOptions": {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]},
        "clusterConfig": {
            "dedicatedMasterEnabled": True,
            "dedicatedMasterCount": 3,
            "instanceCount": 3,
            "zoneAwarenessEnabled": True,
        },
        "advancedSecurityOptions": {"enabled": True, "internalUserDatabaseEnabled": False},
    },
    "aws:sagemaker/notebookInstance:NotebookInstance": {
        "kmsKeyId": KEY,
        "directInternetAccess": "Disabled",
        "rootAccess": "Disabled",
        "subnetId": "subnet-1",
        "instanceMetadataServiceConfiguration": {"minimumInstanceMetadataServiceVersion": "2"},
    },
    "aws:sagemaker/endpointConfiguration:EndpointConfiguration": {
        "kmsKeyArn": KEY,
        "productionVariants": [{"variantName": "a", "modelName": "m"}],
    },
    "azure-native:storage:StorageAccount": {
        "accountName": "acmedata",
        "sku": {"name": "Standard_ZRS"},
        "kind": "StorageV2",
        "enableHttpsTrafficOnly": True,
        "minimumTlsVersion": "TLS1_2",
        "publicNetworkAccess": "Disabled",
        "networkRuleSet": {"defaultAction": "Deny", "bypass": "AzureServices"},
    },
    "azure-native:storage:BlobContainer": {"containerName": "c", "accountName": "acmedata", "publicAccess": "None"},
    "azure-native:containerservice:ManagedCluster": {
        "resourceName": "acme",
        "enableRBAC": True,
        "disableLocalAccounts": True,
        "apiServerAccessProfile": {"authorizedIPRanges": ["10.0.0.0/8"], "enablePrivateCluster": True},
        "networkProfile": {"networkPolicy": "cilium"},
        "autoUpgradeProfile": {"upgradeChannel": "patch"},
        "addonProfiles": {
            "omsagent": {"enabled": True, "config": {}},
            "kubeDashboard": {"enabled": False},
            "azureKeyvaultSecretsProvider": {"enabled": True, "config": {"enableSecretRotation": "true"}},
        },
        "agentPoolProfiles": [
            {
                "name": "a",
                "type": "VirtualMachineScaleSets",
                "enableEncryptionAtHost": True,
                "osDiskType": "Ephemeral",
                "maxPods": 60,
            },
        ],
    },
    "azure-native:keyvault:Vault": {
        "vaultName": "acme",
        "properties": {
            "tenantId": "t",
            "sku": {"name": "premium", "family": "A"},
            "enablePurgeProtection": True,
            "enableSoftDelete": True,
            "publicNetworkAccess": "Disabled",
            "networkAcls": {"defaultAction": "Deny", "bypass": "None"},
        },
    },
    "azure-native:keyvault:Key": {
        "keyName": "k",
        "vaultName": "acme",
        "properties": {"kty": "RSA-HSM", "rotationPolicy": {"attributes": {"expiryTime": "P90D"}}},
    },
    "azure-native:containerregistry:Registry": {
        "registryName": "acme",
        "sku": {"name": "Premium"},
        "adminUserEnabled": False,
        "anonymousPullEnabled": False,
        "publicNetworkAccess": "Disabled",
        "zoneRedundancy": "Enabled",
        "policies": {"quarantinePolicy": {"status": "enabled"}},
    },
    "azure-native:network:NetworkSecurityGroup": {
        "networkSecurityGroupName": "inside",
        "securityRules": [
            {
                "name": "ssh",
                "access": "Allow",
                "direction": "Inbound",
                "protocol": "Tcp",
                "priority": 100,
                "destinationPortRange": "22",
                "sourceAddressPrefix": "10.0.0.0/8",
            }
        ],
    },
    "azure-native:network:SecurityRule": {
        "securityRuleName": "rdp",
        "access": "Allow",
        "direction": "Inbound",
        "protocol": "Tcp",
        "destinationPortRange": "3389",
        "sourceAddressPrefix": "10.0.0.0/8",
    },
    "azure-native:compute:Disk": {
        "diskName": "d",
        "creationData": {"createOption": "Empty"},
        "encryption": {"type": "EncryptionAtRestWithCustomerKey", "diskEncryptionSetId": "des"},
    },
    "azure-native:compute:VirtualMachine": {
        "vmName": "v",
        "securityProfile": {"encryptionAtHost": True},
        "osProfile": {
            "allowExtensionOperations": False,
            "linuxConfiguration": {
                "disablePasswordAuthentication": True,
                "ssh": {"publicKeys": [{"path": "/home/a/.ssh/authorized_keys", "keyData": "k"}]},
            },
        },
        "storageProfile": {"osDisk": {"createOption": "FromImage", "managedDisk": {"id": "d"}}},
    },
    "azure-native:cosmosdb:DatabaseAccount": {
        "accountName": "acme",
        "kind": "GlobalDocumentDB",
        "publicNetworkAccess": "Disabled",
        "keyVaultKeyUri": "https://acme.vault.azure.net/keys/k",
        "disableLocalAuth": True,
        "disableKeyBasedMetadataWriteAccess": True,
        "isVirtualNetworkFilterEnabled": True,
        "virtualNetworkRules": [{"id": "subnet"}],
        "ipRules": [{"ipAddressOrRange": "10.0.0.1"}],
    },
    "azure-native:sql:Server": {
        "serverName": "acme",
        "minimalTlsVersion": "1.2",
        "publicNetworkAccess": "Disabled",
        "administrators": {"azureADOnlyAuthentication": True, "login": "admins"},
    },
    "azure-native:sql:Database": {"databaseName": "d", "serverName": "elsewhere", "zoneRedundant": True},
    "azure-native:web:WebApp": {
        "name": "app",
        "kind": "app",
        "httpsOnly": True,
        "publicNetworkAccess": "Disabled",
        "clientCertEnabled": True,
        "identity": {"type": "SystemAssigned"},
        "siteConfig": {
            "minTlsVersion": "1.2",
            "ftpsState": "Disabled",
            "http20Enabled": True,
            "remoteDebuggingEnabled": False,
            "healthCheckPath": "/health",
            "numberOfWorkers": 3,
        },
    },
    "azure-native:redis:Redis": {
        "name": "acme",
        "sku": {"name": "Premium", "family": "P", "capacity": 1},
        "publicNetworkAccess": "Disabled",
        "minimumTlsVersion": "1.2",
        "enableNonSslPort": False,
    },
    "azure-native:dbformysql:SingleServer": {
        "serverName": "acme",
        "properties": {
            "sslEnforcement": "Enabled",
            "publicNetworkAccess": "Disabled",
            "minimalTlsVersion": "TLS1_2",
            "infrastructureEncryption": "Enabled",
        },
    },
}


@dataclasses.dataclass(frozen=True)
class Case:
    """`check` fails where the input at `path` is `value`; `also` are checks that then fail as well."""

    check: str
    type: str
    path: str
    value: Any = REMOVED
    also: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.check}-{self.type.rsplit(':', 1)[-1]}"


_TOKENS: Final = {kind_of(token): token for token in GOOD}


def _k8s(check: str, path: str, value: Any = REMOVED, *also: str, kind: str = "apps/v1:Deployment") -> Case:
    return Case(check, f"kubernetes:{kind}", path, value, also)


def _aws(check: str, kind: str, path: str, value: Any = REMOVED, *also: str) -> Case:
    return Case(check, _TOKENS[f"aws:{kind}"], path, value, also)


def _azure(check: str, kind: str, path: str, value: Any = REMOVED, *also: str) -> Case:
    return Case(check, f"azure-native:{kind}", path, value, also)


_ANYONE: Final = _document(Principal="*")
_SSH: Final = [{"description": "a", "protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["0.0.0.0/0"]}]

CASES: Final = (
    _k8s("CKV_K8S_10", f"{_C}.resources.requests.cpu"),
    _k8s("CKV_K8S_11", f"{_C}.resources.limits.cpu"),
    _k8s("CKV_K8S_12", f"{_C}.resources.requests.memory"),
    _k8s("CKV_K8S_13", f"{_C}.resources.limits.memory"),
    _k8s("CKV_K8S_14", f"{_C}.image", "registry.example/platform:latest", "CKV_K8S_43"),
    _k8s("CKV_K8S_16", f"{_C}.securityContext.privileged", True),
    _k8s("CKV_K8S_17", "spec.hostPID", True, kind="core/v1:Pod"),
    _k8s("CKV_K8S_18", "spec.hostIPC", True, kind="core/v1:Pod"),
    _k8s("CKV_K8S_19", "spec.template.spec.hostNetwork", True),
    _k8s("CKV_K8S_20", f"{_C}.securityContext.allowPrivilegeEscalation", True),
    _k8s("CKV_K8S_21", "metadata.namespace", "default"),
    _k8s("CKV_K8S_22", f"{_C}.securityContext.readOnlyRootFilesystem", False),
    _k8s(
        "CKV_K8S_23",
        "spec.template.spec.securityContext",
        {"runAsNonRoot": False, "runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}},
        "CKV_K8S_40",
    ),
    _k8s("CKV_K8S_25", f"{_C}.securityContext.capabilities.add", ["NET_ADMIN"]),
    _k8s("CKV_K8S_26", f"{_C}.ports", [{"containerPort": 80, "hostPort": 80}]),
    _k8s("CKV_K8S_27", "spec.template.spec.volumes", [{"name": "d", "hostPath": {"path": "/var/run/docker.sock"}}]),
    _k8s("CKV_K8S_28", f"{_C}.securityContext.capabilities.drop", ["KILL"], "CKV_K8S_37"),
    _k8s("CKV_K8S_31", "spec.template.spec.securityContext.seccompProfile"),
    _k8s("CKV_K8S_35", f"{_C}.env", [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
    _k8s("CKV_K8S_38", "spec.template.spec.automountServiceAccountToken", True),
    _k8s("CKV_K8S_39", f"{_C}.securityContext.capabilities.add", ["SYS_ADMIN"], "CKV_K8S_25"),
    _k8s("CKV_K8S_40", "spec.template.spec.securityContext.runAsUser", 100),
    _k8s("CKV_K8S_43", f"{_C}.image", "registry.example/platform:1.2"),
    _k8s(
        "CKV_K8S_20",
        "spec.jobTemplate.spec.template.spec.containers[0].securityContext.allowPrivilegeEscalation",
        True,
        kind="batch/v1:CronJob",
    ),
    _k8s("CKV_K8S_41", "automountServiceAccountToken", True, kind="core/v1:ServiceAccount"),
    _k8s("CKV_K8S_49", "rules[0].verbs", ["*"], kind="rbac.authorization.k8s.io/v1:ClusterRole"),
    _k8s(
        "CKV_K8S_155",
        "rules[0]",
        {
            "apiGroups": ["admissionregistration.k8s.io"],
            "resources": ["validatingwebhookconfigurations"],
            "verbs": ["update"],
        },
        kind="rbac.authorization.k8s.io/v1:ClusterRole",
    ),
    _k8s(
        "CKV_K8S_158",
        "rules[0]",
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["escalate"]},
        kind="rbac.authorization.k8s.io/v1:ClusterRole",
    ),
    _k8s(
        "CKV_K8S_153",
        "metadata.annotations.'nginx.ingress.kubernetes.io/server-snippet'",
        "return 200;",
        kind="networking.k8s.io/v1:Ingress",
    ),
    _aws("CKV_AWS_7", "kms:Key", "enableKeyRotation", False),
    _aws("CKV_AWS_33", "kms:Key", "policy", _document(Action="kms:*", Resource="*", Principal="*")),
    _aws("CKV_AWS_227", "kms:Key", "isEnabled", False),
    _aws("CKV_AWS_53", "s3:BucketPublicAccessBlock", "blockPublicAcls", False),
    _aws("CKV_AWS_54", "s3:BucketPublicAccessBlock", "blockPublicPolicy"),
    _aws("CKV_AWS_55", "s3:BucketPublicAccessBlock", "ignorePublicAcls", False),
    _aws("CKV_AWS_56", "s3:BucketPublicAccessBlock", "restrictPublicBuckets", False),
    _aws("CKV_AWS_70", "s3:BucketPolicy", "policy", _ANYONE),
    _aws("CKV2_AWS_65", "s3:BucketOwnershipControls", "rule.objectOwnership", "ObjectWriter"),
    _aws("CKV_AWS_37", "eks:Cluster", "enabledClusterLogTypes", ["api"]),
    _aws("CKV_AWS_39", "eks:Cluster", "vpcConfig.endpointPublicAccess", True, "CKV_AWS_38"),
    _aws("CKV_AWS_58", "eks:Cluster", "encryptionConfig"),
    _aws("CKV_AWS_100", "eks:NodeGroup", "remoteAccess.sourceSecurityGroupIds"),
    _aws("CKV_AWS_24", "ec2:SecurityGroup", "ingress", _SSH),
    _aws("CKV_AWS_25", "vpc:SecurityGroupIngressRule", "cidrIpv4", "0.0.0.0/0"),
    _aws("CKV_AWS_8", "ec2:Instance", "rootBlockDevice.encrypted", False),
    _aws("CKV_AWS_8", "ec2:Instance", "ebsBlockDevices[0].encrypted", False),
    _aws("CKV_AWS_79", "ec2:Instance", "metadataOptions.httpTokens", "optional"),
    _aws("CKV_AWS_88", "ec2:Instance", "associatePublicIpAddress", True),
    _aws("CKV2_AWS_41", "ec2:Instance", "iamInstanceProfile"),
    _aws("CKV_AWS_341", "ec2:LaunchTemplate", "metadataOptions.httpPutResponseHopLimit", 2),
    _aws("CKV_AWS_130", "ec2:Subnet", "mapPublicIpOnLaunch", True),
    _aws("CKV_AWS_3", "ebs:Volume", "encrypted", False),
    _aws("CKV_AWS_189", "ebs:Volume", "kmsKeyId"),
    _aws(
        "CKV_AWS_60",
        "iam:Role",
        "assumeRolePolicy",
        _document(Action="sts:AssumeRole", Principal={"AWS": "*"}, Resource=None),
    ),
    _aws(
        "CKV_AWS_62",
        "iam:Policy",
        "policy",
        _document(Action="*", Resource="*"),
        "CKV_AWS_63",
        "CKV_AWS_286",
        "CKV_AWS_287",
        "CKV_AWS_288",
        "CKV_AWS_289",
        "CKV_AWS_290",
        "CKV_AWS_355",
        "CKV2_AWS_40",
    ),
    _aws(
        "CKV_AWS_355",
        "iam:Policy",
        "policy",
        _document(Action="s3:*", Resource="*"),
        "CKV_AWS_288",
        "CKV_AWS_289",
        "CKV_AWS_290",
    ),
    _aws("CKV2_AWS_40", "iam:RolePolicy", "policy", _document(Action="iam:*", Resource="arn:aws:iam::1:role/a")),
    _aws("CKV_AWS_16", "rds:Instance", "storageEncrypted", False),
    _aws("CKV_AWS_17", "rds:Instance", "publiclyAccessible", True),
    _aws("CKV_AWS_129", "rds:Instance", "enabledCloudwatchLogsExports", []),
    _aws("CKV_AWS_133", "rds:Instance", "backupRetentionPeriod", 0),
    _aws("CKV_AWS_157", "rds:Instance", "multiAz", False),
    _aws("CKV_AWS_161", "rds:Instance", "iamDatabaseAuthenticationEnabled", False),
    _aws("CKV_AWS_293", "rds:Instance", "deletionProtection", False),
    _aws("CKV_AWS_96", "rds:Cluster", "storageEncrypted", False),
    _aws("CKV_AWS_139", "rds:Cluster", "deletionProtection", False),
    _aws("CKV_AWS_51", "ecr:Repository", "imageTagMutability", "MUTABLE"),
    _aws("CKV_AWS_136", "ecr:Repository", "encryptionConfigurations[0].encryptionType", "AES256"),
    _aws("CKV_AWS_163", "ecr:Repository", "imageScanningConfiguration.scanOnPush", False),
    _aws("CKV_AWS_35", "cloudtrail:Trail", "kmsKeyId"),
    _aws("CKV_AWS_36", "cloudtrail:Trail", "enableLogFileValidation", False),
    _aws("CKV_AWS_67", "cloudtrail:Trail", "isMultiRegionTrail", False),
    _aws("CKV_AWS_158", "cloudwatch:LogGroup", "kmsKeyId"),
    _aws("CKV_AWS_338", "cloudwatch:LogGroup", "retentionInDays", 30),
    _aws("CKV_AWS_149", "secretsmanager:Secret", "kmsKeyId"),
    _aws("CKV_AWS_26", "sns:Topic", "kmsMasterKeyId"),
    _aws("CKV_AWS_27", "sqs:Queue", "kmsMasterKeyId"),
    _aws("CKV_AWS_28", "dynamodb:Table", "pointInTimeRecovery.enabled", False),
    _aws("CKV_AWS_119", "dynamodb:Table", "serverSideEncryption.kmsKeyArn"),
    _aws("CKV_AWS_42", "efs:FileSystem", "encrypted", False),
    _aws("CKV_AWS_184", "efs:FileSystem", "kmsKeyId"),
    _aws("CKV_AWS_29", "elasticache:ReplicationGroup", "atRestEncryptionEnabled", False),
    _aws("CKV_AWS_91", "lb:LoadBalancer", "accessLogs.enabled", False),
    _aws("CKV_AWS_131", "lb:LoadBalancer", "dropInvalidHeaderFields", False),
    _aws("CKV_AWS_150", "lb:LoadBalancer", "enableDeletionProtection", False),
    _aws("CKV_AWS_2", "lb:Listener", "protocol", "HTTP", "CKV_AWS_103"),
    _aws("CKV_AWS_103", "lb:Listener", "sslPolicy", "ELBSecurityPolicy-2016-08", "CKV2_AWS_74"),
    _aws("CKV_AWS_117", "lambda:Function", "vpcConfig"),
    _aws("CKV_AWS_173", "lambda:Function", "kmsKeyArn"),
    _aws("CKV_AWS_272", "lambda:Function", "codeSigningConfigArn"),
    _aws("CKV_AWS_258", "lambda:FunctionUrl", "authorizationType", "NONE"),
    _aws("CKV_AWS_166", "backup:Vault", "kmsKeyArn"),
    _aws("CKV_AWS_5", "opensearch:Domain", "encryptAtRest.enabled", False),
    _aws("CKV_AWS_6", "opensearch:Domain", "nodeToNodeEncryption.enabled", False),
    _aws("CKV_AWS_83", "opensearch:Domain", "domainEndpointOptions.enforceHttps", False),
    _aws("CKV_AWS_137", "opensearch:Domain", "vpcOptions", REMOVED, "CKV_AWS_248"),
    _aws("CKV_AWS_122", "sagemaker:NotebookInstance", "directInternetAccess", "Enabled"),
    _aws("CKV_AWS_307", "sagemaker:NotebookInstance", "rootAccess", "Enabled"),
    _aws("CKV_AWS_98", "sagemaker:EndpointConfiguration", "kmsKeyArn"),
    _azure("CKV_AZURE_3", "storage:StorageAccount", "enableHttpsTrafficOnly", False),
    _azure("CKV_AZURE_35", "storage:StorageAccount", "networkRuleSet.defaultAction", "Allow"),
    _azure("CKV_AZURE_44", "storage:StorageAccount", "minimumTlsVersion", "TLS1_0"),
    _azure("CKV_AZURE_59", "storage:StorageAccount", "publicNetworkAccess", "Enabled"),
    _azure("CKV_AZURE_34", "storage:BlobContainer", "publicAccess", "Blob"),
    _azure("CKV_AZURE_5", "containerservice:ManagedCluster", "enableRBAC", False),
    _azure("CKV_AZURE_6", "containerservice:ManagedCluster", "apiServerAccessProfile.authorizedIPRanges", []),
    _azure("CKV_AZURE_7", "containerservice:ManagedCluster", "networkProfile.networkPolicy"),
    _azure("CKV_AZURE_8", "containerservice:ManagedCluster", "addonProfiles.kubeDashboard.enabled", True),
    _azure("CKV_AZURE_4", "containerservice:ManagedCluster", "addonProfiles.omsagent.enabled", False),
    _azure("CKV_AZURE_141", "containerservice:ManagedCluster", "disableLocalAccounts", False),
    _azure("CKV_AZURE_171", "containerservice:ManagedCluster", "autoUpgradeProfile.upgradeChannel", "none"),
    _azure("CKV_AZURE_227", "containerservice:ManagedCluster", "agentPoolProfiles[0].enableEncryptionAtHost", False),
    _azure("CKV_AZURE_110", "keyvault:Vault", "properties.enablePurgeProtection", False, "CKV_AZURE_42"),
    _azure("CKV_AZURE_109", "keyvault:Vault", "properties.networkAcls.defaultAction", "Allow"),
    _azure("CKV_AZURE_189", "keyvault:Vault", "properties.publicNetworkAccess", "Enabled"),
    _azure("CKV_AZURE_40", "keyvault:Key", "properties.rotationPolicy.attributes.expiryTime"),
    _azure("CKV_AZURE_112", "keyvault:Key", "properties.kty", "RSA"),
    _azure("CKV_AZURE_137", "containerregistry:Registry", "adminUserEnabled", True),
    _azure("CKV_AZURE_138", "containerregistry:Registry", "anonymousPullEnabled", True),
    _azure("CKV_AZURE_139", "containerregistry:Registry", "publicNetworkAccess", "Enabled"),
    _azure("CKV_AZURE_233", "containerregistry:Registry", "zoneRedundancy", "Disabled"),
    _azure("CKV_AZURE_10", "network:NetworkSecurityGroup", "securityRules[0].sourceAddressPrefix", "*"),
    _azure("CKV_AZURE_9", "network:SecurityRule", "sourceAddressPrefix", "Internet"),
    _azure("CKV_AZURE_93", "compute:Disk", "encryption.diskEncryptionSetId"),
    _azure("CKV_AZURE_97", "compute:VirtualMachine", "securityProfile.encryptionAtHost", False, "CKV_AZURE_151"),
    _azure(
        "CKV_AZURE_1",
        "compute:VirtualMachine",
        "osProfile.linuxConfiguration.disablePasswordAuthentication",
        False,
        "CKV_AZURE_149",
    ),
    _azure("CKV_AZURE_101", "cosmosdb:DatabaseAccount", "publicNetworkAccess", "Enabled"),
    _azure("CKV_AZURE_100", "cosmosdb:DatabaseAccount", "keyVaultKeyUri"),
    _azure("CKV_AZURE_140", "cosmosdb:DatabaseAccount", "disableLocalAuth", False),
    _azure("CKV_AZURE_113", "sql:Server", "publicNetworkAccess", "Enabled"),
    _azure("CKV_AZURE_52", "sql:Server", "minimalTlsVersion", "1.0"),
    _azure("CKV_AZURE_229", "sql:Database", "zoneRedundant", False),
    _azure("CKV_AZURE_14", "web:WebApp", "httpsOnly", False, "CKV_AZURE_70", "CKV_AZURE_153"),
    _azure("CKV_AZURE_15", "web:WebApp", "siteConfig.minTlsVersion", "1.0", "CKV_AZURE_145"),
    _azure("CKV_AZURE_78", "web:WebApp", "siteConfig.ftpsState", "AllAllowed"),
    _azure("CKV_AZURE_72", "web:WebApp", "siteConfig.remoteDebuggingEnabled", True, "CKV_AZURE_155"),
    _azure("CKV_AZURE_89", "redis:Redis", "publicNetworkAccess", "Enabled"),
    _azure("CKV_AZURE_28", "dbformysql:SingleServer", "properties.sslEnforcement", "Disabled"),
)


def _fact(case: Case, number: int) -> ResourceFact:
    place = HERE[case.type.split(":", 1)[0]]
    return place.resource(case.type, f"r{number}", GOOD[case.type], urn=f"urn:{number}")


@pytest.fixture(scope="module")
def failed() -> Iterator[tuple[dict[str, set[str]], dict[str, set[str]]]]:
    """The checks that fail, by URN: of the good resources, and of the bad ones."""
    good = [_fact(case, number) for number, case in enumerate(CASES)]
    bad = [change(fact, case.path, case.value) for fact, case in zip(good, CASES, strict=True)]
    with Scanner() as scanner:
        found = []
        for facts in (good, bad):
            by_urn: dict[str, set[str]] = {fact.urn: set() for fact in facts}
            for finding in scanner.scan(facts):
                by_urn[finding.urn].add(finding.check_id)
            found.append(by_urn)
        yield found[0], found[1]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.id for case in CASES])
def test_what_is_bad_fails_that_check_and_its_twin_does_not(
    number: int, failed: tuple[dict[str, set[str]], dict[str, set[str]]]
) -> None:
    case, urn = CASES[number], f"urn:{number}"
    good, bad = failed[0][urn], failed[1][urn]
    assert case.check not in good
    assert bad - good == {case.check, *case.also}


def test_each_conversion_is_proved_by_many_checks() -> None:
    checks = {case.check for case in CASES}
    assert len(checks) >= 60
    for package in ("kubernetes", "aws", "azure-native"):
        assert len({case.check for case in CASES if case.type.startswith(f"{package}:")}) >= 20
