"""What the cases of the rules on data and keys cannot say: unknowns, regimes, hidden copies, anything at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falaj_infra.judge import judge
from falaj_infra.waivers import Waivers
from falaj_policies import (
    JURISDICTIONS,
    REGIMES,
    RULES,
    UNKNOWN,
    Fact,
    Finding,
    Place,
    ResourceFact,
    StackFact,
    Stage,
    UnknownJurisdiction,
    UnknownRegime,
    apply,
    evaluate,
    pairs_for,
    pairs_of,
    regime,
    retention_days,
)
from falaj_policies.rules.azure_places import part_of_another
from falaj_policies.testing import broken, change, good, kinds, own_cases, stack
from falaj_policies.testing.stacks import bucket, linked

FAMILIES = ("RES", "CRY", "LOG", "BCP")
OURS = [rule for rule in RULES if rule.id.startswith(FAMILIES)]
UAE = Place(cloud="aws", region="me-central-1", jurisdiction="uae", regime="pdpl")


def found(fact: Fact, rule: str) -> list[Finding]:
    return [finding for finding in evaluate(fact, Stage.PULL_REQUEST) if finding.rule == rule]


def undecided(fact: Fact, rule: str) -> list[bool]:
    return [finding.undecided for finding in found(fact, rule)]


# Regimes


def test_a_regime_narrows_the_pairs_to_where_it_binds() -> None:
    for name, law in REGIMES.items():
        for jurisdiction in JURISDICTIONS:
            expected = pairs_of(jurisdiction) if jurisdiction in law.binds_in else frozenset()
            assert pairs_for(jurisdiction, name) == expected
    assert pairs_for("ksa", "") == pairs_of("ksa")


def test_the_regimes_are_those_that_a_tenant_can_declare() -> None:
    from typing import get_args

    from falaj_stacks.config import ZONES, Regime

    assert set(REGIMES) == set(get_args(Regime))
    assert {law.name for law in REGIMES.values() if law.transfer_basis_required} == ZONES


def test_what_is_not_known_is_said_with_what_is() -> None:
    with pytest.raises(UnknownRegime, match="known are adgm, cbuae, difc, gdpr, health, pdpl"):
        regime("hipaa")
    with pytest.raises(UnknownRegime):
        pairs_for("uae", "hipaa")
    with pytest.raises(UnknownJurisdiction):
        pairs_for("atlantis", "pdpl")


def test_duties_of_the_regimes() -> None:
    assert {name for name, law in REGIMES.items() if law.second_site_required} == {"cbuae", "health"}
    assert {name: law.retention_days for name, law in REGIMES.items() if law.retention_days != 184} == {"health": 9131}
    assert retention_days("") == 184


def test_references_keep_their_marks() -> None:
    """GDPR's clauses are from memory, the others were checked."""
    assert all(not reference.verified for reference in REGIMES["gdpr"].references)
    assert all(reference.verified for name, law in REGIMES.items() if name != "gdpr" for reference in law.references)


def test_an_unknown_regime_is_refused_by_name() -> None:
    fact = dataclasses.replace(good("aws:cloudwatch:LogGroup"), regime="hipaa")
    assert {finding.rule for finding in evaluate(fact, Stage.PULL_REQUEST)} == {"RES-01", "LOG-03"}
    assert "hipaa" in found(fact, "RES-01")[0].message
    assert "hipaa" in found(stack(*bucket(), regime="hipaa"), "RES-05")[0].message


# Places


@pytest.mark.parametrize(
    ("type_", "inputs", "rule"),
    [
        ("aws:s3/bucket:Bucket", {"region": "me-central-1"}, None),
        ("aws:s3/bucket:Bucket", {"region": ""}, "RES-01"),
        ("azure-native:storage:BlobContainer", {"accountName": "acme"}, None),
        ("azure-native:storage:StorageAccount", {"accountName": "acme"}, "RES-01"),
        ("azure-native:unheardof:Thing", {"accountName": "acme"}, "RES-01"),
        ("azure-native:network/v20240101:VirtualNetwork", {"location": "UAE North"}, None),
        ("azure-native:network:PrivateZone", {"location": "global"}, None),
        ("azure-native:network:VirtualNetwork", {"location": "Sweden Central"}, "RES-01"),
        ("command:y:Z", {"networks": [{"locations": ["eu-west-1"]}]}, "RES-01"),
        ("command:y:Z", {"failoverPolicies": [{"locations": ["eu-west-1"]}]}, "RES-03"),
        ("command:y:Z", {"settings": {"globalReplicas": [{"settings": {"region": "eu-west-1"}}]}}, "RES-03"),
        ("command:y:Z", {"backupPolicy": {"region": "eu-west-1"}}, "RES-02"),
        ("command:y:Z", {"targetRegions": [{"name": "eu-west-1", "storageAccountType": "Standard_LRS"}]}, "RES-02"),
        ("command:y:Z", {"locations": [{"name": "me-central-1", "kind": "eu-west-1"}]}, None),
        ("command:y:Z", {"topology": {"region": "eu-west-1"}}, "RES-01"),
        ("command:y:Z", {"a": [[{"arn": "arn:aws:kms:eu-west-1:1:key/k"}]]}, "RES-02"),
        ("command:y:Z", {"a": "arn:aws:iam::1:role/r"}, None),
        ("command:y:Z", {"a": "arn:aws"}, None),
        ("command:y:Z", {"a": "https://sqs.eu-west-1.amazonaws.com/1/q"}, "RES-02"),
        ("command:y:Z", {"a": "https://sqs.me-central-1.amazonaws.com/1/q"}, None),
        ("command:y:Z", {"policy": '{"Service": "logs.eu-west-1.amazonaws.com"}'}, None),
    ],
)
def test_where_inputs_lead(type_: str, inputs: dict[str, Any], rule: str | None) -> None:
    findings = evaluate(UAE.resource(type_, "r", inputs), Stage.PULL_REQUEST)
    places = {finding.rule for finding in findings if finding.rule in ("RES-01", "RES-02", "RES-03")}
    assert places == ({rule} if rule else set())


def test_a_region_is_named_where_it_stands() -> None:
    inputs = {
        "replicas": [{"x": 1}, {"deep": [{"regionName": "eu-west-1"}]}],
        "a": {"b": ["arn:aws:kms:eu-west-3:1:k"]},
    }
    fact = UAE.resource("aws:x/y:Z", "r", {"region": "me-central-1", **inputs})
    assert [finding.path for finding in found(fact, "RES-03")] == ["replicas[1].deep[0].regionName"]
    assert [finding.path for finding in found(fact, "RES-02")] == ["a.b[0]"]
    listed = UAE.resource("command:y:Z", "r", {"things": [{"regions": ["me-central-1", "eu-west-1"]}]})
    assert [finding.path for finding in found(listed, "RES-01")] == ["things[0].regions[1]"]


def test_the_same_region_name_is_two_countries() -> None:
    riyadh = Place(cloud="alibaba", region="me-central-1", jurisdiction="uae")
    said = {"region": "me-central-1"}
    bucket = riyadh.resource("alicloud:oss:Bucket", "r", {}, provider=said)
    assert [finding.undecided for finding in found(bucket, "RES-01")] == [False]
    at_home = dataclasses.replace(riyadh, jurisdiction="ksa")
    assert not found(at_home.resource("alicloud:oss:Bucket", "r", {}, provider=said), "RES-01")
    assert found(at_home.resource("alicloud:oss:Bucket", "r", {}), "RES-01"), "its provider says where it is"


@pytest.mark.parametrize(
    "type_",
    ["gcp:bigquery/dataset:Dataset", "aws-native:s3:Bucket", "mongodbatlas:index/cluster:Cluster", "acme:index:Thing",
     "pulumi:providers:gcp", "pulumi:providers:acme"],
)  # fmt: skip
def test_what_nobody_says_where_it_is_is_not_where_the_stack_is(type_: str) -> None:
    fact = UAE.resource(type_, "r", {}, provider={"region": "me-central-1"})
    assert (fact.cloud, fact.region) == (UNKNOWN, UNKNOWN)
    assert [finding.undecided for finding in found(fact, "RES-01")] == [True]
    assert judge(fact, Waivers(), decided=True).refused, "at up it is refused"


@pytest.mark.parametrize(
    "type_",
    ["kubernetes:core/v1:Pod", "random:index/randomId:RandomId", "tls:index/privateKey:PrivateKey",
     "pulumi:pulumi:StackReference", "pulumi-python:dynamic:Resource", "pulumi-python:dynamic/tokens:RandomToken",
     "pulumi-nodejs:dynamic:Resource", "command:local:Command", "vault:transit/secretBackendKey:SecretBackendKey",
     "pulumi:providers:kubernetes"],
)  # fmt: skip
def test_what_is_of_the_stack_is_where_the_stack_is(type_: str) -> None:
    fact = UAE.resource(type_, "r", {})
    assert (fact.cloud, fact.region) == ("aws", "me-central-1")


def test_a_package_for_one_api_version_is_the_whole_package() -> None:
    type_ = "azure-native_storage_v20240101:storage:StorageAccount"
    place = Place(cloud="azure", region="uaenorth", jurisdiction="uae")
    fact = place.resource(type_, "r", {"location": "westeurope"})
    assert (fact.cloud, fact.region, fact.kind) == ("azure", "westeurope", "azure-native:storage:StorageAccount")
    assert [finding.undecided for finding in found(fact, "RES-01")] == [False]
    given = place.resource("pulumi:providers:azure-native_storage_v20240101", "p", {"location": "westeurope"})
    assert (given.cloud, given.region) == ("azure", "westeurope")


def test_a_resource_says_once_that_it_is_abroad() -> None:
    fact = UAE.resource("aws:s3/bucket:Bucket", "r", {"region": "eu-west-1"})
    assert [(finding.path, finding.message) for finding in found(fact, "RES-01")] == [
        ("region", "aws eu-west-1 is not in uae")
    ]


def test_only_a_listed_azure_module_knows_its_parts() -> None:
    assert part_of_another("azure-native:keyvault:Key")
    assert not part_of_another("azure-native:keyvault:Vault")
    assert not part_of_another("azure-native:unheardof:Key")
    assert not part_of_another("azure:keyvault:Key")


@pytest.mark.parametrize(
    ("region", "refused"),
    [("uaenorth", False), ("uaecentral", False), ("UAE North", False), ("francecentral", True), ("italynorth", True)],
)
def test_geo_redundant_copies_go_to_the_paired_region(region: str, refused: bool) -> None:
    jurisdiction = "uae" if "uae" in region.lower() else "eu"
    place = Place(cloud="azure", region=region, jurisdiction=jurisdiction)
    fact = good("azure-native:storage:StorageAccount", place=place, location=region, sku={"name": "Standard_RAGRS"})
    assert bool(found(fact, "RES-03")) is refused


def test_a_database_of_many_regions_has_a_second_one_to_go_to() -> None:
    europe = Place(cloud="aws", region="eu-west-1", jurisdiction="eu")
    key = {"enableKeyRotation": True, "multiRegion": True, "region": "eu-west-1"}
    assert not found(europe.resource("aws:kms/key:Key", "r", key), "RES-03")


def test_objects_are_replicated_to_a_bucket_by_its_name() -> None:
    config = good("aws:s3:BucketReplicationConfig")
    inside, outside = bucket("acme-copies"), bucket("acme-copies", region="eu-west-1")
    assert not found(stack(*bucket(), *inside, config), "RES-03")
    (finding,) = found(stack(*bucket(), *outside, config), "RES-03")
    assert finding.subject == config.urn
    unknown = change(config, "rules[0].destination.bucket", UNKNOWN)
    assert undecided(stack(*bucket(), *inside, unknown), "RES-03") == [True]
    source, target = bucket(), bucket("acme-copies", region="eu-west-1")
    known = linked(linked(unknown, "bucket", source[0]), "rules", source[0], target[0])
    assert undecided(stack(*source, *target, known), "RES-03") == [False]


# State


@pytest.mark.parametrize(
    ("cloud", "backend", "refused"),
    [
        ("aws", "s3://b?region=me-central-1", False),
        ("aws", "s3://b?region=us-east-1", True),
        ("aws", "azblob://c?storage_account=acme", False),
        ("aws", "azblob://c", True),
        ("aws", "postgres://db.example/state", True),
        ("aws", "https://state.example", True),
        ("aws", "https://app.pulumi.com/acme", True),
        ("aws", "https://[", True),
        ("on-premises", "file:///srv/state", False),
        ("on-premises", "postgres://localhost/state", False),
        ("on-premises", "https://api.pulumi.com", True),
    ],
)
def test_where_the_state_is(cloud: str, backend: str, refused: bool) -> None:
    region = "local" if cloud == "on-premises" else "me-central-1"
    account = good("azure-native:storage:StorageAccount")
    fact = stack(account, cloud=cloud, region=region, backend=backend, standby=("azure", "uaecentral"))
    assert [finding.denies for finding in found(fact, "RES-02")] == ([True] if refused else [])


@pytest.mark.parametrize(
    ("encryption", "refused"),
    [
        ("", False),
        ("passphrase", False),
        ("awskms://alias/k?region=me-central-1", False),
        ("awskms:///arn:aws:kms:me-central-1:1:key/k", False),
        ("awskms://alias/k", True),
        ("azurekeyvault://acme.vault.azure.net/keys/k", False),
        ("azurekeyvault://other.vault.azure.net/keys/k", True),
        ("gcpkms://projects/p/locations/me-central2/keyRings/r", True),
        ("rot13", True),
        ("awskms://[", True),
    ],
)
def test_where_the_key_of_the_secrets_is(encryption: str, refused: bool) -> None:
    fact = stack(good("azure-native:keyvault:Vault"), encryption=encryption)
    assert [finding.denies for finding in found(fact, "RES-02")] == ([True] if refused else [])


def test_a_vault_on_the_premises_is_inside_and_any_other_nobody_knows() -> None:
    here = stack(encryption="hashivault://k")
    assert not found(here, "RES-02")
    assert undecided(stack(*bucket(), encryption="hashivault://k"), "RES-02") == [True]


def test_a_stack_without_a_place_is_judged_by_its_resources() -> None:
    assert not found(stack(*bucket(), cloud=UNKNOWN, region=UNKNOWN), "RES-01")
    assert found(stack(*bucket(), cloud=UNKNOWN, region=UNKNOWN, jurisdiction=""), "RES-01")


# Continuity


@pytest.mark.parametrize(
    ("regime_name", "cloud", "advisory"),
    [("cbuae", "aws", False), ("health", "aws", False), ("pdpl", "aws", True), ("cbuae", "on-premises", True)],
)
def test_a_second_site_is_a_duty_or_advice(regime_name: str, cloud: str, advisory: bool) -> None:
    region, backend = ("me-central-1", "s3://b?region=me-central-1") if cloud == "aws" else ("local", "file://~")
    for standby in (None, (cloud, region)):
        fact = stack(cloud=cloud, region=region, regime=regime_name, standby=standby, backend=backend)
        assert [finding.advisory for finding in found(fact, "BCP-01")] == [advisory]


def test_a_replica_takes_its_encryption_and_backups_from_its_source() -> None:
    given_: dict[str, Any] = {
        "storageEncrypted": None,
        "kmsKeyId": None,
        "backupRetentionPeriod": None,
        "deletionProtection": None,
    }
    fact = good("aws:rds:Instance", replicateSourceDb="acme", **given_)
    assert not found(fact, "CRY-01")
    assert not found(fact, "BCP-01")


# What stands together


def test_a_bucket_is_linked_by_the_graph_or_by_name() -> None:
    parts = bucket()
    assert evaluate(stack(*parts), Stage.PULL_REQUEST) == []
    by_graph = [
        linked(change(part, "bucket", UNKNOWN), "bucket", parts[0]) if part.kind != "aws:s3:Bucket" else part
        for part in parts
    ]
    assert evaluate(stack(*by_graph), Stage.PULL_REQUEST) == []
    of_another = [dataclasses.replace(part, inputs={**part.inputs, "bucket": "x"}) for part in parts[1:]]
    assert {finding.rule for finding in evaluate(stack(parts[0], *of_another), Stage.PULL_REQUEST)} >= {
        "CRY-01",
        "CRY-03",
        "BCP-01",
    }


def test_whose_encryption_it_is_may_not_be_known_yet() -> None:
    parts = [change(part, "bucket", UNKNOWN) if part.kind != "aws:s3:Bucket" else part for part in bucket()]
    for rule in ("CRY-01", "CRY-03", "BCP-01"):
        assert undecided(stack(*parts), rule) == [True]


def test_a_log_bucket_is_found_by_whoever_logs_there() -> None:
    short = broken("aws:s3:BucketLifecycleConfiguration", "rules[0].expiration.days", 30)
    assert not found(stack(*bucket(), short), "LOG-03"), "nothing logs there"
    balancer = good("aws:lb:LoadBalancer")
    flow = good("aws:ec2:FlowLog", logDestination="arn:aws:s3:::acme-features/flow")
    for source in (good("aws:cloudtrail:Trail"), balancer, flow):
        (finding,) = found(stack(*bucket(), source, short), "LOG-03")
        assert (finding.subject, finding.path) == (short.urn, "rules[0].expiration.days")
    off = change(short, "rules[0].status", "Disabled")
    assert not found(stack(*bucket(), balancer, off), "LOG-03")
    later = change(short, "rules[0].expiration.days", UNKNOWN)
    assert undecided(stack(*bucket(), balancer, later), "LOG-03") == [True]


@pytest.mark.parametrize(("years", "refused"), [(25, False), (24, True)])
def test_a_lock_under_the_health_law_holds_for_25_years(years: int, refused: bool) -> None:
    lock = good(
        "aws:s3:BucketObjectLockConfiguration", rule={"defaultRetention": {"mode": "COMPLIANCE", "years": years}}
    )
    fact = stack(*bucket(), good("aws:cloudtrail:Trail"), lock, regime="health")
    assert bool(found(fact, "LOG-03")) is refused


def test_a_workspace_cannot_hold_25_years_and_says_so() -> None:
    place = Place(cloud="azure", region="uaenorth", jurisdiction="uae", regime="health")
    kind = "azure-native:operationalinsights:Workspace"
    assert [finding.advisory for finding in found(good(kind, place=place, retentionInDays=730), "LOG-03")] == [True]
    short = found(good(kind, place=place, retentionInDays=729), "LOG-03")
    assert [finding.advisory for finding in short] == [True, False]


@pytest.mark.parametrize("days", [0, 184, 3653, None])
def test_a_log_group_keeps_long_enough_or_for_ever(days: int | None) -> None:
    assert not found(good("aws:cloudwatch:LogGroup", retentionInDays=days), "LOG-03")


# Unknowns


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """Where every value of a resource's inputs is."""
    if isinstance(value, dict):
        for key, child in value.items():
            name = f"'{key}'" if "." in key else key
            yield from leaves(child, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from leaves(child, f"{path}[{index}]")
    if path:
        yield path


@pytest.mark.parametrize("kind", kinds())
def test_one_unknown_value_never_denies_before_it_is_known(kind: str) -> None:
    fact = good(kind)
    for path in leaves(dict(fact.inputs)):
        later = change(fact, path, UNKNOWN)
        for rule in OURS:
            if rule.applies_to is ResourceFact:
                assert [str(f) for f in apply(rule, later, Stage.PULL_REQUEST) if f.denies] == []


def test_a_value_that_must_be_so_is_undecided_until_known() -> None:
    """For every case over one input of a resource: unknown, it is undecided, or as good as there."""
    presence = ("KeyId", "KeyArn", "MasterKeyId", "keyId", "kmsKey", "keyArn", "bucket", "diskEncryptionSetId")
    for case in own_cases():
        if not case.rule.startswith(FAMILIES) or not isinstance(case.bad, ResourceFact):
            continue
        assert isinstance(case.good, ResourceFact)
        for finding in found(case.bad, case.rule):
            if not finding.path or finding.path.endswith(presence) or case.bad.inputs == case.good.inputs:
                continue
            later = change(case.bad, finding.path, UNKNOWN)
            at_that = [one for one in found(later, case.rule) if one.path.startswith(finding.path)]
            assert all(one.undecided for one in at_that), case


# Anything at all

WORDS = ("x", "key", "values", "region", "locations", "name", "logs", "to", "ipBlock", "cidr", "value", "Statement")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-10, 400)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.just(UNKNOWN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=400)
@given(st.data())
def test_no_check_raises_whatever_it_is_given(data: st.DataObject) -> None:
    fact = good(data.draw(st.sampled_from(kinds())))
    paths = sorted(leaves(dict(fact.inputs)))
    spoilt = change(fact, data.draw(st.sampled_from(paths)), data.draw(JSON))
    for rule in OURS:
        if rule.applies_to is ResourceFact and (rule.kinds is None or fact.kind in rule.kinds):
            list(rule.check(spoilt))


@settings(max_examples=400)
@given(st.sampled_from([rule for rule in OURS if rule.kinds is not None]), st.data())
def test_no_check_raises_on_inputs_that_are_nothing_like_it(rule: Any, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(rule.kinds)))
    keys = sorted(
        {path.split(".")[0].split("[")[0] for path in leaves(dict(good(kind).inputs))} if kind in kinds() else ()
    )
    inputs = data.draw(st.dictionaries(st.sampled_from([*keys, "x"]), JSON, max_size=6))
    list(rule.check(UAE.resource(kind, "r", inputs)))


STACKS = [case.good for case in own_cases() if isinstance(case.good, StackFact)]


@settings(max_examples=300)
@given(st.data())
def test_no_check_of_a_stack_raises_whatever_is_in_it(data: st.DataObject) -> None:
    parts = list(
        data.draw(st.sampled_from([case.good for case in own_cases() if isinstance(case.good, StackFact)])).resources
    )
    if parts:
        index = data.draw(st.integers(0, len(parts) - 1))
        paths = sorted(leaves(dict(parts[index].inputs)))
        parts[index] = change(parts[index], data.draw(st.sampled_from(paths)), data.draw(JSON))
    fact = stack(*parts, backend=data.draw(st.text(max_size=20)), encryption=data.draw(st.text(max_size=20)))
    for rule in OURS:
        if rule.applies_to is StackFact:
            list(rule.check(fact))
