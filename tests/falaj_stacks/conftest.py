"""Programs run against Pulumi's own mocks: what they declare is recorded, nothing is made."""

from __future__ import annotations

import asyncio
import json
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "localhost/falaj/platform@sha256:" + "a" * 64
CA = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
REGION_OUTPUTS: dict[str, Any] = {
    "jurisdiction": "uae",
    "cloud": "on-premises",
    "region": "local",
    "image": IMAGE,
    "storage_class": "falaj-local",
    "control_plane": ["10.90.0.1/32"],
    "token_reviewer_role": "falaj-token-reviewer",
    "vault_url": "https://127.0.0.1:8200",
    "vault_internal_url": "https://openbao.falaj-system.svc:8200",
    "vault_ca": CA,
    "vault_auth_mount": "kubernetes",
}
SITE = {"url": "https://127.0.0.1:8200", "address": "10.90.0.1", "kubernetes_url": "https://10.90.0.1:6443", "ca": CA}


@dataclass(frozen=True)
class Declared:
    """A resource as the program declared it; `inputs` are in the provider's spelling."""

    type: str
    name: str
    inputs: dict[str, Any]


class Recorder(pulumi.runtime.Mocks):
    """Answers with the inputs, and with what only a server would know."""

    def __init__(self, region: Mapping[str, Any]) -> None:
        self.declared: list[Declared] = []
        self._region = region

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        outputs = dict(args.inputs)
        if args.typ == "pulumi:pulumi:StackReference":
            return args.inputs["name"], {**outputs, "outputs": dict(self._region)}
        if args.typ.endswith(":RandomToken"):
            outputs["value"] = "5e" * 32
        if outputs.get("type") == "kubernetes.io/service-account-token":
            outputs["data"] = {"token": "dG9rZW4=", "ca.crt": "Y2E="}
        self.declared.append(Declared(args.typ, args.name, dict(args.inputs)))
        return f"{args.name}-id", outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[Any, Any]:
        return {}


Run = Callable[..., list[Declared]]


def _run(
    program: Callable[[], None], stack: str, config: Any, region: Mapping[str, Any], *, preview: bool = False
) -> list[Declared]:
    recorder = Recorder(region)
    # A loop of its own: what a refused program leaves waiting would fail the next one.
    loop = asyncio.new_event_loop()
    # A refusal reaches many outputs, and the test sees the first: the others are no news.
    loop.set_exception_handler(lambda _loop, _context: None)
    asyncio.set_event_loop(loop)
    pulumi.runtime.settings.reset_options()
    pulumi.runtime.set_mocks(recorder, project="falaj", stack=stack, preview=preview)
    pulumi.runtime.set_all_config({"falaj:stack": json.dumps(config)})

    @pulumi.runtime.test
    def go() -> None:
        program()

    try:
        go()
    finally:
        leftover = asyncio.all_tasks(loop)
        for task in leftover:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*leftover, return_exceptions=True))
        asyncio.set_event_loop(None)
        loop.close()
    return recorder.declared


@pytest.fixture(scope="session")
def run_program() -> Run:
    """Run any program: `run_program(function, preview=False)`."""

    def run(program: Callable[[], None], *, preview: bool = False) -> list[Declared]:
        return _run(program, "test", {}, REGION_OUTPUTS, preview=preview)

    return run


@pytest.fixture(scope="session")
def run_stack() -> Run:
    """Run `stacks/__main__.py` with a configuration: `run_stack(name, config, region=outputs)`."""

    def run(stack: str, config: Any, region: Mapping[str, Any] = REGION_OUTPUTS) -> list[Declared]:
        return _run(lambda: runpy.run_path(str(ROOT / "stacks" / "__main__.py")) and None, stack, config, region)

    return run


def stack_config(stack: str) -> dict[str, Any]:
    """The repository's own configuration of `stack`, with what a running site adds to a region's."""
    text = (ROOT / "stacks" / "config" / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
    config: dict[str, Any] = yaml.safe_load(text)["config"]["falaj:stack"]
    return {**config, "image": IMAGE, "vault": SITE} if config["kind"] == "region" else config


@pytest.fixture(scope="session")
def config_of() -> Callable[[str], dict[str, Any]]:
    return stack_config


@pytest.fixture(scope="session")
def region_outputs() -> dict[str, Any]:
    return dict(REGION_OUTPUTS)


@pytest.fixture(scope="session")
def region(run_stack: Run) -> list[Declared]:
    return run_stack("region-local", stack_config("region-local"))


@pytest.fixture(scope="session")
def tenant(run_stack: Run) -> list[Declared]:
    return run_stack("tenant-demo", stack_config("tenant-demo"))
