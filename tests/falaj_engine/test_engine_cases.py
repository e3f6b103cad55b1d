"""What the Pulumi CLI did with thirteen programs, phase by phase, the engine does as well."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from falaj_engine.workspace import Result

pytestmark = pytest.mark.api

CASES: dict[str, Any] = json.loads((Path(__file__).parent / "cases.json").read_text())


def shown(result: Result) -> list[list[str]]:
    """A preview as recorded: op and URN after the stack's prefix, without what stays the same."""
    steps = [step for step in result.steps if not step.hidden and step.op not in ("same", "discard", "read")]
    return sorted([step.op, step.urn.split("::", 2)[2]] for step in steps)


def recorded(space: Any) -> list[dict[str, Any]]:
    """The state as recorded: generated names, ids of providers, inputs of providers and dynamic resources masked."""
    resources = space.workspace.export("dev")["deployment"].get("resources", [])
    text = json.dumps(resources).replace("urn:pulumi:dev::case::", "")
    text = re.sub(r"(\w)-[0-9a-f]{8}(?=\")", r"\1-*", text)
    states = []
    for entry in json.loads(text):
        provider = entry["type"].startswith("pulumi:providers:")
        dynamic = entry["type"].startswith("pulumi-python:")
        state = {
            "urn": entry["urn"],
            "id": "*" if provider else entry.get("id"),
            "inputs": "*" if provider or dynamic else entry.get("inputs", {}),
            "dependencies": entry.get("dependencies", []),
            "parent": entry.get("parent", ""),
        }
        state.update({key: entry[key] for key in ("protect", "retainOnDelete") if key in entry})
        states.append(state)
    return sorted(states, key=lambda state: state["urn"])


def without_ciphertexts(states: Any) -> Any:
    return json.loads(re.sub(r'"v1:[^"]+:[^"]+"', '"*"', json.dumps(states)))


@pytest.mark.parametrize("name", CASES)
def test_behaves_as_the_cli(name: str, cluster_space: Any, make_namespace: Callable[[str], str]) -> None:
    make_namespace(f"case-{name}")
    for number, phase in enumerate(CASES[name]["phases"]):
        where = f"{name}, phase {number + 1}"
        cluster_space.program(phase["program"])
        preview = cluster_space.workspace.preview("dev")
        assert preview.ok is phase["preview_ok"], f"{where}: {preview.error}"
        assert shown(preview) == sorted(phase["preview"]), where
        if preview.ok:  # as the CLI, which previews before it changes anything
            up = cluster_space.workspace.up("dev")
            assert up.ok is phase["up_ok"], f"{where}: {up.error}"
        assert without_ciphertexts(recorded(cluster_space)) == without_ciphertexts(
            sorted(phase["state"], key=lambda state: state["urn"])
        ), where
        if phase["preview_after"] is not None:
            assert shown(cluster_space.workspace.preview("dev")) == phase["preview_after"], where
