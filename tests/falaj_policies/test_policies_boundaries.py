"""Where the rules end: other spellings of what is right, which pass, and neighbours of it, which do not.

Each of these stands for a comparison or a member of a set that no case of the test kit would miss if it were gone.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from falaj_policies import UNKNOWN, Fact, Stage, evaluate
from falaj_policies.testing import broken, change, good, stack
from falaj_policies.testing.stacks import bucket


def denying(fact: Fact) -> set[str]:
    return {finding.rule for finding in evaluate(fact, Stage.PULL_REQUEST) if finding.denies}


def undecided(fact: Fact) -> set[str]:
    return {finding.rule for finding in evaluate(fact, Stage.PULL_REQUEST) if finding.undecided}


def setting(name: str, value: Any) -> Fact:
    return good("azure-native:dbforpostgresql:Configuration", configurationName=name, value=value)


def key(**inputs: Any) -> Fact:
    return change(good("aws:kms:Key", **inputs), "enableKeyRotation")


@pytest.mark.parametrize(
    "fact",
    [
        broken("aws:ecr:Repository", "encryptionConfigurations[0].encryptionType", "KMS_DSSE"),
        change(good("aws:ssm:Parameter", type="String"), "keyId"),
        change(good("aws:ssm:Parameter", type="StringList"), "keyId"),
        key(customerMasterKeySpec="RSA_4096"),
        key(keyUsage="SIGN_VERIFY"),
        broken("aws:elb:LoadBalancer", "listeners[0].lbProtocol", "SSL"),
        setting("ssl_min_protocol_version", "TLSv1.2"),
        setting("ssl_min_protocol_version", "TLSv1.3"),
        *(
            setting(name, value)
            for name in ("log_connections", "log_disconnections", "log_checkpoints")
            for value in ("on", "true", "1", "ON")
        ),
        broken(
            "azure-native:network:SecurityRule", "destinationAddressPrefix", "*", direction="Inbound", access="Deny"
        ),
        broken("azure-native:network:SecurityRule", "destinationAddressPrefix", "*", access="Deny"),
        broken("kubernetes:core:Service", "spec.type", tenant="acme"),
    ],
    ids=lambda fact: f"{fact.kind} {str(dict(fact.inputs))[:60]}",
)
def test_another_spelling_of_what_is_right_passes(fact: Fact) -> None:
    assert evaluate(fact, Stage.PULL_REQUEST) == []


@pytest.mark.parametrize(
    ("rule", "fact"),
    [
        ("CRY-01", broken("aws:ecr:Repository", "encryptionConfigurations[0].encryptionType", "AES256")),
        ("CRY-01", change(good("aws:ssm:Parameter", type="SecureString"), "keyId")),
        ("CRY-04", key(customerMasterKeySpec="SYMMETRIC_DEFAULT")),
        ("CRY-04", key(keyUsage="ENCRYPT_DECRYPT")),
        ("CRY-04", key(customerMasterKeySpec="SYMMETRIC_DEFAULT", keyUsage="ENCRYPT_DECRYPT")),
        ("CRY-03", broken("aws:elb:LoadBalancer", "listeners[0].lbProtocol", "TCP")),
        ("CRY-03", setting("ssl_min_protocol_version", "TLSv1.1")),
        ("LOG-01", setting("log_connections", "off")),
        ("LOG-01", setting("log_disconnections", "0")),
        ("LOG-01", setting("log_checkpoints", "no")),
        *(
            ("RES-04", broken("azure-native:network:SecurityRule", "destinationAddressPrefix", where))
            for where in ("*", "Internet", "Any", "0.0.0.0/0", "::/0")
        ),
        *(
            ("RES-04", broken("kubernetes:core:Service", "spec.type", type_, tenant="acme"))
            for type_ in ("LoadBalancer", "NodePort", "ExternalName")
        ),
    ],
    ids=str,
)
def test_a_neighbour_of_what_is_right_is_refused(rule: str, fact: Fact) -> None:
    assert rule in denying(fact)


@pytest.mark.parametrize("path", ["direction", "access", "destinationAddressPrefix"])
def test_a_rule_of_a_network_that_is_not_known_is_undecided(path: str) -> None:
    fact = broken("azure-native:network:SecurityRule", "destinationAddressPrefix", "*")
    assert undecided(change(fact, path, UNKNOWN)) == {"RES-04"}


@pytest.mark.parametrize(
    "name",
    [
        "region", "regions", "regionName", "regionNames", "location", "locations", "locationName", "replicaRegion",
        "replicaRegions", "destinationRegion", "backupRegion", "secondaryRegion", "secondaryLocation",
        "failoverLocation", "targetRegion", "targetRegions", "kmsKeyRegion", "primaryRegion",
    ],
)  # fmt: skip
@pytest.mark.parametrize("plural", [False, True])
def test_a_region_is_found_under_every_name_of_one(name: str, plural: bool) -> None:
    for where, refused in (("eu-west-1", True), ("me-central-1", False)):
        fact = good("aws:s3:Bucket", other={name: [where] if plural else where})
        assert bool(denying(fact)) is refused


@pytest.mark.parametrize(
    "url", ["file:///var/state", "/var/state", "https://localhost/s", "https://127.0.0.1/s", "https://[::1]/s"]
)
def test_a_state_on_the_machine_is_at_home_on_the_premises_alone(url: str) -> None:
    assert "RES-02" not in denying(stack(good("kubernetes:core:Secret"), backend=url))
    assert "RES-02" in denying(stack(*bucket(), backend=url))


@pytest.mark.parametrize("tag", ["environment", "env", "stage", "Environment"])
def test_production_and_test_in_one_stack_are_seen_by_their_tags(tag: str) -> None:
    def tagged(value: str) -> Fact:
        return stack(
            good("aws:sns:Topic", name="a", tags={tag: "prod"}), good("aws:sqs:Queue", name="b", tags={tag: value})
        )

    assert "CHG-02" in denying(tagged("dev"))
    assert "CHG-02" not in denying(tagged("production"))


def test_production_and_test_in_one_stack_are_seen_by_their_labels() -> None:
    label = "metadata.labels.'app.kubernetes.io/environment'"
    made = [broken("kubernetes:core:Secret", label, value, name=value) for value in ("prod", "staging")]
    assert "CHG-02" in denying(stack(*made))


def encryption(**references: tuple[str, ...]) -> Fact:
    """A bucket whose encryption configuration names a bucket that is not known yet."""
    made = [
        dataclasses.replace(change(fact, "bucket", UNKNOWN), references=references)
        if fact.kind == "aws:s3:BucketServerSideEncryptionConfiguration"
        else fact
        for fact in bucket()
    ]
    return stack(*made)


def test_a_companion_of_nobody_knows_whom_decides_nothing() -> None:
    assert denying(encryption()) == set()
    assert undecided(encryption()) == {"CRY-01"}


def test_a_companion_of_another_bucket_is_none_of_this_one() -> None:
    assert denying(encryption(bucket=("urn:pulumi:dev::acme::aws:s3/bucket:Bucket::other",))) == {"CRY-01"}


def test_a_companion_of_another_name_is_none_of_this_one() -> None:
    made = [
        change(fact, "bucket", "other") if fact.kind == "aws:s3:BucketServerSideEncryptionConfiguration" else fact
        for fact in bucket()
    ]
    assert denying(stack(*made)) == {"CRY-01"}


GPU = "nvidia.com/gpu"


@pytest.mark.parametrize(
    ("requests", "limits", "verdict"),
    [
        ({GPU: 1}, {GPU: 1}, "passes"),
        ({GPU: 1}, {GPU: "1"}, "passes"),
        ({GPU: 1}, {GPU: 2}, "denies"),
        ({GPU: UNKNOWN}, {GPU: 1}, "undecided"),
        ({GPU: 1}, {GPU: UNKNOWN}, "undecided"),
    ],
)
def test_gpus_are_asked_for_as_they_are_limited(requests: Any, limits: Any, verdict: str) -> None:
    resources = {"requests": requests, "limits": limits}
    pod = broken("kubernetes:core:Pod", "spec.containers[0].resources", resources, tenant="acme")
    assert ("TEN-04" in denying(pod)) is (verdict == "denies")
    assert ("TEN-04" in undecided(pod)) is (verdict == "undecided")


@pytest.mark.parametrize(
    ("entry", "verdict"),
    [
        ({"from": []}, "denies"),
        ({"from": ()}, "denies"),
        ({}, "denies"),
        (UNKNOWN, "undecided"),
        ({"from": [{"podSelector": {}}]}, "passes"),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.7/32"}}]}, "passes"),
        ({"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}, "denies"),
    ],
)
def test_who_a_tenants_network_policy_lets_in(entry: Any, verdict: str) -> None:
    policy = broken("kubernetes:networking:NetworkPolicy", "spec.ingress", [entry], tenant="acme")
    assert ("TEN-02" in denying(policy)) is (verdict == "denies")
    assert ("TEN-02" in undecided(policy)) is (verdict == "undecided")


def test_a_cluster_wide_binding_gives_nothing_to_another_tenant() -> None:
    binding = broken("kubernetes:rbac:ClusterRoleBinding", "subjects[0].namespace", "tenant-other", tenant="acme")
    assert "TEN-01" in denying(binding)
