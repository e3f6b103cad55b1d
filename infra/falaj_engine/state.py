"""One resource as the checkpoint records it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from falaj_engine import urn as urns
from falaj_engine.values import Props, checkpoint_json, from_checkpoint, secret

# Keys of a checkpoint entry in the order the Pulumi CLI writes them, with the attribute and the value meaning "absent".
_FIELDS: tuple[tuple[str, str], ...] = (
    ("delete", "delete"),
    ("id", "id"),
    ("type", "type"),
    ("inputs", "inputs"),
    ("outputs", "outputs"),
    ("parent", "parent"),
    ("protect", "protect"),
    ("external", "external"),
    ("dependencies", "dependencies"),
    ("initErrors", "init_errors"),
    ("provider", "provider"),
    ("propertyDependencies", "property_dependencies"),
    ("pendingReplacement", "pending_replacement"),
    ("additionalSecretOutputs", "additional_secret_outputs"),
    ("aliases", "aliases"),
    ("customTimeouts", "custom_timeouts"),
    ("importID", "import_id"),
    ("retainOnDelete", "retain_on_delete"),
    ("deletedWith", "deleted_with"),
    ("created", "created"),
    ("modified", "modified"),
    ("sourcePosition", "source_position"),
    ("ignoreChanges", "ignore_changes"),
    ("replaceOnChanges", "replace_on_changes"),
)
_KNOWN = {"urn", "custom", *(key for key, _ in _FIELDS)}
_TUPLES = {
    "dependencies",
    "init_errors",
    "additional_secret_outputs",
    "aliases",
    "ignore_changes",
    "replace_on_changes",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResourceState:
    """A resource in a snapshot. Compared by identity: two entries may share a URN while one awaits deletion.

    property_dependencies: input name to the URNs it was computed from. custom_timeouts: seconds by operation.
    extra: fields of the checkpoint this engine does not use and keeps.
    """

    urn: str
    type: str
    custom: bool = False
    id: str = ""
    inputs: Props = field(default_factory=dict)
    outputs: Props = field(default_factory=dict)
    parent: str = ""
    protect: bool = False
    external: bool = False
    dependencies: tuple[str, ...] = ()
    provider: str = ""
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    init_errors: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    custom_timeouts: dict[str, Any] = field(default_factory=dict)
    delete: bool = False
    pending_replacement: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    import_id: str = ""
    created: str = ""
    modified: str = ""
    source_position: str = ""
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return urns.name_of(self.urn)

    @property
    def is_provider(self) -> bool:
        return self.type.startswith("pulumi:providers:")

    def references(self) -> set[str]:
        """URNs that must exist while this resource does."""
        found = {self.parent, self.deleted_with, *self.dependencies}
        for sources in self.property_dependencies.values():
            found.update(sources)
        if self.provider:
            found.add(self.provider.rsplit("::", 1)[0])
        found.discard("")
        return found

    def with_outputs(self, outputs: Props) -> ResourceState:
        """This state with these outputs; those the program named as additional secrets become secret."""
        names = outputs.keys() & set(self.additional_secret_outputs)
        return replace(self, outputs={**outputs, **{name: secret(outputs[name]) for name in names}})

    def renamed(self, renames: dict[str, str]) -> ResourceState:
        """This state with references to renamed resources brought up to date, or itself."""
        if not any(old in renames for old in self.references()):
            return self

        def new(urn: str) -> str:
            return renames.get(urn, urn)

        provider = self.provider
        if provider:
            provider_urn, provider_id = provider.rsplit("::", 1)
            provider = f"{new(provider_urn)}::{provider_id}"
        return replace(
            self,
            parent=new(self.parent),
            deleted_with=new(self.deleted_with),
            dependencies=tuple(map(new, self.dependencies)),
            property_dependencies={key: list(map(new, urns_)) for key, urns_ in self.property_dependencies.items()},
            provider=provider,
        )


def now() -> str:
    """The present moment as the checkpoint writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def entry_of(state: ResourceState) -> dict[str, Any]:
    """The checkpoint entry of a resource; secrets and unknowns still as values."""
    entry: dict[str, Any] = {"urn": state.urn, "custom": state.custom}
    for key, attribute in _FIELDS:
        value = getattr(state, attribute)
        if value:
            entry[key] = value
    entry.update(state.extra)
    return entry


def encode(state: ResourceState, encrypt: Callable[[str], str]) -> str:
    """The checkpoint entry as JSON, its secrets encrypted."""
    return checkpoint_json(entry_of(state), encrypt)


def decode(entry: dict[str, Any], decrypt: Callable[[str], str]) -> ResourceState:
    """The resource of a checkpoint entry. Raises PassphraseError for secrets that do not open."""
    values: dict[str, Any] = {"urn": entry["urn"], "custom": bool(entry.get("custom"))}
    for key, attribute in _FIELDS:
        value = entry.get(key)
        if value is None:
            continue
        if attribute in ("inputs", "outputs"):
            value = from_checkpoint(value, decrypt)
        elif attribute in _TUPLES:
            value = tuple(value)
        values[attribute] = value
    return ResourceState(**values, extra={key: value for key, value in entry.items() if key not in _KNOWN})
