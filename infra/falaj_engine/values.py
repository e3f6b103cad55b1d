"""Property values: plain JSON values plus two wrappers, `Secret` and `UNKNOWN`.

Three shapes are converted here: the SDK's protobuf `Struct`, the checkpoint's JSON (secrets encrypted), and what
providers get (secrets removed). Resource references and assets stay plain objects carrying Pulumi's signature key:
both shapes are the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.struct_pb2 import ListValue, Struct, Value

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - Pulumi's published marker, not a secret
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Props = dict[str, Any]


class Unknown:
    """A value that only an update will produce. There is one, `UNKNOWN`."""

    def __repr__(self) -> str:
        return "<unknown>"

    def __deepcopy__(self, _memo: dict[int, Any]) -> Unknown:
        return self


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that must be encrypted in state and never printed.

    ciphertext: as read from a checkpoint, kept so that an unchanged secret is written back unchanged.
    """

    value: Any = field(repr=False)
    ciphertext: str | None = field(default=None, compare=False, repr=False)

    def __hash__(self) -> int:
        return hash(json.dumps(self.value, sort_keys=True, default=repr))


def from_struct(struct: Struct) -> Props:
    """The SDK's inputs or outputs as values."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text == UNKNOWN_TEXT else text
    if kind == "struct_value":
        fields = value.struct_value.fields
        if SIGNATURE in fields and fields[SIGNATURE].string_value == SECRET_SIGNATURE:
            return secret(_from_value(fields["value"]))
        return {key: _from_value(item) for key, item in fields.items()}
    if kind == "list_value":
        return [_from_value(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    if kind == "bool_value":
        return value.bool_value
    return None


def to_struct(props: Mapping[str, Any], struct: Struct | None = None) -> Struct:
    """Values as the SDK expects them, secrets marked."""
    struct = Struct() if struct is None else struct
    fields = struct.fields
    for key, item in props.items():
        _to_value(item, fields[key])
    return struct


def _to_value(item: Any, value: Value) -> None:
    if isinstance(item, str):
        value.string_value = item
    elif item is None:
        value.null_value = 0  # type: ignore[assignment]
    elif isinstance(item, bool):
        value.bool_value = item
    elif isinstance(item, int | float):
        value.number_value = item
    elif isinstance(item, dict):
        value.struct_value.SetInParent()
        to_struct(item, value.struct_value)
    elif isinstance(item, list | tuple):
        value.list_value.SetInParent()
        target: ListValue = value.list_value
        for element in item:
            _to_value(element, target.values.add())
    elif isinstance(item, Secret):
        fields = value.struct_value.fields
        fields[SIGNATURE].string_value = SECRET_SIGNATURE
        _to_value(item.value, fields["value"])
    elif item is UNKNOWN:
        value.string_value = UNKNOWN_TEXT
    else:
        raise TypeError(f"a property of type {type(item).__name__} cannot be sent to a program")


def checkpoint_json(item: Any, encrypt: Callable[[str], str]) -> str:
    """Values as they stand in a checkpoint: secrets encrypted, unknowns as their marker."""

    def special(part: Any) -> Any:
        if isinstance(part, Secret):
            text = part.ciphertext
            return {SIGNATURE: SECRET_SIGNATURE, "ciphertext": encrypt(open_json(part.value)) if text is None else text}
        if part is UNKNOWN:
            return UNKNOWN_TEXT
        raise TypeError(f"a property of type {type(part).__name__} cannot be recorded")

    return json.dumps(item, separators=(",", ":"), default=special)


def open_json(item: Any) -> str:
    """Values as JSON, secrets opened, unknowns as their marker. For encryption and providers, never for people."""

    def special(part: Any) -> Any:
        if isinstance(part, Secret):
            return part.value
        if part is UNKNOWN:
            return UNKNOWN_TEXT
        raise TypeError(f"a property of type {type(part).__name__} cannot be written as JSON")

    return json.dumps(item, separators=(",", ":"), default=special)


def from_checkpoint(item: Any, decrypt: Callable[[str], str]) -> Any:
    """The inverse of `checkpoint_json`, parsed. decrypt raises PassphraseError."""
    if isinstance(item, dict):
        if item.get(SIGNATURE) == SECRET_SIGNATURE:
            if "ciphertext" in item:
                text = item["ciphertext"]
                return Secret(json.loads(decrypt(text)), text)
            return Secret(json.loads(item["plaintext"]))
        return {key: from_checkpoint(child, decrypt) for key, child in item.items()}
    if isinstance(item, list):
        return [from_checkpoint(child, decrypt) for child in item]
    return UNKNOWN if item == UNKNOWN_TEXT else item


def reveal(item: Any) -> Any:
    """The value with every secret opened; unknowns stay."""
    if isinstance(item, str):
        return item
    if isinstance(item, dict):
        return {key: reveal(child) for key, child in item.items()}
    if isinstance(item, list | tuple):
        return [reveal(child) for child in item]
    return reveal(item.value) if isinstance(item, Secret) else item


def resealed(item: Any) -> Any:
    """The value with its secrets to be encrypted anew: what was read from another stack is not under this one's key."""
    if isinstance(item, dict):
        return {key: resealed(child) for key, child in item.items()}
    if isinstance(item, list | tuple):
        return [resealed(child) for child in item]
    return Secret(resealed(item.value)) if isinstance(item, Secret) else item


def mask(item: Any) -> Any:
    """The value fit to be shown: secrets as `[secret]`, unknowns as Pulumi's marker."""
    if isinstance(item, dict):
        return {key: mask(child) for key, child in item.items()}
    if isinstance(item, list | tuple):
        return [mask(child) for child in item]
    if isinstance(item, Secret):
        return "[secret]"
    return UNKNOWN_TEXT if item is UNKNOWN else item


def secret(item: Any) -> Secret:
    """Mark as secret, once."""
    return item if isinstance(item, Secret) else Secret(item)


def has_unknown(item: Any) -> bool:
    """True when any part is unknown."""
    if isinstance(item, dict):
        return any(has_unknown(child) for child in item.values())
    if isinstance(item, list | tuple):
        return any(has_unknown(child) for child in item)
    if isinstance(item, Secret):
        return has_unknown(item.value)
    return item is UNKNOWN


def has_secret(item: Any) -> bool:
    """True when any part is secret."""
    if isinstance(item, dict):
        return any(has_secret(child) for child in item.values())
    if isinstance(item, list | tuple):
        return any(has_secret(child) for child in item)
    return isinstance(item, Secret)


def secret_paths(item: Any, path: str = "") -> Iterator[str]:
    """Where the secrets in a value are, as findings write it: `spec.env[0].value`."""
    if isinstance(item, Secret):
        yield path
    elif isinstance(item, Mapping):
        for key, below in item.items():
            yield from secret_paths(below, f"{path}.{key}" if path else str(key))
    elif isinstance(item, list | tuple):
        for index, below in enumerate(item):
            yield from secret_paths(below, f"{path}[{index}]")


def secrets_like(item: Any, pattern: Any) -> Any:
    """`item` with the parts marked secret that are secret in `pattern` at the same place."""
    if isinstance(pattern, Secret):
        return item if item is None else secret(item)
    if isinstance(item, dict) and isinstance(pattern, dict):
        if not has_secret(pattern):
            return item
        return {key: secrets_like(child, pattern[key]) if key in pattern else child for key, child in item.items()}
    if isinstance(item, list) and isinstance(pattern, list) and has_secret(pattern):
        if len(item) != len(pattern):
            return secret(item)
        return [secrets_like(child, same) for child, same in zip(item, pattern, strict=True)]
    return item
