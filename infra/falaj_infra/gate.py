"""The gate inside the program: every resource is judged by the rules before it is registered.

`attach` is called by a stack's program, so that a plain `pulumi up` without any flag is governed. Each property is
judged by itself as soon as it is known, with what else is plainly known beside it: one unknown value does not put off
the judgement of the others. At up everything is known, and what is still undecided then is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi._types import input_type_to_dict, is_input_type

from falaj_policies import UNKNOWN, Finding, ResourceFact, Stage, Unknown, evaluate

__all__ = ["Place", "attach", "judge"]

# Where a resource says itself where it is, by the first part of its type; all others are where the stack is.
CLOUDS = {"aws": "region", "azure-native": "location", "azure": "location"}
UNJUDGED = frozenset({"__provider"})


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a stack's resources are: a (cloud, region) pair, and the jurisdiction that it must lie in."""

    cloud: str
    region: str
    jurisdiction: str
    tenant: str | None = None


def attach(place: pulumi.Input[Place]) -> None:
    """Judge every resource that the program registers from here on.

    Raises pulumi.RunError from the program (or from the registration, where a value is known only then): one line with
    the rule's id, the resource, and the remedy.
    """

    def transform(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not isinstance(args.resource, pulumi.CustomResource) or isinstance(args.resource, pulumi.StackReference):
            return None
        verdicts: Any = _verdicts(args.type_, args.name, args.props, place)
        # Registering waits for what it depends on, and the values themselves stay as they are: wrapped, a value that
        # is known in part would be unknown altogether at preview.
        waits = pulumi.ResourceOptions(depends_on=verdicts)
        return pulumi.ResourceTransformationResult(
            props=args.props, opts=pulumi.ResourceOptions.merge(args.opts, waits)
        )

    pulumi.runtime.register_stack_transformation(transform)


def judge(
    type_: str, name: str, inputs: Mapping[str, object], place: Place, *, everything_known: bool
) -> list[Finding]:
    """The findings against one resource that deny it; undecided ones only count where everything is known."""
    cloud = type_.split(":", 1)[0]
    here: tuple[str | Unknown, str | Unknown] = (place.cloud, place.region)
    if cloud in CLOUDS:
        said = inputs.get(CLOUDS[cloud], UNKNOWN)
        here = ("azure" if cloud.startswith("azure") else cloud, said if isinstance(said, str) else UNKNOWN)
    fact = ResourceFact(
        urn=f"{type_}::{name}",
        type=type_,
        name=name,
        inputs=inputs,
        cloud=here[0],
        region=here[1],
        jurisdiction=place.jurisdiction,
        tenant=place.tenant,
    )
    return [finding for finding in evaluate(fact, Stage.PROVISION) if everything_known or not finding.undecided]


def _verdicts(type_: str, name: str, props: Mapping[str, Any], place: pulumi.Input[Place]) -> list[pulumi.Output[None]]:
    """Outputs that fail where a rule refuses the resource: one for all of it, and at preview one for each property."""
    present = {_spelt(key): value for key, value in props.items() if value is not None and key not in UNJUDGED}
    leaves = {key: list(_outputs(value)) for key, value in present.items()}
    later = [key for key, found in leaves.items() if found]
    plain = {key: _filled(value, iter(())) for key, value in present.items() if key not in later}

    def verdict(keys: list[str]) -> pulumi.Output[None]:
        """On `keys` once they are known, and on what is plainly known beside them."""
        hidden = {key: UNKNOWN for key in later if key not in keys}

        def check(known: list[Any]) -> None:
            here, values = known[0], iter(known[1:])
            inputs = {**plain, **hidden, **{key: _filled(present[key], values) for key in keys}}
            findings = judge(type_, name, inputs, here, everything_known=not hidden)
            if findings:
                raise pulumi.RunError("; ".join(str(finding) for finding in findings))

        return pulumi.Output.all(place, *(leaf for key in keys for leaf in leaves[key])).apply(check)

    alone = [[key] for key in later] if len(later) > 1 and pulumi.runtime.is_dry_run() else []
    return [verdict(keys) for keys in [*alone, later]]


def _outputs(value: Any) -> Iterator[pulumi.Output[Any]]:
    """The outputs in `value`, in the order in which `_filled` takes them."""
    if isinstance(value, pulumi.Output):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _outputs(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _outputs(item)
    elif is_input_type(type(value)):
        yield from _outputs(input_type_to_dict(value))


def _filled(value: Any, known: Iterator[Any]) -> Any:
    """`value` as the provider will see it: outputs replaced by what they became, typed arguments by mappings."""
    if isinstance(value, pulumi.Output):
        return _filled(next(known), iter(()))
    if isinstance(value, Mapping):
        return {key: _filled(item, known) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_filled(item, known) for item in value]
    return _filled(input_type_to_dict(value), known) if is_input_type(type(value)) else value


def _spelt(name: str) -> str:
    """`string_data` as the provider spells it: `stringData`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
