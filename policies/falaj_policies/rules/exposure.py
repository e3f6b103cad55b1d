"""IAM-01: nothing that holds or steers data is reachable from the internet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ResourceFact, StackFact
from falaj_policies.model import Check, Objection, Severity
from falaj_policies.rules.declare import rule
from falaj_policies.rules.networks import blocks, or_named, wider_than
from falaj_policies.rules.pairing import beside, of_kind
from falaj_policies.rules.policy_documents import not_for_anyone, statements
from falaj_policies.rules.reading import get, items
from falaj_policies.rules.requiring import all_of, each, is_true, not_true, one_of, satisfies, undecided, unless

__all__ = ["RULES", "is_open"]

_BLOCK: Final = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_PUBLIC_ACLS: Final = frozenset({"public-read", "public-read-write", "authenticated-read"})
_PUBLIC_GROUPS: Final = ("/AllUsers", "/AuthenticatedUsers")
# Wider than any private network is: 10.0.0.0/8 is the widest of them.
is_open: Final = wider_than(8, 16)
_any_source: Final = or_named(is_open, "*", "internet", "any")


def _refused(message: str) -> Check:
    def check(_: ResourceFact) -> Iterator[Objection]:
        yield Objection(message)

    return check


def _document(key: str) -> Check:
    """The resource policy at the path `key` allows nobody whom it does not name."""
    keys = key.split(".")

    def check(resource: ResourceFact) -> Iterator[Objection]:
        yield from statements(get(resource.inputs, *keys), key, not_for_anyone)

    return check


def _networks(value: Any, path: str, *keys: str) -> Iterator[Objection]:
    """The networks under `keys`, text or lists of it, are none that the internet is in."""
    yield from blocks(value, path, *keys, wide=is_open, says="lets in")


def _group(resource: ResourceFact) -> Iterator[Objection]:
    for at, ingress in items(resource.inputs, "ingress", ""):
        if ingress is UNKNOWN:
            yield undecided(at)
        yield from _networks(ingress, at, "cidrBlocks", "ipv6CidrBlocks")


def _group_rule(resource: ResourceFact) -> Iterator[Objection]:
    if resource.inputs.get("type") != "egress":
        yield from _networks(resource.inputs, "", "cidrBlocks", "ipv6CidrBlocks")


def _ingress_rule(resource: ResourceFact) -> Iterator[Objection]:
    yield from _networks(resource.inputs, "", "cidrIpv4", "cidrIpv6")


def _acl(resource: ResourceFact) -> Iterator[Objection]:
    acl = resource.inputs.get("acl")
    if acl is UNKNOWN:
        yield undecided("acl")
    elif isinstance(acl, str) and acl in _PUBLIC_ACLS:
        yield Objection(f"the access control list {acl} is for anyone", path="acl")
    for at, grant in items(resource.inputs.get("accessControlPolicy"), "grants", "accessControlPolicy"):
        yield from _grantee(get(grant, "grantee", "uri"), f"{at}.grantee.uri")
    for at, grant in items(resource.inputs, "grants", ""):
        yield from _grantee(get(grant, "uri"), f"{at}.uri")


def _grantee(uri: Any, at: str) -> Iterator[Objection]:
    if uri is UNKNOWN:
        yield undecided(at)
    elif isinstance(uri, str) and uri.endswith(_PUBLIC_GROUPS):
        yield Objection("grants rights to anyone", path=at)


def _public_address(at: str, interface: Any) -> Iterator[Objection]:
    # A launch template's is text.
    if (value := get(interface, "associatePublicIpAddress")) is UNKNOWN:
        yield undecided(f"{at}.associatePublicIpAddress")
    elif value not in (None, False, "false", "False"):
        yield Objection("takes a public address", path=f"{at}.associatePublicIpAddress")


def _shared_with_all(resource: ResourceFact) -> Iterator[Objection]:
    for at, account in items(resource.inputs, "sharedAccounts", ""):
        if account is UNKNOWN:
            yield undecided(at)
        elif account == "all":
            yield Objection("is shared with every account", path=at)


def _vpc_only(resource: ResourceFact) -> Iterator[Objection]:
    options = resource.inputs.get("vpcOptions")
    if options is not UNKNOWN and not (isinstance(options, Mapping) and options):
        yield Objection("has a public endpoint: it is in no VPC", path="vpcOptions")
    yield from statements(resource.inputs.get("accessPolicies"), "accessPolicies", not_for_anyone)


def _security_rule(value: Any, path: str) -> Iterator[Objection]:
    """An Azure rule that lets in. What it does not say yet leaves it undecided only where it could be open."""
    access, direction = get(value, "access"), get(value, "direction")
    if _says(access, "deny") or _says(direction, "outbound"):
        return
    yield from blocks(value, path, "sourceAddressPrefix", "sourceAddressPrefixes", wide=_any_source, says="lets in")


def _says(value: Any, word: str) -> bool:
    return isinstance(value, str) and value.lower() == word


def _azure_group(resource: ResourceFact) -> Iterator[Objection]:
    for at, entry in items(resource.inputs, "securityRules", ""):
        if entry is UNKNOWN:
            yield undecided(at)
        yield from _security_rule(entry, at)


def _azure_rule(resource: ResourceFact) -> Iterator[Objection]:
    yield from _security_rule(resource.inputs, "")


def _tenants_own_address(resource: ResourceFact) -> Iterator[Objection]:
    if resource.tenant is not None:
        yield Objection("is a public address of a tenant")


def _open_firewall(resource: ResourceFact) -> Iterator[Objection]:
    start = resource.inputs.get("startIpAddress")
    if start is UNKNOWN:
        yield undecided("startIpAddress")
    elif start == "0.0.0.0":  # noqa: S104 - an address to refuse
        yield Objection("lets in everybody, or every customer of Azure", path="startIpAddress")


def _closed(path: str, networks: str = "") -> Check:
    """Azure: public access is off; with `networks`, or the networks that may come are listed and all others denied."""
    keys, rules = path.split("."), networks.split(".") if networks else []

    def check(resource: ResourceFact) -> Iterator[Objection]:
        value = get(resource.inputs, *keys)
        default = get(resource.inputs, *rules, "defaultAction") if rules else None
        if (isinstance(value, str) and value.lower() in {"disabled", "securedbyperimeter"}) or _says(default, "deny"):
            return
        if value is UNKNOWN or default is UNKNOWN:
            yield undecided(path)
        else:
            yield Objection("is reachable from the internet", path=path)

    return check


def _private_server(resource: ResourceFact) -> Iterator[Objection]:
    """A PostgreSQL server inside a virtual network has no public endpoint at all."""
    if get(resource.inputs, "network", "delegatedSubnetResourceId") is None:
        yield from _closed("network.publicNetworkAccess")(resource)


def _node_pool(at: str, pool: Any) -> Iterator[Objection]:
    if (value := get(pool, "enableNodePublicIP")) is UNKNOWN:
        yield undecided(f"{at}.enableNodePublicIP")
    elif value not in (None, False):
        yield Objection("gives nodes public addresses", path=f"{at}.enableNodePublicIP")


def _is_false(path: str, message: str) -> Check:
    return satisfies(path, lambda value: value is False, message)


def _one_of_lambda_callers(resource: ResourceFact) -> Iterator[Objection]:
    principal = resource.inputs.get("principal")
    if principal is UNKNOWN:
        yield undecided("principal")
    elif principal == "*" and not any(
        resource.inputs.get(key) is not None for key in ("principalOrgId", "sourceAccount", "sourceArn")
    ):
        yield Objection("lets anyone call the function", path="principal")


_ACCESSIBLE: Final = not_true("publiclyAccessible", "is reachable from the internet")
_ADDRESS: Final = not_true("associatePublicIpAddress", "takes a public address")
_POLICY: Final = _document("policy")
# A gateway load balancer is never asked whether it faces the internet: it has no address there.
_BALANCER: Final = unless(
    lambda resource: resource.inputs.get("loadBalancerType") == "gateway", is_true("internal", "faces the internet")
)

AWS: Final[Mapping[str, Check]] = {
    "aws:eks:Cluster": all_of(
        _is_false("vpcConfig.endpointPublicAccess", "the API server is reachable from the internet"),
        is_true("vpcConfig.endpointPrivateAccess", "the API server cannot be reached from inside the VPC"),
    ),
    "aws:s3:Bucket": all_of(_acl, _POLICY),
    **dict.fromkeys(("aws:s3:BucketAcl", "aws:s3:BucketObject", "aws:s3:BucketObjectv2", "aws:s3:ObjectCopy"), _acl),
    "aws:s3:BucketPolicy": _POLICY,
    "aws:s3:BucketPublicAccessBlock": all_of(*(is_true(key, "lets the bucket become public") for key in _BLOCK)),
    "aws:s3:AccountPublicAccessBlock": all_of(*(is_true(key, "lets buckets become public") for key in _BLOCK)),
    "aws:s3:AccessPoint": _POLICY,
    **dict.fromkeys(
        (
            "aws:rds:Instance", "aws:rds:ClusterInstance", "aws:redshift:Cluster", "aws:redshiftserverless:Workgroup",
            "aws:neptune:ClusterInstance", "aws:mq:Broker", "aws:dms:ReplicationInstance",
        ),
        _ACCESSIBLE,
    ),
    "aws:rds:Snapshot": _shared_with_all,
    "aws:rds:ClusterSnapshotCopy": _shared_with_all,
    "aws:ec2:SecurityGroup": _group,
    "aws:ec2:DefaultSecurityGroup": _group,
    "aws:ec2:SecurityGroupRule": _group_rule,
    "aws:vpc:SecurityGroupIngressRule": _ingress_rule,
    "aws:ec2:Instance": _ADDRESS,
    "aws:ec2:SpotInstanceRequest": _ADDRESS,
    "aws:ec2:LaunchConfiguration": _ADDRESS,
    "aws:ec2:LaunchTemplate": each("networkInterfaces", _public_address),
    "aws:ec2:Subnet": not_true("mapPublicIpOnLaunch", "gives public addresses to what starts in it"),
    "aws:ec2:DefaultSubnet": not_true("mapPublicIpOnLaunch", "gives public addresses to what starts in it"),
    "aws:ec2:AmiLaunchPermission": satisfies("group", lambda v: v is None, "shares the image with every account"),
    "aws:ec2:ImageBlockPublicAccess": one_of("state", ("block-new-sharing",), "lets images become public"),
    "aws:ebs:SnapshotBlockPublicAccess": one_of(
        "state", ("block-all-sharing", "block-new-sharing"), "lets snapshots become public"
    ),
    "aws:ecs:Service": not_true("networkConfiguration.assignPublicIp", "gives its tasks public addresses"),
    "aws:lb:LoadBalancer": _BALANCER,
    "aws:alb:LoadBalancer": _BALANCER,
    "aws:opensearch:Domain": _vpc_only,
    "aws:opensearch:DomainPolicy": _document("accessPolicies"),
    "aws:s3control:MultiRegionAccessPointPolicy": _document("details.policy"),
    "aws:msk:Cluster": one_of(
        "brokerNodeGroupInfo.connectivityInfo.publicAccess.type", ("DISABLED",), "has public brokers", default=True
    ),
    "aws:ecrpublic:Repository": _refused("is a repository that anyone may pull from"),
    "aws:lambda:Permission": _one_of_lambda_callers,
    **dict.fromkeys(
        (
            "aws:ecr:RepositoryPolicy", "aws:sns:Topic", "aws:sns:TopicPolicy", "aws:sqs:Queue", "aws:sqs:QueuePolicy",
            "aws:kms:Key", "aws:kms:KeyPolicy", "aws:secretsmanager:SecretPolicy", "aws:efs:FileSystemPolicy",
            "aws:ecr:RegistryPolicy", "aws:backup:VaultPolicy", "aws:secretsmanager:Secret", "aws:kms:ReplicaKey",
            "aws:kms:ExternalKey", "aws:apigateway:RestApi", "aws:apigateway:RestApiPolicy",
            "aws:s3control:AccessPointPolicy", "aws:s3control:ObjectLambdaAccessPointPolicy",
            "aws:s3control:BucketPolicy", "aws:dynamodb:ResourcePolicy", "aws:kinesis:ResourcePolicy",
            "aws:glue:ResourcePolicy", "aws:cloudwatch:EventBusPolicy",
        ),
        _POLICY,
    ),
}  # fmt: skip
AZURE: Final[Mapping[str, Check]] = {
    "azure-native:containerservice:ManagedCluster": all_of(
        is_true("apiServerAccessProfile.enablePrivateCluster", "the API server is reachable from the internet"),
        each("agentPoolProfiles", _node_pool),
    ),
    "azure-native:containerservice:AgentPool": not_true("enableNodePublicIP", "gives nodes public addresses"),
    "azure-native:storage:StorageAccount": all_of(
        _closed("publicNetworkAccess", "networkRuleSet"),
        _is_false("allowBlobPublicAccess", "lets containers become public"),
    ),
    "azure-native:storage:BlobContainer": one_of("publicAccess", ("None",), "is for anyone to read", default=True),
    "azure-native:keyvault:Vault": _closed("properties.publicNetworkAccess", "properties.networkAcls"),
    "azure-native:dbforpostgresql:Server": _private_server,
    "azure-native:dbforpostgresql:FirewallRule": _open_firewall,
    "azure-native:sql:Server": _closed("publicNetworkAccess"),
    "azure-native:sql:FirewallRule": _open_firewall,
    "azure-native:containerregistry:Registry": all_of(
        _closed("publicNetworkAccess", "networkRuleSet"),
        not_true("anonymousPullEnabled", "lets anyone pull"),
    ),
    "azure-native:network:NetworkSecurityGroup": _azure_group,
    "azure-native:network:SecurityRule": _azure_rule,
    "azure-native:network:PublicIPAddress": _tenants_own_address,
    "azure-native:machinelearningservices:Workspace": _closed("publicNetworkAccess"),
    "azure-native:machinelearningservices:OnlineEndpoint": _closed("properties.publicNetworkAccess"),
    "azure-native:cognitiveservices:Account": _closed("properties.publicNetworkAccess", "properties.networkAcls"),
    "azure-native:cosmosdb:DatabaseAccount": _closed("publicNetworkAccess"),
    "azure-native:databricks:Workspace": _closed("publicNetworkAccess"),
}


def buckets_blocked(stack: StackFact) -> Iterator[Objection]:
    """Every S3 bucket has a public access block beside it, or the whole account has one."""
    buckets = of_kind(stack, "aws:s3:Bucket")
    if buckets and not of_kind(stack, "aws:s3:AccountPublicAccessBlock"):
        message = "the bucket has no BucketPublicAccessBlock beside it"
        # Whether the block's settings are on is judged where it is declared.
        block = "aws:s3:BucketPublicAccessBlock"
        yield from beside(stack, buckets, block, "bucket", "bucket", lambda _: True, message)


_RATIONALE: Final = "What the internet reaches is attacked within minutes; what only the network reaches is not."
_REMEDY: Final = "keep it private: a private endpoint, named networks, named callers"

RULES = (
    rule("IAM-01", rationale=_RATIONALE, severity=Severity.CRITICAL, remedy=_REMEDY, check={**AWS, **AZURE}),
    rule(
        "IAM-01",
        rationale=_RATIONALE,
        severity=Severity.HIGH,
        remedy="put an aws.s3.BucketPublicAccessBlock with its four settings beside the bucket",
        check=buckets_blocked,
        applies_to=StackFact,
    ),
)
