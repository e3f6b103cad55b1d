"""The policy pack for the Pulumi CLI: `pulumi up --policy-pack policies`, which `falaj up` adds by itself.

One mandatory policy for each rule of stage `provision` over a resource, and one for each over a whole stack, under the
rule's own id and in its words; those of the installed rule packages too. What judges is the function that the gate
inside the programs uses, applied by the engine to every resource, whoever declared it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
    proxy,
)

from falaj_infra.errors import InfraError
from falaj_infra.judge import UNJUDGED, verdict
from falaj_infra.place import backend_of, place_of, stack_folders
from falaj_infra.waivers import Waivers, load, today
from falaj_policies import UNKNOWN, Place, PoliciesError, ResourceFact, Rule, StackFact, Stage, all_rules, apply
from falaj_policies.facts import kind_of

PACK = Path(__file__).resolve().parent
UNKNOWNS = {getattr(proxy, name) for name in dir(proxy) if name.startswith("UNKNOWN_") and name.endswith("_VALUE")}


def resource_policy(rules: Sequence[Rule]) -> ResourceValidationPolicy:
    """The rules of one id over a resource as Pulumi's engine applies them."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        def fact(unknown: list[str]) -> ResourceFact | None:
            kind = kind_of(args.resource_type)
            looked_at = any(rule.kinds is None or kind in rule.kinds for rule in rules)
            return resource(args, unknown) if looked_at else None

        judge(rules, fact, args.urn, report, args.not_applicable)

    return ResourceValidationPolicy(**words(rules[0], rules[0].id), validate=validate)


def stack_policy(rules: Sequence[Rule], name: str) -> StackValidationPolicy:
    """The rules of one id over a stack, which the engine applies when the program has ended."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        def fact(unknown: list[str]) -> StackFact:
            return place().stack(
                pulumi.get_stack(),
                tuple(resource(item, unknown) for item in args.resources),
                backend=backend_of(project()),
                encryption=str(stack_file().get("secretsprovider") or ""),
            )

        judge(rules, fact, pulumi.get_stack(), report, args.not_applicable)

    return StackValidationPolicy(**words(rules[0], name), validate=validate)


def judge(
    rules: Sequence[Rule],
    make: Callable[[list[str]], ResourceFact | StackFact | None],
    subject: str,
    report: ReportViolation,
    note: Callable[[str], None],
) -> None:
    """Report what the rules object to; what they cannot decide at preview is an advice there, at up a refusal.

    `make` makes the fact, None where the rules are not about it, and lists the paths of what is not known.
    """
    unknown: list[str] = []
    try:
        fact = make(unknown)
        if fact is None:
            return
        waits = bool(unknown) and pulumi.runtime.is_dry_run()
        findings = [
            # Where the state is, nobody will know better at up.
            replace(finding, undecided=False) if finding.path == "backend" else finding
            for rule in rules
            for finding in apply(rule, fact, Stage.PROVISION)
        ]
        found = verdict(findings, waivers(), decided=not waits, day=today())
    except Exception as error:  # noqa: BLE001 - fails closed, whatever went wrong
        why = str(error) if isinstance(error, InfraError) else type(error).__name__
        report(f"{rules[0].id} {subject}: the rule could not be applied ({why}), so it denies", None)
        return
    for line in found.refused:
        report(line, None)
    # The SDK makes an advice of the one and a note of the other, beside what is reported above.
    if found.undecided:
        raise proxy.UnknownValueError(proxy.UNKNOWN_STRING_VALUE, [found.undecided[0].path or unknown[0]])
    if found.waived:
        note("; ".join([*(f"{item.finding}: {item.waiver}" for item in found.waived), waivers().proof]))


def words(rule: Rule, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "display_name": rule.title,
        "description": rule.rationale,
        "remediation_steps": rule.remedy,
        "severity": Severity(rule.severity.value),
        "enforcement_level": EnforcementLevel.MANDATORY,
    }


def resource(args: Any, unknown: list[str]) -> ResourceFact:
    """A resource as rules take it, out of the SDK's form of one, in either kind of policy."""
    inputs = {key: plain(value, key, unknown) for key, value in items(args.props) if key not in UNJUDGED}
    provider = {} if args.provider is None else plain(args.provider.props, "provider", unknown)
    references = {
        key: tuple(source.urn for source in sources)
        for key, sources in getattr(args, "property_dependencies", {}).items()
        if sources
    }
    known = {key: value for key, value in inputs.items() if value is not None}
    return place().resource(
        args.resource_type, args.name, known, urn=args.urn, provider=provider, references=references
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


def items(mapping: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    found: Iterable[tuple[str, Any]] = behind(mapping).items()
    return found


def behind(proxied: Any) -> Any:
    """What one of the SDK's proxies holds, unknowns included."""
    return proxied["__target"]


@cache
def project() -> Path:
    """The directory of the project: what `falaj up` says, else the nearest Pulumi.yaml, else the pack's own home."""
    if said := os.environ.get("FALAJ_PROJECT"):
        return Path(said)
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "Pulumi.yaml").is_file()), PACK.parent)


@cache
def waivers() -> Waivers:
    return load(project())


@cache
def place() -> Place:
    """Where the stack is: by the engine's configuration, else by the stack's file. Raises PlaceError."""
    said: dict[str, object] = {
        key: value for key, value in pulumi.runtime.get_config_env().items() if key.startswith("falaj:")
    }
    if not said:
        config = stack_file().get("config")
        said = dict(config) if isinstance(config, Mapping) else {}
    return place_of(pulumi.get_stack(), said, stack_folders(project()))


@cache
def stack_file() -> Mapping[str, Any]:
    """What the stack's file says, the local one first; empty where there is none."""
    import yaml

    for folder in stack_folders(project()):
        file = folder / f"Pulumi.{pulumi.get_stack()}.yaml"
        if file.is_file():
            found = yaml.safe_load(file.read_text(encoding="utf-8"))
            return found if isinstance(found, Mapping) else {}
    return {}


def by_id(fact: type[ResourceFact | StackFact]) -> dict[str, list[Rule]]:
    """The rules of stage `provision` over one type of fact."""
    found: dict[str, list[Rule]] = {}
    for rule in all_rules():
        if Stage.PROVISION in rule.stages and rule.applies_to is fact:
            found.setdefault(rule.id, []).append(rule)
    return found


def policies() -> list[ResourceValidationPolicy | StackValidationPolicy]:
    """All of the pack; a rule id that is about resources and about stacks has a policy for each, the second named so.

    Raises PoliciesError: an installed rule package cannot be used.
    """
    resources, stacks = by_id(ResourceFact), by_id(StackFact)
    return [
        *(resource_policy(rules) for rules in resources.values()),
        *(stack_policy(rules, f"{name}-stack" if name in resources else name) for name, rules in stacks.items()),
    ]


try:
    found = policies()
except PoliciesError as error:
    sys.exit(f"falaj: nothing can be judged, so nothing passes: {error}")
# Serves until the CLI ends it.
PolicyPack(
    "falaj",
    list(found),
    enforcement_level=EnforcementLevel.MANDATORY,
    description="Falaj's rules for what a stack declares, and those of the installed rule packages",
)
