"""A stack stays with its cluster; which cluster that is, where nobody says; and how a stack is forgotten."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from falaj_engine import commands
from falaj_engine.clusters import providers_in_use
from falaj_engine.errors import ClusterError, EngineError, LockedError, OtherClusterError, StackNotFoundError
from falaj_engine.kube.client import ApiError, Client
from falaj_site.site import Site

PROGRAM = """
import pulumi_kubernetes as k8s
k8s.core.v1.ConfigMap("m", metadata={{"name": "m", "namespace": "{}"}}, data={{"a": "1"}})
"""


def record_of(space: Any) -> Path:
    path: Path = space.home / "state" / ".falaj" / "case" / "dev.json"
    return path


def move_away(space: Any, **changes: Any) -> None:
    """The record as it would be had the stack been made on another cluster."""
    document = json.loads(record_of(space).read_text())
    document["kubernetes"]["default"].update(uid="another", **changes)
    record_of(space).write_text(json.dumps(document))


def refused(space: Any, operation: str) -> EngineError:
    error = getattr(space.fresh(), operation)("dev").error
    assert isinstance(error, OtherClusterError)
    # Only what was on a site that is gone may be forgotten without being asked for.
    assert error.remade == (space.fresh().elsewhere("dev") == [])
    assert error.exit_code == 2
    assert "\n" not in str(error)
    return error


@pytest.fixture
def made(cluster_space: Any, namespace: str) -> Any:
    cluster_space.program(PROGRAM.format(namespace))
    cluster_space.namespace = namespace
    assert cluster_space.workspace.up("dev").error is None
    return cluster_space


@pytest.mark.api
def test_the_cluster_is_recorded_beside_the_state(made: Any, client: Client) -> None:
    uid = client.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
    found = json.loads(record_of(made).read_text())["kubernetes"]
    assert found == {"default": {"uid": uid, "server": client.cluster.server, "site": False}}
    assert record_of(made).stat().st_mode & 0o777 == 0o600
    assert made.workspace.preview("dev").changes == 0


@pytest.mark.api
@pytest.mark.parametrize("operation", ["preview", "up", "refresh", "destroy"])
def test_another_cluster_is_refused(operation: str, made: Any, config_maps: Any) -> None:
    move_away(made, server="https://there:6443")
    before = made.workspace.store.path("dev").read_text()
    error = refused(made, operation)
    assert "https://there:6443: name it with --kubeconfig" in str(error)
    assert "m" in config_maps(made.namespace)
    assert '"kubernetes:core/v1:ConfigMap"' in before
    assert '"kubernetes:core/v1:ConfigMap"' in made.workspace.store.path("dev").read_text()
    assert made.workspace.elsewhere("dev") == ["https://there:6443"]
    with pytest.raises(OtherClusterError):
        made.workspace.check_cluster("dev")


@pytest.mark.api
def test_a_site_made_anew_is_named_with_the_remedy_which_works(made: Any, config_maps: Any) -> None:
    site = made.home / "site"
    site.mkdir()
    (site / "kubeconfig").write_text(Path(made.kubeconfig).read_text())
    made.kubeconfig = None
    assert made.fresh().up("dev").error is None
    assert json.loads(record_of(made).read_text())["kubernetes"]["default"]["site"] is True
    move_away(made)
    error = str(refused(made, "up"))
    assert "purged" in error
    assert "`falaj stack rm -s dev --force`" in error
    made.workspace.forget("dev")
    assert config_maps(made.namespace) == ["m"]
    assert made.workspace.stacks() == []
    assert not record_of(made).exists()
    # What was there is nobody's now, and so is refused rather than taken.
    assert "already exists" in str(made.fresh().up("dev").error)


@pytest.mark.api
def test_an_empty_stack_may_go_anywhere(made: Any) -> None:
    assert made.workspace.destroy("dev").ok
    move_away(made)
    assert made.workspace.up("dev").error is None
    assert "another" not in record_of(made).read_text()


@pytest.mark.api
def test_a_cluster_that_cannot_be_told_is_refused(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Client.request

    def request(self: Client, verb: str, path: str, *rest: Any, **named: Any) -> Any:
        if path.endswith("/kube-system"):
            raise ApiError(403, "Forbidden", "no", {})
        return real(self, verb, path, *rest, **named)

    monkeypatch.setattr(Client, "request", request)
    error = made.workspace.up("dev").error
    assert isinstance(error, ClusterError)
    assert "cannot tell" in str(error)


def test_which_providers_hold_a_stack() -> None:
    found = providers_in_use(
        [
            ("kubernetes:core/v1:Secret", "urn:pulumi:d::p::pulumi:providers:kubernetes::default_4_34_2::id"),
            ("kubernetes:core/v1:Secret", "urn:pulumi:d::p::pulumi:providers:kubernetes::other::id"),
            ("pulumi-python:dynamic:Resource", "urn:pulumi:d::p::pulumi:providers:pulumi-python::third::id"),
            ("pulumi:pulumi:Stack", ""),
        ]
    )
    assert found == {"default", "other"}


def test_stack_rm(space: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    space.program("import pulumi\npulumi.export('a', 1)\n")
    assert space.workspace.up("dev").ok
    monkeypatch.setenv("FALAJ_HOME", str(space.home))
    app = typer.Typer()
    commands.register(app)
    arguments = ["stack", "rm", "-s", "dev", "-C", str(space.root)]
    refusal = CliRunner().invoke(app, arguments)
    assert isinstance(refusal.exception, StackNotFoundError)
    assert CliRunner().invoke(app, [*arguments, "--force"]).exit_code == 0
    assert space.workspace.stacks() == []
    assert (space.home / "stacks" / "Pulumi.dev.yaml").exists()
    assert len(list((space.home / "state/.pulumi/backups/case/dev").glob("*.json"))) >= 1
    assert space.fresh().up("dev").counts == {"create": 1}


def test_forgetting_waits_for_nobody(space: Any) -> None:
    space.program("")
    assert space.workspace.up("dev").ok
    with space.workspace.store.lock("dev", print), pytest.raises(LockedError):
        space.fresh().forget("dev")
    assert space.workspace.stacks() == ["dev"]
    with pytest.raises(StackNotFoundError):
        space.workspace.forget("nowhere")


VAULT = {"VAULT_ADDR": "https://site", "VAULT_CACERT": "/ca", "VAULT_CLIENT_CERT": "/crt", "VAULT_CLIENT_KEY": "/key"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a site; the environment is put back afterwards."""
    home = tmp_path / "home"
    (home / "site").mkdir(parents=True)
    (home / "site" / "site.json").write_text("{}")
    (home / "site" / "kubeconfig").write_text("")
    found = {"KUBECONFIG": str(home / "site" / "kubeconfig"), **VAULT}
    monkeypatch.setattr(Site, "environment", lambda _self: dict(found))
    for name in found:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return home


def test_a_homes_site_wins_over_the_environment(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/elsewhere")
    monkeypatch.setenv("VAULT_CACERT", "/theirs")
    commands.site_environment(site)
    assert os.environ["KUBECONFIG"] == str(site / "site" / "kubeconfig")
    assert {name: os.environ[name] for name in VAULT} == VAULT


def test_a_vault_of_ones_own_is_not_mixed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_ADDR", "https://mine")
    commands.site_environment(site)
    assert {name: os.environ.get(name) for name in VAULT} == {**dict.fromkeys(VAULT), "VAULT_ADDR": "https://mine"}


def test_a_named_cluster_gets_nothing_of_the_site(site: Path, tmp_path: Path) -> None:
    commands.site_environment(site, tmp_path / "other")
    assert not {"KUBECONFIG", *VAULT} & os.environ.keys()
    commands.site_environment(site, site / "site" / "kubeconfig")
    assert {"KUBECONFIG", *VAULT} <= os.environ.keys()
