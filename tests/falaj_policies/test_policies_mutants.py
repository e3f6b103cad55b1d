"""Rules, seen from close by: what the mutations of benchmarks/policy_mutations.py showed that no other test notices."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from falaj_policies import UNKNOWN, Finding, ModelFact, ProjectFact, ResourceFact, Stage, evaluate
from falaj_policies.facts import StatementFact
from falaj_policies.model import Objection
from falaj_policies.rules import model, state
from falaj_policies.rules.copies import copies_inside
from falaj_policies.rules.dependencies import locked
from falaj_policies.rules.namespaces import gpus_are_limited, in_own_namespace, no_strangers
from falaj_policies.rules.reading import get, selects_all
from falaj_policies.rules.where import outside, region_of_text
from falaj_policies.testing import HERE, REMOVED, change, good, stack

HASH = "sha256:" + "a" * 64
COMMIT = "b" * 40


def of(rule: str, fact: Any) -> list[Finding]:
    return [finding for finding in evaluate(fact, Stage.PULL_REQUEST) if finding.rule == rule]


def verdict(rule: str, fact: Any) -> str:
    """`passes`, `denied` or `undecided`, of one rule alone."""
    found = of(rule, fact)
    return "passes" if not found else "denied" if any(finding.denies for finding in found) else "undecided"


def said(objections: Iterable[Objection]) -> list[str]:
    return [objection.message for objection in objections]


# SUP-06: what is locked


def locks(**files: str) -> list[Objection]:
    return list(locked(ProjectFact("acme", {name.replace("_lock", ".lock"): text for name, text in files.items()})))


def test_a_project_without_a_lock_is_told_by_its_manifest() -> None:
    for files, path in (({"pyproject.toml": "", "a.py": ""}, "pyproject.toml"), ({"a.py": ""}, "")):
        assert [found.path for found in locked(ProjectFact("acme", files))] == [path]


@pytest.mark.parametrize("source", ["virtual", "editable", "directory"])
def test_packages_of_the_project_itself_need_no_hash_from_uv(source: str) -> None:
    assert not locks(uv_lock=f'[[package]]\nname = "own"\nsource = {{ {source} = "." }}\n')


@pytest.mark.parametrize("package", ['source = { type = "directory", url = "x" }', 'path = "./own"'])
def test_packages_of_the_project_itself_need_no_hash_from_poetry_and_pdm(package: str) -> None:
    for lock in ("poetry_lock", "pdm_lock"):
        assert not locks(**{lock: f'[[package]]\nname = "own"\n{package}\n'})


@pytest.mark.parametrize(
    ("package", "loose"),
    [({"path": "."}, False), ({"git": "g", "ref": COMMIT}, False), ({"git": "g", "ref": "main"}, True), ({}, True)],
)
def test_paths_and_commits_need_no_hash_from_pipenv(package: Mapping[str, str], loose: bool) -> None:
    assert bool(locks(Pipfile_lock=json.dumps({"default": {"own": package}}))) is loose


def test_a_lock_tells_how_many_packages_have_no_hash() -> None:
    one, two = json.dumps({"default": {"a": {}}}), json.dumps({"default": {"a": {}, "b": {}}})
    assert said(locks(Pipfile_lock=one)) == ["Pipfile.lock locks a without a hash"]
    assert said(locks(Pipfile_lock=two)) == ["Pipfile.lock locks a and 1 others without a hash"]


def test_requirements_are_told_by_name_or_as_they_stand() -> None:
    for line, name in (("requests==2.0", "requests"), ("==2.0", "==2.0")):
        found = locked(ProjectFact("acme", {"requirements.txt": line}))
        assert said(found) == [f"requirements.txt names {name} without a hash"]


# IAM-01: what the internet reaches


@pytest.mark.parametrize(
    ("kind", "path", "value", "expected"),
    [
        ("aws:s3:BucketAcl", "acl", "authenticated-read", "denied"),
        ("aws:s3:BucketAcl", "acl", "private", "passes"),
        ("aws:s3:BucketAcl", "acl", UNKNOWN, "undecided"),
        ("aws:ec2:LaunchTemplate", "networkInterfaces", [{"associatePublicIpAddress": UNKNOWN}], "undecided"),
        ("aws:ec2:LaunchTemplate", "networkInterfaces", [{"associatePublicIpAddress": "true"}], "denied"),
        ("aws:ec2:LaunchTemplate", "networkInterfaces", [{}], "passes"),
        ("aws:ec2:LaunchTemplate", "networkInterfaces", [{"associatePublicIpAddress": False}], "passes"),
        ("aws:ec2:LaunchTemplate", "networkInterfaces", [{"associatePublicIpAddress": "false"}], "passes"),
        ("aws:ec2:LaunchTemplate", "networkInterfaces", [{"associatePublicIpAddress": "False"}], "passes"),
        ("aws:opensearch:Domain", "vpcOptions", {}, "denied"),
        ("aws:opensearch:Domain", "vpcOptions", UNKNOWN, "passes"),
        ("azure-native:containerregistry:Registry", "publicNetworkAccess", "SecuredByPerimeter", "passes"),
        ("azure-native:containerservice:AgentPool", "enableNodePublicIP", REMOVED, "passes"),
        ("azure-native:containerservice:AgentPool", "enableNodePublicIP", False, "passes"),
        ("azure-native:containerservice:AgentPool", "enableNodePublicIP", UNKNOWN, "undecided"),
    ],
)
def test_what_is_open_to_the_internet(kind: str, path: str, value: Any, expected: str) -> None:
    fact = good(kind)
    assert verdict("IAM-01", fact if value is REMOVED and path not in fact.inputs else change(fact, path, value)) == (
        expected
    )


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://acs.amazonaws.com/groups/s3/LogDelivery", "passes"),
        ("http://acs.amazonaws.com/groups/global/AllUsers", "denied"),
        (UNKNOWN, "undecided"),
        (None, "passes"),
    ],
)
def test_grants_of_a_bucket(uri: Any, expected: str) -> None:
    policy = {"grants": [{"permission": "WRITE", "grantee": {"type": "Group", "uri": uri}}], "owner": {"id": "1"}}
    fact = change(change(good("aws:s3:BucketAcl"), "acl", None), "accessControlPolicy", policy)
    assert verdict("IAM-01", fact) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [("Any", "denied"), ("*", "denied"), ("Internet", "denied"), ("10.1.0.0/16", "passes"), (UNKNOWN, "undecided")],
)
def test_sources_of_an_azure_rule(source: Any, expected: str) -> None:
    fact = good("azure-native:network:SecurityRule", access="Allow", direction="Inbound", sourceAddressPrefix=source)
    assert verdict("IAM-01", fact) == expected


@pytest.mark.parametrize(
    ("default", "expected"), [(UNKNOWN, "undecided"), ("Allow", "denied"), ("Deny", "passes"), (None, "denied")]
)
def test_a_vault_that_is_public_may_deny_by_default(default: Any, expected: str) -> None:
    fact = change(good("azure-native:keyvault:Vault"), "properties.publicNetworkAccess", "Enabled")
    assert verdict("IAM-01", change(fact, "properties.networkAcls", {"defaultAction": default})) == expected


@pytest.mark.parametrize("value", [None, False])
def test_pools_inside_a_cluster_that_give_no_public_addresses(value: Any) -> None:
    pool = {"name": "a", "enableNodePublicIP": value}
    fact = good("azure-native:containerservice:ManagedCluster")
    assert verdict("IAM-01", change(fact, "agentPoolProfiles", [pool])) == "passes"
    assert verdict("IAM-01", change(fact, "agentPoolProfiles", [{**pool, "enableNodePublicIP": True}])) == "denied"


# IAM-02 and IAM-06: identities


@pytest.mark.parametrize(
    ("namespace", "account", "expected"),
    [
        ("falaj-system", "openbao-reviewer", "passes"),
        (UNKNOWN, "openbao-reviewer", "undecided"),
        ("falaj-system", UNKNOWN, "undecided"),
        (UNKNOWN, UNKNOWN, "undecided"),
        ("falaj-system", "other", "denied"),
        ("other", UNKNOWN, "denied"),
    ],
)
def test_one_account_may_have_a_lasting_token(namespace: Any, account: Any, expected: str) -> None:
    metadata = {"namespace": namespace, "annotations": {"kubernetes.io/service-account.name": account}}
    fact = good("kubernetes:core:Secret", type="kubernetes.io/service-account-token", metadata=metadata)
    assert verdict("IAM-02", fact) == expected


def test_only_a_tenants_pods_ask_for_their_tokens() -> None:
    path = "spec.automountServiceAccountToken"
    for tenant, expected in ((None, "passes"), ("acme", "denied")):
        fact = good("kubernetes:core:Pod", tenant=tenant)
        assert verdict("IAM-02", change(fact, path, True)) == expected
    # What describes no pod has nothing that could mount a token.
    assert verdict("IAM-02", good("kubernetes:core:Pod", tenant="acme", spec=None)) == "passes"


@pytest.mark.parametrize(("value", "expected"), [(None, "passes"), (True, "passes"), (False, "denied")])
def test_role_based_access_control_is_on_by_default(value: Any, expected: str) -> None:
    fact = good("azure-native:containerservice:ManagedCluster", enableRBAC=value)
    assert verdict("IAM-06", fact) == expected


# A model's statements


def statement(kind: str, **fields: Any) -> StatementFact:
    key, predicate = {
        "signature": ("sign-alice", model.SIGNATURE_PREDICATE),
        "approval": ("approve-bob", model.APPROVAL_PREDICATE),
    }[kind]
    whole: dict[str, Any] = {
        "key": key,
        "verified": True,
        "subject": HASH,
        "predicate_type": predicate,
        "model": "m",
        "version": "1",
    }
    return StatementFact(**{**whole, "exportable": False, **fields})


def statements(signature: StatementFact | None, approval: StatementFact | None) -> ModelFact:
    return ModelFact("m", "1", HASH, (), signature=signature, approval=approval)


@pytest.mark.parametrize(("problem", "why"), [("", "wrong signature"), ("no such key", "no such key")])
def test_a_statement_that_does_not_verify_says_why(problem: str, why: str) -> None:
    fact = statements(None, statement("approval", verified=False, problem=problem))
    assert said(model.approved(fact)) == [f"the approval does not verify: {why}"]


def test_what_an_approval_names_is_read_only_where_it_holds() -> None:
    assert not list(model.approved(statements(None, statement("approval"))))
    assert said(model.approved(statements(None, statement("approval", version="2")))) == [
        "the approval is for m version 2, not for m version 1"
    ]
    assert said(model.approved(statements(None, statement("approval", version="2", verified=False)))) == [
        "the approval does not verify: wrong signature"
    ]
    assert said(model.approved(statements(None, None))) == ["there is no approval"]


@pytest.mark.parametrize(
    ("signer", "approver", "names"),
    [
        ("sign-alice", "approve-alice", ("alice", "alice")),
        ("other", "approve-bob", ("unknown", "bob")),
        ("sign-alice", "other", ("alice", "unknown")),
    ],
)
def test_author_and_approver_are_named(signer: str, approver: str, names: tuple[str, str]) -> None:
    fact = statements(statement("signature", key=signer), statement("approval", key=approver))
    expected = f"the author {names[0]} and the approver {names[1]} must be two people"
    assert said(model.approver_is_not_author(fact)) == [expected]


# Namespaces and readers


def test_a_namespace_is_told_as_it_is_or_as_the_default() -> None:
    fact = good("kubernetes:core:Pod", tenant="acme")
    for value, told in (("other", "other"), (None, "default"), ("", "default")):
        message = f"is in the namespace {told}, not tenant-acme"
        assert said(in_own_namespace(change(fact, "metadata.namespace", value))) == [message]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (UNKNOWN, [True]),
        ({"namespaceSelector": UNKNOWN}, [True]),
        ({"namespaceSelector": {"matchLabels": UNKNOWN}}, [True]),
        ({"namespaceSelector": {}}, [False]),
        ({"namespaceSelector": {"matchLabels": {"a": "b"}}}, []),
        ({"podSelector": {}}, []),
    ],
)
def test_sources_of_a_policy(source: Any, expected: list[bool]) -> None:
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [source]}]}
    fact = good("kubernetes:networking:NetworkPolicy", tenant="acme", spec=spec)
    assert [objection.undecided for objection in no_strangers(fact)] == expected


def test_gpus_are_told_with_their_limit() -> None:
    gpu = "nvidia.com/gpu"
    for limits, told in (({gpu: 1}, "1"), ({}, "none")):
        container = {"name": "a", "resources": {"requests": {gpu: 2}, "limits": limits}}
        fact = good("kubernetes:core:Pod", spec={"containers": [container]})
        assert said(gpus_are_limited(fact)) == [f"asks for 2 GPUs with a limit of {told}"]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, True),
        ({"matchLabels": {}}, True),
        ({"matchLabels": None, "matchExpressions": []}, True),
        ({"matchLabels": {"a": "b"}}, False),
        ({"matchLabels": UNKNOWN}, False),
        (UNKNOWN, False),
        (None, False),
    ],
)
def test_selectors_that_select_all(selector: Any, expected: bool) -> None:
    assert selects_all(selector) is expected


def test_every_mapping_is_read() -> None:
    for value in ({"a": {"b": 1}}, MappingProxyType({"a": MappingProxyType({"b": 1})})):
        assert get(value, "a", "b") == 1
    assert get(UNKNOWN, "a") is UNKNOWN
    assert get({"a": UNKNOWN}, "a", "b") is UNKNOWN
    assert get("text", "a") is None


# Residency: the state, places, copies


@pytest.mark.parametrize("url", ["https://pulumi.com", "https://api.pulumi.com", "https://eu.api.pulumi.com/acme"])
def test_pulumi_cloud_is_told_by_name(url: str) -> None:
    fact = stack(backend=url)
    assert said(state.backend(fact)) == ["the state is in Pulumi Cloud, which is abroad"]
    fact = stack(backend="https://notpulumi.com")
    assert said(state.backend(fact)) == ["a https:// URL does not say where the state is"]


@pytest.mark.parametrize(("url", "told"), [("other://key", "other"), ("mine", "mine")])
def test_secrets_providers_are_told_by_scheme_or_name(url: str, told: str) -> None:
    assert said(state.encryption(stack(encryption=url))) == [f"{told}: no such secrets provider is known"]


def abroad(**inputs: Any) -> ResourceFact:
    return HERE["aws"].resource(
        "aws:acme/thing:Thing", "r", inputs, urn="urn:pulumi:dev::acme::aws:acme/thing:Thing::r",
        provider={"region": "eu-west-1"},
    )  # fmt: skip


def test_a_second_place_counts_though_it_is_the_resources_own() -> None:
    fact = abroad(replicaRegion="eu-west-1")
    assert said(outside(fact, "RES-03")) == ["aws eu-west-1 is not in uae"]
    assert not list(outside(abroad(replicaRegion="me-central-1"), "RES-03"))


def copying(target: Any, *, jurisdiction: str = "uae") -> ResourceFact:
    details = {"action": {"crossRegionCopies": [target]}}
    place = HERE["aws"]
    fact = place.resource(
        "aws:dlm/lifecyclePolicy:LifecyclePolicy", "r", {"policyDetails": details},
        urn="urn:pulumi:dev::acme::aws:dlm/lifecyclePolicy:LifecyclePolicy::r", provider={"region": place.region},
    )  # fmt: skip
    return dataclasses.replace(fact, jurisdiction=jurisdiction)


def test_copies_are_judged_where_a_place_and_a_jurisdiction_are_said() -> None:
    assert not list(copies_inside(copying({})))
    assert said(copies_inside(copying({"target": "eu-west-1"}))) == ["aws eu-west-1 is not in uae"]
    assert [found.undecided for found in copies_inside(copying({"target": UNKNOWN}))] == [True]
    # Without a jurisdiction there is nothing to compare with: RES-01 says so.
    for target in ({"target": "eu-west-1"}, {"target": UNKNOWN}, {}):
        assert not list(copies_inside(copying(target, jurisdiction="")))


@pytest.mark.parametrize(
    ("value", "expected"), [(None, "passes"), (False, "passes"), (True, "denied"), (UNKNOWN, "undecided")]
)
def test_keys_of_many_regions(value: Any, expected: str) -> None:
    assert verdict("RES-03", good("aws:kms:Key", multiRegion=value)) == expected


@pytest.mark.parametrize("missing", ["direction", "access"])
def test_an_azure_rule_tells_what_is_not_known_yet(missing: str) -> None:
    rule: dict[str, Any] = {
        "direction": "Outbound",
        "access": "Allow",
        "destinationAddressPrefix": "10.1.0.0/16",
        missing: UNKNOWN,
    }
    for fact, path in (
        (good("azure-native:network:SecurityRule", **rule), missing),
        (good("azure-native:network:NetworkSecurityGroup", securityRules=[rule]), f"securityRules[0].{missing}"),
    ):
        assert {found.path for found in of("RES-04", fact)} == {path}


@pytest.mark.parametrize(
    ("direction", "access", "destination", "expected"),
    [
        ("Outbound", "Allow", "Any", "denied"),
        ("outbound", "allow", "*", "denied"),
        ("Outbound", "Allow", "10.1.0.0/16", "passes"),
        ("Outbound", "Deny", "*", "passes"),
        ("Inbound", "Allow", "*", "passes"),
        ("Inbound", "Deny", "*", "passes"),
    ],
)
def test_an_azure_rule_that_lets_everything_out(direction: str, access: str, destination: str, expected: str) -> None:
    rule: dict[str, Any] = {"direction": direction, "access": access, "destinationAddressPrefix": destination}
    assert verdict("RES-04", good("azure-native:network:SecurityRule", **rule)) == expected


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("arn:aws:logs:eu-west-1:123456789012:log-group:g", "eu-west-1"),
        ("arn:aws:s3:::bucket", None),
        ("arn:aws:logs:*:123456789012:log-group:g", None),
        ("arn:aws:logs:eu-*:123456789012:log-group:g", None),
    ],
)
def test_a_pattern_over_regions_names_no_place(text: str, region: str | None) -> None:
    assert region_of_text(text) == region
