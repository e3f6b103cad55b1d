"""Cases of IAM-01: what the internet must not reach."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from falaj_policies.facts import ResourceFact
from falaj_policies.testing.aws_access import allowing
from falaj_policies.testing.build import HERE, REMOVED, broken, good, stack
from falaj_policies.testing.case import Case
from falaj_policies.testing.stacks import bucket

_GROUP: Final = "aws:ec2:SecurityGroup"
_GROUP_RULE: Final = "aws:ec2:SecurityGroupRule"
_ANY: Final = "0.0.0.0"  # noqa: S104 - an address to refuse
_ANYONE: Final = allowing(Action="s3:GetObject", Resource="arn:aws:s3:::acme-features/*", Principal="*")
_ANY_ACCOUNT: Final = allowing(Action="*", Resource="*", Principal={"AWS": ["*"]})
_ANY_TIME: Final = allowing(
    Action="sns:Publish", Resource="*", Principal="*", Condition={"StringLike": {"aws:SourceArn": "*"}}
)
_WITH_OTHERS: Final = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotPrincipal": {"AWS": "acme"}}]}
_ALL_USERS: Final = [
    {"type": "Group", "permissions": ["READ"], "uri": "http://acs.amazonaws.com/groups/global/AllUsers"}
]
_BLOCK: Final = "aws:s3:BucketPublicAccessBlock"
_INBOUND: Final[Mapping[str, Any]] = {
    "name": "in",
    "direction": "Inbound",
    "access": "Allow",
    "protocol": "Tcp",
    "sourceAddressPrefix": "*",
    "destinationPortRange": "443",
    "priority": 200,
}

# Kind, the input that is broken, its value, what that is in words.
_BROKEN: Final[tuple[tuple[str, str, Any, str], ...]] = (
    ("aws:eks:Cluster", "vpcConfig.endpointPublicAccess", True, "an EKS API server on the internet"),
    ("aws:eks:Cluster", "vpcConfig.endpointPublicAccess", REMOVED, "an EKS API server with the default endpoint"),
    ("aws:eks:Cluster", "vpcConfig.endpointPrivateAccess", False, "an EKS API server without a private endpoint"),
    (_BLOCK, "blockPublicAcls", False, "a bucket that takes public access control lists"),
    (_BLOCK, "blockPublicPolicy", REMOVED, "a bucket that takes public policies"),
    (_BLOCK, "ignorePublicAcls", False, "a bucket that heeds public access control lists"),
    (_BLOCK, "restrictPublicBuckets", False, "a public bucket that serves anyone"),
    ("aws:s3:AccountPublicAccessBlock", "blockPublicPolicy", False, "an account whose buckets may become public"),
    ("aws:s3:Bucket", "acl", "public-read-write", "a bucket for anyone to write"),
    (
        "aws:s3:BucketAcl",
        "accessControlPolicy.grants",
        [{"permission": "READ", "grantee": {"uri": "http://acs.amazonaws.com/groups/global/AllUsers"}}],
        "a bucket whose grant is for anyone",
    ),
    ("aws:s3:BucketAcl", "acl", "public-read", "a bucket for anyone to read"),
    ("aws:s3:BucketPolicy", "policy", _ANYONE, "a bucket policy for anyone"),
    ("aws:s3:BucketPolicy", "policy", "{", "a bucket policy that is no JSON"),
    ("aws:rds:Instance", "publiclyAccessible", True, "a database on the internet"),
    ("aws:rds:ClusterInstance", "publiclyAccessible", True, "a database of a cluster on the internet"),
    ("aws:rds:Snapshot", "sharedAccounts", ["all"], "a snapshot that every account may restore"),
    ("aws:redshift:Cluster", "publiclyAccessible", True, "a warehouse on the internet"),
    ("aws:redshiftserverless:Workgroup", "publiclyAccessible", True, "a serverless warehouse on the internet"),
    (_GROUP, "ingress[0].cidrBlocks[0]", "0.0.0.0/0", "a security group that lets everybody in"),
    (_GROUP, "ingress[0].ipv6CidrBlocks", ["::/0"], "a security group that lets everybody in by IPv6"),
    (_GROUP, "ingress[0].cidrBlocks[0]", "0.0.0.0/1", "a security group that lets half of everybody in"),
    ("aws:vpc:SecurityGroupIngressRule", "cidrIpv4", "0.0.0.0/0", "an ingress rule for everybody"),
    ("aws:ec2:Instance", "associatePublicIpAddress", True, "an instance with a public address"),
    ("aws:ec2:LaunchConfiguration", "associatePublicIpAddress", True, "instances with public addresses"),
    (
        "aws:ec2:LaunchTemplate",
        "networkInterfaces",
        [{"associatePublicIpAddress": "true"}],
        "a template of instances with public addresses",
    ),
    ("aws:ec2:Subnet", "mapPublicIpOnLaunch", True, "a subnet that gives out public addresses"),
    ("aws:ec2:AmiLaunchPermission", "group", "all", "a machine image for every account"),
    ("aws:ec2:ImageBlockPublicAccess", "state", "unblocked", "machine images that may become public"),
    ("aws:ebs:SnapshotBlockPublicAccess", "state", "unblocked", "snapshots that may become public"),
    ("aws:ecs:Service", "networkConfiguration.assignPublicIp", True, "tasks with public addresses"),
    ("aws:lb:LoadBalancer", "internal", False, "a load balancer that faces the internet"),
    ("aws:opensearch:Domain", "vpcOptions", REMOVED, "a search domain outside of any VPC"),
    ("aws:opensearch:DomainPolicy", "accessPolicies", _ANY_ACCOUNT, "a search domain for anyone"),
    (
        "aws:msk:Cluster",
        "brokerNodeGroupInfo.connectivityInfo.publicAccess.type",
        "SERVICE_PROVIDED_EIPS",
        "public brokers",
    ),
    ("aws:ecr:RepositoryPolicy", "policy", _ANY_ACCOUNT, "a registry that any account may use"),
    ("aws:sns:TopicPolicy", "policy", _ANY_TIME, "a topic whose condition narrows nothing"),
    ("aws:sqs:QueuePolicy", "policy", _ANY_ACCOUNT, "a queue for any account"),
    ("aws:kms:KeyPolicy", "policy", _ANY_ACCOUNT, "a key for any account"),
    ("aws:secretsmanager:SecretPolicy", "policy", _WITH_OTHERS, "a secret for all but some"),
    *(
        (kind, "policy", _ANY_ACCOUNT, f"a policy of {kind} for any account")
        for kind in (
            "aws:secretsmanager:Secret",
            "aws:kms:ReplicaKey",
            "aws:apigateway:RestApi",
            "aws:s3control:AccessPointPolicy",
            "aws:dynamodb:ResourcePolicy",
            "aws:glue:ResourcePolicy",
            "aws:cloudwatch:EventBusPolicy",
        )
    ),
    ("aws:s3control:MultiRegionAccessPointPolicy", "details.policy", _ANY_ACCOUNT, "access points for any account"),
    ("aws:s3:BucketObject", "acl", "public-read", "an object for anyone to read"),
    ("aws:s3:ObjectCopy", "acl", "public-read", "a copy for anyone to read"),
    ("aws:s3:ObjectCopy", "grants", _ALL_USERS, "a copy whose grant is for anyone"),
    ("aws:s3:Bucket", "grants", _ALL_USERS, "a bucket whose own grant is for anyone"),
    *(
        ("aws:sqs:QueuePolicy", "policy", allowing(Action="sqs:SendMessage", Resource="*", **statement), what)
        for statement, what in (
            ({"Principal": {"CanonicalUser": "*"}}, "a queue for every canonical user"),
            ({"Principal": {"Federated": "*"}}, "a queue for every provider's users"),
            ({"Principal": {"AWS": {"acme": "*"}}}, "a queue for a principal that nobody can read"),
            (
                {"Principal": "*", "Condition": {"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*"}}},
                "a queue for every account's principals",
            ),
            (
                {"Principal": "*", "Condition": {"StringLike": {"aws:userid": "A*"}}},
                "a queue for whose id begins as all do",
            ),
        )
    ),
    (
        "aws:sqs:QueuePolicy",
        "policy",
        allowing(Resource="*", Principal={"AWS": "111122223333"}),
        "a queue whose policy names no actions",
    ),
    (
        "azure-native:containerservice:ManagedCluster",
        "apiServerAccessProfile.enablePrivateCluster",
        False,
        "an AKS API server on the internet",
    ),
    (
        "azure-native:containerservice:ManagedCluster",
        "agentPoolProfiles[0].enableNodePublicIP",
        True,
        "AKS nodes with public addresses",
    ),
    ("azure-native:containerservice:AgentPool", "enableNodePublicIP", True, "a pool of nodes with public addresses"),
    ("azure-native:storage:StorageAccount", "allowBlobPublicAccess", True, "blobs that may become public"),
    ("azure-native:storage:BlobContainer", "publicAccess", "Blob", "blobs for anyone to read"),
    ("azure-native:dbforpostgresql:Server", "network.publicNetworkAccess", "Enabled", "a public PostgreSQL"),
    ("azure-native:dbforpostgresql:FirewallRule", "startIpAddress", _ANY, "a PostgreSQL open to everybody"),
    ("azure-native:sql:Server", "publicNetworkAccess", "Enabled", "a public SQL server"),
    ("azure-native:containerregistry:Registry", "publicNetworkAccess", "Enabled", "a registry on the internet"),
    ("azure-native:containerregistry:Registry", "anonymousPullEnabled", True, "a registry that anyone may pull from"),
    (
        "azure-native:network:NetworkSecurityGroup",
        "securityRules[1]",
        dict(_INBOUND),
        "a security group that lets everybody in on Azure",
    ),
    ("azure-native:network:SecurityRule", "direction", "Inbound", "a security rule that lets everybody in on Azure"),
    ("azure-native:machinelearningservices:Workspace", "publicNetworkAccess", "Enabled", "a public workspace"),
    (
        "azure-native:machinelearningservices:OnlineEndpoint",
        "properties.publicNetworkAccess",
        "Enabled",
        "a public endpoint of a model",
    ),
    ("azure-native:cognitiveservices:Account", "properties.publicNetworkAccess", "Enabled", "a public model service"),
    ("azure-native:databricks:Workspace", "publicNetworkAccess", "Enabled", "a public workspace of Databricks"),
    ("azure-native:cosmosdb:DatabaseAccount", "publicNetworkAccess", "Enabled", "a public document database"),
)
# Where one of two settings is enough, both are broken at once.
_BOTH: Final[tuple[tuple[str, Mapping[str, Any], str], ...]] = (
    (
        "azure-native:storage:StorageAccount",
        {"publicNetworkAccess": "Enabled", "networkRuleSet": {"defaultAction": "Allow"}},
        "a storage account on the internet",
    ),
    (
        "azure-native:keyvault:Vault",
        {
            "properties": {
                **good("azure-native:keyvault:Vault").inputs["properties"],  # type: ignore[dict-item]
                "publicNetworkAccess": "Enabled",
                "networkAcls": {"defaultAction": "Allow"},
            }
        },
        "a key vault on the internet",
    ),
)
_SECURITY_RULE: Final = "azure-native:network:SecurityRule"


def _address(tenant: str | None) -> ResourceFact:
    here = dataclasses.replace(HERE["azure-native"], tenant=tenant)
    token = "azure-native:network:PublicIPAddress"  # noqa: S105 - a type token
    return here.resource(token, "out", {"location": "uaenorth"}, urn=f"urn:pulumi:dev::acme::{token}::out")


def _public_repository() -> ResourceFact:
    token = "aws:ecrpublic/repository:Repository"  # noqa: S105 - a type token
    inputs = {"repositoryName": "acme", "region": "me-central-1"}
    return HERE["aws"].resource(token, "r", inputs, urn=f"urn:pulumi:dev::acme::{token}::r")


def _case(kind: str, path: str, value: Any, what: str) -> Case:
    options: dict[str, Any] = {"sourceAddressPrefix": "Internet"} if kind == _SECURITY_RULE else {}
    return Case("IAM-01", what, good(kind, **options), broken(kind, path, value, **options))


CASES = (
    *(_case(*row) for row in _BROKEN),
    *(Case("IAM-01", what, good(kind), good(kind, **inputs)) for kind, inputs, what in _BOTH),
    Case(
        "IAM-01",
        "a function that anyone may call by permission",
        good("aws:lambda:Permission", principal="*"),
        broken("aws:lambda:Permission", "sourceAccount", principal="*"),
    ),
    Case(
        "IAM-01",
        "an ingress rule of a group for everybody",
        good(_GROUP_RULE, type="ingress"),
        broken(_GROUP_RULE, "cidrBlocks[0]", "0.0.0.0/0", type="ingress"),
    ),
    Case("IAM-01", "a repository that anyone may pull from", good("aws:ecr:Repository"), _public_repository()),
    Case("IAM-01", "a public address of a tenant", _address(None), _address("acme")),
    Case(
        "IAM-01",
        "a bucket without a public access block beside it",
        stack(*bucket()),
        stack(*bucket(without=_BLOCK)),
    ),
)
