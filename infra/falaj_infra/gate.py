"""The gate inside the program: every resource is judged by the rules before it is registered.

`attach` is called by a stack's program, so that a plain `pulumi up` without any flag is governed. Each property is
judged by itself as soon as it is known, with what else is plainly known beside it: one unknown value does not put off
the judgement of the others. At up everything is known, and what is still undecided then is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi._types import input_type_to_dict, is_input_type

from falaj_policies import UNKNOWN, Finding, ResourceFact, Stage, Unknown, evaluate

__all__ = ["Place", "attach", "judge"]

# Where a resource says itself where it is, by the first part of its type; all others are where the stack is.
CLOUDS = {"aws": "region", "azure-native": "location", "azure": "location"}
UNJUDGED_PROPERTIES = frozenset({"__provider"})


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
        props = dict(args.props)
        judged = _wrap(args.type_, args.name, props, place)
        return pulumi.ResourceTransformationResult(props={**props, **judged}, opts=args.opts)

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


def _wrap(type_: str, name: str, props: dict[str, Any], place: pulumi.Input[Place]) -> dict[str, Any]:
    """The properties to replace: the same values, behind an `apply` that refuses them if a rule does."""
    present = {key: value for key, value in props.items() if value is not None and key not in UNJUDGED_PROPERTIES}
    later = [key for key, value in present.items() if _has_output(value)]
    plain = {_spelt(key): _plain(value) for key, value in present.items() if key not in later}
    hidden = {_spelt(key): UNKNOWN for key in later}

    def refuse_bad(here: Place, inputs: Mapping[str, object], *, everything_known: bool) -> None:
        findings = judge(type_, name, inputs, here, everything_known=everything_known)
        if findings:
            raise pulumi.RunError("; ".join(str(finding) for finding in findings))

    def alone(key: str, value: Any) -> Any:
        def check(pair: list[Any]) -> Any:
            inputs = {**plain, **hidden, _spelt(key): _plain(pair[1])}
            refuse_bad(pair[0], inputs, everything_known=len(later) < 2)
            return pair[1]

        return pulumi.Output.all(place, value).apply(check)

    if not present:
        return {}
    if not later:
        carrier = next(iter(present))

        def check_all(here: Place) -> Any:
            refuse_bad(here, plain, everything_known=True)
            return present[carrier]

        return {carrier: pulumi.Output.from_input(place).apply(check_all)}
    wrapped = {key: alone(key, present[key]) for key in later}
    if len(later) > 1:
        wrapped[later[0]] = _together(wrapped[later[0]], later, present, plain, place, refuse_bad)
    return wrapped


def _together(
    first: Any, later: list[str], present: dict[str, Any], plain: dict[str, Any], place: Any, refuse_bad: Any
) -> Any:
    """`first`, held back until all properties are known and judged together; their secrecy does not spread to it."""

    def check(values: list[Any]) -> bool:
        inputs = {**plain, **{_spelt(key): _plain(value) for key, value in zip(later, values[1:], strict=True)}}
        refuse_bad(values[0], inputs, everything_known=True)
        return True

    verdict = pulumi.Output.all(place, *(present[key] for key in later)).apply(check)
    return pulumi.Output.all(first, pulumi.Output.unsecret(verdict)).apply(lambda pair: pair[0])


def _has_output(value: Any) -> bool:
    if isinstance(value, pulumi.Output):
        return True
    if isinstance(value, Mapping):
        return any(_has_output(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_has_output(item) for item in value)
    return is_input_type(type(value)) and _has_output(input_type_to_dict(value))


def _plain(value: Any) -> Any:
    """The value as the provider will see it: typed arguments become mappings in the provider's spelling."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _plain(input_type_to_dict(value)) if is_input_type(type(value)) else value


def _spelt(name: str) -> str:
    """`string_data` as the provider spells it: `stringData`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
