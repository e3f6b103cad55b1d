"""Running a program against nothing, to see what it asks for: `falaj check`, tests, benchmarks."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from falaj_engine import program as programs
from falaj_engine import urn as urns
from falaj_engine.deployment import Deployment
from falaj_engine.events import Record
from falaj_engine.goal import Goal, default_name
from falaj_engine.judging import Opinion, Registration
from falaj_engine.lookups import unknown_lookups
from falaj_engine.nullprovider import NullProvider
from falaj_engine.project import full_key, load_project, load_stack_file, text_of
from falaj_engine.provider import Live, Operation
from falaj_engine.providers import Providers
from falaj_engine.secrets import Crypter
from falaj_engine.snapshot import Checkpoint, Snapshot
from falaj_engine.state import ResourceState
from falaj_engine.values import UNKNOWN, Props, Secret


@dataclass(frozen=True, slots=True)
class CapturedResource:
    """One registration.

    inputs: secrets wrapped in `Secret`, values that only an update produces as `UNKNOWN`. provider_inputs: the
    configuration of the provider that would drive it. property_dependencies: input to the URNs it was computed from.
    external: only looked up, not the stack's own. source: where in the program. stack_trace: the frames that made it,
    innermost first, as (file URI, line).
    """

    urn: str
    type: str
    name: str
    custom: bool
    parent: str
    inputs: Props
    provider: str = ""
    provider_inputs: Props = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, list[str]] = field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool = False
    ignore_changes: tuple[str, ...] = ()
    external: bool = False
    source: str = ""
    stack_trace: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Capture:
    """What a program registered, in order, and its stack outputs. The engine's default providers are left out."""

    resources: tuple[CapturedResource, ...]
    outputs: Props


class _Deployment(Deployment):
    """Keeps what no state holds: the frames that made each resource."""

    only_looked_at = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.traces: dict[tuple[str, str, str], tuple[tuple[str, int], ...]] = {}

    def register(self, goal: Goal) -> ResourceState:
        self.traces[goal.type, goal.name, goal.parent] = goal.stack_trace
        return super().register(goal)


class _Elsewhere:
    """The judge of a program whose registrations are judged when it has ended."""

    def resource(self, registration: Registration, *, preview: bool) -> Opinion:
        return Opinion()

    def stack(self, registrations: Sequence[Registration], *, preview: bool) -> Opinion:
        return Opinion()


class _Null(NullProvider):
    """Answers stack references from what the caller gives; the rest of another stack is unknown."""

    def __init__(self, references: Mapping[str, Mapping[str, Any]]) -> None:
        self._references = references

    def read(self, operation: Operation, id: str, inputs: Props, outputs: Props) -> Live | None:  # noqa: A002
        if operation.type != "pulumi:pulumi:StackReference":
            return Live(id, inputs)
        known = self._references.get(id.rsplit("/", 1)[-1])
        return Live(id, {"name": id, "outputs": UNKNOWN if known is None else dict(known), "secretOutputNames": []})


def capture(
    project_dir: Path | str,
    stack: str,
    config: Mapping[str, Any] | None = None,
    *,
    stack_file: Path | None = None,
    references: Mapping[str, Mapping[str, Any]] | None = None,
    judged: bool = False,
) -> Capture:
    """Run the project's program in preview, with providers that do nothing.

    config: values by key, replacing those of the stack file; objects as such. stack_file: instead of the project's own.
    references: outputs of other stacks by name. Encrypted configuration is not opened: it appears as a secret without
    a value. judged: the caller judges what is registered, so a gate in the program
    has nothing to do. Raises EngineError when the program cannot be run or itself fails.
    """
    project = load_project(Path(project_dir), driven=False)
    file = load_stack_file(stack_file or project.config_dir / f"Pulumi.{stack}.yaml", project.name, driven=False)
    texts, secret_keys = file.values(project.defaults, lambda _text: "[secret]", driven=False)
    for key, value in (config or {}).items():
        texts[full_key(key, project.name)] = text_of(value)
    values: Props = {key: Secret(text) if key in secret_keys else text for key, text in texts.items()}
    null = _Null(references or {})
    record = Record()
    snapshot = Snapshot(Checkpoint(f"organization/{project.name}/{stack}"), Crypter.none(), None)
    deployment = _Deployment(
        project=project.name,
        stack=stack,
        snapshot=snapshot,
        providers=Providers({}, values, fallback=lambda _name, _inputs: null),
        record=record,
        preview=True,
        cancelled=threading.Event(),
        judge=_Elsewhere() if judged else None,
    )
    program = programs.Program(project.name, stack, project.root, project.main, texts, tuple(secret_keys))
    with unknown_lookups():
        programs.run(program, deployment)
    states = {state.urn: state for state in snapshot.resources()}
    resources = []
    for state in states.values():
        if state.is_provider and default_name(state.name):
            continue
        provider = states.get(state.provider.rsplit("::", 1)[0]) if state.provider else None
        resources.append(
            CapturedResource(
                urn=state.urn,
                type=state.type,
                name=state.name,
                custom=state.custom,
                parent=state.parent,
                inputs=state.inputs,
                provider=state.provider,
                provider_inputs=provider.inputs if provider is not None else {},
                dependencies=state.dependencies,
                property_dependencies=state.property_dependencies,
                protect=state.protect,
                retain_on_delete=state.retain_on_delete,
                ignore_changes=state.ignore_changes,
                external=state.external,
                source=state.source_position,
                stack_trace=deployment.traces.get((state.type, state.name, state.parent), ()),
            )
        )
    root = next((state for state in states.values() if state.type == urns.STACK_TYPE), None)
    return Capture(tuple(resources), root.outputs if root is not None else {})
