"""The words that the rules on data and keys go by, one by one: each region input, each protocol, each switch."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from falaj_policies import UNKNOWN, Fact, Place, Stage, evaluate
from falaj_policies.testing import broken, good, stack
from falaj_policies.testing.stacks import bucket

UAE = Place(cloud="aws", region="me-central-1", jurisdiction="uae", regime="pdpl")


def verdicts(fact: Fact, rule: str) -> list[str]:
    """What `rule` says, as words: denies, undecided, advisory."""
    found = [finding for finding in evaluate(fact, Stage.PULL_REQUEST) if finding.rule == rule]
    return ["undecided" if one.undecided else "advisory" if one.advisory else "denies" for one in found]


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        *((key, "RES-01") for key in ("region", "regions", "regionName", "regionNames", "location", "locations")),
        *((key, "RES-01") for key in ("locationName", "primaryRegion", "failure-domain.beta.kubernetes.io/region")),
        *((key, "RES-02") for key in ("destinationRegion", "backupRegion", "targetRegion", "targetRegions")),
        ("kmsKeyRegion", "RES-02"),
        *((key, "RES-03") for key in ("replicaRegion", "replicaRegions", "secondaryRegion", "secondaryLocation")),
        ("failoverLocation", "RES-03"),
    ],
)
def test_every_input_that_names_a_region(key: str, rule: str) -> None:
    abroad = UAE.resource("vault:y:Z", "r", {"settings": {key: "eu-west-1"}})
    assert verdicts(abroad, rule) == ["denies"]
    assert evaluate(UAE.resource("vault:y:Z", "r", {"settings": {key: "me-central-1"}}), Stage.PULL_REQUEST) == []
    assert verdicts(UAE.resource("vault:y:Z", "r", {"settings": {key: UNKNOWN}}), rule) == ["undecided"]
    for nowhere in ("", "global"):
        assert verdicts(UAE.resource("vault:y:Z", "r", {"settings": {key: nowhere}}), rule) == []


@pytest.mark.parametrize("word", ["snapshots", "copyActions", "copies", "logging", "kmsKeys", "destinations"])
def test_what_is_under_a_copy_is_a_copy(word: str) -> None:
    assert verdicts(UAE.resource("vault:y:Z", "r", {word: [{"region": "eu-west-1"}]}), "RES-02") == ["denies"]


def test_a_place_of_no_known_cloud_is_undecided() -> None:
    place = Place(cloud=UNKNOWN, region=UNKNOWN, jurisdiction="uae")
    assert (
        verdicts(place.resource("vault:y:Z", "r", {"settings": {"region": "eu-west-1"}}), "RES-01") == ["undecided"] * 2
    )


@pytest.mark.parametrize("kind", ["aws:efs:ReplicationConfiguration", "azure-native:cosmosdb:DatabaseAccount"])
def test_what_replicates_has_a_place_of_its_own_too(kind: str) -> None:
    elsewhere: dict[str, Any] = {"region" if kind.startswith("aws") else "location": "elsewhere"}
    assert verdicts(good(kind, **elsewhere), "RES-01") == ["denies"]
    assert verdicts(good(kind, **elsewhere), "RES-03") == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_state_on_this_machine(host: str) -> None:
    backend = f"postgres://{host}/state"
    assert verdicts(stack(backend=backend), "RES-02") == []
    assert verdicts(stack(*bucket(), backend=backend), "RES-02") == ["denies"]


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("state", []),
        ("file://~", []),
        ("https://pulumi.com", ["denies"]),
        ("https://notpulumi.com", ["denies"]),
        ("gs://bucket", ["denies"]),
        ("", ["undecided"]),
    ],
)
def test_state_of_a_stack_on_the_premises(backend: str, said: list[str]) -> None:
    assert verdicts(stack(backend=backend), "RES-02") == said


@pytest.mark.parametrize("encryption", ["", "default", "passphrase", "hashivault://k"])
def test_a_key_that_goes_with_the_stack(encryption: str) -> None:
    assert verdicts(stack(encryption=encryption), "RES-02") == []


FREE_FORM = ("tags", "tagsAll", "targetTags", "tagsToAdd", "labels", "matchLabels", "annotations", "data", "stringData")


@pytest.mark.parametrize("word", [*FREE_FORM, "variables"])
def test_a_tag_that_is_called_region_names_no_place(word: str) -> None:
    """But a map inside such a map is no tag, nor is a list, and an ARN says where it is wherever it stands."""
    own = {"region": "EMEA", "location": UNKNOWN, "regions": ["EMEA"]}
    for fact in (good("aws:sns:Topic", **{word: own}), good("aws:sns:Topic", settings={word: own})):
        assert [verdicts(fact, rule) for rule in ("RES-01", "RES-02", "RES-03")] == [[], [], []]
    for inside in ({"x": {"region": "eu-west-1"}}, {"x": [{"region": "eu-west-1"}]}, [{"region": "eu-west-1"}]):
        assert verdicts(good("aws:sns:Topic", **{word: inside}), "RES-01") == ["denies"]
    arn = {"region": "arn:aws:kms:eu-west-1:1:key/k"}
    assert verdicts(good("aws:sns:Topic", **{word: arn}), "RES-02") == ["denies"]


@pytest.mark.parametrize("label", ["topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"])
@pytest.mark.parametrize("word", FREE_FORM)
def test_a_label_of_nodes_names_a_place_in_any_map(word: str, label: str) -> None:
    fact = good("kubernetes:core:Service", more={word: {label: "eu-west-1"}})
    (finding,) = [one for one in evaluate(fact, Stage.PULL_REQUEST) if one.rule == "RES-01"]
    assert finding.path == f"more.{word}.'{label}'"


def _config_map(tenant: str | None = None, **inputs: Any) -> Fact:
    """The kit has no ConfigMap: no rule asks anything of one in particular."""
    place = Place(cloud="on-premises", region="local", jurisdiction="uae", regime="pdpl", tenant=tenant)
    return place.resource("kubernetes:core/v1:ConfigMap", "r", inputs)


def test_a_dictionary_of_the_tenants_own_words_may_say_region() -> None:
    words = {"region": "EMEA"}
    for fact in (
        good("aws:s3:Bucket", tags=words),
        broken("kubernetes:core:Pod", "metadata.labels.region", "EMEA"),
        _config_map(data=words),
    ):
        assert verdicts(fact, "RES-01") == []


def test_where_nobody_can_tell_what_is_inside_only_res_01_denies() -> None:
    abroad = good("aws:ebs:Volume", kmsKeyId="arn:aws:kms:eu-west-1:1:key/k")
    assert verdicts(abroad, "RES-02") == ["denies"]
    nowhere = dataclasses.replace(abroad, jurisdiction="")
    assert (verdicts(nowhere, "RES-01"), verdicts(nowhere, "RES-02")) == (["denies"], [])


def test_a_copy_that_names_no_target_goes_nowhere() -> None:
    action = {"crossRegionCopies": [{}]}
    fact = broken("aws:dlm:LifecyclePolicy", "policyDetails.action", action)
    assert verdicts(fact, "RES-02") == []


@pytest.mark.parametrize(("value", "said"), [(None, []), (False, []), (True, ["denies"]), (UNKNOWN, ["undecided"])])
def test_a_key_of_one_region_may_say_so(value: Any, said: list[str]) -> None:
    assert verdicts(good("aws:kms:Key", multiRegion=value), "RES-03") == said


@pytest.mark.parametrize("regime", ["pdpl", "cbuae"])
def test_a_second_site_abroad_is_a_matter_of_residency(regime: str) -> None:
    """A waiver of RES-03 takes two approvers, one of BCP-01 does not."""
    fact = stack(*bucket(), regime=regime, standby=("aws", "us-east-1"))
    assert (verdicts(fact, "RES-03"), verdicts(fact, "BCP-01")) == (["denies"], [])
    for inside in (("azure", "UAE North"), None):
        assert verdicts(dataclasses.replace(fact, standby=inside), "RES-03") == []
    nowhere = dataclasses.replace(fact, jurisdiction="")
    assert (verdicts(nowhere, "RES-01")[:1], verdicts(nowhere, "RES-03")) == (["denies"], [])


@pytest.mark.parametrize("key", ["direction", "access"])
def test_what_is_not_known_of_an_outbound_rule_is_named(key: str) -> None:
    fact = good("azure-native:network:SecurityRule", **{key: UNKNOWN})
    assert {one.path for one in evaluate(fact, Stage.PULL_REQUEST) if one.rule == "RES-04"} == {key}


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, []),
        ({"destinationAddressPrefix": "Any"}, ["denies"]),
        ({"destinationAddressPrefix": "INTERNET"}, ["denies"]),
        ({"destinationAddressPrefix": "*", "direction": "Inbound"}, []),
        ({"destinationAddressPrefix": "*", "access": "Deny"}, []),
        ({"destinationAddressPrefix": "*", "direction": UNKNOWN}, ["undecided"]),
        ({"destinationAddressPrefix": "*", "access": UNKNOWN}, ["undecided"]),
        ({"destinationAddressPrefix": UNKNOWN}, ["undecided"]),
        ({"destinationAddressPrefix": "10.0.0.0/8"}, []),
        ({"destinationAddressPrefix": "8.0.0.0/7"}, ["denies"]),
        ({"destinationAddressPrefix": "fc00::/7"}, []),
        ({"destinationAddressPrefix": "fc00::/6"}, ["denies"]),
    ],
)
def test_outbound_rules_of_azure(inputs: dict[str, Any], said: list[str]) -> None:
    assert verdicts(good("azure-native:network:SecurityRule", **inputs), "RES-04") == said


@pytest.mark.parametrize(
    ("egress", "said"),
    [
        ([], []),
        ([UNKNOWN], ["undecided"]),
        ([{"to": UNKNOWN}], ["undecided"]),
        ([{"to": [UNKNOWN]}], ["undecided"]),
        ([{"to": []}], ["denies"]),
        ([{"to": [{"podSelector": {}}]}], []),
        ([{"to": [{"ipBlock": {"cidr": "::/0"}}]}], ["denies"]),
        ([{"to": [{"ipBlock": {"cidr": UNKNOWN}}]}], ["undecided"]),
    ],
)
def test_egress_of_pods(egress: list[Any], said: list[str]) -> None:
    assert verdicts(good("kubernetes:networking:NetworkPolicy", spec={"egress": egress}), "RES-04") == said


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, []),
        ({"type": "ClusterIP", "externalIPs": []}, []),
        ({"type": UNKNOWN}, ["undecided"]),
        ({"externalIPs": UNKNOWN}, ["undecided"]),
    ],
)
def test_services_of_a_tenant(spec: dict[str, Any], said: list[str]) -> None:
    assert verdicts(good("kubernetes:core:Service", tenant="acme", spec=spec), "RES-04") == said
    assert verdicts(good("kubernetes:core:Service", spec={"type": "LoadBalancer"}), "RES-04") == []


def test_an_ingress_rule_is_no_egress() -> None:
    assert verdicts(good("aws:ec2:SecurityGroupRule", type="ingress", cidrBlocks=["0.0.0.0/0"]), "RES-04") == []
    assert verdicts(good("aws:ec2:SecurityGroupRule", type=UNKNOWN), "RES-04") == ["undecided"]
    assert verdicts(good("aws:ec2:SecurityGroup", egress=[UNKNOWN]), "RES-04") == ["undecided"]


@pytest.mark.parametrize("protocol", ["TCP", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC"])
def test_what_a_balancer_passes_on_is_decided_behind_it(protocol: str) -> None:
    assert verdicts(good("aws:lb:Listener", protocol=protocol, sslPolicy=None), "CRY-03") == []


_BALANCERS = "arn:aws:elasticloadbalancing:me-central-1:1:loadbalancer"


@pytest.mark.parametrize("kind", ["aws:lb:Listener", "aws:alb:Listener"])
@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"loadBalancerArn": f"{_BALANCERS}/gwy/acme/0"}, []),
        ({"loadBalancerArn": UNKNOWN}, []),
        ({"loadBalancerArn": f"{_BALANCERS}/app/acme/0"}, ["denies"]),
        ({"loadBalancerArn": None}, ["denies"]),
        ({"loadBalancerArn": UNKNOWN, "port": 80}, ["denies"]),
        ({"loadBalancerArn": f"{_BALANCERS}/gwy/acme/0", "protocol": "HTTP"}, ["denies"]),
    ],
)
def test_a_gateway_listens_to_no_protocol(kind: str, inputs: dict[str, Any], said: list[str]) -> None:
    base = good("aws:lb:Listener", **{"protocol": None, "port": None, "sslPolicy": None, **inputs})
    token = "aws:lb/listener:Listener" if kind == "aws:lb:Listener" else "aws:alb/listener:Listener"
    assert verdicts(dataclasses.replace(base, type=token), "CRY-03") == said


def test_only_a_gateway_balancer_need_not_be_internal() -> None:
    for kind, said in (("gateway", []), ("network", ["denies"]), (None, ["denies"]), (UNKNOWN, ["denies"])):
        fact = good("aws:lb:LoadBalancer", loadBalancerType=kind, internal=None)
        assert verdicts(fact, "IAM-01") == said


@pytest.mark.parametrize("family", ["aurora-postgresql16", "aurora-mysql8.0"])
def test_an_aurora_instance_leaves_tls_to_its_cluster(family: str) -> None:
    assert verdicts(good("aws:rds:ParameterGroup", family=family, parameters=[]), "CRY-03") == []
    assert verdicts(good("aws:rds:ClusterParameterGroup", family=family, parameters=[]), "CRY-03") == ["denies"]


@pytest.mark.parametrize(("value", "said"), [(True, []), (None, ["denies"]), (UNKNOWN, ["undecided"])])
def test_a_pool_of_nodes_has_no_scratch_disk_in_clear(value: Any, said: list[str]) -> None:
    assert verdicts(good("azure-native:containerservice:AgentPool", enableEncryptionAtHost=value), "CRY-01") == said


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("ELBSecurityPolicy-TLS13-1-3-2021-06", []),
        ("ELBSecurityPolicy-FS-1-2-Res-2020-10", []),
        ("ELBSecurityPolicy-TLS-1-2-2017-01", []),
        ("ELBSecurityPolicy-TLS-1-1-2017-01", ["denies"]),
        (UNKNOWN, ["undecided"]),
    ],
)
@pytest.mark.parametrize("protocol", ["HTTPS", "TLS"])
def test_policies_of_listeners(protocol: str, policy: Any, said: list[str]) -> None:
    assert verdicts(good("aws:lb:Listener", protocol=protocol, sslPolicy=policy), "CRY-03") == said


@pytest.mark.parametrize(
    ("kind", "family", "name", "value"),
    [
        ("aws:rds:ParameterGroup", "postgres17", "rds.force_ssl", 1),
        ("aws:rds:ParameterGroup", "postgres17", "rds.force_ssl", True),
        ("aws:rds:ParameterGroup", "oracle-ee-19", "anything", "0"),
        *(("aws:docdb:ClusterParameterGroup", "docdb5.0", "tls", on) for on in ("tls1.2+", "tls1.3+", "fips-140-3")),
    ],
)
def test_databases_that_take_tls_only(kind: str, family: str, name: str, value: Any) -> None:
    fact = good(kind, family=family, parameters=[{"name": name, "value": value}])
    assert verdicts(fact, "CRY-03") == []


def test_parameters_that_are_not_known_yet() -> None:
    unnamed = [{"name": UNKNOWN, "value": "1"}]
    later: tuple[dict[str, Any], ...] = ({"family": UNKNOWN}, {"parameters": UNKNOWN}, {"parameters": unnamed})
    for inputs in later:
        assert verdicts(good("aws:rds:ParameterGroup", **inputs), "CRY-03") == ["undecided"]


@pytest.mark.parametrize(("value", "said"), [("TLSv1.3", []), ("TLSv1.2", []), (UNKNOWN, ["undecided"])])
def test_the_lowest_tls_of_a_postgres_server(value: Any, said: list[str]) -> None:
    kind = "azure-native:dbforpostgresql:Configuration"
    assert verdicts(good(kind, configurationName="ssl_min_protocol_version", value=value), "CRY-03") == said


def test_a_classic_balancer_may_speak_ssl() -> None:
    listener = {"lbPort": 443, "lbProtocol": "SSL"}
    assert verdicts(good("aws:elb:LoadBalancer", listeners=[listener]), "CRY-03") == []
    assert verdicts(good("aws:elb:LoadBalancer", listeners=[{"lbProtocol": UNKNOWN}]), "CRY-03") == ["undecided"]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"customerMasterKeySpec": "ECC_NIST_P256", "keyUsage": "SIGN_VERIFY"}, []),
        ({"keyUsage": "GENERATE_VERIFY_MAC"}, []),
        ({"customKeyStoreId": "cks-0"}, []),
        ({"customerMasterKeySpec": "SYMMETRIC_DEFAULT", "keyUsage": "ENCRYPT_DECRYPT"}, ["denies"]),
        ({"enableKeyRotation": UNKNOWN}, ["undecided"]),
        ({"enableKeyRotation": True, "deletionWindowInDays": UNKNOWN}, ["undecided"]),
        ({"enableKeyRotation": True, "deletionWindowInDays": None, "rotationPeriodInDays": None}, []),
        ({"enableKeyRotation": True, "deletionWindowInDays": True}, ["denies"]),
    ],
)
def test_keys_that_can_be_rotated_are(inputs: dict[str, Any], said: list[str]) -> None:
    assert verdicts(good("aws:kms:Key", **{"enableKeyRotation": None, **inputs}), "CRY-04") == said


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"type": "String"}, []),
        ({"type": "StringList"}, []),
        ({"type": "SecureString"}, ["denies"]),
        ({"type": UNKNOWN}, ["denies"]),
    ],
)
def test_only_secure_parameters_need_a_key(inputs: dict[str, Any], said: list[str]) -> None:
    assert verdicts(good("aws:ssm:Parameter", keyId=None, **inputs), "CRY-01") == said


@pytest.mark.parametrize("kind", ["aws:ec2:Instance", "aws:ec2:LaunchTemplate", "aws:ecr:Repository"])
def test_disks_and_repositories_that_are_not_known_yet(kind: str) -> None:
    key = {"Instance": "rootBlockDevice", "LaunchTemplate": "blockDeviceMappings"}.get(
        kind.rpartition(":")[2], "encryptionConfigurations"
    )
    inputs: dict[str, Any] = {key: UNKNOWN if key == "rootBlockDevice" else [UNKNOWN]}
    said = verdicts(good(kind, **inputs), "CRY-01")
    assert set(said) == {"undecided"}


def test_an_ephemeral_disk_has_nothing_to_encrypt() -> None:
    disk = {"deviceName": "/dev/xvda", "ebs": {"encrypted": True, "kmsKeyId": UNKNOWN}}
    template = good("aws:ec2:LaunchTemplate", blockDeviceMappings=[{"virtualName": "ephemeral0"}, disk])
    assert verdicts(template, "CRY-01") == []


@pytest.mark.parametrize("algorithm", ["aws:kms", "aws:kms:dsse"])
def test_algorithms_of_buckets(algorithm: str) -> None:
    default = {"sseAlgorithm": algorithm, "kmsMasterKeyId": UNKNOWN}
    fact = good(
        "aws:s3:BucketServerSideEncryptionConfiguration", rules=[{"applyServerSideEncryptionByDefault": default}]
    )
    assert verdicts(fact, "CRY-01") == []


def test_a_gateway_balancer_has_no_access_log() -> None:
    assert verdicts(good("aws:lb:LoadBalancer", loadBalancerType="gateway", accessLogs=None), "LOG-01") == []


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ({"category": "AuditEvent", "enabled": True}, []),
        ({"categoryGroup": "allLogs", "enabled": True}, []),
        ({"category": UNKNOWN, "enabled": True}, []),
        (UNKNOWN, []),
        ({"category": "AuditEvent"}, ["denies"]),
        ({"category": "kube-audit", "enabled": True}, ["denies"]),
    ],
)
def test_which_logs_are_audit_logs(log: Any, said: list[str]) -> None:
    from falaj_policies.testing.stacks import linked

    vault = good("azure-native:keyvault:Vault")
    setting = linked(good("azure-native:monitor:DiagnosticSetting", logs=[log]), "resourceUri", vault)
    assert verdicts(stack(vault, setting), "LOG-01") == said


@pytest.mark.parametrize(
    ("retention", "said"),
    [
        ({"enabled": True, "days": 184}, []),
        ({"enabled": True, "days": 183}, ["denies"]),
        ({"enabled": False, "days": 1}, []),
        ({"enabled": True, "days": UNKNOWN}, ["undecided"]),
        ({"enabled": UNKNOWN, "days": 1}, ["undecided"]),
    ],
)
def test_how_long_a_setting_keeps(retention: dict[str, Any], said: list[str]) -> None:
    logs = [{"categoryGroup": "audit", "enabled": True, "retentionPolicy": retention}]
    assert verdicts(good("azure-native:monitor:DiagnosticSetting", logs=logs), "LOG-03") == said


@pytest.mark.parametrize("days", [0, True, "365", 183.9])
def test_a_workspace_has_no_for_ever(days: Any) -> None:
    assert verdicts(good("azure-native:operationalinsights:Workspace", retentionInDays=days), "LOG-03") == ["denies"]


@pytest.mark.parametrize(
    ("kind", "rule", "inputs"),
    [
        ("aws:eks:Cluster", "LOG-01", {"enabledClusterLogTypes": ["api", UNKNOWN]}),
        ("aws:eks:Cluster", "LOG-01", {"enabledClusterLogTypes": UNKNOWN}),
        ("aws:eks:Cluster", "CRY-02", {"encryptionConfig": {"provider": {"keyArn": UNKNOWN}, "resources": [UNKNOWN]}}),
        ("aws:opensearch:Domain", "LOG-01", {"logPublishingOptions": [UNKNOWN]}),
        (
            "azure-native:keyvault:Key",
            "CRY-04",
            {"properties": {"rotationPolicy": {"lifetimeActions": [{"action": {"type": UNKNOWN}}]}}},
        ),
    ],
)
def test_a_list_that_is_known_in_part_may_hold_what_is_asked(kind: str, rule: str, inputs: dict[str, Any]) -> None:
    assert verdicts(good(kind, **inputs), rule) == ["undecided"]


@pytest.mark.parametrize("value", ["on", "ON", "true", "1"])
def test_a_postgres_log_is_on(value: str) -> None:
    kind = "azure-native:dbforpostgresql:Configuration"
    assert verdicts(good(kind, configurationName="log_checkpoints", value=value), "LOG-01") == []


@pytest.mark.parametrize("encryption", ["KMS", "KMS_DSSE"])
def test_encryption_of_repositories(encryption: str) -> None:
    one = {"encryptionType": encryption, "kmsKey": UNKNOWN}
    assert verdicts(good("aws:ecr:Repository", encryptionConfigurations=[one]), "CRY-01") == []


def test_a_bucket_of_no_name_is_nobodys_log_bucket() -> None:
    short = good("aws:s3:BucketLifecycleConfiguration", rules=[{"status": "Enabled", "expiration": {"days": 30}}])
    other = good("aws:lb:LoadBalancer", accessLogs={"enabled": True, "bucket": "elsewhere"})
    nameless = good("aws:lb:LoadBalancer", accessLogs=UNKNOWN)
    assert verdicts(stack(*bucket(), other, nameless, short), "LOG-03") == []


def test_nearly_six_months_are_not_six() -> None:
    """From March to August, and from July to December, they have 184 days."""
    for days, said in ((184, []), (183, ["denies"]), (180, ["denies"])):
        assert verdicts(good("aws:cloudwatch:LogGroup", retentionInDays=days), "LOG-03") == said


# Tenants


def test_who_lets_in_namespaces_that_are_not_known_yet() -> None:
    for source in ({"namespaceSelector": UNKNOWN}, UNKNOWN):
        policy = broken("kubernetes:networking:NetworkPolicy", "spec.ingress", [{"from": [source]}], tenant="acme")
        assert verdicts(policy, "TEN-02") == ["undecided"]


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ({}, []),
        ({"matchLabels": {}, "matchExpressions": []}, []),
        ({"matchLabels": UNKNOWN}, ["denies"]),
        ({"matchLabels": {"app": "x"}}, ["denies"]),
    ],
)
def test_default_deny_selects_every_pod(selector: Any, said: list[str]) -> None:
    spec = {"podSelector": selector, "policyTypes": ["Ingress", "Egress"]}
    policy = good("kubernetes:networking:NetworkPolicy", spec=spec)
    fact = stack(good("kubernetes:core:Namespace", name="n"), policy, tenant="acme")
    assert verdicts(fact, "TEN-02") == said


def test_messages_say_what_is_there_and_what_is_not() -> None:
    def message(fact: Fact, rule: str) -> str:
        (finding,) = [one for one in evaluate(fact, Stage.PULL_REQUEST) if one.rule == rule]
        return finding.message

    config = _config_map(tenant="acme", metadata={"name": "r"})
    assert message(config, "TEN-01") == "is in the namespace default, not tenant-acme"
    config = _config_map(tenant="acme", metadata={"name": "r", "namespace": "tenant-other"})
    assert message(config, "TEN-01") == "is in the namespace tenant-other, not tenant-acme"
    for limits, said in (({}, "none"), ({"nvidia.com/gpu": 2}, "2")):
        resources = {"requests": {"nvidia.com/gpu": 1}, "limits": limits}
        pod = broken("kubernetes:core:Pod", "spec.containers[0].resources", resources)
        assert message(pod, "TEN-04") == f"asks for 1 GPUs with a limit of {said}"
