"""AWS inputs as a Terraform plan, with the references between resources, so that Checkov's graph checks work."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from falaj_platform.checkov.convert import Converted, Unconvertible
from falaj_platform.checkov.convert.aws_types import NOT_APPLICABLE, TYPES, AwsType
from falaj_platform.checkov.values import camel, plain, snake
from falaj_policies.facts import ResourceFact

__all__ = ["convert"]

# Checkov's own mark for a value that is known after the apply only: something, and no value in particular.
_LATER: Final = "true_after_unknown"
# Arguments that are JSON documents in Terraform, and may be objects in Pulumi.
_DOCUMENTS: Final = frozenset({"policy", "assumeRolePolicy", "accessPolicies"})


def convert(facts: Sequence[ResourceFact]) -> Converted:
    """One plan with all the resources. Raises Unconvertible: a type that `aws_types.TYPES` does not list."""
    used = [fact for fact in facts if fact.kind not in NOT_APPLICABLE]
    addresses = {fact.urn: f"{_type_of(fact).name}.r{number}" for number, fact in enumerate(used)}
    buckets = {
        name: addresses[fact.urn]
        for fact in used
        if fact.kind == "aws:s3:Bucket" and isinstance(name := fact.inputs.get("bucket"), str)
    }
    planned, changes, configured = [], [], []
    resources: dict[str, ResourceFact] = {}
    unknown: dict[str, tuple[str, ...]] = {}
    for number, fact in enumerate(used):
        type_ = _type_of(fact)
        address = f"{type_.name}.r{number}"
        found = plain(fact, stand_in=_LATER)
        later = {_name(type_, key): True for key in found.unknown if "/" not in key}
        unsaid = {key: value for key, value in type_.defaults.items() if key not in later}
        values = {**unsaid, **_block(type_, found.inputs)}
        base = {"address": address, "mode": "managed", "type": type_.name, "name": f"r{number}"}
        planned.append({**base, "values": values})
        changes.append(
            {**base, "change": {"actions": ["create"], "before": None, "after": values, "after_unknown": later}}
        )
        configured.append({**base, "expressions": _expressions(fact, type_, addresses, buckets)})
        resources[address] = fact
        if found.unknown:
            unknown[address] = tuple("/".join(_name(type_, name) for name in key.split("/")) for key in found.unknown)
    plan = {
        "format_version": "1.2",
        "terraform_version": "1.9.0",
        "planned_values": {"root_module": {"resources": planned}},
        "resource_changes": changes,
        "configuration": {"root_module": {"resources": configured}},
    }
    return Converted({"plan.json": json.dumps(plan)} if resources else {}, resources, _path, unknown)


def _type_of(fact: ResourceFact) -> AwsType:
    try:
        return TYPES[fact.kind]
    except KeyError:
        raise Unconvertible(fact.type) from None


def _name(type_: AwsType, key: str) -> str:
    return type_.renames.get(key) or snake(key)


def _block(type_: AwsType, inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {_name(type_, key): _value(type_, key, value) for key, value in inputs.items()}


def _value(type_: AwsType, key: str, value: Any) -> Any:
    if key in _DOCUMENTS and isinstance(value, Mapping):
        return json.dumps(value)
    # The tags of a bucket are a map; those of an autoscaling group are blocks.
    if isinstance(value, Mapping):
        return dict(value) if key in type_.maps else [_block(type_, value)]
    if isinstance(value, list):
        return [_block(type_, item) if isinstance(item, Mapping) else item for item in value]
    return value


def _expressions(
    fact: ResourceFact, type_: AwsType, addresses: Mapping[str, str], buckets: Mapping[str, str]
) -> dict[str, Any]:
    """What each argument was computed from. What belongs to a bucket may also name it by its literal name."""
    found: dict[str, Any] = {}
    for key, urns in fact.references.items():
        those = [addresses[urn] for urn in urns if urn in addresses]
        if those:
            top = key.replace("[", ".").split(".")[0]
            found[_name(type_, top)] = {"references": [text for at in those for text in (f"{at}.id", at)]}
    named = fact.inputs.get("bucket")
    if fact.kind.startswith("aws:s3:Bucket") and fact.kind != "aws:s3:Bucket" and isinstance(named, str):
        at = buckets.get(named)
        if at is not None:
            found.setdefault("bucket", {"references": [f"{at}.id", at]})
    return found


def _path(fact: ResourceFact, key: str) -> str:
    back = {name: plural for plural, name in TYPES[fact.kind].renames.items()}
    parts = []
    for part in key.replace(".", "/").split("/"):
        if part and not part.startswith("[") and not part.isdigit():
            parts.append(back.get(part) or camel(part))
    return ".".join(parts)
