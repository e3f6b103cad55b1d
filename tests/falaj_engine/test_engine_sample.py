"""A state that the Pulumi CLI wrote is gone on from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from falaj_engine.workspace import Workspace
from falaj_site.apiserver import ApiServer

SAMPLE = Path(__file__).parent / "sample"


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "sample")
    root = tmp_path / "the sample"
    root.mkdir()
    for name in ("__main__.py", "notes.py", "Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(SAMPLE / name, root)
    shutil.copytree(SAMPLE / "state", tmp_path / "home" / "state")
    return root


def test_opens_its_config_and_outputs(sample: Path) -> None:
    workspace = Workspace(sample, sample.parent / "home", gate=None)
    assert workspace.config("dev", "password") == "hunter2"
    shown = {"deployment": "palm-web-165489b0", "namespace": "palm", "note_length": 8}
    assert workspace.outputs("dev") == {**shown, "password": "[secret]"}
    assert workspace.outputs("dev", show_secrets=True) == {**shown, "password": "hunter2"}  # pragma: allowlist secret


def comparable(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in entry.items() if key not in ("sourcePosition", "stackTrace")}
    return {**kept, "dependencies": sorted(entry.get("dependencies", []))}


@pytest.mark.api
def test_has_nothing_to_change(sample: Path, api_server: ApiServer) -> None:
    workspace = Workspace(sample, sample.parent / "home", gate=None, kubeconfig=str(api_server.kubeconfig))
    before = workspace.export("dev")["deployment"]["resources"]
    preview = workspace.preview("dev")
    assert preview.error is None
    assert preview.counts == {"same": 7}

    up = workspace.up("dev")
    assert up.error is None
    assert up.counts == {"same": 7}
    after = workspace.export("dev")["deployment"]["resources"]
    # Everything but what depends on where the program was run stands as the CLI wrote it, ciphertexts included.
    kept = {entry["urn"]: comparable(entry) for entry in before}
    for entry in after:
        if not entry["urn"].endswith("::sample-dev"):  # the stack's outputs are encrypted anew
            assert comparable(entry) == kept[entry["urn"]]
    assert len(after) == len(before)
