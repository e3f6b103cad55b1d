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
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pulumi
from google.protobuf import json_format
from pulumi._types import is_input_type
from pulumi.runtime import rpc
from pulumi.runtime.stack import Stack

from falaj_infra.errors import PlaceError, WaiverError
from falaj_infra.judge import UNJUDGED, Verdict, holds_unknown, judge, verdict
from falaj_infra.place import backend_of
from falaj_infra.waivers import Waivers, load, today
from falaj_policies import UNKNOWN, Place, ResourceFact, RulePackageError, Stage, evaluate
from falaj_policies.facts import package_of
from falaj_policies.place import CLOUDS

__all__ = ["attach"]

T = TypeVar("T")


def attach(place: pulumi.Input[Place]) -> None:
    """Judge every resource that the program registers from here on, and all of them together when it has ended.

    Raises pulumi.RunError from the program (or from the registration, where a value is known only then): one line with
    the rule's id, the resource, and the remedy. Where the embedded engine runs the program and judges what is
    registered with it, nothing is judged twice.
    """
    if _host_judges():
        return
    try:
        waivers = load(Path(pulumi.runtime.get_root_directory() or "."))
    except WaiverError as error:
        raise pulumi.RunError(f"nothing is waived and nothing passes: {error}") from None
    # What a provider was given, to look up where its resources are; one made before this call is asked itself.
    providers: weakref.WeakKeyDictionary[pulumi.Resource, Mapping[str, Any]] = weakref.WeakKeyDictionary()

    judged: list[asyncio.Future[ResourceFact | None]] = []

    def transform(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if isinstance(args.resource, pulumi.ComponentResource):
            local: Any = pulumi.Output.from_input(_local(args))
            opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(depends_on=[local]))
            return pulumi.ResourceTransformationResult(props=args.props, opts=opts)
        # What is only looked up (a stack reference, `.get`) is not made here.
        if not isinstance(args.resource, pulumi.CustomResource) or args.opts.id is not None:
            return None
        if isinstance(args.resource, pulumi.StackReference):
            return None
        props = {key: _shareable(value) for key, value in args.props.items()}
        if isinstance(args.resource, pulumi.ProviderResource):
            providers[args.resource] = props
        provider = _provider(args.type_, args.opts, providers)
        task = asyncio.ensure_future(_verdict(args, props, provider, place, waivers))
        judged.append(task)
        verdict: Any = pulumi.Output.from_input(_done(task))
        # Registering waits for what it depends on, and the values themselves stay as they are: wrapped, a value that
        # is known in part would be unknown altogether at preview.
        waits = pulumi.ResourceOptions(depends_on=[verdict])
        return pulumi.ResourceTransformationResult(props=props, opts=pulumi.ResourceOptions.merge(args.opts, waits))

    pulumi.runtime.register_stack_transformation(transform)
    root = pulumi.runtime.get_root_resource()
    if isinstance(root, pulumi.ComponentResource):
        finish = root.register_outputs

        def at_the_end(outputs: pulumi.Inputs) -> None:
            # Pulumi waits for every output and fails with the first that fails.
            whole: Any = _whole(judged, place, waivers)
            pulumi.Output.from_input(whole)
            finish(outputs)

        vars(root)["register_outputs"] = at_the_end


def _host_judges() -> bool:
    """Whether what registers resources in this process is the embedded engine with a judge of its own.

    It is asked of the very object that the SDK registers with, so that no setting can claim it.
    """
    monitors = sys.modules.get("falaj_engine.monitor")
    monitor = pulumi.runtime.settings.SETTINGS.monitor
    return monitors is not None and isinstance(monitor, monitors.Monitor) and monitor.judges


def _provider(
    type_: str,
    opts: pulumi.ResourceOptions,
    known: Mapping[pulumi.Resource, Mapping[str, Any]],
) -> Mapping[str, Any]:
    """What the resource's provider says of where it is, as far as resources of its package are where that says."""
    package, own = package_of(type_), type_.split(":", 1)[0]
    if package not in CLOUDS:
        return {}
    key = CLOUDS[package][1]
    given = opts.providers.values() if isinstance(opts.providers, Mapping) else opts.providers or ()
    inherited = opts.parent.get_provider(type_) if opts.parent is not None else None
    for provider in (opts.provider, *given, inherited):
        if provider is not None and provider.package == own:
            said = known[provider].get(key) if provider in known else getattr(provider, key, None)
            return {} if said is None else {key: said}
    said = pulumi.Config(package).get(key)
    return {} if said is None else {key: said}


async def _local(args: pulumi.ResourceTransformationArgs) -> None:
    """Nothing for a component of the program, whose resources the gate sees one by one.

    Raises pulumi.RunError: a remote one, whose resources another process makes.
    """
    # Said by the constructor once the transformation has returned, before anything waits for this.
    if getattr(args.resource, "_remote", False):
        raise pulumi.RunError(
            f"RES-01 {await _urn(args)}: a remote component, which makes its resources outside of this program, where "
            "they cannot be judged; declare them in the program itself"
        )


async def _verdict(
    args: pulumi.ResourceTransformationArgs,
    props: Mapping[str, Any],
    provider: Mapping[str, Any],
    place: pulumi.Input[Place],
    waivers: Waivers,
) -> ResourceFact | None:
    """Judge the resource once its inputs are there; the fact, None where the place is not known.

    Raises pulumi.RunError: a rule refuses it.
    """
    where = pulumi.Output.from_input(place)
    here = await where.future()
    preview = pulumi.runtime.is_dry_run()
    urn = await _urn(args)
    if here is None or not await where.is_known():
        if preview:
            return None
        raise pulumi.RunError(f"RES-01 {urn}: it is not known where the stack is, so nothing is made in it")
    sources: dict[str, list[pulumi.Resource]] = {}
    wire = await _serialized(args.resource, props, sources)
    inputs = {key: _plain(value) for key, value in wire.items()}
    references = {key: tuple([await source.urn.future() or "" for source in found]) for key, found in sources.items()}
    settings = {key: _plain(value) for key, value in (await _struct(provider, args.resource)).items()}
    fact = here.resource(
        args.type_,
        args.name,
        inputs,
        urn=urn,
        provider=settings,
        references=references,
        secret_paths=_secret_paths(wire, ""),
    )
    decided = not preview or not holds_unknown([inputs, settings])
    _say(_asked(lambda: judge(fact, waivers, decided=decided)), waivers)
    return fact


async def _whole(
    judged: list[asyncio.Future[ResourceFact | None]], place: pulumi.Input[Place], waivers: Waivers
) -> None:
    """Judge the whole stack when the program has ended: at preview, before anything is made.

    Raises pulumi.RunError: a rule refuses it.
    """
    facts: list[ResourceFact | BaseException | None] = []
    # What is declared inside an `apply` comes later than the program's end.
    while len(facts) < len(judged):
        facts = list(await asyncio.gather(*judged, return_exceptions=True))
    resources = tuple(fact for fact in facts if isinstance(fact, ResourceFact))
    where = pulumi.Output.from_input(place)
    here = await where.future()
    if here is None or not await where.is_known() or len(resources) < len(facts):
        # One that was refused ends the program by itself.
        return
    root = Path(pulumi.runtime.get_root_directory() or ".")
    try:
        backend = backend_of(root)
    except PlaceError as error:
        raise pulumi.RunError(str(error)) from None
    whole = here.stack(pulumi.get_stack(), resources, backend=backend)
    findings = _asked(lambda: evaluate(whole, Stage.PROVISION))
    # A program cannot always know where its own state is: `falaj up` and the pack judge that. All else is known at up.
    untold = [finding for finding in findings if finding.undecided and finding.path == "backend"]
    for finding in untold:
        pulumi.log.warn(f"not judged here: {finding}")
    rest = [finding for finding in findings if finding not in untold]
    _say(verdict(rest, waivers, decided=not pulumi.runtime.is_dry_run(), day=today()), waivers)


def _asked(question: Callable[[], T]) -> T:
    try:
        return question()
    except RulePackageError as error:
        raise pulumi.RunError(str(error)) from None


def _say(found: Verdict, waivers: Waivers) -> None:
    """Raises pulumi.RunError: something is refused."""
    for finding in found.undecided:
        pulumi.log.info(f"undecided until up: {finding}")
    for finding in found.advice:
        pulumi.log.warn(str(finding))
    for waived in found.waived:
        pulumi.log.warn(f"{waived.finding}: {waived.waiver} ({waivers.proof})")
    if found.refused:
        raise pulumi.RunError("; ".join(found.refused))


async def _done(task: asyncio.Future[ResourceFact | None]) -> None:
    await task


async def _urn(args: pulumi.ResourceTransformationArgs) -> str:
    """The URN that the resource will have."""
    parent = None if isinstance(args.opts.parent, Stack) else args.opts.parent
    urn = await pulumi.create_urn(args.name, args.type_, parent).future()
    return urn or f"{args.type_}::{args.name}"


async def _struct(given: Mapping[str, Any], resource: pulumi.Resource) -> dict[str, Any]:
    return json_format.MessageToDict(await rpc.serialize_properties(dict(given), {}, resource))


async def _serialized(
    resource: pulumi.Resource, props: Mapping[str, Any], sources: dict[str, list[pulumi.Resource]]
) -> dict[str, Any]:
    """`props` as registering the resource sends them, in Pulumi's wire form.

    `sources` is filled with the resources that each input was computed from.
    """
    typ = _arguments_of(type(resource))
    translate = resource.translate_input_property if typ is None else None
    given = {key: value for key, value in props.items() if key not in UNJUDGED}
    struct = await rpc.serialize_properties(given, sources, resource, translate, typ)
    return dict(json_format.MessageToDict(struct))


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


def _secret_paths(value: Any, path: str) -> Iterator[str]:
    """Where the secrets in a value in Pulumi's wire form are, as findings write it."""
    if isinstance(value, dict):
        if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
            yield path
            return
        for key, item in value.items():
            yield from _secret_paths(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secret_paths(item, f"{path}[{index}]")


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
