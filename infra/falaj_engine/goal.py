"""What the program asks for: one registration, and the state that would fulfil it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from falaj_engine import urn as urns
from falaj_engine.state import ResourceState
from falaj_engine.values import Props


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A resource as the program wants it. Names follow Pulumi's RegisterResource request.

    stack_trace: the frames that made it, innermost first, as (file, line); only captures look at it.
    """

    type: str
    name: str
    custom: bool
    parent: str = ""
    inputs: Props = field(default_factory=dict)
    provider: str = ""
    version: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, list[str]] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    protect: bool = False
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    delete_before_replace: bool | None = None
    additional_secret_outputs: tuple[str, ...] = ()
    custom_timeouts: Mapping[str, float] = field(default_factory=dict)
    retain_on_delete: bool = False
    deleted_with: str = ""
    source_position: str = ""
    stack_trace: tuple[tuple[str, int], ...] = ()


def state_of(goal: Goal, urn: str, provider: str) -> ResourceState:
    """The state a goal asks for, without an id and outputs. provider: its provider's reference."""
    return ResourceState(
        urn=urn,
        type=goal.type,
        custom=goal.custom,
        inputs=goal.inputs,
        parent=goal.parent,
        protect=goal.protect,
        dependencies=goal.dependencies,
        provider=provider,
        property_dependencies={key: list(value) for key, value in goal.property_dependencies.items()},
        additional_secret_outputs=goal.additional_secret_outputs,
        custom_timeouts=dict(goal.custom_timeouts),
        retain_on_delete=goal.retain_on_delete,
        deleted_with=goal.deleted_with,
        source_position=goal.source_position,
        ignore_changes=goal.ignore_changes,
        replace_on_changes=goal.replace_on_changes,
    )


def is_default(reference: str) -> bool:
    """True for the reference of a provider the engine made by itself."""
    return bool(reference) and default_name(urns.name_of(reference.rsplit("::", 1)[0]))


def default_name(name: str) -> bool:
    """True for what the engine calls its providers: `default`, `default_4_34_2`. Others are the program's."""
    return re.fullmatch(r"default(_v?\d.*)?", name) is not None
