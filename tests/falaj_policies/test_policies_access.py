"""Access, tenancy, supply chain and change: what cases cannot say (unknown values, odd shapes, exceptions, time)."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falaj_policies import CONTROLS, RULES, UNKNOWN, Finding, ProjectFact, ResourceFact, StackFact, Stage, evaluate
from falaj_policies.catalogue import handling_of
from falaj_policies.dispositions import DISPOSITIONS, Handling
from falaj_policies.registry import apply
from falaj_policies.rules import access, supply_chain, tenancy
from falaj_policies.rules import change as changes
from falaj_policies.rules.reading import POD_KINDS
from falaj_policies.testing import broken, change, good, kinds, own_cases, stack
from falaj_policies.testing.aws_access import allowing

OWN = (*access.RULES, *tenancy.RULES, *supply_chain.RULES, *changes.RULES)
POD = "kubernetes:core:Pod"


def found(fact: Any) -> list[Finding]:
    return evaluate(fact, Stage.PULL_REQUEST)


def denied(fact: Any) -> set[str]:
    return {finding.rule for finding in found(fact) if finding.denies}


def undecided(fact: Any) -> set[str]:
    return {finding.rule for finding in found(fact) if finding.undecided}


# The control table


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_is_answered_for(name: str) -> None:
    rules = [rule for rule in RULES if rule.id == name]
    assert rules or name in DISPOSITIONS
    assert (handling_of(name, rules) is Handling.RULE) is bool(rules)


def test_dispositions_are_of_controls_and_give_a_reason() -> None:
    assert set(DISPOSITIONS) <= set(CONTROLS)
    for disposition in DISPOSITIONS.values():
        assert disposition.handling is not Handling.RULE
        assert len(disposition.reason.split()) > 3
        assert "\n" not in disposition.reason


# Unknown values: what must have a value waits, what must be there is content


@pytest.mark.parametrize(
    ("rule", "kind", "path"),
    [
        ("IAM-01", "aws:eks:Cluster", "vpcConfig"),
        ("IAM-01", "aws:eks:Cluster", "vpcConfig.endpointPublicAccess"),
        ("IAM-01", "aws:s3:BucketPolicy", "policy"),
        ("IAM-01", "aws:s3:BucketPolicy", "policy.Statement"),
        ("IAM-01", "aws:ec2:SecurityGroup", "ingress"),
        ("IAM-01", "aws:ec2:SecurityGroup", "ingress[0]"),
        ("IAM-01", "aws:ec2:SecurityGroup", "ingress[0].cidrBlocks"),
        ("IAM-01", "aws:ec2:LaunchTemplate", "networkInterfaces"),
        ("IAM-01", "aws:s3:BucketAcl", "acl"),
        ("IAM-01", "aws:s3:BucketAcl", "accessControlPolicy"),
        ("IAM-01", "aws:rds:Snapshot", "sharedAccounts"),
        ("IAM-01", "aws:lambda:Permission", "principal"),
        ("IAM-01", "azure-native:cosmosdb:DatabaseAccount", "publicNetworkAccess"),
        ("IAM-01", "azure-native:dbforpostgresql:FirewallRule", "startIpAddress"),
        ("IAM-01", "azure-native:containerservice:ManagedCluster", "agentPoolProfiles[0].enableNodePublicIP"),
        ("IAM-01", "azure-native:network:NetworkSecurityGroup", "securityRules"),
        ("IAM-02", "aws:ec2:Instance", "metadataOptions"),
        ("IAM-02", "aws:ecs:TaskDefinition", "containerDefinitions"),
        ("IAM-02", "kubernetes:core:Secret", "type"),
        ("IAM-02", POD, "spec.containers[0].env"),
        ("IAM-03", "kubernetes:rbac:Role", "rules"),
        ("IAM-03", "kubernetes:rbac:Role", "rules[0].verbs[0]"),
        ("IAM-03", "kubernetes:rbac:RoleBinding", "roleRef.name"),
        ("IAM-03", "aws:iam:Policy", "policy"),
        ("IAM-03", "aws:iam:Policy", "policy.Statement[0].Action"),
        ("IAM-03", "aws:iam:Role", "inlinePolicies"),
        ("IAM-03", "azure-native:authorization:RoleDefinition", "permissions"),
        ("IAM-04", POD, "spec.containers[0].args"),
        ("IAM-04", POD, "spec.containers[0].args[0]"),
        ("IAM-04", POD, "spec.containers[0]"),
        ("IAM-04", "kubernetes:ray.io:RayCluster", "spec"),
        ("IAM-04", "kubernetes:ray.io:RayCluster", "spec.authOptions"),
        ("IAM-04", "kubernetes:ray.io:RayCluster", "spec.authOptions.mode"),
        ("IAM-04", "aws:lambda:FunctionUrl", "authorizationType"),
        ("IAM-06", "aws:eks:Cluster", "accessConfig"),
        ("SUP-04", "aws:lambda:Function", "imageUri"),
        ("SUP-04", "azure-native:app:ContainerApp", "template"),
        ("SUP-05", "aws:ecr:Repository", "imageScanningConfiguration"),
        ("TEN-01", POD, "metadata.namespace"),
        ("TEN-01", "kubernetes:core:Namespace", "metadata"),
        ("TEN-02", "kubernetes:networking:NetworkPolicy", "spec.ingress"),
        ("TEN-03", POD, "spec.securityContext"),
        ("TEN-03", POD, "spec.containers[0].securityContext.procMount"),
        ("SUP-04", "kubernetes:ray.io:RayCluster", "spec.headGroupSpec.template"),
        ("SUP-04", "kubernetes:ray.io:RayCluster", "spec.workerGroupSpecs"),
        ("TEN-03", "kubernetes:ray.io:RayJob", "spec.rayClusterSpec"),
        ("IAM-02", "kubernetes:ray.io:RayService", "spec.rayClusterConfig.headGroupSpec"),
        ("IAM-01", "aws:s3:ObjectCopy", "grants"),
        ("IAM-01", "aws:s3:ObjectCopy", "grants[0].uri"),
        ("IAM-01", "aws:s3control:MultiRegionAccessPointPolicy", "details"),
        ("IAM-03", "aws:iam:Role", "assumeRolePolicy.Statement[0].Condition"),
        ("TEN-03", POD, "spec"),
        ("TEN-04", POD, "spec.containers"),
    ],
)
def test_an_unknown_value_waits(rule: str, kind: str, path: str) -> None:
    base = good(kind, tenant="acme" if kind.startswith("kubernetes:") else None)
    if path.endswith(".args[0]"):
        base = change(base, path.removesuffix("[0]"), [])
    fact = change(base, path, UNKNOWN)
    assert denied(fact) == set()
    assert rule in undecided(fact)
    assert rule in {finding.rule for finding in evaluate(fact, Stage.PROVISION) if finding.undecided}


RAY = {"command": ["ray", "start"]}


@pytest.mark.parametrize(
    ("env", "waits"),
    [
        (UNKNOWN, True),
        ([{"name": "RAY_AUTH_MODE", "value": UNKNOWN}], True),
        ([{"name": "OTHER", "value": UNKNOWN}], False),
        ([{"name": "OTHER", "value": "token"}], False),
    ],
)
def test_ray_whose_mode_is_not_known_waits(env: Any, waits: bool) -> None:
    container = {**good(POD).inputs["spec"]["containers"][0], **RAY, "env": env}  # type: ignore[index]
    fact = change(good(POD), "spec.containers", [container])
    assert ("IAM-04" in undecided(fact), "IAM-04" in denied(fact)) == (waits, not waits)
    cluster = change(good("kubernetes:ray.io:RayCluster"), "spec.authOptions")
    for path in ("headGroupSpec", "workerGroupSpecs[0]"):
        one = change(cluster, f"spec.{path}.template.spec.containers", [container])
        assert "IAM-04" in denied(one)


def test_every_container_of_a_ray_cluster_may_ask_by_itself() -> None:
    env = [{"name": "RAY_AUTH_MODE", "value": "token"}]
    container = {**good(POD).inputs["spec"]["containers"][0], "env": env}  # type: ignore[index]
    cluster = change(good("kubernetes:ray.io:RayCluster"), "spec.authOptions")
    for path in ("headGroupSpec", "workerGroupSpecs[0]"):
        cluster = change(cluster, f"spec.{path}.template.spec.containers", [container])
    assert denied(cluster) == set()


@pytest.mark.parametrize(
    ("role", "scope", "waits", "refused"),
    [
        (UNKNOWN, "/subscriptions/0", True, False),
        ("b24988ac-6180-42a0-ab88-20f7382dd24c", UNKNOWN, True, False),
        (UNKNOWN, "/subscriptions/0/resourceGroups/acme", False, False),
        ("reader", UNKNOWN, False, False),
        ("b24988ac-6180-42a0-ab88-20f7382dd24c", "/subscriptions/0", False, True),
    ],
)
def test_an_assignment_waits_only_where_it_could_be_too_wide(role: Any, scope: Any, waits: bool, refused: bool) -> None:
    fact = good("azure-native:authorization:RoleAssignment", roleDefinitionId=role, scope=scope)
    assert ("IAM-03" in undecided(fact), "IAM-03" in denied(fact)) == (waits, refused)
    if waits:
        (finding,) = [one for one in found(fact) if one.rule == "IAM-03"]
        assert finding.path == ("roleDefinitionId" if role is UNKNOWN else "scope")


@pytest.mark.parametrize(("kind", "waits"), [("User", True), ("Group", True), ("ServiceAccount", False)])
def test_a_subject_that_is_not_known_may_be_everybody(kind: str, waits: bool) -> None:
    subject = {"kind": kind, "name": UNKNOWN, "namespace": "tenant-acme"}
    fact = good("kubernetes:rbac:RoleBinding", subjects=[subject])
    assert ("IAM-03" in undecided(fact)) is waits
    known = good("kubernetes:rbac:RoleBinding", subjects=[{**subject, "name": "acme"}])
    assert found(known) == []


def test_a_verb_that_is_not_powerful_is_granted() -> None:
    rules = [{"apiGroups": [""], "resources": ["secrets", "nodes/proxy"], "verbs": ["deletecollection-of-none"]}]
    assert denied(good("kubernetes:rbac:Role", rules=rules)) == set()


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("aws:opensearch:Domain", "vpcOptions"),
        ("aws:iam:RolePolicyAttachment", "policyArn"),
        ("azure-native:dbforpostgresql:Server", "network.delegatedSubnetResourceId"),
    ],
)
def test_what_must_only_be_there_may_be_unknown(kind: str, path: str) -> None:
    assert not {"IAM-01", "IAM-03"} & {finding.rule for finding in found(broken(kind, path, UNKNOWN))}


def test_a_known_fault_beside_an_unknown_value_denies() -> None:
    ingress = [{"cidrBlocks": [UNKNOWN, "0.0.0.0/0"]}]
    assert denied(good("aws:ec2:SecurityGroup", ingress=ingress)) == {"IAM-01"}
    wide = allowing(Action=[UNKNOWN, "s3:*"], Resource=[UNKNOWN])
    assert denied(good("aws:iam:Policy", policy=wide)) == {"IAM-03"}


@pytest.mark.parametrize(
    "source",
    [
        UNKNOWN,
        {"ipBlock": UNKNOWN},
        {"ipBlock": {"cidr": UNKNOWN}},
        {"namespaceSelector": UNKNOWN},
        {"namespaceSelector": {"matchLabels": UNKNOWN}},
        {"namespaceSelector": {"matchExpressions": UNKNOWN}},
        {"namespaceSelector": {"matchExpressions": [UNKNOWN]}},
        {"namespaceSelector": {"matchExpressions": [{"key": UNKNOWN, "operator": "Exists"}]}},
    ],
)
def test_who_comes_in_and_is_not_known_waits(source: Any) -> None:
    spec = {"podSelector": {}, "ingress": [{"from": [source]}]}
    fact = good("kubernetes:networking:NetworkPolicy", tenant="acme", spec=spec)
    assert (undecided(fact), denied(fact)) == ({"TEN-02"}, set())


@pytest.mark.parametrize(
    "selector",
    [
        {"matchLabels": {"kubernetes.io/metadata.name": "falaj-system"}},
        {"matchLabels": {"app": "acme"}, "matchExpressions": UNKNOWN},
        {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["acme"]}]},
        {"matchExpressions": [{"key": "falaj.io/gateway", "operator": "Exists"}]},
    ],
)
def test_namespaces_that_are_chosen_may_come_in(selector: Any) -> None:
    spec = {"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": selector}]}]}
    assert found(good("kubernetes:networking:NetworkPolicy", tenant="acme", spec=spec)) == []


@pytest.mark.parametrize(
    "subject",
    [
        {"kind": "Group", "name": "system:serviceaccounts:tenant-acme"},
        {"kind": "User", "name": "system:serviceaccount:tenant-acme:serving"},
        {"kind": "Group", "name": "acme:engineers"},
    ],
)
def test_a_tenant_names_its_own_accounts_as_it_likes(subject: dict[str, str]) -> None:
    assert found(good("kubernetes:rbac:RoleBinding", tenant="acme", subjects=[subject])) == []


def test_settings_of_the_kernel_that_are_kept_apart_may_be_changed() -> None:
    sysctls = [{"name": name, "value": "0"} for name in ("net.ipv4.ip_unprivileged_port_start", "kernel.msgmax", [])]
    fact = broken(POD, "spec.securityContext", {"sysctls": sysctls}, tenant="acme")
    assert [one.path for one in found(fact)] == [f"spec.securityContext.sysctls[{index}]" for index in (1, 2)]


@pytest.mark.parametrize("label", ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"])
def test_labels_that_confine_may_be_chosen(label: str) -> None:
    assert found(broken(POD, "spec.securityContext", {"seLinuxOptions": {"type": label}}, tenant="acme")) == []


@pytest.mark.parametrize(("arn", "scope"), [(UNKNOWN, "cluster"), ("AmazonEKSAdminPolicy", UNKNOWN)])
def test_access_to_a_cluster_waits_only_where_it_could_be_too_wide(arn: Any, scope: Any) -> None:
    said = arn if arn is UNKNOWN else f"arn:aws:eks::aws:cluster-access-policy/{arn}"
    fact = good("aws:eks:AccessPolicyAssociation", policyArn=said, accessScope={"type": scope})
    assert (undecided(fact), denied(fact)) == ({"IAM-03"}, set())
    for narrow in ({"accessScope": {"type": "namespace"}}, {"policyArn": "arn:aws:eks::aws:x/AmazonEKSViewPolicy"}):
        assert found(dataclasses.replace(fact, inputs={**fact.inputs, **narrow})) == []


def test_a_selector_of_roles_that_is_not_known_waits() -> None:
    for rule in (UNKNOWN, {"clusterRoleSelectors": UNKNOWN}, {"clusterRoleSelectors": [{"matchLabels": UNKNOWN}]}):
        fact = ResourceFact(
            "urn:r", "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", "r", {"aggregationRule": rule},
            "on-premises", "local", "uae",
        )  # fmt: skip
        assert (undecided(fact), denied(fact)) == ({"IAM-03"}, set())


# Policy documents


@pytest.mark.parametrize(
    ("key", "value", "narrow"),
    [
        ("aws:SourceArn", "arn:aws:s3:::acme-features", True),
        ("aws:SourceArn", "arn:aws:s3:*:*:acme-features", True),
        ("aws:SourceArn", "arn:aws:sns:*:111122223333:*", True),
        ("aws:PrincipalArn", "arn:aws:iam::111122223333:role/acme-*", True),
        ("aws:PrincipalOrgPaths", "o-a1b2c3d4e5/*", True),
        ("aws:userid", "AROAABCDEFGHIJKLMNOPQ:*", True),
        ("aws:userid", "AROA*:*", False),
        ("aws:SourceArn", "arn:aws:s3:::*", False),
        ("aws:SourceArn", "arn:aws:s3:::acme-*", False),
        ("aws:SourceArn", "arn:aws:sns:*:*:acme", False),
        ("aws:PrincipalArn", "arn:aws:iam::*:role/acme", False),
        ("aws:PrincipalArn", "arn:aws:iam::11112222*:role/acme", False),
        ("aws:PrincipalOrgID", "o-*", False),
        ("aws:SourceVpce", "vpce-*", False),
    ],
)
def test_a_pattern_of_callers_is_somebodys(key: str, value: str, narrow: bool) -> None:
    document = allowing(Action="sqs:SendMessage", Resource="*", Principal="*", Condition={"StringLike": {key: value}})
    assert ("IAM-01" not in denied(good("aws:sqs:QueuePolicy", policy=document))) is narrow


@pytest.mark.parametrize(
    ("principal", "action", "expected"),
    [
        ({"Federated": "acme"}, "STS:assumerole*", {"IAM-03"}),
        ({"Federated": "acme"}, "*", {"IAM-03"}),
        ({"Federated": "acme"}, "sts:AssumeRoleWithSAML", set()),
        ({"Federated": "arn:aws:iam::111122223333:saml-provider/acme"}, "sts:*", set()),
        ({"Service": "ec2.amazonaws.com"}, "sts:*", set()),
        ({"AWS": "arn:aws:iam::111122223333:root"}, "sts:*", set()),
    ],
)
def test_only_web_identities_need_a_subject(principal: Any, action: str, expected: set[str]) -> None:
    assert denied(good("aws:iam:Role", assumeRolePolicy=allowing(Action=action, Principal=principal))) == expected
    waits = allowing(Action=UNKNOWN, Principal=principal)
    web = principal == {"Federated": "acme"}
    assert undecided(good("aws:iam:Role", assumeRolePolicy=waits)) == ({"IAM-03"} if web else set())


@pytest.mark.parametrize("text", ["", "[]", "null", "7", '{"Statement": 7}', '{"Statement": "x"}', "{}", "[" * 100_000])
@pytest.mark.parametrize(("kind", "rule"), [("aws:s3:BucketPolicy", "IAM-01"), ("aws:iam:Policy", "IAM-03")])
def test_a_document_that_cannot_be_read_is_refused(kind: str, rule: str, text: str) -> None:
    assert rule in denied(good(kind, policy=text))


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": "ec2:DescribeInstances", "Resource": "*"},
        {"Action": ["ecr:GetAuthorizationToken", "sts:GetCallerIdentity"], "Resource": "*"},
        {"Action": ["s3:Get*", "s3:List*"], "Resource": "arn:aws:s3:::acme-features/*"},
        {
            "Action": "ec2:StartInstances",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/tenant": "acme"}},
        },
    ],
)
def test_what_aws_lets_nobody_narrow_passes(statement: dict[str, Any]) -> None:
    assert denied(good("aws:iam:Policy", policy=allowing(**statement))) == set()
    assert denied(good("aws:iam:RolePolicy", policy=json.dumps(allowing(**statement)))) == set()


@pytest.mark.parametrize(
    "condition",
    [
        {"StringNotEquals": {"aws:ResourceTag/tenant": "acme"}},
        {"StringEqualsIfExists": {"aws:ResourceTag/tenant": "acme"}},
        {"StringLike": {"aws:ResourceTag/tenant": "*"}},
        {"Bool": {"aws:SecureTransport": "true"}},
        {"StringEquals": {"aws:RequestedRegion": "me-central-1"}},
    ],
)
def test_a_condition_that_narrows_nothing_counts_for_nothing(condition: dict[str, Any]) -> None:
    policy = allowing(Action="ec2:StartInstances", Resource="*", Condition=condition)
    assert denied(good("aws:iam:Policy", policy=policy)) == {"IAM-03"}


@pytest.mark.parametrize("operator", ["StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"])
@pytest.mark.parametrize(
    "key",
    [
        "aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID", "aws:SourceOrgPaths", "aws:SourceOwner",
        "aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:PrincipalAccount", "aws:PrincipalArn", "aws:SourceVpc",
        "aws:SourceVpce", "aws:userid", "kms:CallerAccount", "s3:DataAccessPointAccount",
    ],
)  # fmt: skip
def test_a_condition_on_the_caller_narrows(operator: str, key: str) -> None:
    policy = allowing(Action="sns:Publish", Resource="*", Principal="*", Condition={operator: {key: ["acme", UNKNOWN]}})
    assert denied(good("aws:sns:TopicPolicy", policy=policy)) == set()
    condition: Any
    for condition in ({operator: UNKNOWN}, {operator: {"aws:Other": "acme"}}, {operator: {key: []}}):
        open_to_all = allowing(Action="sns:Publish", Resource="*", Principal="*", Condition=condition)
        assert denied(good("aws:sns:TopicPolicy", policy=open_to_all)) == {"IAM-01"}


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("repo:acme/serving:ref:refs/heads/main", set()),
        ("repo:acme/*", set()),
        ("system:serviceaccount:tenant-acme:*", set()),
        ("repo:*", {"IAM-03"}),
        ("repo:*/*:environment:*", {"IAM-03"}),
        ("repo:*:ref:refs/heads/*", {"IAM-03"}),
        ("project_path:*", {"IAM-03"}),
        ("system:serviceaccount:*:*", {"IAM-03"}),
    ],
)
def test_a_subject_names_somebody(subject: str, expected: set[str]) -> None:
    trust = allowing(
        Action="sts:AssumeRoleWithWebIdentity",
        Principal={"Federated": "acme"},
        Condition={"StringLike": {"issuer.example:sub": subject}},
    )
    assert denied(good("aws:iam:Role", assumeRolePolicy=trust)) == expected


@pytest.mark.parametrize("resource", ["arn:aws:s3:::*", "arn:aws:s3:::*?", "arn:aws:s3:::*/", "*"])
def test_every_resource_is_every_resource(resource: str) -> None:
    policy = allowing(Action="s3:PutObject", Resource=resource)
    assert denied(good("aws:iam:Policy", policy=policy)) == {"IAM-03"}


def test_what_is_denied_is_not_a_right() -> None:
    policy = {"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", "Principal": "*"}}
    assert denied(good("aws:iam:Policy", policy=policy)) == set()
    assert denied(good("aws:s3:BucketPolicy", policy=policy)) == set()


# Exceptions, each of them data


@pytest.mark.parametrize(
    ("namespace", "account", "expected"),
    [
        ("falaj-system", "openbao-reviewer", set()),
        ("falaj-system", "default", {"IAM-02"}),
        ("default", "openbao-reviewer", {"IAM-02"}),
    ],
)
def test_only_vaults_reviewer_keeps_a_token(namespace: str, account: str, expected: set[str]) -> None:
    metadata = {
        "name": "r",
        "namespace": namespace,
        "annotations": {"kubernetes.io/service-account.name": account},
    }
    kind = "kubernetes.io/service-account-token"
    assert denied(good("kubernetes:core:Secret", type=kind, metadata=metadata)) == expected
    later = {**metadata, "namespace": UNKNOWN}
    assert denied(good("kubernetes:core:Secret", type=kind, metadata=later)) == (
        set() if account == "openbao-reviewer" else {"IAM-02"}
    )


def test_a_session_is_no_static_key() -> None:
    kind, place = "pulumi:providers:aws", {"cloud": "aws", "region": "me-central-1", "jurisdiction": "uae"}
    keys = {"region": "me-central-1", "accessKey": "acme", "secretKey": UNKNOWN}
    provider = ResourceFact("urn:p", kind, "p", keys, **place)  # type: ignore[arg-type]
    assert denied(provider) == {"IAM-02"}
    assert denied(dataclasses.replace(provider, inputs={**keys, "token": UNKNOWN})) == set()


def test_the_preflight_of_a_browser_asks_nobody() -> None:
    assert denied(good("aws:apigateway:Method", httpMethod="OPTIONS", authorization="NONE")) == set()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", {"IAM-02"}),
        ("/etc/token", {"IAM-02"}),
        ("123456", {"IAM-02"}),
        ("", set()),
        ("8192", set()),
        ("True", set()),
        ("$(OTHER)", set()),
    ],
)
@pytest.mark.parametrize("name", ["RAY_AUTH_TOKEN", "db_password"])
def test_short_numbers_and_truth_values_are_no_credentials(name: str, value: str, expected: set[str]) -> None:
    fact = broken(POD, "spec.containers[0].env", [{"name": name, "value": value}], tenant="acme")
    assert denied(fact) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GOOGLE_APPLICATION_CREDENTIALS", "/etc/acme/key.json"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/etc/token"),
        ("POSTGRES_PASSWORD_FILE", "/etc/password"),
        ("TOKENIZERS_PARALLELISM", "text"),
        ("MONKEY", "text"),
    ],
)
def test_a_variable_that_names_a_file_is_no_credential(name: str, value: str) -> None:
    assert found(broken(POD, "spec.containers[0].env", [{"name": name, "value": value}], tenant="acme")) == []


# Whole stacks


def tenant_stack(*resources: ResourceFact) -> StackFact:
    return stack(*resources, tenant="acme")


def test_what_stands_beside_a_namespace_is_found_by_the_graph() -> None:
    namespace = good("kubernetes:core:Namespace", name="n")
    graph = {"metadata": (namespace.urn,)}
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    later = {"name": "r", "namespace": UNKNOWN}
    policy = good("kubernetes:networking:NetworkPolicy", metadata=later, spec=spec)
    quota = good("kubernetes:core:ResourceQuota", metadata=later)
    unlinked = denied(tenant_stack(namespace, policy, quota))
    assert unlinked == {"TEN-02", "TEN-04"}
    both = [dataclasses.replace(one, references=graph) for one in (policy, quota)]
    assert denied(tenant_stack(namespace, *both)) == set()


@pytest.mark.parametrize("cpu", ["cpu", "requests.cpu", "limits.cpu"])
@pytest.mark.parametrize("memory", ["memory", "requests.memory", "limits.memory"])
def test_a_quota_counts_by_any_of_its_names(cpu: str, memory: str) -> None:
    hard = {cpu: "1", memory: "1Gi", "requests.nvidia.com/gpu": "0"}
    quota = good("kubernetes:core:ResourceQuota", spec={"hard": hard})
    namespace = good("kubernetes:core:Namespace", name="n")
    assert "TEN-04" not in denied(tenant_stack(namespace, quota))


@pytest.mark.parametrize("kind", ["networking:NetworkPolicy", "core:ResourceQuota"])
def test_a_companion_that_is_not_known_waits(kind: str) -> None:
    fact = tenant_stack(good("kubernetes:core:Namespace", name="n"), good(f"kubernetes:{kind}", spec=UNKNOWN))
    rule = "TEN-02" if "Policy" in kind else "TEN-04"
    assert rule in undecided(fact)
    assert rule not in denied(fact)


def test_gpus_that_are_not_known_wait() -> None:
    for asked, limit in ((UNKNOWN, 1), (1, UNKNOWN)):
        resources = {"requests": {"nvidia.com/gpu": asked}, "limits": {"nvidia.com/gpu": limit}}
        assert undecided(broken(POD, "spec.containers[0].resources", resources)) == {"TEN-04"}


def test_rights_across_the_cluster_are_for_the_tenants_own_accounts() -> None:
    fact = broken("kubernetes:rbac:ClusterRoleBinding", "subjects[0].namespace", "tenant-other", tenant="acme")
    assert denied(fact) == {"TEN-01"}


def test_a_label_makes_a_namespace_a_tenants() -> None:
    namespace = good("kubernetes:core:Namespace")
    assert denied(stack(namespace)) == {"TEN-02", "TEN-04"}
    free = broken("kubernetes:core:Namespace", "metadata.labels.'falaj.io/tenant'")
    assert denied(stack(free)) == set()


def test_a_whole_account_may_block_what_is_public() -> None:
    bucket = good("aws:s3:Bucket")
    assert "IAM-01" in denied(stack(bucket))
    assert "IAM-01" not in denied(stack(bucket, good("aws:s3:AccountPublicAccessBlock")))


# Projects


def project(**files: str) -> ProjectFact:
    return ProjectFact("acme", files)


@pytest.mark.parametrize(
    "text",
    [
        "# nothing\n\n--index-url https://packages.example/simple\n-r other.txt\n",
        "acme==1 --hash=sha256:" + "a" * 64 + "  # why\n",
    ],
)
def test_options_and_comments_are_no_requirements(text: str) -> None:
    assert denied(ProjectFact("acme", {"requirements.txt": text})) == set()


def test_the_first_loose_requirement_is_named_with_its_file() -> None:
    (finding,) = found(ProjectFact("acme", {"infra/requirements-dev.txt": "numpy>=2 ; python_version > '3'\n"}))
    assert finding.path == "infra/requirements-dev.txt"
    assert "numpy" in finding.message


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock"])
@given(
    text=st.text(max_size=60) | st.sampled_from(["[[package]]", "package = 3", "{}", "[]", '{"default": 3}', "\x00"])
)
@settings(max_examples=60, deadline=None)
def test_no_lock_file_makes_a_rule_crash(name: str, text: str) -> None:
    for finding in found(ProjectFact("acme", {name: text})):
        assert "could not be applied" not in finding.message


# No check raises, whatever the inputs

WORDS = sorted(
    {
        "spec", "metadata", "namespace", "name", "labels", "rules", "verbs", "subjects", "roleRef", "containers", "env",
        "value", "command", "args", "image", "resources", "requests", "limits", "nvidia.com/gpu", "ingress", "from",
        "namespaceSelector", "ipBlock", "cidr", "policy", "Statement", "Effect", "Action", "Resource", "Principal",
        "AWS", "Condition", "StringEquals", "aws:SourceArn", "assumeRolePolicy", "inlinePolicies", "cidrBlocks",
        "securityRules", "sourceAddressPrefix", "direction", "access", "permissions", "actions", "metadataOptions",
        "httpTokens", "environment", "variables", "vpcOptions", "properties", "template", "securityContext",
        "capabilities", "drop", "add", "ports", "hostPort", "volumes", "tags", "hard", "podSelector", "policyTypes",
        "type", "annotations", "containerDefinitions", "networkInterfaces", "acl", "grants", "authOptions", "mode",
        "headGroupSpec", "workerGroupSpecs", "sysctls", "seLinuxOptions", "aggregationRule",
        "clusterRoleSelectors", "matchExpressions", "policyArn", "policyArns", "accessScope", "uri", "details",
        "roleDefinitionId", "scope", "servicePrincipalProfile", "group",
    }
)  # fmt: skip
TEXTS = st.sampled_from(
    [*WORDS, "*", "0.0.0.0/0", "::/0", "Allow", "Deny", "{", "[]", "{}", "prod", "dev", "token", ""]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_nan=True) | TEXTS | st.just(UNKNOWN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=12,
)
KINDS = sorted({kind for rule in OWN for kind in rule.kinds or ()} | {"kubernetes:core:ConfigMap"})


def crashes(fact: Any) -> list[Finding]:
    """Where a rule of these families raised."""
    applied = [one for rule in OWN if isinstance(fact, rule.applies_to) for one in apply(rule, fact, Stage.PROVISION)]
    return [finding for finding in applied if "could not be applied" in finding.message]


@given(kind=st.sampled_from(KINDS), inputs=st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=5))
@settings(max_examples=500, deadline=None)
def test_no_rule_raises_on_whatever_inputs(kind: str, inputs: dict[str, Any]) -> None:
    for tenant in (None, "acme"):
        fact = ResourceFact("urn:x", kind, "x", inputs, "aws", "me-central-1", "uae", tenant=tenant)
        assert crashes(fact) == []
        assert crashes(stack(fact, fact, tenant=tenant)) == []


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_no_rule_raises_on_a_good_resource_with_anything_inside(data: st.DataObject) -> None:
    fact = good(data.draw(st.sampled_from(kinds())), tenant=data.draw(st.sampled_from([None, "acme"])))
    paths = list(_paths(dict(fact.inputs)))
    inputs = _with(dict(fact.inputs), data.draw(st.sampled_from(paths)), data.draw(VALUES))
    changed = dataclasses.replace(fact, inputs=inputs)
    assert crashes(changed) == []
    assert crashes(stack(changed, tenant=fact.tenant)) == []


def _paths(value: Any, at: tuple[Any, ...] = ()) -> Any:
    if at:
        yield at
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _paths(child, (*at, key))


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = _with(copied[path[0]], path[1:], new)
    return copied


def test_every_kind_that_is_judged_by_a_check_of_its_own_has_a_case() -> None:
    """Kinds that share a check with others may do without: one case of the check is enough."""
    judged = {kind for rule in OWN if rule.kinds for kind in rule.kinds}
    with_case = {case.bad.kind for case in own_cases() if isinstance(case.bad, ResourceFact)}
    shared = {
        "aws:s3:AccessPoint", "aws:neptune:ClusterInstance", "aws:mq:Broker",
        "aws:dms:ReplicationInstance", "aws:rds:ClusterSnapshotCopy", "aws:ec2:DefaultSecurityGroup",
        "aws:ec2:SpotInstanceRequest", "aws:ec2:DefaultSubnet", "aws:alb:LoadBalancer", "aws:ecr:RegistryPolicy",
        "aws:efs:FileSystemPolicy", "aws:backup:VaultPolicy", "azure-native:sql:FirewallRule",
        "aws:iam:UserPolicyAttachment", "aws:iam:GroupPolicyAttachment", "aws:iam:PolicyAttachment",
        "azuread:index:ServicePrincipalPassword",
        "aws:iam:UserPolicyAttachmentsExclusive", "aws:iam:GroupPolicyAttachmentsExclusive", "aws:s3:BucketObjectv2",
        "aws:kms:ExternalKey", "aws:apigateway:RestApiPolicy", "aws:s3control:ObjectLambdaAccessPointPolicy",
        "aws:s3control:BucketPolicy", "aws:kinesis:ResourcePolicy",
        "aws:iam:ServiceSpecificCredential", "aws:kms:Key", "aws:sns:Topic", "aws:sqs:Queue",
        *POD_KINDS,
    }  # fmt: skip
    assert judged - with_case <= shared
