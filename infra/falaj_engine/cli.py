"""Running a stack with the Pulumi CLI, through the Automation API, on the same state and stack files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from falaj_engine.errors import ProjectError, UpdateFailedError
from falaj_engine.secrets import find_passphrase
from falaj_engine.workspace import Workspace


def run(workspace: Workspace, operation: str, stack: str, *, as_json: bool) -> bool:
    """preview, up, refresh or destroy.

    The policy pack is always attached to what runs the program. Raises EngineError.
    """
    from pulumi import automation

    workspace.init(stack)
    packs = [str(policy_pack(workspace.project.root))] if operation in ("preview", "up") else None
    environment = {
        "PULUMI_BACKEND_URL": f"file://{workspace.store.root}",
        "PULUMI_CONFIG_PASSPHRASE": find_passphrase(workspace.home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # The program and the policy pack find the stacks' files there.
        "FALAJ_HOME": str(workspace.home),
        "FALAJ_PROJECT": str(workspace.project.root),
    }
    if workspace.kubeconfig:
        environment["KUBECONFIG"] = workspace.kubeconfig
    elif "KUBECONFIG" in os.environ:
        environment["KUBECONFIG"] = os.environ["KUBECONFIG"]
    options: dict[str, Any] = {"config_file": str(workspace.stack_file(stack).path), "on_output": _say}
    if packs:
        options["policy_packs"] = packs
    try:
        selected = automation.select_stack(
            stack, work_dir=str(workspace.project.root), opts=automation.LocalWorkspaceOptions(env_vars=environment)
        )
        outcome = getattr(selected, operation)(**options)
    except automation.CommandError as error:
        raise UpdateFailedError(f"the Pulumi CLI failed: {_last_line(str(error))}") from None
    if as_json:
        summary = getattr(outcome, "change_summary", None) or getattr(outcome.summary, "resource_changes", None) or {}
        changes = {getattr(key, "value", str(key)): count for key, count in summary.items()}
        print(json.dumps({"operation": operation, "stack": stack, "ok": True, "changeSummary": changes}, indent=4))
    return True


def policy_pack(root: Path) -> Path:
    """The policy pack beside the project, or Falaj's own. Raises ProjectError: nothing runs ungoverned."""
    import importlib.util

    candidates = [root / "policies"]
    spec = importlib.util.find_spec("falaj_policies")
    if spec is not None and spec.origin:
        candidates.append(Path(spec.origin).parent.parent)
    for candidate in candidates:
        if (candidate / "PulumiPolicy.yaml").is_file():
            return candidate
    raise ProjectError(
        f"no policy pack (PulumiPolicy.yaml) in {root / 'policies'}: the Pulumi CLI is not run without it"
    )


def _say(text: str) -> None:
    print(text, end="" if text.endswith("\n") else "\n", file=sys.stderr)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error:")]
    return (errors or lines or ["no output"])[-1]
