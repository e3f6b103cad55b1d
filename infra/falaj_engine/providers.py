"""Which provider drives which resource.

A provider is itself a resource in the state. One the program does not make is made by the engine on first use, named
as Pulumi names it (`default_4_34_2`), so that either engine finds the other's.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from falaj_engine import diff as diffs
from falaj_engine import urn as urns
from falaj_engine.errors import MissingPluginError, StepError
from falaj_engine.events import Step
from falaj_engine.goal import Goal
from falaj_engine.nullprovider import NullProvider
from falaj_engine.provider import Provider
from falaj_engine.state import ResourceState, now
from falaj_engine.values import Props, has_unknown, reveal

if TYPE_CHECKING:
    from falaj_engine.deployment import Deployment

Factory = Callable[[str, Props], Provider]
"""Makes a provider from its name and configuration, secrets opened. Raises EngineError."""


class Providers:
    """The providers of one deployment.

    factories: by package. config: the stack's configuration, full keys, secrets marked; default providers are
    configured from it. fallback: makes a provider for any other package, or None to refuse those.
    """

    def __init__(self, factories: Mapping[str, Factory], config: Props, fallback: Factory | None = None) -> None:
        self._factories = factories
        self._config = config
        self._fallback = fallback
        self._lock = threading.RLock()
        self._made: dict[str, Provider] = {}
        self._defaults: dict[str, str] = {}
        self._deployment: Deployment | None = None

    def attach(self, deployment: Deployment) -> None:
        """The deployment whose state the providers stand in."""
        self._deployment = deployment

    def for_goal(self, goal: Goal) -> tuple[Provider, str]:
        """The provider of a registration and its reference. Raises MissingPluginError."""
        package = urns.package_of(goal.type)
        reference = goal.provider
        if not reference:
            reference = self._default(package, goal.version)
        with self._lock:
            if reference in self._made:
                return self._made[reference], reference
        raise StepError(
            f"{goal.type} {goal.name}: its provider {reference.split('::')[-2]!r} was not registered in this run"
        )

    def for_state(self, state: ResourceState) -> Provider:
        """The provider of a resource known only from the state; made once, however many ask at the same moment."""
        with self._lock:
            if state.provider in self._made:
                return self._made[state.provider]
            assert self._deployment is not None
            urn, id_ = state.provider.rsplit("::", 1)
            for entry in self._deployment.snapshot.resources():
                if entry.urn == urn and entry.id == id_:
                    return self._make(state.provider, urns.package_of(state.type), entry.inputs)
        raise StepError(f"{urns.short(state.urn)}: its provider {urns.short(urn)} is not in the state")

    def settings(self, goal: Goal) -> Props:
        """What the provider of a registration is configured with; none is made for it."""
        package = urns.package_of(goal.type)
        if not goal.provider:
            prefix = f"{package}:"
            return {key[len(prefix) :]: value for key, value in self._config.items() if key.startswith(prefix)}
        assert self._deployment is not None
        state = self._deployment.snapshot.current(goal.provider.rsplit("::", 1)[0])
        return {} if state is None else state.inputs

    def register(self, goal: Goal, urn: str, old: ResourceState | None) -> ResourceState:
        """A provider that the program makes."""
        inputs: Props = {"__internal": {}, **goal.inputs}
        if goal.version:
            inputs["version"] = goal.version
        return self._record(replace(goal, inputs=inputs), urn, old)

    def _default(self, package: str, version: str) -> str:
        name = "default" + (f"_{version.replace('.', '_').replace('-', '_').replace('+', '_')}" if version else "")
        deployment = self._deployment
        assert deployment is not None
        with self._lock:
            if (known := self._defaults.get(f"{package} {name}")) is not None:
                return known
            self._factory(package)
            if package == "pulumi-python":
                inputs = dict(self._config)
            else:
                prefix = f"{package}:"
                own = {key[len(prefix) :]: value for key, value in self._config.items() if key.startswith(prefix)}
                inputs = {"__internal": {}, **own} if version else own
                if version:
                    inputs["version"] = version
            type_ = f"pulumi:providers:{package}"
            urn = urns.make(deployment.stack, deployment.project, "", type_, name)
            goal = Goal(type=type_, name=name, custom=True, inputs=inputs)
            old = next(
                (entry for entry in deployment.snapshot.resources() if entry.urn == urn and not entry.delete), None
            )
            state = self._record(goal, urn, old)
            reference = f"{urn}::{state.id}"
            self._defaults[f"{package} {name}"] = reference
            return reference

    def _record(self, goal: Goal, urn: str, old: ResourceState | None) -> ResourceState:
        deployment = self._deployment
        assert deployment is not None
        outputs = {key: value for key, value in goal.inputs.items() if key != "__internal"}
        state = ResourceState(
            urn=urn,
            type=goal.type,
            custom=True,
            id=old.id if old is not None else str(uuid.uuid4()),
            inputs=goal.inputs,
            outputs=outputs,
            parent=goal.parent,
            protect=goal.protect,
            dependencies=goal.dependencies,
            property_dependencies={key: list(value) for key, value in goal.property_dependencies.items()},
            source_position=goal.source_position,
            created=old.created if old is not None else now(),
            modified=now(),
        )
        op = "create"
        if old is not None:
            op = "update" if diffs.differences(old.inputs, goal.inputs) else "same"
            if op == "same":
                state = replace(state, modified=old.modified, inputs=old.inputs, outputs=old.outputs)
        step = Step(op, urn, old, state)
        deployment.record.started(step)
        try:
            self._make(f"{urn}::{state.id}", goal.type.rsplit(":", 1)[-1], goal.inputs)
        except Exception as error:
            deployment.record.failed(step, str(error), 0.0)
            raise
        deployment.snapshot.commit(done=old, new=state)
        deployment.record.finished(step, 0.0)
        return state

    def _make(self, reference: str, package: str, inputs: Props) -> Provider:
        factory = self._factory(package)
        name = urns.name_of(reference.rsplit("::", 1)[0])
        provider = NullProvider() if has_unknown(inputs) else factory(name, reveal(inputs))
        with self._lock:
            return self._made.setdefault(reference, provider)

    def _factory(self, package: str) -> Factory:
        factory = self._factories.get(package, self._fallback)
        if factory is None:
            raise MissingPluginError(
                f"package {package!r} needs the provider plugin pulumi-resource-{package}, "
                f"which the embedded engine does not drive: "
                f"install the Pulumi CLI (https://www.pulumi.com/docs/install/) and run again with --engine pulumi"
            )
        return factory
