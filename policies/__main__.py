"""The policy pack for the Pulumi CLI: `pulumi up --policy-pack policies`, which `falaj up` adds by itself.

One mandatory policy for each rule of stage `provision`, under the rule's own id and in its words. What judges is the
function that the gate inside the programs uses, applied by the engine to every resource, whoever declared it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    proxy,
)

from falaj_infra.gate import UNJUDGED, Place, judge
from falaj_policies import RULES, UNKNOWN, ResourceFact, Rule, Stage

ROOT = Path(__file__).resolve().parent.parent
KEY = "falaj:stack"
UNKNOWNS = {getattr(proxy, name) for name in dir(proxy) if name.startswith("UNKNOWN_") and name.endswith("_VALUE")}


def policy(rule: Rule) -> ResourceValidationPolicy:
    """The rule as Pulumi's engine applies it; what it cannot decide at preview is an advice there, at up a refusal."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        unknown: list[str] = []
        try:
            inputs = {key: plain(value, key, unknown) for key, value in items(args.props) if key not in UNJUDGED}
            waits = bool(unknown) and pulumi.runtime.is_dry_run()
            found = judge(args.resource_type, args.name, inputs, place(), everything_known=True)
        except Exception as error:  # noqa: BLE001 - fails closed, whatever went wrong
            why = str(error) if isinstance(error, pulumi.RunError) else type(error).__name__
            report(f"{rule.id} {args.urn}: the rule could not be applied ({why}), so it denies", None)
            return
        mine = [finding for finding in found if finding.rule == rule.id]
        for finding in mine:
            if not (finding.undecided and waits):
                report(str(finding), None)
        waiting = [finding.path or unknown[0] for finding in mine if finding.undecided and waits]
        if waiting:
            # The SDK makes an advice of it, beside what is reported above.
            raise proxy.UnknownValueError(proxy.UNKNOWN_STRING_VALUE, waiting[:1])

    return ResourceValidationPolicy(
        name=rule.id,
        display_name=rule.title,
        description=rule.rationale,
        remediation_steps=rule.remedy,
        severity=Severity(rule.severity.value),
        enforcement_level=EnforcementLevel.MANDATORY,
        validate=validate,
    )


def plain(value: Any, path: str, unknown: list[str]) -> Any:
    """`value` out of the SDK's proxies, which raise at the first unknown; the paths of unknowns go to `unknown`."""
    if isinstance(value, str):
        if value not in UNKNOWNS:
            return value
        unknown.append(path)
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key: plain(item, f"{path}.{key}", unknown) for key, item in items(value) if item is not None}
    if isinstance(value, Sequence):
        return [plain(item, f"{path}[{index}]", unknown) for index, item in enumerate(behind(value))]
    return value


def items(mapping: Mapping[str, Any]) -> Any:
    return behind(mapping).items()


def behind(proxied: Any) -> Any:
    """What one of the SDK's proxies holds, unknowns included."""
    return proxied["__target"]


def place() -> Place:
    """Where the stack is: a region's own configuration says it, for a tenant that of its region.

    Raises pulumi.RunError: it is not said.
    """
    stack = pulumi.get_stack()
    own = pulumi.Config("falaj").get_object("stack") or configured(stack)
    region = configured(str(own.get("region"))) if own.get("kind") == "tenant" else own
    said = {key: region.get(key) for key in ("cloud", "region", "jurisdiction")}
    if not all(isinstance(value, str) and value for value in said.values()):
        raise pulumi.RunError(f"Pulumi.{stack}.yaml: `{KEY}` does not lead to a cloud, a region and a jurisdiction")
    return Place(**{key: str(value) for key, value in said.items()}, tenant=own.get("tenant"))


def configured(stack: str) -> Mapping[str, Any]:
    """`falaj:stack` of a stack's file: of the local state's, else of the project's; empty where there is none."""
    home = os.environ.get("FALAJ_HOME")
    folders = [*([Path(home) / "stacks"] if home else []), ROOT / ".falaj" / "stacks", ROOT / "stacks" / "config"]
    for folder in folders:
        file = folder / f"Pulumi.{stack}.yaml"
        if file.is_file():
            found = ((yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("config") or {}).get(KEY)
            return found if isinstance(found, Mapping) else {}
    return {}


# Serves until the CLI ends it.
PolicyPack(
    "falaj",
    [policy(rule) for rule in RULES if Stage.PROVISION in rule.stages and rule.applies_to is ResourceFact],
    enforcement_level=EnforcementLevel.MANDATORY,
    description="Falaj's rules for what a stack declares",
)
