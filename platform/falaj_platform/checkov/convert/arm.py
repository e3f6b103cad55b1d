"""Azure inputs as ARM templates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from falaj_platform.checkov.convert import Converted, Unconvertible
from falaj_platform.checkov.convert.azure_types import NOT_APPLICABLE, TYPES, AzureType
from falaj_platform.checkov.values import plain
from falaj_policies.facts import ResourceFact

__all__ = ["convert"]

_SCHEMA: Final = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
# What a template writes for a value that only the deployment knows: text to every check, and no value in particular.
_LATER: Final = "[reference('later')]"
# Azure reads these alike; Checkov knows the first. Values of a rule's source.
_ANYWHERE: Final = frozenset({"*", "any", "internet", "0.0.0.0", "0.0.0.0/0", "::/0"})  # noqa: S104  # a value to look for
_SOURCES: Final = frozenset({"sourceAddressPrefix", "sourceAddressPrefixes"})
# What a sub-resource keeps beside its `properties`.
_BESIDE: Final = frozenset({"name", "id", "type", "zones", "sku", "properties"})


def convert(facts: Sequence[ResourceFact]) -> Converted:
    """A template for each resource, with copies of its children in it, which some checks look for. Raises
    Unconvertible: a type that `azure_types.TYPES` does not list."""
    used = [fact for fact in facts if fact.kind not in NOT_APPLICABLE]
    made = [(fact, *_resource(fact)) for fact in used]
    files: dict[str, str] = {}
    resources: dict[str, ResourceFact] = {}
    unknown: dict[str, tuple[str, ...]] = {}
    for number, (fact, resource, hidden) in enumerate(made):
        children = [child for other, child, _ in made if _is_child(other, fact)]
        whole = {**resource, "resources": children} if children else resource
        for spelling, type_ in enumerate((resource["type"], *_type_of(fact).spelled)):
            name = f"{number}-{spelling}.json"
            template = {"$schema": _SCHEMA, "contentVersion": "1.0.0.0", "resources": [{**whole, "type": type_}]}
            files[name] = json.dumps(template, indent=1)
            resources[name] = fact
            if hidden:
                unknown[name] = hidden
    return Converted(files, resources, _path, unknown)


def _type_of(fact: ResourceFact) -> AzureType:
    try:
        return TYPES[fact.kind]
    except KeyError:
        raise Unconvertible(fact.type) from None


def _is_child(other: ResourceFact, fact: ResourceFact) -> bool:
    """Whether `other` is one of the child resources that a template would write inside `fact`."""
    parent = _type_of(other).parent
    if parent is None or parent[0] != fact.kind:
        return False
    if fact.urn in other.references.get(parent[1], ()):
        return True
    named, name = other.inputs.get(parent[1]), fact.inputs.get(_type_of(fact).name)
    return isinstance(named, str) and named == name


def _resource(fact: ResourceFact) -> tuple[dict[str, Any], tuple[str, ...]]:
    type_ = _type_of(fact)
    found = plain(fact, stand_in=_LATER, top=True)
    said = found.inputs.get(type_.name)
    # A name that looks like an expression would make Checkov leave out what fails.
    name = said if isinstance(said, str) and not set(said) & set("([") else f"resource{fact.name.lower()}"[:24]
    name = "".join(letter for letter in name if letter not in "([")
    resource: dict[str, Any] = {"type": type_.type, "apiVersion": type_.version, "name": name}
    properties: dict[str, Any] = {}
    for key, value in found.inputs.items():
        if key in type_.top:
            resource[key] = _nested(type_, value)
        elif key not in (type_.name, "resourceGroupName"):
            properties[type_.renames.get(key, key)] = _nested_at(type_, key, value)
    lifted = resource.get("properties")
    if properties and not isinstance(lifted, str):
        resource["properties"] = {**(lifted or {}), **properties}
    return resource, tuple(_key(type_, key) for key in found.unknown)


def _nested(type_: AzureType, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _nested_at(type_, key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_nested(type_, item) for item in value]
    return value


def _nested_at(type_: AzureType, key: str, value: Any) -> Any:
    """A list of sub-resources: each of them has `properties` of its own."""
    found = _anywhere(value) if key in _SOURCES else _nested(type_, value)
    if key not in type_.nested:
        return found
    if isinstance(found, list):
        return [_sub(item) for item in found]
    return _sub(found)


def _anywhere(value: Any) -> Any:
    if isinstance(value, list):
        return [_anywhere(item) for item in value]
    return "*" if isinstance(value, str) and value.lower() in _ANYWHERE else value


def _sub(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    beside = {key: value for key, value in item.items() if key in _BESIDE}
    within = {key: value for key, value in item.items() if key not in _BESIDE}
    return {**beside, "properties": {**beside.get("properties", {}), **within}} if within else beside


def _key(type_: AzureType, key: str) -> str:
    """Where an input is in the template."""
    first, *rest = key.split("/")
    where = [first] if first in type_.top else ["properties", type_.renames.get(first, first)]
    for before, name in zip([first, *rest], rest, strict=False):
        if before in type_.nested and name not in _BESIDE:
            where.append("properties")
        where.append(name)
    return "/".join(where)


def _path(fact: ResourceFact, key: str) -> str:
    type_ = TYPES[fact.kind]
    back = {name: said for said, name in type_.renames.items()}
    lifted = "properties" not in fact.inputs
    parts = []
    for number, part in enumerate(key.replace(".", "/").split("/")):
        if part and not part.startswith("[") and not (part == "properties" and (lifted or number)):
            parts.append(back.get(part, part))
    return ".".join(parts)
