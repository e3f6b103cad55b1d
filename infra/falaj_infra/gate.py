"""The gate inside the program: every resource is judged by the rules before it is registered.

`attach` is called by a stack's program, so that a plain `pulumi up` without any flag is governed. Pulumi's own
serializer makes the inputs that are judged, so the rules see the names and values that the provider will see, however
the program spelt them. An unknown value puts off the judgement of nothing but itself. At up everything is known, and
what is still undecided then is refused.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from google.protobuf import json_format
from pulumi._types import is_input_type
from pulumi.runtime import rpc

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
        props = {key: _shareable(value) for key, value in args.props.items()}
        verdict: Any = pulumi.Output.from_input(_verdict(args.resource, args.type_, args.name, props, place))
        # Registering waits for what it depends on, and the values themselves stay as they are: wrapped, a value that
        # is known in part would be unknown altogether at preview.
        waits = pulumi.ResourceOptions(depends_on=[verdict])
        return pulumi.ResourceTransformationResult(props=props, opts=pulumi.ResourceOptions.merge(args.opts, waits))

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


async def _verdict(
    resource: pulumi.Resource, type_: str, name: str, props: Mapping[str, Any], place: pulumi.Input[Place]
) -> None:
    """Judge the resource once its inputs are there. Raises pulumi.RunError: a rule refuses it."""
    where = pulumi.Output.from_input(place)
    here = await where.future()
    if here is None or not await where.is_known():
        if pulumi.runtime.is_dry_run():
            return
        raise pulumi.RunError(f"RES-01 {type_}::{name}: it is not known where the stack is, so nothing is made in it")
    inputs = await _serialized(resource, props)
    decided = not pulumi.runtime.is_dry_run() or not _holds_unknown(inputs)
    findings = judge(type_, name, inputs, here, everything_known=decided)
    if findings:
        raise pulumi.RunError("; ".join(str(finding) for finding in findings))


async def _serialized(resource: pulumi.Resource, props: Mapping[str, Any]) -> dict[str, Any]:
    """`props` as registering the resource sends them, with UNKNOWN for what is not known and secrets in clear."""
    typ = _arguments_of(type(resource))
    translate = resource.translate_input_property if typ is None else None
    given = {key: value for key, value in props.items() if key not in UNJUDGED}
    struct = await rpc.serialize_properties(given, {}, resource, translate, typ)
    return {key: _plain(value) for key, value in json_format.MessageToDict(struct).items()}


def _arguments_of(cls: type) -> type | None:
    """The type of a generated resource class's arguments, whose metadata names its inputs; None for all others.

    Pulumi's generator puts it beside the class: `PodInitArgs` where `PodArgs` is a type in its own right.
    """
    for base in cls.__mro__:
        module = sys.modules.get(base.__module__)
        for suffix in ("InitArgs", "Args"):
            found = getattr(module, base.__name__ + suffix, None)
            if isinstance(found, type) and is_input_type(found):
                return found
    return None


def _plain(value: Any) -> Any:
    """A value in Pulumi's wire form as the rules take it: nulls dropped, secrets opened, unknowns UNKNOWN."""
    if isinstance(value, dict):
        if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
            return _plain(value.get("value"))
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return UNKNOWN if isinstance(value, str) and value == rpc.UNKNOWN else value


def _holds_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_unknown, value.values()))
    return any(map(_holds_unknown, value)) if isinstance(value, list) else value is UNKNOWN


def _shareable(value: Any) -> Any:
    """`value` with its coroutines as tasks: the verdict and the registration both wait for them."""
    if inspect.iscoroutine(value):
        return asyncio.ensure_future(value)
    if type(value) is dict:
        return {key: _shareable(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return [_shareable(item) for item in value]
    if is_input_type(type(value)) and not isinstance(value, dict):
        twin = copy.copy(value)
        vars(twin).update({key: _shareable(item) for key, item in vars(value).items()})
        return twin
    return value
