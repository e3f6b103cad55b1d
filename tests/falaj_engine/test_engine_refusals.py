"""What the embedded engine does not do it refuses by name, and its own locks never stay in the way."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

import pytest

from falaj_engine.errors import EngineError, LockedError, ProjectError, UnsupportedError
from falaj_engine.kube.provider import KubernetesProvider
from falaj_engine.provider import Operation
from falaj_engine.requirements import within

URN = "urn:pulumi:dev::case::{0}::x"


def check(type_: str, inputs: dict[str, Any]) -> None:
    provider = KubernetesProvider.configure({}, None, skip_await=True)
    provider.check(Operation(URN.format(type_), type_, preview=True), None, inputs)


@pytest.mark.parametrize(
    ("type_", "inputs", "what"),
    [
        ("kubernetes:core/v1:ConfigMap", {"metadata": {"generateName": "a-"}}, "metadata.generateName"),
        ("kubernetes:helm.sh/v3:Release", {"chart": "nginx"}, "Helm releases"),
        ("kubernetes:core/v1:ConfigMapPatch", {"metadata": {"name": "a"}}, "Patch resources"),
        ("kubernetes:core/v1:ConfigMapList", {"items": []}, "List resources"),
        (
            "kubernetes:core/v1:Pod",
            {"metadata": {"name": "a", "annotations": {"pulumi.com/waitFor": "jsonpath={.status}"}}},
            "pulumi.com/waitFor",
        ),
        (
            "kubernetes:batch/v1:Job",
            {"metadata": {"name": "a", "annotations": {"pulumi.com/replaceUnready": "true"}}},
            "pulumi.com/replaceUnready",
        ),
    ],
)
def test_a_resource_asks_for_what_is_not_supported(type_: str, inputs: dict[str, Any], what: str) -> None:
    with pytest.raises(UnsupportedError, match=what):
        check(type_, inputs)


def test_a_provider_setting_that_is_not_supported() -> None:
    with pytest.raises(UnsupportedError, match="kubernetes:deleteUnreachable"):
        KubernetesProvider.configure({"deleteUnreachable": "true"}, None, skip_await=True)
    KubernetesProvider.configure({"deleteUnreachable": "false"}, None, skip_await=True)


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("options: {refresh: always}\n", r"Pulumi.yaml:3: options.refresh"),
        ("backend: {url: 's3://bucket'}\n", r"Pulumi.yaml:3: 'backend'"),
        ("plugins: {providers: [{name: a, path: b}]}\n", "'plugins'"),
        ("packages: {a: b}\n", "'packages'"),
        ("requiredPulumiVersion: '>=4'\n", "needs Pulumi >=4; the SDK here is 3"),
    ],
)
def test_a_project_asks_for_what_is_not_supported(space: Any, lines: str, what: str) -> None:
    path = space.root / "Pulumi.yaml"
    path.write_text(path.read_text() + lines)
    with pytest.raises(UnsupportedError, match=what):
        space.fresh()


def test_a_project_asks_for_what_is_there(space: Any) -> None:
    path = space.root / "Pulumi.yaml"
    path.write_text(path.read_text() + "requiredPulumiVersion: '>=3.100.0 <4'\noptions: {}\ndescription: a\n")
    space.program("import pulumi\npulumi.require_pulumi_version('^3.1')\n")
    assert space.fresh().up("dev").error is None


def test_a_program_asks_for_another_version(space: Any) -> None:
    space.program("import pulumi\npulumi.require_pulumi_version('<3.0.0')\n")
    error = space.workspace.preview("dev").error
    assert "require_pulumi_version: needs Pulumi <3.0.0" in str(error)


@pytest.mark.parametrize("key", ["pulumi:disable-default-providers", "pulumi:autonaming"])
def test_a_setting_of_the_engine_that_is_not_supported(space: Any, key: str) -> None:
    (space.root / "Pulumi.dev.yaml").write_text(f"config:\n  {key}: ['*']\n")
    space.program("")
    with pytest.raises(EngineError, match=key):
        raise space.workspace.preview("dev").error


@pytest.mark.parametrize(
    ("wanted", "inside"),
    [
        (">=3.100.0 <4", True),
        (">= 3.100.0, < 4.0.0", True),
        ("^3.1", True),
        ("^3.300", False),
        ("~3.272", True),
        ("~3.271.0", False),
        ("3.x", True),
        ("3.271", False),
        ("<3 || >=3.272.1", True),
        (">3.272", False),
        ("<=3.272", True),
        ("!=3.272.1", False),
        ("^0.3", False),
    ],
)
def test_version_ranges(wanted: str, inside: bool) -> None:
    assert within("3.272.1", wanted, "here") is inside


@pytest.mark.parametrize("wanted", ["", "soon", "> a.b", ">=3 ||"])
def test_what_is_no_version_range(wanted: str) -> None:
    with pytest.raises(ProjectError, match="version range"):
        within("1.0.0", wanted, "here")


def test_a_default_that_is_declared_secret_is_one(space: Any) -> None:
    path = space.root / "Pulumi.yaml"
    path.write_text(path.read_text() + "config:\n  password: {type: string, default: hush-hush, secret: true}\n")
    space.program(
        "import pulumi\nconfig = pulumi.Config()\npulumi.export('p', config.require_secret('password'))\n"
        "pulumi.export('marked', pulumi.runtime.is_config_secret('case:password'))\n"
    )
    workspace = space.fresh()
    assert workspace.up("dev").error is None
    assert workspace.outputs("dev") == {"p": "[secret]", "marked": True}
    assert "hush-hush" not in workspace.store.path("dev").read_text()
    # A value of the stack's own may not stand in clear either; `config set` encrypts it unasked.
    workspace.set_config("dev", "password", "other")
    assert "other" not in (space.home / "stacks" / "Pulumi.dev.yaml").read_text()
    assert workspace.config("dev", "password") == "other"
    (space.home / "stacks" / "Pulumi.dev.yaml").write_text("config: {'case:password': clear}\n")
    with pytest.raises(ProjectError, match="declared secret"):
        workspace.up("dev")


def leave_lock(space: Any, **content: Any) -> Any:
    folder = space.home / "state" / ".pulumi" / "locks" / "organization" / "case" / "dev"
    folder.mkdir(parents=True)
    path = folder / "left.json"
    path.write_text(json.dumps({"pid": os.getppid(), "hostname": socket.gethostname(), **content}))
    return path


@pytest.mark.parametrize("host", [socket.gethostname(), "elsewhere"])
def test_our_own_lock_left_behind_is_taken_over(space: Any, host: str) -> None:
    space.program("")
    path = leave_lock(space, hostname=host, engine="falaj")
    assert space.workspace.up("dev").error is None
    assert not path.exists()


@pytest.mark.parametrize("host", [socket.gethostname(), "elsewhere"])
def test_the_clis_lock_is_kept_while_its_process_may_live(space: Any, host: str) -> None:
    space.program("")
    path = leave_lock(space, hostname=host)
    with pytest.raises(LockedError, match=str(os.getppid())):
        space.workspace.up("dev")
    assert path.exists()


def test_a_lock_names_its_engine(space: Any) -> None:
    with space.workspace.store.lock("dev", print):
        (path,) = space.home.glob("state/.pulumi/locks/organization/case/dev/*.json")
        assert json.loads(path.read_text())["engine"] == "falaj"
