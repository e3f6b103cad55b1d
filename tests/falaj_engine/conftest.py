from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from falaj_engine.kube.client import Client
from falaj_engine.kube.config import load
from falaj_engine.workspace import Workspace
from falaj_site.apiserver import ApiServer

_numbers = itertools.count()


class Space:
    """A project in a folder with a space in its name, whose program a test rewrites, and its workspace."""

    def __init__(self, folder: Path, kubeconfig: str | None = None) -> None:
        self.root = folder / "a project"
        self.root.mkdir(parents=True)
        (self.root / "Pulumi.yaml").write_text("name: case\nruntime: python\n")
        (self.root / "Pulumi.dev.yaml").write_text("config: {}\n")
        self.home = folder / "home"
        self.kubeconfig = kubeconfig
        self.workspace = self.fresh()

    def fresh(self, *, skip_await: bool = True) -> Workspace:
        return Workspace(self.root, self.home, gate=None, kubeconfig=self.kubeconfig, skip_await=skip_await)

    def program(self, text: str) -> None:
        (self.root / "__main__.py").write_text(text)

    def module(self, name: str, text: str) -> None:
        (self.root / f"{name}.py").write_text(text)


@pytest.fixture(autouse=True)
def passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")
    monkeypatch.delenv("KUBECONFIG", raising=False)


@pytest.fixture
def space(tmp_path: Path) -> Space:
    """A project without a cluster."""
    return Space(tmp_path)


@pytest.fixture
def cluster_space(tmp_path: Path, api_server: ApiServer) -> Space:
    """A project on a bare API server."""
    return Space(tmp_path, str(api_server.kubeconfig))


@pytest.fixture
def client(api_server: ApiServer) -> Client:
    return Client(load(str(api_server.kubeconfig)))


@pytest.fixture
def make_namespace(client: Client) -> Callable[[str], str]:
    """Makes a namespace. The bare API server has no controller that could empty and remove it."""

    def make(name: str) -> str:
        client.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    return make


@pytest.fixture
def namespace(make_namespace: Callable[[str], str]) -> str:
    """A namespace of the test's own."""
    return make_namespace(f"test-{next(_numbers)}")


Names = Callable[[str], list[str]]


@pytest.fixture
def config_maps(client: Client) -> Names:
    """The names of a namespace's ConfigMaps."""

    def names(namespace: str) -> list[str]:
        listing = client.request("GET", f"/api/v1/namespaces/{namespace}/configmaps")
        return sorted(item["metadata"]["name"] for item in listing["items"])

    return names
