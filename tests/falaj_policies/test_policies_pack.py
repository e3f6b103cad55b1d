"""The policy pack as the Pulumi CLI runs it: a process that prints a port and answers Pulumi's Analyzer protocol."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from falaj_policies import RULES, UNKNOWN, Place, ResourceFact, StackFact, Stage
from falaj_policies.testing import Case, broken, good, own_cases
from falaj_policies.testing.kubernetes import IMAGE, SECURITY

PACK = Path(__file__).resolve().parents[2] / "policies"
REGION = {"kind": "region", "cloud": "on-premises", "region": "local", "jurisdiction": "uae"}
TENANT = {"kind": "tenant", "tenant": "demo", "region": "region-x"}
LATER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
POD = "kubernetes:core/v1:Pod"
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
# An installed rule package that cannot be used.
UNUSABLE = """
import runpy, sys
from falaj_policies import registry
from falaj_policies.errors import RulePackageError

def raises():
    raise RulePackageError("the rule package acme-rules cannot be loaded (ImportError: acme): repair it")

registry.all_rules = raises
runpy.run_path(sys.argv[1], run_name="__main__")
"""


POD_KIND = "kubernetes:core:Pod"


class Pack:
    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def info(self) -> Any:
        return self._stub.GetAnalyzerInfo(empty_pb2.Empty(), wait_for_ready=True)

    def analyze(self, type_: str, **inputs: Any) -> list[Any]:
        return self.judge(Place(cloud="", region="", jurisdiction="").resource(type_, "r", inputs, urn=urn(type_)))

    def judge(self, fact: ResourceFact) -> list[Any]:
        request = analyzer_pb2.AnalyzeRequest(
            type=fact.type, urn=fact.urn, name=fact.name, properties=struct(fact.inputs), provider=provider(fact)
        )
        return list(self._stub.Analyze(request, wait_for_ready=True).diagnostics)

    def notes(self, fact: ResourceFact) -> list[Any]:
        request = analyzer_pb2.AnalyzeRequest(
            type=fact.type, urn=fact.urn, name=fact.name, properties=struct(fact.inputs), provider=provider(fact)
        )
        return list(self._stub.Analyze(request, wait_for_ready=True).not_applicable)

    def judge_stack(self, fact: StackFact) -> list[Any]:
        resources = [
            analyzer_pb2.AnalyzerResource(
                type=item.type,
                urn=item.urn,
                name=item.name,
                properties=struct(item.inputs),
                provider=provider(item),
                propertyDependencies={
                    key: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns) for key, urns in item.references.items()
                },
            )
            for item in fact.resources
        ]
        request = analyzer_pb2.AnalyzeStackRequest(resources=resources)
        return list(self._stub.AnalyzeStack(request, wait_for_ready=True).diagnostics)

    def pod(self, **spec: Any) -> list[Any]:
        base = good(POD_KIND).inputs["spec"]
        assert isinstance(base, dict)
        return self.analyze(POD, metadata={"name": "r", "namespace": "tenant-demo"}, spec={**base, **spec})


def urn(type_: str) -> str:
    return f"urn:pulumi:s::falaj::{type_}::r"


def struct(inputs: Any) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    made.update(wire(inputs))
    return made


def wire(value: Any) -> Any:
    """A fact's value as Pulumi's engine sends it."""
    if value is UNKNOWN:
        return LATER
    if isinstance(value, dict):
        return {key: wire(item) for key, item in value.items()}
    return [wire(item) for item in value] if isinstance(value, list | tuple) else value


def provider(fact: ResourceFact) -> Any:
    package = fact.type.split(":", 1)[0]
    said = {key: fact.region for key in ("region", "location") if fact.region is not UNKNOWN and fact.region}
    return analyzer_pb2.AnalyzerProviderResource(
        type=f"pulumi:providers:{package}", urn=urn(f"pulumi:providers:{package}"), name="p", properties=struct(said)
    )


@contextmanager
def running(
    home: Path, config: Any, *, preview: bool = False, program: str = "", stack: str = "s", backend: str = ""
) -> Iterator[Pack]:
    """The pack in a process of its own, ended on the way out. `config`: `falaj:stack`, or values by full key."""
    said = config if config is None or "kind" not in config else {"falaj:stack": json.dumps(config)}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    environment |= {
        "FALAJ_HOME": str(home),
        "FALAJ_PROJECT": str(home),
        "PULUMI_PROJECT": "falaj",
        "PULUMI_STACK": stack,
        "PULUMI_DRY_RUN": "true" if preview else "false",
        "PULUMI_CONFIG": json.dumps(said or {}),
        "PULUMI_BACKEND_URL": backend,
    }
    command = ["-c", program, str(PACK)] if program else [str(PACK)]
    process = subprocess.Popen(
        [sys.executable, "-u", *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=home,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise NotServing(process.communicate()[1])
        with grpc.insecure_channel(f"127.0.0.1:{int(line)}") as channel:
            yield Pack(analyzer_pb2_grpc.AnalyzerStub(channel))
    finally:
        process.kill()
        process.communicate()


class NotServing(Exception):
    """The pack ended instead of serving; its text is what it said."""


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


def test_mandatory_policies_for_each_rule_of_the_stage(tenant: Pack) -> None:
    found = {item.name: item for item in tenant.info().policies}
    declared = [rule for rule in RULES if Stage.PROVISION in rule.stages]
    resources = {rule.id: rule for rule in reversed(declared) if rule.applies_to is ResourceFact}
    stacks = {rule.id: rule for rule in reversed(declared) if rule.applies_to is StackFact}
    names = {f"{name}-stack" if name in resources else name: rule for name, rule in stacks.items()}
    assert set(found) == {*resources, *names}
    assert {"RES-01", "IAM-03", "TEN-03", "SUP-04"} <= set(found)
    for name, rule in {**resources, **names}.items():
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
    data = {"image": "nginx", "k": {**SECRET, "value": "v"}}
    here = {"name": "c", "namespace": "tenant-demo"}
    assert tenant.analyze("kubernetes:core/v1:ConfigMap", metadata=here, data=data) == []
    assert tenant.analyze("pulumi:pulumi:StackReference", name="region-x") == []


def test_a_secret_is_judged_like_any_value(tenant: Pack) -> None:
    spec = {"hostNetwork": {**SECRET, "value": True}}
    assert refused(tenant.pod(**spec)) == {"TEN-03"}


def test_what_is_unknown_at_the_end_is_refused(tenant: Pack) -> None:
    assert refused(tenant.pod(hostNetwork=LATER)) == {"TEN-03"}
    assert {"TEN-03", "SUP-04"} <= refused(tenant.analyze(POD, spec=LATER))


def test_at_preview_an_unknown_is_an_advice_and_hides_nothing(preview: Pack) -> None:
    said = preview.pod(hostNetwork=LATER)
    assert [(item.policyName, item.enforcementLevel) for item in said] == [("TEN-03", analyzer_pb2.ADVISORY)]
    assert "spec.hostNetwork" in said[0].message
    assert refused(preview.pod(hostNetwork=LATER, hostPID=True)) == {"TEN-03"}
    containers = [{"name": LATER, "image": "nginx", "securityContext": {**SECURITY, "privileged": True}}]
    assert {"TEN-03", "SUP-04"} <= refused(preview.pod(volumes=[LATER], containers=containers))
    assert IMAGE not in str(preview.pod(volumes=[LATER]))


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
    with running(homes, TENANT, program=CRASHING) as pack:
        said = pack.analyze("kubernetes:rbac.authorization.k8s.io/v1:Role", metadata={"namespace": "tenant-demo"})
        assert refused(said) == {"IAM-03"}
        assert "KeyError" in said[0].message


def test_a_rule_package_that_cannot_be_used_ends_the_pack_in_one_line(homes: Path) -> None:
    with pytest.raises(NotServing) as ended, running(homes, TENANT, program=UNUSABLE):
        pass
    assert len(str(ended.value).splitlines()) == 1
    assert "acme-rules" in str(ended.value)


WAIVER = """
waivers:
  - rule: IAM-03
    resource: {resource}
    reason: the controller that needs less is not out yet
    expires: {expires}
    approved_by: [Basma]
"""


def wildcard() -> ResourceFact:
    return broken("kubernetes:rbac:Role", "rules[0].verbs[0]", "*", tenant="acme")


@pytest.fixture
def home_of_waiver(homes: Path, tmp_path: Path) -> Any:
    def make(**said: str) -> Path:
        shutil.copytree(homes / "stacks", tmp_path / "stacks")
        day = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
        text = WAIVER.format(**{"resource": wildcard().urn, "expires": day, **said})
        (tmp_path / "falaj-waivers.yaml").write_text(text)
        return tmp_path

    return make


def test_a_waiver_is_honoured_and_shown(home_of_waiver: Any) -> None:
    with running(home_of_waiver(), {**TENANT, "tenant": "acme"}) as pack:
        assert refused(pack.judge(wildcard())) == set()
        assert ["waived until" in note.reason for note in pack.notes(wildcard())] == [True]


@pytest.mark.parametrize("said", [{"expires": "2020-01-01"}, {"resource": "kubernetes:core/v1:Pod::r"}])
def test_a_waiver_that_is_expired_or_of_something_else_waives_nothing(home_of_waiver: Any, said: Any) -> None:
    with running(home_of_waiver(**said), {**TENANT, "tenant": "acme"}) as pack:
        assert refused(pack.judge(wildcard())) == {"IAM-03"}


def test_a_waiver_file_that_cannot_be_read_denies(home_of_waiver: Any) -> None:
    home = home_of_waiver()
    (home / "falaj-waivers.yaml").write_text("waivers: [")
    with running(home, {**TENANT, "tenant": "acme"}) as pack:
        said = pack.judge(good(POD_KIND, tenant="acme"))
        assert said
        assert all("falaj-waivers.yaml" in item.message for item in said)


# Every case of Falaj's own rules, over the protocol: the same id as anywhere else.


def place(fact: Any) -> tuple[Any, ...]:
    """What decides of a fact where it is: facts that agree are judged by one process."""
    standby = getattr(fact, "standby", None)
    backend, encryption = getattr(fact, "backend", ""), getattr(fact, "encryption", "")
    said = (fact.jurisdiction, fact.regime, fact.tenant, getattr(fact, "transfer_basis", ""), standby)
    return (*((None if value is UNKNOWN else value) for value in (fact.cloud, fact.region)), *said, backend, encryption)


CASES = [case for case in own_cases() if isinstance(case.bad, ResourceFact | StackFact)]


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Any], Pack]]:
    with ExitStack() as stack:
        running_packs: dict[Any, Pack] = {}

        def of(fact: Any) -> Pack:
            key = place(fact)
            if key not in running_packs:
                names = ("cloud", "region", "jurisdiction", "regime", "tenant", "transfer_basis")
                config = {f"falaj:{name}": value for name, value in zip(names, key, strict=False) if value}
                if key[6] is not None:
                    config["falaj:standby"] = json.dumps(dict(zip(("cloud", "region"), key[6], strict=True)))
                home = tmp_path_factory.mktemp("home")
                (home / "stacks").mkdir()
                (home / "stacks" / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"secretsprovider": key[8]}))
                running_packs[key] = stack.enter_context(running(home, config, stack="dev", backend=key[7]))
            return running_packs[key]

        yield of


def rules_of(diagnostics: list[Any]) -> set[str]:
    assert all(item.enforcementLevel == analyzer_pb2.MANDATORY for item in diagnostics)
    return {item.policyName.removesuffix("-stack") for item in diagnostics}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_case_has_the_same_id_over_the_protocol(packs: Callable[[Any], Pack], case: Case) -> None:
    for fact, expected in ((case.good, set()), (case.bad, {case.rule})):
        pack = packs(fact)
        assert isinstance(fact, StackFact | ResourceFact)
        said = pack.judge_stack(fact) if isinstance(fact, StackFact) else pack.judge(fact)
        assert rules_of(said) == expected, [item.message for item in said]
