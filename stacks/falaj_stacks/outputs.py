"""What a region's stack hands to its tenants' stacks: one typed model, exported and required key by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.output import Unknown, contains_unknowns
from pydantic import BaseModel, ConfigDict, ValidationError

from falaj_stacks.errors import StackError

__all__ = ["RegionOutputs", "export", "of_region"]


class RegionOutputs(BaseModel):
    """A region as its tenants see it. `control_plane` are the addresses that the API server and Vault answer from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    jurisdiction: str
    cloud: str
    region: str
    image: str
    storage_class: str
    control_plane: list[str]
    token_reviewer_role: str
    vault_url: str
    vault_internal_url: str
    vault_ca: str
    vault_auth_mount: str


def export(**outputs: pulumi.Input[Any]) -> None:
    """Export a region's outputs: exactly the fields of RegionOutputs.

    Raises ValueError: a field is missing or is not one.
    """
    if set(outputs) != set(RegionOutputs.model_fields):
        raise ValueError(f"a region exports {sorted(RegionOutputs.model_fields)}, not {sorted(outputs)}")
    for name, value in outputs.items():
        pulumi.export(name, value)


def of_region(stack: str) -> pulumi.Output[RegionOutputs]:
    """The outputs of the region's stack of this project; at preview each may be `pulumi.UNKNOWN` by itself.

    Raises pulumi.RunError: the region is not up, or was brought up by a Falaj that exports something else.
    """
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"
    reference = pulumi.StackReference(stack, stack_name=name)
    # `require_output` would end in a traceback; this requires every output, in one line. What is not known of one of
    # them leaves the others known.
    return reference.outputs.apply(lambda outputs: _required(stack, outputs), run_with_unknowns=True)


def _required(stack: str, outputs: Mapping[str, Any] | Unknown) -> Any:
    if isinstance(outputs, Unknown):
        return outputs
    missing = sorted(set(RegionOutputs.model_fields) - set(outputs))
    if len(missing) == len(RegionOutputs.model_fields):
        raise StackError(f"stack {stack} is not up: run `falaj up -s {stack}` first")
    if missing:
        raise StackError(f"stack {stack} has no output {', '.join(missing)}: run `falaj up -s {stack}` again first")
    values = {field: outputs[field] for field in RegionOutputs.model_fields}
    if contains_unknowns(values):
        return RegionOutputs.model_construct(**values)
    try:
        return RegionOutputs.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise StackError(f"stack {stack}: output {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
