"""What the two programs declare: counts, names, and the properties that the platform's promises rest on."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from falaj.connection import Connection
from falaj_engine.capture import Capture, capture
from falaj_engine.values import UNKNOWN, Secret

ROOT = Path(__file__).resolve().parents[2]
Declared = list[Any]
BY_DIGEST = re.compile(r"[^@]+@sha256:[0-9a-f]{64}")
WORKLOADS = {"postgres", "mlflow", "ray", "serving", "audit"}


def _of(declared: Declared, kind: str) -> dict[str, dict[str, Any]]:
    return {item.name: item.inputs for item in declared if item.type.rsplit(":", 1)[-1] == kind}


def _pods(declared: Declared) -> dict[str, dict[str, Any]]:
    made = {**_of(declared, "Deployment"), **_of(declared, "StatefulSet")}
    return {name: inputs["spec"]["template"]["spec"] for name, inputs in made.items()}


def test_the_region_declares_what_it_promises(region: Declared) -> None:
    kinds = Counter(item.type.rsplit(":", 1)[-1] for item in region)
    assert kinds["ValidatingAdmissionPolicy"] == kinds["ValidatingAdmissionPolicyBinding"] == 6
    assert _of(region, "StorageClass")["falaj-local"]["provisioner"] == "falaj.io/local"
    slices = _of(region, "EndpointSlice")["openbao"]
    assert slices["endpoints"][0]["addresses"] == ["10.90.0.1"]
    assert slices["metadata"]["labels"]["kubernetes.io/service-name"] == "openbao"
    assert slices["ports"][0]["port"] == _of(region, "Service")["openbao"]["spec"]["ports"][0]["port"] == 8200
    reviewer = _of(region, "ClusterRole")["falaj-token-reviewer"]["rules"]
    assert reviewer == [{"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}]


def test_a_cluster_of_ones_own_keeps_its_storage_class(
    run_stack: Callable[..., Declared], config_of: Callable[[str], dict[str, Any]]
) -> None:
    declared = run_stack("region-local", {**config_of("region-local"), "storage_class": "fast-disks"})
    assert _of(declared, "StorageClass") == {}


def test_admission_fails_closed_and_only_for_tenants(region: Declared) -> None:
    for name, inputs in _of(region, "ValidatingAdmissionPolicy").items():
        assert inputs["spec"]["failurePolicy"] == "Fail"
        constraints = inputs["spec"]["matchConstraints"]
        selector = constraints.get("namespaceSelector") or constraints["objectSelector"]
        assert selector == {"matchExpressions": [{"key": "falaj.io/tenant", "operator": "Exists"}]}
        assert _of(region, "ValidatingAdmissionPolicyBinding")[name]["spec"]["validationActions"] == ["Deny"]


def test_every_image_is_pinned_and_every_pod_restricted(tenant: Declared) -> None:
    pods = _pods(tenant)
    assert set(pods) == WORKLOADS
    for name, pod in pods.items():
        assert pod["serviceAccountName"] == name
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert BY_DIGEST.fullmatch(container["image"])
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_tokens_only_where_they_are_needed(tenant: Declared) -> None:
    def tokens(pod: dict[str, Any]) -> set[str]:
        sources = [s for v in pod["volumes"] for s in v.get("projected", {}).get("sources", [])]
        return {s["serviceAccountToken"].get("audience", "api") for s in sources if "serviceAccountToken" in s}

    assert {name: tokens(pod) for name, pod in _pods(tenant).items()} == {
        "postgres": set(),
        "mlflow": set(),
        "ray": set(),
        "serving": {"api", "falaj-vault", "falaj-audit"},
        "audit": {"api"},
    }
    for inputs in _of(tenant, "ServiceAccount").values():
        assert inputs["automountServiceAccountToken"] is False


def test_two_tenants_fit_on_two_processors(tenant: Declared) -> None:
    requested = [c["resources"]["requests"]["cpu"] for pod in _pods(tenant).values() for c in pod["containers"]]
    assert all(cpu.endswith("m") for cpu in requested)
    assert sum(int(cpu.removesuffix("m")) for cpu in requested) <= 800


def test_the_namespace_has_its_limits(tenant: Declared) -> None:
    labels = _of(tenant, "Namespace")["tenant-demo"]["metadata"]["labels"]
    assert labels["falaj.io/tenant"] == "demo"
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    hard = _of(tenant, "ResourceQuota")["tenant"]["spec"]["hard"]
    assert hard["requests.nvidia.com/gpu"] == "0"
    assert {"requests.cpu", "requests.memory", "limits.memory", "requests.storage"} <= set(hard)


def test_network_is_denied_by_default_and_metadata_is_right(tenant: Declared) -> None:
    policies = _of(tenant, "NetworkPolicy")
    assert policies["default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    postgres = policies["postgres"]["spec"]
    assert [p["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for p in postgres["ingress"][0]["from"]] == [
        "mlflow"
    ]
    for item in tenant:
        if item.type.startswith("kubernetes:") and item.type.rsplit(":", 1)[-1] not in {
            "Namespace",
            "ClusterRoleBinding",
        }:
            assert item.inputs["metadata"]["namespace"] == "tenant-demo", item.name


def test_people_reach_their_services_and_nothing_else(tenant: Declared) -> None:
    def doors(role: str) -> list[str]:
        rules = _of(tenant, "Role")[role]["rules"]
        return [name for rule in rules if rule["resources"] == ["services/proxy"] for name in rule["resourceNames"]]

    assert doors("data-scientist") == ["http:mlflow:5000", "http:ray:8265", "http:serving:8080", "http:audit:8080"]
    assert doors("approver") == ["http:mlflow:5000", "http:audit:8080"]
    assert doors("operator") == ["http:mlflow:5000", "http:serving:8080", "http:audit:8080"]
    for inputs in _of(tenant, "Role").values():
        for rule in inputs["rules"]:
            assert rule["resourceNames"], "every right is to something by name"
            assert "secrets" not in rule["resources"]
    bound = _of(tenant, "RoleBinding")["approver"]["subjects"]
    assert [subject["name"] for subject in bound] == ["approver", "lead"]


def test_members_sign_with_their_own_keys_only(tenant: Declared) -> None:
    keys = set(_of(tenant, "VaultTransitKey"))
    assert keys == {"encryption", "sign-data-scientist", "sign-lead", "approve-approver", "approve-lead"}
    for member, policy in _of(tenant, "VaultPolicy").items():
        usable = set(re.findall(r'"tenant-demo/transit/sign/([^/"]+)', policy["document"]))
        assert usable == {key for key in keys if key.split("-", 1)[-1] == member and key != "encryption"}
        assert "*" not in policy["document"]
        assert "tenant-other" not in policy["document"]
    for name, role in _of(tenant, "VaultKubernetesAuthRole").items():
        assert (role["service_account"], role["namespace"], role["audience"]) == (name, "tenant-demo", "falaj-vault")
        assert role["policies"] == [f"tenant-demo-{name}"]
        assert role["ttl_seconds"] == 900


def test_the_connection_document_is_whole_and_holds_no_secret(tenant: Declared) -> None:
    text = _of(tenant, "ConfigMap")["falaj-connection"]["data"]["connection.json"]
    connection = Connection.parse(text, where="the ConfigMap")
    assert connection.namespace == "tenant-demo"
    assert connection.vault.kv_mount == "tenant-demo/kv"
    assert connection.vault.role_prefix + "lead" in {r["name"] for r in _of(tenant, "VaultKubernetesAuthRole").values()}
    assert "5e" * 8 not in text, "a generated secret"


def test_secrets_stay_in_secrets(tenant: Declared) -> None:
    for item in tenant:
        if item.type.rsplit(":", 1)[-1] in {"Secret", "VaultKvSecret"}:
            continue
        assert "5e" * 16 not in json.dumps(item.inputs), item.name


@pytest.fixture(scope="module")
def captured(config_of: Callable[[str], dict[str, Any]], region_outputs: Any) -> Capture:
    """The tenant as the engine sees it: with what is secret, and with every option."""
    config = {"falaj:stack": config_of("tenant-demo")}
    return capture(ROOT, "tenant-demo", config, references={"region-local": region_outputs})


def test_what_somebody_signed_verifies_after_they_left(captured: Capture) -> None:
    kept = {item.name for item in captured.resources if item.retain_on_delete}
    assert kept == {"sign-data-scientist", "sign-lead", "approve-approver", "approve-lead"}


def test_what_is_deployed_is_left_alone(captured: Capture) -> None:
    ignored = {item.name: item.ignore_changes for item in captured.resources if item.ignore_changes}
    assert ignored == {"serving": ("data",)}


def test_what_is_secret_is_registered_as_secret(captured: Capture) -> None:
    secret = {
        (item.type.rsplit(":", 1)[-1], item.name, key)
        for item in captured.resources
        for key, value in item.inputs.items()
        if isinstance(value, Secret)
    }
    assert secret == {
        ("Secret", "postgres", "stringData"),
        ("Secret", "ray-token", "stringData"),
        ("VaultKvSecret", "kv-postgres", "data"),
        ("VaultKvSecret", "kv-ray", "data"),
    }


def test_a_region_outside_its_jurisdiction_is_refused(
    run_stack: Callable[..., Declared], config_of: Callable[[str], dict[str, Any]]
) -> None:
    with pytest.raises(Exception, match="RES-01"):
        run_stack("region-local", {**config_of("region-local"), "region": "elsewhere"})


@pytest.mark.parametrize("key", ["image", "vault"])
def test_what_only_a_site_knows_is_unknown_at_preview_and_required_at_up(
    run_stack: Callable[..., Declared], config_of: Callable[[str], dict[str, Any]], key: str
) -> None:
    config = {name: value for name, value in config_of("region-local").items() if name != key}
    with pytest.raises(Exception, match=rf"region-local.yaml: falaj:stack.{key}: missing: `falaj quickstart` sets it"):
        run_stack("region-local", config)
    region = capture(ROOT, "region-local", {"falaj:stack": config})
    unknown = {name for name, value in region.outputs.items() if value is UNKNOWN or value == [UNKNOWN]}
    assert unknown == ({"image"} if key == "image" else {"vault_url", "vault_ca", "control_plane"})
    tenant = capture(ROOT, "tenant-demo", references={"region-local": region.outputs})
    images = {
        container["image"]
        for item in tenant.resources
        if item.type.startswith("kubernetes:apps")
        for container in item.inputs["spec"]["template"]["spec"]["containers"]
    }
    assert (images == {UNKNOWN}) is (key == "image")


def test_a_tenant_needs_a_region_that_is_up(
    run_stack: Callable[..., Declared], config_of: Callable[[str], dict[str, Any]]
) -> None:
    with pytest.raises(Exception, match=r"stack region-local is not up: run `falaj up -s region-local` first"):
        run_stack("tenant-demo", config_of("tenant-demo"), region={})
    with pytest.raises(Exception, match=r"stack region-local has no output .*image.*: run .* again first"):
        run_stack("tenant-demo", config_of("tenant-demo"), region={"jurisdiction": "uae"})


def test_tenants_do_not_share_a_name(
    tenant: Declared, run_stack: Callable[..., Declared], config_of: Callable[[str], dict[str, Any]]
) -> None:
    def paths(declared: Declared) -> set[str]:
        made = [
            item.inputs for item in declared if item.type.rsplit(":", 1)[-1] in {"VaultSecretsEngine", "VaultPolicy"}
        ]
        return {str(inputs.get("path") or inputs.get("name")) for inputs in made}

    other = run_stack("tenant-other", config_of("tenant-other"))
    assert not paths(tenant) & paths(other)
    assert set(_of(other, "Namespace")) == {"tenant-other"}
