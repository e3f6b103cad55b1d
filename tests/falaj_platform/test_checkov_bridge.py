"""The bridge to Checkov: what it refuses to pass over in silence, and what it keeps to itself."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from falaj_platform.checkov import CheckovFinding, Scanner, severities, worker
from falaj_platform.checkov.convert import arm, aws_types, azure_types, kubernetes, terraform
from falaj_platform.checkov.severities import Disposition, meaning
from falaj_platform.checkov.values import HIDDEN, camel, plain, snake
from falaj_platform.errors import CheckovError, CheckovMissingError, CheckovTypeError
from falaj_policies import UNKNOWN, all_rules
from falaj_policies.catalogue import CONTROLS
from falaj_policies.facts import ResourceFact
from falaj_policies.model import Severity
from falaj_policies.testing import HERE, change, good

CHECKOV = Path(sys.prefix).parent / ".venv-checkov" / "bin" / "python"


def _fact(type_: str, name: str, inputs: Mapping[str, Any], **references: tuple[str, ...]) -> ResourceFact:
    place = HERE.get(type_.split(":", 1)[0], HERE["kubernetes"])
    return place.resource(type_, name, inputs, urn=f"urn:{name}", references=references)


@pytest.fixture(scope="module")
def scanner() -> Iterator[Scanner]:
    with Scanner() as started:
        yield started


def _ids(findings: tuple[CheckovFinding, ...], urn: str) -> dict[str, CheckovFinding]:
    return {finding.check_id: finding for finding in findings if finding.urn == urn}


@pytest.mark.parametrize(
    "type_",
    [
        "aws:nosuch/thing:Thing",
        "azure-native:nosuch:Thing",
        "azure-native:nosuch/v20240101:Thing",
        "gcp:storage/bucket:Bucket",
        "azure:storage/account:Account",
        "aws-native:s3:Bucket",
        "kubernetes:helm.sh/v3:Release",
    ],
)
def test_a_type_of_a_cloud_that_no_table_lists_is_an_error(type_: str) -> None:
    with pytest.raises(CheckovTypeError, match="--without checkov") as caught:
        Scanner().scan([_fact(type_, "r", {})])
    assert type_ in str(caught.value)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_what_checkov_knows_nothing_of_is_left_out() -> None:
    types = ("random:index/randomId:RandomId", "pulumi:pulumi:StackReference", "pulumi-python:dynamic:Resource")
    # No process is started: there is nothing to ask.
    assert Scanner(Path("/nowhere")).scan([_fact(type_, "r", {}) for type_ in types]) == ()
    components = ("kubernetes:yaml:ConfigFile", "kubernetes:helm.sh/v4:Chart", "pulumi:providers:aws")
    assert Scanner(Path("/nowhere")).scan([_fact(type_, "r", {}) for type_ in components]) == ()


def test_a_failure_that_nobody_reviewed_is_mandatory(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    pod = change(good("kubernetes:core:Pod"), "spec.hostPID", True)
    assert _ids(scanner.scan([pod]), pod.urn)["CKV_K8S_17"].rule == "TEN-03"
    monkeypatch.setattr(severities, "table", dict)
    found = _ids(scanner.scan([pod]), pod.urn)["CKV_K8S_17"]
    assert (found.rule, found.severity, found.advisory) == ("CKV_K8S_17", Severity.HIGH, False)


def test_the_table_lists_every_check_of_the_converted_types(tmp_path: Path) -> None:
    """The installed Checkov is asked for what it would check."""
    script = """
import json, sys
sys.path.insert(0, sys.argv[1])
import worker
worker.prepare(sys.argv[3])
from checkov.arm.registry import arm_resource_registry as arm
from checkov.common.checks_infra.registry import get_graph_checks_registry
from checkov.kubernetes.checks.resource.registry import registry as kubernetes
from checkov.terraform.checks.resource.registry import resource_registry as terraform
known = json.loads(sys.argv[2])
found = set()
for registry, types in ((kubernetes, None), (terraform, known["aws"]), (arm, known["azure"])):
    for type_, checks in [*registry.checks.items(), *registry.wildcard_checks.items()]:
        if types is None or type_.lower() in types:
            found |= {check.id for check in checks}
for framework, types in (("kubernetes", None), ("terraform", known["aws"]), ("arm", known["azure"])):
    registry = get_graph_checks_registry(framework)
    registry.load_checks()
    for check in registry.checks:
        if types is None or {type_.lower() for type_ in check.resource_types or []} & set(types):
            found.add(check.id)
print(json.dumps(sorted(found)))
"""
    known = {
        "aws": sorted({type_.name for type_ in aws_types.TYPES.values()}),
        "azure": sorted({type_.type.lower() for type_ in azure_types.TYPES.values()}),
    }
    done = subprocess.run(
        [CHECKOV, "-I", "-c", script, str(Path(worker.__file__).parent), json.dumps(known), str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    checks = set(json.loads(done.stdout.splitlines()[-1]))
    assert len(checks) > 450
    assert checks - severities.table().keys() == set()


def test_the_table_names_our_rules_and_says_why_something_does_not_count() -> None:
    for line in severities.table().values():
        assert line.rule in CONTROLS
        assert bool(line.reason) == (line.disposition is not Disposition.MANDATORY)
    assert meaning("CKV_AWS_144").disposition is Disposition.NOT_APPLIED
    assert meaning("CKV_NOBODY_1").disposition is Disposition.MANDATORY


def test_an_unknown_value_is_undecided_and_a_known_one_beside_it_is_not(scanner: Scanner) -> None:
    bad = {"restrictPublicBuckets": False, "ignorePublicAcls": True, "blockPublicAcls": True}
    aws = _fact(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "a",
        {**bad, "bucket": "b", "blockPublicPolicy": UNKNOWN},
    )
    azure = _fact("azure-native:web:WebApp", "z", {"name": "z", "httpsOnly": UNKNOWN, "serverFarmId": UNKNOWN})
    pod = change(good("kubernetes:core:Pod"), "spec.containers[0].image", UNKNOWN)
    whole = _fact("kubernetes:core/v1:Pod", "w", {"metadata": {"name": "w"}, "spec": {"containers": [UNKNOWN]}})
    found = scanner.scan([aws, azure, pod, whole])
    assert {check: item.undecided for check, item in _ids(found, "urn:a").items()} == {
        "CKV_AWS_54": True,
        "CKV_AWS_56": False,
    }
    assert _ids(found, "urn:z")["CKV_AZURE_14"].undecided
    assert not _ids(found, "urn:z")["CKV_AZURE_71"].undecided
    assert _ids(found, pod.urn)["CKV_K8S_43"].undecided
    assert not _ids(found, pod.urn)["CKV_K8S_13"].undecided


def test_what_an_unknown_value_is_enough_for_passes(scanner: Scanner) -> None:
    """A key that another resource makes is a key."""
    volume = _fact("aws:ebs/volume:Volume", "v", {"encrypted": True, "kmsKeyId": UNKNOWN}, kmsKeyId=("urn:k",))
    lonely = _fact("aws:ebs/volume:Volume", "l", {"encrypted": True, "kmsKeyId": UNKNOWN})
    assert scanner.scan([volume, lonely]) == ()


def test_graph_checks_follow_references_and_literal_names(scanner: Scanner) -> None:
    bucket = _fact("aws:s3/bucket:Bucket", "b", {"bucket": "acme-b"})
    other = _fact("aws:s3/bucket:Bucket", "o", {})
    block = {
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    }
    kind = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    versions = "aws:s3/bucketVersioning:BucketVersioning"
    by_name = _fact(kind, "n", {**block, "bucket": "acme-b"})
    by_reference = _fact(
        versions, "r", {"bucket": UNKNOWN, "versioningConfiguration": {"status": "Enabled"}}, bucket=("urn:o",)
    )
    found = scanner.scan([bucket, other, by_name, by_reference])
    assert "CKV2_AWS_6" not in _ids(found, "urn:b")
    assert "CKV2_AWS_6" in _ids(found, "urn:o")
    assert "CKV_AWS_21" in _ids(found, "urn:b")
    assert "CKV_AWS_21" not in _ids(found, "urn:o")


def test_children_of_an_azure_resource_count_for_it_once(scanner: Scanner) -> None:
    server = {"serverName": "acme", "minimalTlsVersion": "1.2", "publicNetworkAccess": "Disabled"}
    with_audit = _fact("azure-native:sql:Server", "s", server)
    without = _fact("azure-native:sql:Server", "t", {**server, "serverName": "other"})
    audit = _fact(
        "azure-native:sql:ServerBlobAuditingPolicy",
        "p",
        {"serverName": UNKNOWN, "state": "Enabled"},
        serverName=("urn:s",),
    )
    found = scanner.scan([with_audit, without, audit])
    assert "CKV_AZURE_23" not in _ids(found, "urn:s")
    assert "CKV_AZURE_23" in _ids(found, "urn:t")
    assert all(finding.urn != "urn:p" for finding in found)


def test_a_manifest_cannot_mute_its_own_checks(scanner: Scanner) -> None:
    pod = change(good("kubernetes:core:Pod"), "spec.hostPID", True)
    muted = change(pod, "metadata.annotations.'checkov.io/skip1'", "CKV_K8S_17=not now")
    assert "CKV_K8S_17" in _ids(scanner.scan([muted]), pod.urn)


def test_each_object_of_a_list_is_checked(scanner: Scanner) -> None:
    pod = change(good("kubernetes:core:Pod"), "spec.hostPID", True)
    pods = _fact("kubernetes:core/v1:PodList", "l", {"items": [pod.inputs]})
    assert "CKV_K8S_17" in _ids(scanner.scan([pods]), "urn:l")


def test_two_scans_do_not_know_of_each_other(scanner: Scanner) -> None:
    """Checkov keeps parsed policies by file name for as long as it runs."""

    def policy(action: str) -> ResourceFact:
        statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
        return _fact(
            "aws:iam/policy:Policy", "p", {"policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}
        )

    assert "CKV_AWS_290" not in _ids(scanner.scan([policy("ec2:DescribeVpcs")]), "urn:p")
    assert "CKV_AWS_290" in _ids(scanner.scan([policy("s3:*")]), "urn:p")


def test_findings_come_in_the_order_of_the_resources_with_paths_as_pulumi_writes_them(scanner: Scanner) -> None:
    cluster = _fact("aws:eks/cluster:Cluster", "c", {"vpcConfig": {"subnetIds": ["s"], "endpointPublicAccess": True}})
    account = _fact(
        "azure-native:storage:StorageAccount", "s", {"accountName": "acme", "enableHttpsTrafficOnly": False}
    )
    pod = change(good("kubernetes:core:Pod"), "spec.containers[0].securityContext.privileged", True)
    found = scanner.scan([account, pod, cluster])
    assert list(dict.fromkeys(finding.urn for finding in found)) == ["urn:s", pod.urn, "urn:c"]
    assert _ids(found, "urn:s")["CKV_AZURE_3"].path == "enableHttpsTrafficOnly"
    assert _ids(found, pod.urn)["CKV_K8S_16"].path == "spec.containers[0].securityContext.privileged"
    assert _ids(found, "urn:c")["CKV_AWS_39"].path == "vpcConfig.endpointPublicAccess"


def test_a_missing_environment_says_what_to_do(tmp_path: Path) -> None:
    with (
        pytest.raises(CheckovMissingError, match=r"\.ci/setup.*--without checkov") as caught,
        Scanner(tmp_path / "python"),
    ):
        pass
    assert caught.value.exit_code == 2


def _program(folder: Path, body: str) -> Path:
    """A program that is started in the place of Checkov's Python."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("exit 3", "ended without an answer"),
        ('read line; echo \'{"error": "CKV_X on r0: KeyError"}\'', "CKV_X on r0: KeyError"),
        ('read line; echo \'{"seen": [], "checks": []}\'', "did not read"),
        ("exec sleep 60", "took more than"),
    ],
)
def test_what_checkov_does_not_answer_is_an_error(tmp_path: Path, body: str, message: str) -> None:
    with (
        Scanner(_program(tmp_path, body), timeout_s=0.5) as broken,
        pytest.raises(CheckovError, match=message) as caught,
    ):
        broken.scan([good("kubernetes:core:Pod")])
    assert "\n" not in str(caught.value)


def test_a_check_that_crashes_is_an_error(scanner: Scanner) -> None:
    with pytest.raises(CheckovError, match="Checkov failed"):
        scanner.scan([_fact("kubernetes:core/v1:Pod", "p", {"spec": {"containers": ["not", "containers"]}})])
    assert scanner.scan([]) == ()
    assert scanner.scan([_fact("kubernetes:core/v1:ConfigMap", "c", {"metadata": {"namespace": "tenant-acme"}})]) == ()


def test_secrets_do_not_leave_this_process(scanner: Scanner) -> None:
    inputs = {"metadata": {"name": "s"}, "stringData": {"a": "hush", "b": "open"}, "list": ["hush", {"deep": "hush"}]}
    fact = dataclasses.replace(
        _fact("kubernetes:core/v1:Secret", "s", inputs), secret_paths=frozenset({"stringData.a", "list"})
    )
    assert plain(fact).inputs["stringData"] == {"a": HIDDEN, "b": "open"}
    assert "hush" not in json.dumps(plain(fact).inputs)
    assert all("hush" not in text for text in kubernetes.convert([fact]).files.values())


def test_scratch_files_are_private_and_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Scanner() as own:
        own.scan([good("kubernetes:core:Pod")])
        (scratch,) = tmp_path.iterdir()
        assert scratch.stat().st_mode & 0o777 == 0o700
        assert list(scratch.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "action",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.getaddrinfo('falaj.invalid', 443)",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import os; os.fork() or os._exit(0)",
    ],
)
def test_checkovs_process_opens_no_connection_and_starts_no_process(action: str) -> None:
    script = "import sys; sys.path.insert(0, sys.argv[1]); import worker; sys.addaudithook(worker._offline)"
    done = subprocess.run(
        [CHECKOV, "-I", "-c", f"{script}\n{action}", str(Path(worker.__file__).parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "PermissionError: Checkov must work alone" in done.stderr


def test_every_type_is_converted_as_the_table_says() -> None:
    for kind, type_ in aws_types.TYPES.items():
        package, module, name = kind.split(":")
        token = f"{package}:{module}/{name[:1].lower()}{name[1:]}:{name}"
        plan = json.loads(terraform.convert([_fact(token, "r", {"tags": {"Owner": "a"}})]).files["plan.json"])
        (resource,) = plan["planned_values"]["root_module"]["resources"]
        assert resource["type"] == type_.name
        assert resource["values"] == {"tags": {"Owner": "a"}, **type_.defaults} or kind == "aws:autoscaling:Group"
    for kind, azure in azure_types.TYPES.items():
        converted = arm.convert([_fact(kind, "r", {azure.name: "named", "location": "uaenorth", "other": 1})])
        assert len(converted.files) == 1 + len(azure.spelled)
        for text in converted.files.values():
            (resource,) = json.loads(text)["resources"]
            assert (resource["name"], resource["location"], resource["properties"]) == (
                "named",
                "uaenorth",
                {"other": 1},
            )


def _sdk(package: str, module: str) -> str:
    """The source of a module of a provider's SDK."""
    folder = Path(importlib.util.find_spec(package).submodule_search_locations[0], module)  # type: ignore[union-attr, index]
    return "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))


def test_the_tables_name_only_inputs_that_the_providers_have() -> None:
    """A name with a slip of the pen would convert nothing, and its checks would pass in silence."""
    sources: dict[str, str] = {}
    for kind, type_ in aws_types.TYPES.items():
        module, name = kind.split(":")[1:]
        module = {"lambda": "lambda_"}.get(module, module)
        text = sources.setdefault(module, _sdk("pulumi_aws", module))
        assert f"class {name}Args" in text, kind
        for key in {*type_.renames, *type_.maps} - {"tags", "tagsAll"}:
            assert f'"{key}"' in text or re.search(rf"\bdef {key}\(", text), (kind, key)
    for kind, azure in azure_types.TYPES.items():
        module, name = kind.split(":")[1:]
        # azure-native 2 called the module so.
        module = {"insights": "monitor"}.get(module, module)
        text = sources.setdefault(f"azure {module}", _sdk("pulumi_azure_native", module))
        assert f"class {name}Args" in text, kind
        for key in {azure.name, *azure.renames}:
            assert f'"{key}"' in text or re.search(rf"\bdef {key}\(", text), (kind, key)


def test_every_kind_that_our_rules_know_is_converted() -> None:
    kinds = {kind for rule in all_rules() for kind in rule.kinds or ()}
    tables = {"aws": aws_types.TYPES, "azure-native": azure_types.TYPES}
    for package, table in tables.items():
        known = {kind for kind in kinds if kind.startswith(f"{package}:")}
        assert known - table.keys() == set()
        assert len(known) > 20


def test_what_the_provider_plans_by_default_is_planned(scanner: Scanner) -> None:
    said, unsaid = ({"autoMinorVersionUpgrade": False}, {})
    token = "aws:rds/clusterInstance:ClusterInstance"
    found = scanner.scan([_fact(token, "s", said), _fact(token, "u", unsaid)])
    assert "CKV_AWS_226" in _ids(found, "urn:s")
    assert "CKV_AWS_226" not in _ids(found, "urn:u")


def test_whole_numbers_stay_whole() -> None:
    found = plain(_fact("aws:cloudwatch/logGroup:LogGroup", "l", {"retentionInDays": 400.0, "other": 0.5})).inputs
    assert json.dumps(found) == '{"retentionInDays": 400, "other": 0.5}'


def test_sub_resources_of_azure_have_properties_of_their_own() -> None:
    subnet = {"name": "a", "addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": "n"}}
    converted = arm.convert([_fact("azure-native:network:VirtualNetwork", "v", {"subnets": [subnet]})])
    (resource,) = json.loads(converted.files["0-0.json"])["resources"]
    assert resource["properties"]["subnets"] == [
        {"name": "a", "properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": "n"}}}
    ]


def test_a_name_like_an_expression_does_not_hide_a_resource(scanner: Scanner) -> None:
    """Checkov leaves out what fails on a resource whose name has a function in it."""
    inputs = {"accountName": "toLower(acme)", "enableHttpsTrafficOnly": False}
    assert "CKV_AZURE_3" in _ids(scanner.scan([_fact("azure-native:storage:StorageAccount", "s", inputs)]), "urn:s")


def test_blocks_of_aws_are_lists_and_maps_stay_maps() -> None:
    function = _fact(
        "aws:lambda/function:Function", "f", {"environment": {"variables": {"aKey": "b"}}, "code": UNKNOWN}
    )
    table = _fact(
        "aws:dynamodb/table:Table",
        "t",
        {"attributes": [{"name": "id"}], "globalSecondaryIndexes": [{"hashKey": "id"}], "ttl": {"attributeName": "x"}},
    )
    plan = json.loads(terraform.convert([function, table]).files["plan.json"])
    first, second = (resource["values"] for resource in plan["planned_values"]["root_module"]["resources"])
    assert first == {"environment": [{"variables": {"aKey": "b"}}]}
    assert plan["resource_changes"][0]["change"]["after_unknown"] == {"filename": True}
    assert second == {
        "attribute": [{"name": "id"}],
        "global_secondary_index": [{"hash_key": "id"}],
        "ttl": [{"attribute_name": "x"}],
    }


def test_names_turn_both_ways() -> None:
    for name in ("kmsKeyId", "ipv6CidrBlocks", "tags"):
        assert camel(snake(name)) == name


@pytest.mark.parametrize(
    ("keys", "unknown", "words", "undecided"),
    [
        (["spec/containers/[0]/image"], ["spec/containers/image"], set(), True),
        (["spec/containers/[0]/image"], ["spec"], set(), True),
        (["spec/containers/[0]/image"], ["spec/containers/name"], {"name"}, False),
        (["properties"], ["properties/httpsOnly"], {"httpsOnly"}, True),
        (["properties"], ["properties/serverFarmId"], {"httpsOnly"}, False),
        ([], ["policy"], {"policy"}, True),
        ([], ["policy"], {"bucket"}, False),
        (["bucket"], [], set(), False),
    ],
)
def test_a_check_is_undecided_only_where_it_looked(
    keys: list[str], unknown: list[str], words: set[str], undecided: bool
) -> None:
    assert worker.is_undecided(keys, unknown, words) is undecided


def test_the_worker_reads_nothing_of_its_callers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.fspath(Path(__file__).parent))
    monkeypatch.setenv("BC_API_KEY", "nothing")
    monkeypatch.setenv("CKV_IGNORE_HIDDEN_DIRECTORIES", "true")
    pod = change(good("kubernetes:core:Pod"), "spec.hostPID", True)
    with Scanner() as own:
        assert "CKV_K8S_17" in _ids(own.scan([pod]), pod.urn)
