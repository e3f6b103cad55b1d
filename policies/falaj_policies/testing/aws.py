"""Good AWS resources, by Pulumi type token: inputs as pulumi-aws 7 takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from falaj_policies.testing import aws_access

_HERE: Final = "me-central-1"
_ACCOUNT: Final = "111122223333"
KEY: Final = f"arn:aws:kms:{_HERE}:{_ACCOUNT}:key/acme"
_ROLE: Final = f"arn:aws:iam::{_ACCOUNT}:role/acme"
_INSIDE: Final = "10.0.0.0/16"
_DISK: Final[Mapping[str, Any]] = {"encrypted": True, "kmsKeyId": KEY, "volumeSize": 50}
_DATABASE: Final[Mapping[str, Any]] = {
    "storageEncrypted": True,
    "kmsKeyId": KEY,
    "backupRetentionPeriod": 14,
    "deletionProtection": True,
    "enabledCloudwatchLogsExports": ["postgresql"],
    "iamDatabaseAuthenticationEnabled": True,
    "manageMasterUserPassword": True,
}
_DATABASE_OF_DOCUMENTS: Final[Mapping[str, Any]] = {
    "storageEncrypted": True,
    "backupRetentionPeriod": 14,
    "deletionProtection": True,
}

_RESOURCES: Final[Mapping[str, Mapping[str, Any]]] = {
    "aws:s3/bucket:Bucket": {"bucket": "acme-features"},
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": {
        "bucket": "acme-features",
        "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY}}],
    },
    "aws:s3/bucketVersioning:BucketVersioning": {
        "bucket": "acme-features",
        "versioningConfiguration": {"status": "Enabled"},
    },
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": {
        "bucket": "acme-features",
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    },
    "aws:s3/bucketPolicy:BucketPolicy": {
        "bucket": "acme-features",
        "policy": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": ["arn:aws:s3:::acme-features", "arn:aws:s3:::acme-features/*"],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        },
    },
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": {
        "bucket": "acme-features",
        "role": _ROLE,
        "rules": [{"status": "Enabled", "destination": {"bucket": "arn:aws:s3:::acme-copies"}}],
    },
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": {
        "bucket": "acme-features",
        "rules": [{"id": "old", "status": "Enabled", "expiration": {"days": 400}}],
    },
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": {
        "bucket": "acme-features",
        "rule": {"defaultRetention": {"mode": "COMPLIANCE", "days": 400}},
    },
    "aws:kms/key:Key": {"enableKeyRotation": True, "deletionWindowInDays": 30},
    "aws:kms/replicaKey:ReplicaKey": {"primaryKeyArn": KEY, "deletionWindowInDays": 30},
    "aws:kms/externalKey:ExternalKey": {"deletionWindowInDays": 30},
    "aws:ebs/volume:Volume": {"availabilityZone": f"{_HERE}a", "size": 50, "encrypted": True, "kmsKeyId": KEY},
    "aws:ebs/snapshotCopy:SnapshotCopy": {
        "sourceRegion": _HERE,
        "sourceSnapshotId": "snap-0",
        "encrypted": True,
        "kmsKeyId": KEY,
    },
    "aws:dlm/lifecyclePolicy:LifecyclePolicy": {
        "description": "daily",
        "executionRoleArn": _ROLE,
        "policyDetails": {
            "resourceTypes": ["VOLUME"],
            "targetTags": {"backup": "daily"},
            "schedules": [{"name": "daily", "createRule": {"interval": 24}, "retainRule": {"count": 14}}],
        },
    },
    "aws:backup/plan:Plan": {
        "name": "daily",
        "rules": [{"ruleName": "daily", "targetVaultName": "acme", "schedule": "cron(0 2 * * ? *)"}],
    },
    "aws:backup/vault:Vault": {"name": "acme", "kmsKeyArn": KEY},
    "aws:ec2/vpc:Vpc": {"cidrBlock": _INSIDE},
    "aws:ec2/flowLog:FlowLog": {
        "vpcId": "vpc-0",
        "trafficType": "ALL",
        "logDestinationType": "cloud-watch-logs",
        "logDestination": f"arn:aws:logs:{_HERE}:{_ACCOUNT}:log-group:flow",
        "iamRoleArn": _ROLE,
    },
    "aws:ec2/securityGroup:SecurityGroup": {
        "vpcId": "vpc-0",
        "description": "serving",
        "ingress": [
            {
                "description": "callers",
                "protocol": "tcp",
                "fromPort": 443,
                "toPort": 443,
                "cidrBlocks": [_INSIDE],
            }
        ],
        "egress": [
            {
                "description": "the database",
                "protocol": "tcp",
                "fromPort": 5432,
                "toPort": 5432,
                "cidrBlocks": [_INSIDE],
                "ipv6CidrBlocks": ["fd00::/8"],
            }
        ],
    },
    "aws:ec2/securityGroupRule:SecurityGroupRule": {
        "type": "egress",
        "securityGroupId": "sg-0",
        "description": "the database",
        "protocol": "tcp",
        "fromPort": 5432,
        "toPort": 5432,
        "cidrBlocks": [_INSIDE],
    },
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": {
        "securityGroupId": "sg-0",
        "description": "the database",
        "ipProtocol": "tcp",
        "fromPort": 5432,
        "toPort": 5432,
        "cidrIpv4": _INSIDE,
    },
    "aws:ec2/instance:Instance": {
        "ami": "ami-0",
        "instanceType": "g6.xlarge",
        "subnetId": "subnet-0",
        "associatePublicIpAddress": False,
        "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
        "rootBlockDevice": _DISK,
        "ebsBlockDevices": [{"deviceName": "/dev/sdb", **_DISK}],
    },
    "aws:ec2/launchTemplate:LaunchTemplate": {
        "instanceType": "g6.xlarge",
        "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
        "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {**_DISK, "encrypted": "true"}}],
    },
    "aws:ec2/amiCopy:AmiCopy": {
        "name": "acme",
        "sourceAmiId": "ami-0",
        "sourceAmiRegion": _HERE,
        "encrypted": True,
        "kmsKeyId": KEY,
    },
    "aws:eks/nodeGroup:NodeGroup": {
        "clusterName": "acme",
        "nodeRoleArn": _ROLE,
        "subnetIds": ["subnet-0"],
        "scalingConfig": {"desiredSize": 1, "minSize": 1, "maxSize": 2},
        "launchTemplate": {"id": "lt-0", "version": "1"},
    },
    "aws:rds/instance:Instance": {
        **_DATABASE,
        "engine": "postgres",
        "instanceClass": "db.m7g.large",
        "username": "acme",
        "publiclyAccessible": False,
        "parameterGroupName": "acme",
    },
    "aws:rds/cluster:Cluster": {**_DATABASE, "engine": "aurora-postgresql", "masterUsername": "acme"},
    "aws:rds/parameterGroup:ParameterGroup": {
        "family": "postgres17",
        "parameters": [{"name": "rds.force_ssl", "value": "1"}],
    },
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": {
        "family": "aurora-mysql8.0",
        "parameters": [{"name": "require_secure_transport", "value": "ON"}],
    },
    "aws:rds/snapshotCopy:SnapshotCopy": {
        "sourceDbSnapshotIdentifier": "acme-1",
        "targetDbSnapshotIdentifier": "acme-1-copy",
        "destinationRegion": _HERE,
        "kmsKeyId": KEY,
    },
    "aws:rds/proxy:Proxy": {
        "name": "acme",
        "engineFamily": "POSTGRESQL",
        "requireTls": True,
        "roleArn": _ROLE,
        "auths": [{"iamAuth": "REQUIRED"}],
    },
    "aws:docdb/cluster:Cluster": {**_DATABASE_OF_DOCUMENTS, "kmsKeyId": KEY, "enabledCloudwatchLogsExports": ["audit"]},
    "aws:docdb/clusterParameterGroup:ClusterParameterGroup": {
        "family": "docdb5.0",
        "parameters": [{"name": "tls", "value": "enabled"}],
    },
    "aws:neptune/cluster:Cluster": {
        **_DATABASE_OF_DOCUMENTS,
        "kmsKeyArn": KEY,
        "enableCloudwatchLogsExports": ["audit"],
        "iamDatabaseAuthenticationEnabled": True,
    },
    "aws:redshift/cluster:Cluster": {
        "clusterIdentifier": "acme",
        "nodeType": "ra3.large",
        "encrypted": True,
        "kmsKeyId": KEY,
        "publiclyAccessible": False,
        "enhancedVpcRouting": True,
        "manageMasterPassword": True,
        "automatedSnapshotRetentionPeriod": 14,
    },
    "aws:redshift/parameterGroup:ParameterGroup": {
        "family": "redshift-2.0",
        "parameters": [{"name": "require_ssl", "value": "true"}],
    },
    "aws:fsx/lustreFileSystem:LustreFileSystem": {"subnetIds": "subnet-0", "storageCapacity": 1200, "kmsKeyId": KEY},
    "aws:efs/fileSystem:FileSystem": {"encrypted": True, "kmsKeyId": KEY},
    "aws:efs/replicationConfiguration:ReplicationConfiguration": {
        "sourceFileSystemId": "fs-0",
        "destination": {"region": _HERE, "kmsKeyId": KEY},
    },
    "aws:ecr/repository:Repository": {
        "name": "acme",
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": KEY}],
    },
    "aws:ecr/replicationConfiguration:ReplicationConfiguration": {
        "replicationConfiguration": {
            "rules": [{"destinations": [{"region": _HERE, "registryId": _ACCOUNT}]}],
        }
    },
    "aws:cloudwatch/logGroup:LogGroup": {"name": "/acme", "kmsKeyId": KEY, "retentionInDays": 365},
    "aws:cloudtrail/trail:Trail": {
        "name": "acme",
        "s3BucketName": "acme-features",
        "kmsKeyId": KEY,
        "isMultiRegionTrail": True,
        "enableLogFileValidation": True,
        "cloudWatchLogsGroupArn": f"arn:aws:logs:{_HERE}:{_ACCOUNT}:log-group:trail:*",
        "cloudWatchLogsRoleArn": _ROLE,
    },
    "aws:cloudtrail/eventDataStore:EventDataStore": {"kmsKeyId": KEY, "retentionPeriod": 2557},
    "aws:dynamodb/table:Table": {
        "name": "acme",
        "hashKey": "id",
        "attributes": [{"name": "id", "type": "S"}],
        "billingMode": "PAY_PER_REQUEST",
        "deletionProtectionEnabled": True,
        "serverSideEncryption": {"enabled": True, "kmsKeyArn": KEY},
        "pointInTimeRecovery": {"enabled": True},
    },
    "aws:sns/topic:Topic": {"name": "acme", "kmsMasterKeyId": KEY},
    "aws:sqs/queue:Queue": {"name": "acme", "kmsMasterKeyId": KEY},
    "aws:kinesis/stream:Stream": {"name": "acme", "encryptionType": "KMS", "kmsKeyId": KEY},
    "aws:secretsmanager/secret:Secret": {"name": "acme", "kmsKeyId": KEY, "recoveryWindowInDays": 30},
    "aws:ssm/parameter:Parameter": {"name": "/acme", "type": "SecureString", "keyId": KEY},
    "aws:opensearch/domain:Domain": {
        "domainName": "acme",
        "encryptAtRest": {"enabled": True, "kmsKeyId": KEY},
        "nodeToNodeEncryption": {"enabled": True},
        "domainEndpointOptions": {"enforceHttps": True, "tlsSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10"},
        "logPublishingOptions": [
            {"logType": "AUDIT_LOGS", "cloudwatchLogGroupArn": f"arn:aws:logs:{_HERE}:{_ACCOUNT}:log-group:search"}
        ],
        "vpcOptions": {"subnetIds": ["subnet-0"], "securityGroupIds": ["sg-0"]},
        "advancedSecurityOptions": {"enabled": True, "masterUserOptions": {"masterUserArn": _ROLE}},
    },
    "aws:elasticache/replicationGroup:ReplicationGroup": {
        "description": "features",
        "atRestEncryptionEnabled": True,
        "kmsKeyId": KEY,
        "transitEncryptionEnabled": True,
        "transitEncryptionMode": "required",
        "userGroupIds": ["acme"],
    },
    "aws:msk/cluster:Cluster": {
        "clusterName": "acme",
        "kafkaVersion": "3.9.x",
        "numberOfBrokerNodes": 3,
        "encryptionInfo": {
            "encryptionAtRestKmsKeyArn": KEY,
            "encryptionInTransit": {"clientBroker": "TLS", "inCluster": True},
        },
        "clientAuthentication": {"sasl": {"iam": True}},
    },
    "aws:eks/cluster:Cluster": {
        "name": "acme",
        "roleArn": _ROLE,
        "version": "1.34",
        "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
        "vpcConfig": {"endpointPrivateAccess": True, "endpointPublicAccess": False, "subnetIds": ["subnet-0"]},
        "encryptionConfig": {"provider": {"keyArn": KEY}, "resources": ["secrets"]},
        "enabledClusterLogTypes": ["api", "audit", "authenticator", "controllerManager", "scheduler"],
    },
    "aws:lb/loadBalancer:LoadBalancer": {
        "name": "acme",
        "internal": True,
        "loadBalancerType": "application",
        "dropInvalidHeaderFields": True,
        "enableDeletionProtection": True,
        "accessLogs": {"enabled": True, "bucket": "acme-features"},
    },
    "aws:elb/loadBalancer:LoadBalancer": {
        "name": "acme",
        "internal": True,
        "accessLogs": {"bucket": "acme-features"},
        "listeners": [{"lbPort": 443, "lbProtocol": "https", "instancePort": 443, "instanceProtocol": "https"}],
    },
    "aws:apigateway/domainName:DomainName": {
        "domainName": "acme.example",
        "securityPolicy": "TLS_1_2",
        "regionalCertificateArn": f"arn:aws:acm:{_HERE}:{_ACCOUNT}:certificate/acme",
    },
    "aws:apigateway/stage:Stage": {
        "restApi": "api-0",
        "deployment": "1",
        "stageName": "live",
        "accessLogSettings": {"destinationArn": f"arn:aws:logs:{_HERE}:{_ACCOUNT}:log-group:api", "format": "$context"},
    },
    "aws:lb/listener:Listener": {
        "loadBalancerArn": f"arn:aws:elasticloadbalancing:{_HERE}:{_ACCOUNT}:loadbalancer/app/acme/0",
        "port": 443,
        "protocol": "HTTPS",
        "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "certificateArn": f"arn:aws:acm:{_HERE}:{_ACCOUNT}:certificate/acme",
        "defaultActions": [{"type": "forward"}],
    },
}
GOOD: Final[Mapping[str, Mapping[str, Any]]] = {
    **{token: {"region": _HERE, **inputs} for token, inputs in _RESOURCES.items()},
    **aws_access.GOOD,
}
