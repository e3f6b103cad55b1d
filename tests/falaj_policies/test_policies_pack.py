"""The policy pack as the Pulumi CLI runs it: a process that prints a port and answers Pulumi's Analyzer protocol."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from falaj_policies import RULES, ResourceFact

PACK = Path(__file__).resolve().parents[2] / "policies"
REGION = {"kind": "region", "cloud": "on-premises", "region": "local", "jurisdiction": "uae"}
TENANT = {"kind": "tenant", "tenant": "demo", "region": "region-x"}
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
PINNED = "localhost/falaj/platform@sha256:" + "a" * 64
RESTRICTED = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "seccompProfile": {"type": "RuntimeDefault"},
    "capabilities": {"drop": ["ALL"]},
}
# Breaks one rule and denies that it does so to the test: a rule that raises must refuse.
CRASHING = """
import dataclasses, runpy, sys
from falaj_policies import registry

def crash(fact):
    raise KeyError(fact.name)

RULES = tuple(dataclasses.replace(r, check=crash) if r.id == "IAM-03" else r for r in registry.RULES)
registry.all_rules = lambda: RULES
runpy.run_path(sys.argv[1], run_name="__main__")
"""


class Pack:
    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def info(self) -> Any:
        return self._stub.GetAnalyzerInfo(empty_pb2.Empty(), wait_for_ready=True)

    def analyze(self, type_: str, **inputs: Any) -> list[Any]:
        properties = struct_pb2.Struct()
        properties.update(inputs)
        urn = f"urn:pulumi:s::falaj::{type_}::r"
        request = analyzer_pb2.AnalyzeRequest(type=type_, urn=urn, name="r", properties=properties)
        return list(self._stub.Analyze(request, wait_for_ready=True).diagnostics)

    def pod(self, **spec: Any) -> list[Any]:
        container = {"name": "c", "image": PINNED, "securityContext": RESTRICTED}
        return self.analyze("kubernetes:core/v1:Pod", spec={"containers": [container], **spec})


@contextmanager
def running(home: Path, config: Any, *, preview: bool = False, crash: bool = False, stack: str = "s") -> Iterator[Pack]:
    """The pack in a process of its own, ended on the way out."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    environment |= {
        "FALAJ_HOME": str(home),
        "PULUMI_PROJECT": "falaj",
        "PULUMI_STACK": stack,
        "PULUMI_DRY_RUN": "true" if preview else "false",
        "PULUMI_CONFIG": json.dumps({"falaj:stack": json.dumps(config)} if config else {}),
    }
    program = ["-c", CRASHING, str(PACK)] if crash else [str(PACK)]
    process = subprocess.Popen(
        [sys.executable, "-u", *program], env=environment, stdout=subprocess.PIPE, cwd=home, text=True
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Pack(analyzer_pb2_grpc.AnalyzerStub(channel))
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a space in its path, whose one stack file is that of a tenant's region."""
    home = tmp_path_factory.mktemp("a home")
    (home / "stacks").mkdir()
    (home / "stacks" / "Pulumi.region-x.yaml").write_text(yaml.safe_dump({"config": {"falaj:stack": REGION}}))
    return home


@pytest.fixture(scope="module")
def tenant(homes: Path) -> Iterator[Pack]:
    with running(homes, TENANT) as pack:
        yield pack


@pytest.fixture(scope="module")
def preview(homes: Path) -> Iterator[Pack]:
    with running(homes, TENANT, preview=True) as pack:
        yield pack


def refused(diagnostics: list[Any]) -> set[str]:
    """The rules that end the update; each says its id in its own words too."""
    denied = [item for item in diagnostics if item.enforcementLevel == analyzer_pb2.MANDATORY]
    assert all(f"{item.policyName} " in item.message for item in denied)
    return {item.policyName for item in denied}


def test_one_mandatory_policy_for_each_rule_of_the_stage(tenant: Pack) -> None:
    rules = {rule.id: rule for rule in RULES if rule.applies_to is ResourceFact}
    found = {item.name: item for item in tenant.info().policies}
    assert set(found) == set(rules)
    assert {"RES-01", "IAM-03", "TEN-03", "SUP-04"} <= set(found)
    for name, rule in rules.items():
        assert found[name].enforcementLevel == analyzer_pb2.MANDATORY
        assert (found[name].displayName, found[name].description) == (rule.title, rule.rationale)
        assert found[name].remediation_steps == rule.remedy


def test_the_cli_finds_the_pack_and_its_environment() -> None:
    from falaj_engine.cli import policy_pack

    assert policy_pack(PACK.parent) == PACK
    said = yaml.safe_load((PACK / "PulumiPolicy.yaml").read_text())
    assert said["runtime"] == {"name": "python", "options": {"toolchain": "pip", "virtualenv": "../.venv"}}


def test_what_keeps_the_rules_has_no_diagnostics(tenant: Pack) -> None:
    assert tenant.pod() == []
    assert tenant.analyze("kubernetes:core/v1:ConfigMap", data={"image": "nginx", "k": {**SECRET, "value": "v"}}) == []
    assert tenant.analyze("pulumi:pulumi:StackReference", name="region-x") == []


def test_each_rule_refuses(tenant: Pack) -> None:
    assert refused(tenant.pod(hostNetwork=True)) == {"TEN-03"}
    assert refused(tenant.pod(containers=[{"name": "c", "image": "nginx", "securityContext": RESTRICTED}])) == {
        "SUP-04"
    }
    assert refused(tenant.pod(nodeSelector={"topology.kubernetes.io/region": "eu-west-1"})) == {"RES-01"}
    role = "kubernetes:rbac.authorization.k8s.io/v1:Role"
    assert refused(tenant.analyze(role, rules=[{"apiGroups": ["*"], "resources": ["pods"], "verbs": ["get"]}])) == {
        "IAM-03"
    }
    assert refused(tenant.analyze("aws:s3/bucket:Bucket", region="eu-west-1")) == {"RES-01"}


def test_a_secret_is_judged_like_any_value(tenant: Pack) -> None:
    spec = {"hostNetwork": {**SECRET, "value": True}}
    assert refused(tenant.pod(**spec)) == {"TEN-03"}


def test_what_is_unknown_at_the_end_is_refused(tenant: Pack) -> None:
    assert refused(tenant.pod(hostNetwork=UNKNOWN)) == {"TEN-03"}
    assert refused(tenant.analyze("kubernetes:core/v1:Pod", spec=UNKNOWN)) == {"TEN-03", "SUP-04"}


def test_at_preview_an_unknown_is_an_advice_and_hides_nothing(preview: Pack) -> None:
    said = preview.pod(hostNetwork=UNKNOWN)
    assert [(item.policyName, item.enforcementLevel) for item in said] == [("TEN-03", analyzer_pb2.ADVISORY)]
    assert "spec.hostNetwork" in said[0].message
    assert refused(preview.pod(hostNetwork=UNKNOWN, hostPID=True)) == {"TEN-03"}
    assert refused(preview.pod(volumes=[UNKNOWN], containers=[{"name": UNKNOWN, "image": "nginx"}])) == {
        "TEN-03",
        "SUP-04",
    }


def test_a_region_is_judged_by_its_own_configuration(homes: Path) -> None:
    with running(homes, REGION) as pack:
        assert pack.pod(hostNetwork=True) == [], "a region's own pods are no tenant's"
        assert refused(pack.pod(initContainers=[{"name": "i", "image": "nginx"}])) == {"SUP-04"}
    with running(homes, {**REGION, "region": "moon"}) as pack:
        assert refused(pack.analyze("kubernetes:core/v1:ConfigMap")) == {"RES-01"}


def test_a_stack_that_is_nowhere_is_refused(homes: Path) -> None:
    with running(homes, {**TENANT, "region": "region-unheard-of"}) as pack:
        said = pack.analyze("kubernetes:core/v1:ConfigMap")
        assert "RES-01" in refused(said)
        assert "jurisdiction" in said[0].message


def test_without_the_engines_configuration_the_stacks_file_counts(homes: Path) -> None:
    with running(homes, None, stack="region-x") as pack:
        assert pack.analyze("kubernetes:core/v1:ConfigMap") == []
    with running(homes, None, stack="no-such") as pack:
        assert "RES-01" in refused(pack.analyze("kubernetes:core/v1:ConfigMap"))


def test_a_rule_that_crashes_denies(homes: Path) -> None:
    with running(homes, TENANT, crash=True) as pack:
        said = pack.analyze("kubernetes:rbac.authorization.k8s.io/v1:Role")
        assert refused(said) == {"IAM-03"}
        assert "KeyError" in said[0].message
