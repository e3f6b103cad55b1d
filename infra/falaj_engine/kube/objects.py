"""Pure functions over Kubernetes objects and their inputs."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from falaj_engine import urn as urns
from falaj_engine.snapshot import Pending
from falaj_engine.values import UNKNOWN, Props, Secret, has_unknown, reveal, secret, secrets_like

AUTONAMED = "pulumi.com/autonamed"
MANAGER = "pulumi-kubernetes"
# Clocks of this machine and of the API server may differ by this much.
_SKEW = timedelta(seconds=30)


def group_version_kind(type_: str, inputs: Mapping[str, Any]) -> tuple[str, str]:
    """apiVersion and kind, from the inputs or the type token (`kubernetes:core/v1:ConfigMap`)."""
    _, module, kind = type_.split(":", 2)
    group, _, version = module.partition("/")
    derived = version if group == "core" else module
    return str(reveal(inputs.get("apiVersion")) or derived), str(reveal(inputs.get("kind")) or kind)


def metadata_of(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata with secrets opened at its top, empty when absent or unknown."""
    metadata = inputs.get("metadata")
    metadata = metadata.value if isinstance(metadata, Secret) else metadata
    return dict(metadata) if isinstance(metadata, Mapping) else {}


def with_metadata(inputs: Props, metadata: dict[str, Any]) -> Props:
    """The inputs with this metadata, as secret as it was."""
    before = inputs.get("metadata")
    return {**inputs, "metadata": secret(metadata) if isinstance(before, Secret) else metadata}


def name_of(inputs: Mapping[str, Any]) -> Any:
    """The object's name, None, or unknown."""
    return reveal(metadata_of(inputs).get("name"))


def namespace_of(inputs: Mapping[str, Any]) -> Any:
    """The object's namespace, None, or unknown."""
    return reveal(metadata_of(inputs).get("namespace"))


def annotation(inputs: Mapping[str, Any], key: str) -> str | None:
    """An annotation's text."""
    annotations = reveal(metadata_of(inputs).get("annotations"))
    value = annotations.get(key) if isinstance(annotations, Mapping) else None
    return value if isinstance(value, str) else None


def has_annotation(inputs: Mapping[str, Any], key: str) -> bool:
    """True when the annotation is there, its value known or not."""
    annotations = reveal(metadata_of(inputs).get("annotations"))
    return isinstance(annotations, Mapping) and key in annotations


def named(inputs: Props, urn: str, olds: Mapping[str, Any] | None) -> Props:
    """Inputs with a name: the one given, that of the old object if it was generated, or a new one."""
    if isinstance(inputs.get("metadata"), type(UNKNOWN)):
        return inputs
    metadata = metadata_of(inputs)
    if metadata.get("name"):
        return inputs
    if olds is not None and annotation(olds, AUTONAMED) == "true":
        metadata["name"] = name_of(olds)
    else:
        metadata["name"] = f"{urns.name_of(urn)}-{secrets.token_hex(4)}"
    metadata["annotations"] = {**(reveal(metadata.get("annotations")) or {}), AUTONAMED: "true"}
    return with_metadata(inputs, metadata)


def encoded(inputs: Props) -> Props:
    """A Secret's inputs with stringData folded into data, as the API server does, and data secret."""
    strings = inputs.get("stringData")
    data = inputs.get("data")
    if strings is None and data is None:
        return inputs
    rest = {key: value for key, value in inputs.items() if key not in ("stringData", "data")}
    if has_unknown(strings) and not isinstance(reveal(strings), Mapping):
        return {**rest, "data": secret(UNKNOWN)}
    merged = dict(reveal(data) or {}) if not has_unknown(data) or isinstance(reveal(data), Mapping) else {}
    for key, value in (reveal(strings) or {}).items():
        merged[key] = value if value is UNKNOWN else base64.b64encode(str(value).encode()).decode()
    return {**rest, "data": secret(merged)}


def foretold(inputs: Props) -> Props:
    """Outputs of an object that is not there yet: the inputs, and unknown what the server will decide."""
    outputs = dict(inputs)
    metadata = outputs.get("metadata")
    if isinstance(metadata, Mapping):
        outputs["metadata"] = {**_unknown_metadata(), **metadata}
    outputs["status"] = UNKNOWN
    return outputs


def dry(live: Props, inputs: Props) -> Props:
    """Outputs of a dry run: what the server answered, less what it only made up for the occasion."""
    outputs: Props = secrets_like(live, inputs)
    outputs["metadata"] = {**outputs.get("metadata", {}), **_unknown_metadata()}
    outputs["metadata"].pop("managedFields", None)
    outputs["status"] = UNKNOWN
    spec = outputs.get("spec")
    wanted = reveal(inputs.get("spec")) if isinstance(reveal(inputs.get("spec")), Mapping) else {}
    if live.get("kind") == "Service" and isinstance(spec, dict):
        outputs["spec"] = {
            key: UNKNOWN if key in ("clusterIP", "clusterIPs") and key not in wanted else value
            for key, value in spec.items()
        }
    return outputs


def _unknown_metadata() -> dict[str, Any]:
    return dict.fromkeys(("uid", "resourceVersion", "creationTimestamp", "generation"), UNKNOWN)


def outputs(live: Props, inputs: Props, manager: str, initial: str) -> Props:
    """Outputs as pulumi-kubernetes records them; a Secret's data is secret whoever put it there."""
    return {
        **secrets_like(live, inputs),
        **({"data": secret(live["data"])} if live.get("kind") == "Secret" and "data" in live else {}),
        "__fieldManager": manager,
        "__initialApiVersion": initial,
        "__inputs": inputs,
    }


def new_manager() -> str:
    """A field manager of one resource's own."""
    return f"{MANAGER}-{secrets.token_hex(4)}"


def id_of(live: Mapping[str, Any]) -> str:
    """`namespace/name`, or the name of what has no namespace."""
    metadata = live["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


def made_by(live: Mapping[str, Any], pending: Pending) -> bool:
    """True when a creation that was cut off made the object: through Pulumi, and not before the intent was recorded."""
    metadata = live.get("metadata", {})
    if not any(entry.get("manager", "").startswith(MANAGER) for entry in metadata.get("managedFields") or ()):
        return False
    try:
        made = datetime.fromisoformat(metadata["creationTimestamp"].replace("Z", "+00:00"))
        meant = datetime.fromisoformat(pending.state.created.replace("Z", "+00:00"))
    except (KeyError, ValueError):
        return False
    if meant.tzinfo is None:
        meant = meant.replace(tzinfo=UTC)
    return made >= meant - _SKEW


def handed_over(live: Mapping[str, Any], manager: str) -> list[dict[str, Any]] | None:
    """managedFields in which what the creating POST owns belongs to `manager`'s apply, or None when that is so already.

    Without this a field left out of a later apply would stay, owned by the POST.
    """
    entries = live.get("metadata", {}).get("managedFields") or []

    def posted(entry: Mapping[str, Any]) -> bool:
        return entry.get("manager") == MANAGER and entry.get("operation") == "Update" and not entry.get("subresource")

    if not any(map(posted, entries)):
        return None
    applied = any(entry.get("manager") == manager and entry.get("operation") == "Apply" for entry in entries)
    return [
        {**entry, "manager": manager, "operation": "Apply"} if posted(entry) else entry
        for entry in entries
        if not (applied and posted(entry))
    ]


def live_inputs(inputs: Any, before: Any, live: Any) -> Any:
    """What the program would have to say to get `live`: its inputs, changed where the object has changed since
    `before`.

    Comparing with what the server answered last time keeps its own spelling of a value (`1` for `1000m`) from looking
    like a change.
    """
    if isinstance(inputs, Secret):
        return secret(live_inputs(inputs.value, reveal(before), reveal(live)))
    before, live = reveal(before), reveal(live)
    if isinstance(inputs, Mapping) and isinstance(live, Mapping):
        old = before if isinstance(before, Mapping) else {}
        found = {}
        for key, value in inputs.items():
            if key in live:
                found[key] = live_inputs(value, old.get(key), live[key])
            elif key not in old:
                found[key] = value
        return found
    if isinstance(inputs, list) and isinstance(live, list) and len(inputs) == len(live):
        old_list = before if isinstance(before, list) and len(before) == len(live) else [None] * len(live)
        return [live_inputs(*triple) for triple in zip(inputs, old_list, live, strict=True)]
    return inputs if live == before else live
