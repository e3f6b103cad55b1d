"""Facts as plain JSON, between the process that runs a program and the one that asks Checkov."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from falaj_policies import ResourceFact

__all__ = ["known_text", "received", "replaced", "sent"]


def sent(fact: ResourceFact) -> dict[str, Any]:
    """A fact as JSON; UNKNOWN is Pulumi's own marker."""
    from falaj_engine.values import UNKNOWN_TEXT
    from falaj_policies import UNKNOWN

    return {
        "urn": fact.urn,
        "type": fact.type,
        "name": fact.name,
        "inputs": replaced(fact.inputs, UNKNOWN, UNKNOWN_TEXT),
        "cloud": known_text(fact.cloud),
        "region": known_text(fact.region),
        "references": {key: list(urns) for key, urns in fact.references.items()},
        "secret_paths": sorted(fact.secret_paths),
    }


def received(item: Mapping[str, Any], jurisdiction: str) -> ResourceFact:
    """The fact that `sent` was given."""
    from falaj_engine.values import UNKNOWN_TEXT
    from falaj_policies import UNKNOWN, ResourceFact

    return ResourceFact(
        urn=item["urn"],
        type=item["type"],
        name=item["name"],
        inputs=replaced(item["inputs"], UNKNOWN_TEXT, UNKNOWN),
        cloud=item["cloud"] or UNKNOWN,
        region=item["region"] or UNKNOWN,
        jurisdiction=jurisdiction,
        references={key: tuple(urns) for key, urns in item["references"].items()},
        secret_paths=frozenset(item["secret_paths"]),
    )


def replaced(value: Any, old: Any, new: Any) -> Any:
    """`value` with `new` wherever in it `old` is."""
    if isinstance(value, Mapping):
        return {key: replaced(item, old, new) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [replaced(item, old, new) for item in value]
    return new if value is old or value == old else value


def known_text(value: Any) -> str:
    """A text, empty for what is not known."""
    return value if isinstance(value, str) else ""
