"""URNs: `urn:pulumi:<stack>::<project>::<parent types$type>::<name>`."""

from __future__ import annotations

STACK_TYPE = "pulumi:pulumi:Stack"


def make(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """The URN of a resource. parent: its parent's URN, or empty."""
    if parent:
        parent_type = qualified_type(parent)
        if parent_type != STACK_TYPE:
            type_ = f"{parent_type}${type_}"
    return f"urn:pulumi:{stack}::{project}::{type_}::{name}"


def qualified_type(urn: str) -> str:
    """The type with its parents' types before it."""
    return urn.split("::", 3)[2]


def type_of(urn: str) -> str:
    """The resource's own type token."""
    return qualified_type(urn).rsplit("$", 1)[-1]


def name_of(urn: str) -> str:
    """The resource's logical name."""
    return urn.split("::", 3)[3]


def package_of(type_: str) -> str:
    """The provider package of a type token."""
    return type_.split(":", 1)[0]


def short(urn: str) -> str:
    """What people are shown: type and name."""
    return f"{type_of(urn)}::{name_of(urn)}"
