"""A project's files, the state's place and its lock, and the kubeconfig."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from falaj_engine.errors import ClusterError, EngineError, LockedError, ProjectError, StateError, UnsupportedError
from falaj_engine.kube.config import load
from falaj_engine.project import load_project, load_stack_file
from falaj_engine.secrets import find_passphrase
from falaj_engine.store import Store


def aliases(form: str, first: str = "[x, x]") -> str:
    """Configuration of a few hundred bytes that is ten thousand millions of values."""
    lines = [f"  k0: &k0 {first}"]
    lines += [f"  k{level}: &k{level} {form.format(', '.join([f'*k{level - 1}'] * 10))}" for level in range(1, 11)]
    return "\n".join([*lines, ""])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: {a: 1}\nconfg: {}\n", r"Pulumi.dev.yaml:2: unknown key 'confg'"),
        ("config: [1]\n", r"Pulumi.dev.yaml:1: 'config' must be a mapping"),
        ("config:\n  a: {b\n", r"Pulumi.dev.yaml:3: not valid YAML"),
        ("config:\n" + aliases("[{}]"), r"Pulumi.dev.yaml: more than 100000 values"),
        ("config:\n" + aliases("{{<<: [{}]}}", first="{a: 1, b: 2}"), r"Pulumi.dev.yaml: more than 100000 values"),
        ("config:\n  a: &a [*a]\n", r"Pulumi.dev.yaml: more than 100000 values"),
        ("- a\n", r"Pulumi.dev.yaml:1: must be a mapping"),
    ],
)
def test_a_malformed_stack_file_names_file_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(text)
    with pytest.raises(ProjectError, match=message):
        load_stack_file(path, "p")


@pytest.mark.parametrize("line", ["secretsprovider: awskms://x", "encryptedkey: x", "environment: [x]"])
def test_what_a_stack_file_may_not_have(tmp_path: Path, line: str) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(f"{line}\n")
    with pytest.raises(UnsupportedError, match=line.split(":")[0]):
        load_stack_file(tmp_path / "Pulumi.dev.yaml", "p")


def test_projects(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"no Pulumi.yaml"):
        load_project(tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("name: p\nruntime: nodejs\n")
    with pytest.raises(UnsupportedError, match="nodejs"):
        load_project(tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("name: p\nruntime: {name: python}\nmain: src\nconfig: {a: {default: 7}}\n")
    (tmp_path / "deep").mkdir()
    project = load_project(tmp_path / "deep")
    assert (project.main, project.defaults) == (tmp_path / "src", {"p:a": 7})


def test_configuration_is_set_read_and_given_to_the_program(space: Any) -> None:
    workspace = space.workspace
    (space.root / "Pulumi.dev.yaml").write_text("config:\n  deep: {image: a, list: [1]}\n  flag: true\n")
    workspace.set_config("dev", "case:deep.image", "b", path=True)
    workspace.set_config("dev", "deep.list[1]", "2", path=True)
    workspace.set_config("dev", "other:new.inner", "x", path=True)
    workspace.set_config("dev", "token", "hush", secret=True)
    assert workspace.config("dev", "deep") == {"image": "b", "list": [1, "2"]}
    assert workspace.config("dev", "token") == "hush"
    assert workspace.config("dev", "token", show_secrets=False) == "[secret]"
    own = space.home / "stacks" / "Pulumi.dev.yaml"
    assert "hush" not in own.read_text()
    assert own.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load((space.root / "Pulumi.dev.yaml").read_text())["config"]["deep"]["image"] == "a"
    space.program(
        "import pulumi\nc = pulumi.Config()\n"
        "pulumi.export('deep', c.require_object('deep'))\npulumi.export('flag', c.require_bool('flag'))\n"
        "pulumi.export('token', c.require_secret('token'))\n"
    )
    assert workspace.up("dev").ok
    assert workspace.outputs("dev") == {"deep": {"image": "b", "list": [1, "2"]}, "flag": True, "token": "[secret]"}
    with pytest.raises(ProjectError, match="no configuration value 'none'"):
        workspace.config("dev", "none")


def test_init_twice_keeps_what_is_there(space: Any) -> None:
    space.workspace.set_config("dev", "a", "1")
    salt = space.workspace.stack_file("dev").salt
    state = space.workspace.store.path("dev").read_bytes()
    space.workspace.init("dev")
    assert space.workspace.stack_file("dev").salt == salt
    assert space.workspace.config("dev", "a") == "1"
    assert space.workspace.store.path("dev").read_bytes() == state
    assert space.workspace.stacks() == ["dev"]


def test_a_passphrase_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first = find_passphrase(tmp_path / "home", {})
    assert find_passphrase(tmp_path / "home", {}) == first
    assert (tmp_path / "home" / "passphrase").stat().st_mode & 0o777 == 0o600
    assert find_passphrase(tmp_path / "home", {"PULUMI_CONFIG_PASSPHRASE": ""}) == ""
    (tmp_path / "file").write_text("from a file\n")
    assert find_passphrase(tmp_path, {"PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "file")}) == "from a file"


def test_the_lock_of_a_living_process_holds(tmp_path: Path) -> None:
    store = Store(tmp_path, "p")
    with store.lock("dev", print), pytest.raises(LockedError, match=f"pid {os.getpid()}"), store.lock("dev", print):
        pass
    with store.lock("dev", print):
        pass


def test_the_lock_of_a_dead_process_is_taken_over_with_a_line(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "p" / "dev"
    folder.mkdir(parents=True)
    lock = folder / "0.json"
    lock.write_text(json.dumps({"pid": ended.pid, "hostname": socket.gethostname(), "username": "u"}))
    told: list[str] = []
    with Store(tmp_path, "p").lock("dev", told.append):
        assert not lock.exists()
    assert told == [f"took over the lock of process {ended.pid}, which has ended"]
    lock.write_text(json.dumps({"pid": ended.pid, "hostname": "elsewhere", "username": "u"}))
    with pytest.raises(LockedError, match="elsewhere"), Store(tmp_path, "p").lock("dev", told.append):
        pass


def test_a_state_is_replaced_whole_and_backed_up(tmp_path: Path) -> None:
    store = Store(tmp_path, "p")
    store.write("dev", b'{"version":3,"checkpoint":{}}')
    store.back_up("dev")
    store.write("dev", b"broken")
    assert sorted(path.name for path in store.path("dev").parent.iterdir()) == ["dev.json"]
    assert (tmp_path / ".pulumi" / "meta.yaml").read_text() == "version: 1\n"
    backups = list((tmp_path / ".pulumi" / "backups" / "p" / "dev").iterdir())
    assert [path.read_bytes() for path in backups] == [b'{"version":3,"checkpoint":{}}']
    with pytest.raises(StateError, match="cannot be read"):
        store.read("dev")
    store.write("dev", b'{"version":4}')
    with pytest.raises(StateError, match="version 3"):
        store.read("dev")


KUBECONFIG: dict[str, Any] = {
    "current-context": "c",
    "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "n"}}],
    "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "secret-token"}}],
}


def test_a_kubeconfig(tmp_path: Path) -> None:
    cluster = load(json.dumps(KUBECONFIG))
    assert (cluster.server, cluster.namespace) == ("http://127.0.0.1:1", "n")
    assert cluster.headers["Authorization"] == "Bearer secret-token"
    assert "secret-token" not in repr(cluster)
    (tmp_path / "config").write_text(yaml.safe_dump(KUBECONFIG))
    assert load(str(tmp_path / "config")).server == cluster.server


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"current-context": "x"}, "contexts has no 'x'"),
        ({"current-context": ""}, "no current-context"),
        ({"clusters": []}, "clusters has no 'k'"),
        ({"users": [{"name": "u", "user": {"auth-provider": {"name": "gcp"}}}]}, "'auth-provider' is not supported"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        load(json.dumps({**KUBECONFIG, **change}))


def test_a_cluster_that_does_not_answer_is_one_line(space: Any, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(yaml.safe_dump(KUBECONFIG))
    space.kubeconfig = str(tmp_path / "config")
    space.program("import pulumi_kubernetes as k8s\nk8s.core.v1.ConfigMap('a', metadata={'namespace': 'n'})\n")
    error = space.fresh().preview("dev").error
    assert isinstance(error, EngineError)
    assert error.exit_code == 2
    assert "http://127.0.0.1:1 does not answer: " in str(error)
    assert "\n" not in str(error)


def test_an_alias_is_read_as_what_it_names(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text("config:\n  a: &a {zones: [x, y]}\n  b: {<<: *a, size: 1}\n  c: *a\n")
    config = load_stack_file(file, "shop").config
    assert config["shop:b"] == {"zones": ["x", "y"], "size": 1}
    assert config["shop:c"] == config["shop:a"]
