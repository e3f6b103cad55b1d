"""Bringing the state up to what is really there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from falaj_engine import diff as diffs
from falaj_engine.deployment import Deployment
from falaj_engine.errors import EngineError
from falaj_engine.events import Step, Timer
from falaj_engine.provider import Operation
from falaj_engine.state import ResourceState, now

_PARALLEL = 32


def refresh(deployment: Deployment) -> None:
    """Read every resource and record it as it is; what no longer exists leaves the state.

    Raises the first EngineError.
    """
    states = [
        state
        for state in deployment.snapshot.resources()
        if state.custom and not state.external and not state.is_provider and not state.pending_replacement
    ]
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="falaj-refresh") as pool:
        list(pool.map(lambda state: _one(deployment, state), states))
    deployment.admit()
    _recover(deployment)


def _one(deployment: Deployment, state: ResourceState) -> None:
    if deployment.errors or deployment.cancelled.is_set():
        return
    timer = Timer()
    step = Step("refresh", state.urn, state)
    deployment.record.started(step)
    try:
        provider = deployment.providers.for_state(state)
        live = provider.read(_operation(deployment, state), state.id, state.inputs, state.outputs)
    except EngineError as error:
        deployment.record.failed(step, str(error), timer.seconds)
        deployment.fail(error)
        return
    if live is None:
        _forget(deployment, state)
        step = Step("delete", state.urn, state)
    else:
        inputs = state.inputs if live.inputs is None else live.inputs
        paths = tuple(diffs.differences(state.inputs, inputs))
        # What did not become ready is still to be waited for: reading does not tell that, so its reasons stay.
        after = replace(state, inputs=inputs, modified=now() if paths else state.modified).with_outputs(live.outputs)
        deployment.snapshot.commit(changed=[(state, after)])
        step = Step("update" if paths else "same", state.urn, state, after, paths)
    deployment.record.finished(step, timer.seconds)


def _forget(deployment: Deployment, state: ResourceState) -> None:
    """Take a vanished resource out; what referred to it refers to it no longer."""
    changed = []
    for other in deployment.snapshot.resources():
        if other is not state and state.urn in other.references():
            changed.append(
                (
                    other,
                    replace(
                        other,
                        dependencies=tuple(urn for urn in other.dependencies if urn != state.urn),
                        property_dependencies={
                            key: [urn for urn in sources if urn != state.urn]
                            for key, sources in other.property_dependencies.items()
                        },
                        deleted_with="" if other.deleted_with == state.urn else other.deleted_with,
                        parent=state.parent if other.parent == state.urn else other.parent,
                    ),
                )
            )
    deployment.snapshot.commit(done=state, changed=changed)


def _recover(deployment: Deployment) -> None:
    """Creations that were cut off: what they made is taken into the state; the rest is forgotten."""
    for urn, pending in list(deployment.earlier.items()):
        if pending.kind == "creating" and not deployment.preview:
            state = pending.state
            live = deployment.providers.for_state(state).recover(_operation(deployment, state), pending)
            known = any(entry.urn == urn and not entry.delete for entry in deployment.snapshot.resources())
            if live is not None and not known:
                deployment.snapshot.commit(found=replace(state, id=live.id).with_outputs(live.outputs))
        deployment.explain(urn)


def _operation(deployment: Deployment, state: ResourceState) -> Operation:
    return Operation(state.urn, state.type, preview=deployment.preview, cancelled=deployment.cancelled)
