"""Kubernetes inputs are manifests: what a program leaves to the provider is added, what would mute Checkov removed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from falaj_platform.checkov.convert import Converted, Unconvertible
from falaj_platform.checkov.values import plain
from falaj_policies.facts import ResourceFact

__all__ = ["NOT_APPLICABLE", "convert"]

# Components: the engine registers the objects that they render as children, and those are checked.
NOT_APPLICABLE: Final = frozenset(
    {
        "kubernetes:yaml:ConfigFile",
        "kubernetes:yaml:ConfigGroup",
        "kubernetes:kustomize:Directory",
        "kubernetes:helm.sh:Chart",
    }
)
# The provider renders a release's objects itself, out of sight of the program.
_OPAQUE: Final = frozenset({"kubernetes:helm.sh:Release"})
# A manifest may mute its own checks; here only a waiver may.
_MUTES: Final = ("checkov.io/", "bridgecrew.io/", "cortex.io/")


def convert(facts: Sequence[ResourceFact]) -> Converted:
    """A file for each object. Raises Unconvertible: a Helm release."""
    files: dict[str, str] = {}
    resources: dict[str, ResourceFact] = {}
    unknown: dict[str, tuple[str, ...]] = {}
    for fact in facts:
        if fact.kind in NOT_APPLICABLE:
            continue
        if fact.kind in _OPAQUE:
            raise Unconvertible(fact.type)
        found = plain(fact)
        for manifest in _manifests(fact, found.inputs):
            name = f"{len(files)}.json"
            files[name] = json.dumps([manifest])
            resources[name] = fact
            if found.unknown:
                unknown[name] = found.unknown
    return Converted(files, resources, _path, unknown)


def _manifests(fact: ResourceFact, inputs: dict[str, Any]) -> Iterator[dict[str, Any]]:
    version, _, kind = fact.type.removeprefix("kubernetes:").rpartition(":")
    kind = kind.removesuffix("Patch") or kind
    manifest = {"apiVersion": version.removeprefix("core/"), "kind": kind, **inputs}
    items = manifest.get("items")
    if kind.endswith("List") and isinstance(items, list):
        for item in items:
            if isinstance(item, dict):
                yield _named(
                    {"apiVersion": manifest["apiVersion"], "kind": kind.removesuffix("List"), **item}, fact.name
                )
    else:
        yield _named(manifest, fact.name)


def _named(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    said = manifest.get("metadata")
    metadata = dict(said) if isinstance(said, Mapping) else {}
    metadata.setdefault("name", metadata.get("generateName", name))
    annotations = metadata.get("annotations")
    if isinstance(annotations, Mapping):
        metadata["annotations"] = {
            key: value for key, value in annotations.items() if not any(mute in key for mute in _MUTES)
        }
    return {**manifest, "metadata": metadata}


def _path(_fact: ResourceFact, key: str) -> str:
    return re.sub(r"/(?=\[)", "", key).replace("/", ".")
