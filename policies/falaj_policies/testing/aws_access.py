"""Good AWS resources about access: identities, rights, policies of resources, networks, and what asks who calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["GOOD", "allowing"]

_HERE: Final = "me-central-1"
_ACCOUNT: Final = "111122223333"
_KEY: Final = f"arn:aws:kms:{_HERE}:{_ACCOUNT}:key/acme"
_ROLE: Final = f"arn:aws:iam::{_ACCOUNT}:role/acme"
_IMAGE: Final = f"{_ACCOUNT}.dkr.ecr.{_HERE}.amazonaws.com/acme@sha256:" + "a" * 64
_INSIDE: Final = "10.0.0.0/16"
_SESSIONS: Final[Mapping[str, Any]] = {"httpTokens": "required", "httpPutResponseHopLimit": 1}


def allowing(**statement: Any) -> dict[str, Any]:
    """A policy document of one statement that allows."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


_RIGHTS: Final = allowing(Action=["s3:GetObject"], Resource=["arn:aws:s3:::acme-features/*"])
_NAMED: Final = allowing(Action=["kms:Decrypt"], Resource="*", Principal={"AWS": _ROLE})

_REGIONAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "aws:s3/bucketAcl:BucketAcl": {"bucket": "acme-features", "acl": "private"},
    "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock": {
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    },
    "aws:rds/clusterInstance:ClusterInstance": {
        "clusterIdentifier": "acme",
        "engine": "aurora-postgresql",
        "instanceClass": "db.r8g.large",
        "publiclyAccessible": False,
    },
    "aws:rds/snapshot:Snapshot": {"dbInstanceIdentifier": "acme", "dbSnapshotIdentifier": "acme-1"},
    "aws:redshift/cluster:Cluster": {
        "clusterIdentifier": "acme",
        "nodeType": "ra3.large",
        "encrypted": True,
        "kmsKeyId": _KEY,
        "manageMasterPassword": True,
        "publiclyAccessible": False,
        "automatedSnapshotRetentionPeriod": 14,
    },
    "aws:redshiftserverless/workgroup:Workgroup": {
        "namespaceName": "acme",
        "workgroupName": "acme",
        "publiclyAccessible": False,
    },
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {
        "securityGroupId": "sg-0",
        "description": "callers",
        "ipProtocol": "tcp",
        "fromPort": 443,
        "toPort": 443,
        "cidrIpv4": _INSIDE,
    },
    "aws:ec2/launchConfiguration:LaunchConfiguration": {
        "imageId": "ami-0",
        "instanceType": "g6.xlarge",
        "associatePublicIpAddress": False,
        "metadataOptions": _SESSIONS,
        "rootBlockDevice": {"encrypted": True},
    },
    "aws:ec2/subnet:Subnet": {"vpcId": "vpc-0", "cidrBlock": "10.0.1.0/24", "mapPublicIpOnLaunch": False},
    "aws:ec2/amiLaunchPermission:AmiLaunchPermission": {"imageId": "ami-0", "accountId": _ACCOUNT},
    "aws:ec2/imageBlockPublicAccess:ImageBlockPublicAccess": {"state": "block-new-sharing"},
    "aws:ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess": {"state": "block-all-sharing"},
    "aws:ecs/service:Service": {
        "name": "acme",
        "networkConfiguration": {"subnets": ["subnet-0"], "assignPublicIp": False},
    },
    "aws:ecs/taskDefinition:TaskDefinition": {
        "family": "acme",
        "taskRoleArn": _ROLE,
        "containerDefinitions": json.dumps([{"name": "c", "image": _IMAGE}]),
    },
    "aws:opensearch/domainPolicy:DomainPolicy": {"domainName": "acme", "accessPolicies": _NAMED},
    "aws:ecr/repositoryPolicy:RepositoryPolicy": {"repository": "acme", "policy": _NAMED},
    "aws:sns/topicPolicy:TopicPolicy": {
        "arn": f"arn:aws:sns:{_HERE}:{_ACCOUNT}:acme",
        "policy": allowing(
            Action="sns:Publish",
            Resource="*",
            Principal="*",
            Condition={"StringEquals": {"aws:SourceAccount": _ACCOUNT}},
        ),
    },
    "aws:sqs/queuePolicy:QueuePolicy": {"queueUrl": "acme", "policy": json.dumps(_NAMED)},
    "aws:kms/keyPolicy:KeyPolicy": {"keyId": _KEY, "policy": _NAMED},
    "aws:secretsmanager/secretPolicy:SecretPolicy": {"secretArn": "acme", "policy": _NAMED},  # pragma: allowlist secret
    "aws:secretsmanager/secret:Secret": {"name": "acme", "kmsKeyId": _KEY, "policy": _NAMED},
    "aws:apigateway/restApi:RestApi": {
        "name": "acme",
        "policy": allowing(Action="execute-api:Invoke", Resource="*", Principal={"AWS": _ROLE}),
    },
    "aws:s3control/accessPointPolicy:AccessPointPolicy": {"accessPointArn": "acme", "policy": json.dumps(_NAMED)},
    "aws:s3control/multiRegionAccessPointPolicy:MultiRegionAccessPointPolicy": {
        "details": {"name": "acme", "policy": json.dumps(_NAMED)}
    },
    "aws:dynamodb/resourcePolicy:ResourcePolicy": {"resourceArn": "acme", "policy": json.dumps(_NAMED)},
    "aws:glue/resourcePolicy:ResourcePolicy": {"policy": json.dumps(_NAMED)},
    "aws:cloudwatch/eventBusPolicy:EventBusPolicy": {"eventBusName": "acme", "policy": json.dumps(_NAMED)},
    "aws:s3/bucketObject:BucketObject": {"bucket": "acme-features", "key": "schema", "acl": "private"},
    "aws:s3/objectCopy:ObjectCopy": {
        "bucket": "acme-features",
        "key": "schema",
        "source": "acme-models/schema",
        "grants": [{"type": "CanonicalUser", "id": "acme", "permissions": ["READ"]}],
    },
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": {
        "clusterName": "acme",
        "principalArn": _ROLE,
        "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
        "accessScope": {"type": "namespace", "namespaces": ["tenant-acme"]},
    },
    "aws:ssoadmin/managedPolicyAttachment:ManagedPolicyAttachment": {
        "instanceArn": "acme",
        "permissionSetArn": "acme",
        "managedPolicyArn": "arn:aws:iam::aws:policy/SecurityAudit",
    },
    "aws:ssoadmin/permissionSetInlinePolicy:PermissionSetInlinePolicy": {
        "instanceArn": "acme",
        "permissionSetArn": "acme",
        "inlinePolicy": json.dumps(_RIGHTS),
    },
    "aws:lambda/permission:Permission": {
        "action": "lambda:InvokeFunction",
        "function": "acme",
        "principal": "s3.amazonaws.com",
        "sourceAccount": _ACCOUNT,
    },
    "aws:lambda/function:Function": {
        "name": "acme",
        "role": _ROLE,
        "packageType": "Image",
        "imageUri": _IMAGE,
        "kmsKeyArn": _KEY,
        "environment": {"variables": {"LOG_LEVEL": "info"}},
    },
    "aws:lambda/functionUrl:FunctionUrl": {"functionName": "acme", "authorizationType": "AWS_IAM"},
    "aws:apigatewayv2/route:Route": {"apiId": "api", "routeKey": "POST /predict", "authorizationType": "AWS_IAM"},
    "aws:apigateway/method:Method": {
        "restApi": "api",
        "resourceId": "predict",
        "httpMethod": "POST",
        "authorization": "AWS_IAM",
    },
    "aws:sagemaker/model:Model": {
        "name": "acme",
        "executionRoleArn": _ROLE,
        "enableNetworkIsolation": True,
        "primaryContainer": {"image": _IMAGE, "environment": {"LOG_LEVEL": "info"}},
        "vpcConfig": {"subnets": ["subnet-0"], "securityGroupIds": ["sg-0"]},
    },
    "aws:sagemaker/notebookInstance:NotebookInstance": {
        "name": "acme",
        "roleArn": _ROLE,
        "instanceType": "ml.g6.xlarge",
        "subnetId": "subnet-0",
        "kmsKeyId": _KEY,
        "directInternetAccess": "Disabled",
        "rootAccess": "Disabled",
    },
    "aws:sagemaker/domain:Domain": {
        "domainName": "acme",
        "authMode": "SSO",
        "vpcId": "vpc-0",
        "subnetIds": ["subnet-0"],
        "kmsKeyId": _KEY,
        "appNetworkAccessType": "VpcOnly",
        "defaultUserSettings": {"executionRole": _ROLE},
    },
    "aws:cognito/userPool:UserPool": {
        "name": "acme",
        "mfaConfiguration": "ON",
        "softwareTokenMfaConfiguration": {"enabled": True},
        "passwordPolicy": {"minimumLength": 14},
        "deletionProtection": "ACTIVE",
    },
}
# Identities are the account's, in no region.
_GLOBAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "aws:iam/policy:Policy": {"name": "acme", "policy": _RIGHTS},
    "aws:iam/rolePolicy:RolePolicy": {"role": "acme", "policy": json.dumps(_RIGHTS)},
    "aws:iam/groupPolicy:GroupPolicy": {"group": "acme", "policy": _RIGHTS},
    "aws:iam/userPolicy:UserPolicy": {"user": "acme", "policy": _RIGHTS},
    "aws:iam/role:Role": {
        "name": "acme",
        "assumeRolePolicy": allowing(
            Action="sts:AssumeRoleWithWebIdentity",
            Principal={"Federated": f"arn:aws:iam::{_ACCOUNT}:oidc-provider/oidc.eks.{_HERE}.amazonaws.com/id/0"},
            Condition={
                "StringEquals": {
                    f"oidc.eks.{_HERE}.amazonaws.com/id/0:sub": "system:serviceaccount:tenant-acme:serving",
                    f"oidc.eks.{_HERE}.amazonaws.com/id/0:aud": "sts.amazonaws.com",
                }
            },
        ),
        "inlinePolicies": [{"name": "features", "policy": json.dumps(_RIGHTS)}],
        "managedPolicyArns": ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"],
    },
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": {
        "role": "acme",
        "policyArn": "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
    },
    "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive": {
        "roleName": "acme",
        "policyArns": ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"],
    },
    "aws:iam/accountPasswordPolicy:AccountPasswordPolicy": {
        "minimumPasswordLength": 14,
        "passwordReusePrevention": 24,
        "requireSymbols": True,
    },
}
GOOD: Final[Mapping[str, Mapping[str, Any]]] = {
    **{token: {"region": _HERE, **inputs} for token, inputs in _REGIONAL.items()},
    **_GLOBAL,
}
