"""What a region's stack hands to its tenants' stacks: one typed model, exported and required key by key."""

from __future__ import annotations

from typing import Any

import pulumi
from pydantic import BaseModel, ConfigDict

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
    """The outputs of the region's stack of this project; a missing one fails the program, naming it."""
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"
    reference = pulumi.StackReference(stack, stack_name=name)
    values = {field: reference.require_output(field) for field in RegionOutputs.model_fields}
    return pulumi.Output.all(**values).apply(RegionOutputs.model_validate)
