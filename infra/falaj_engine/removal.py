"""Taking away what the program no longer registers: dependents first, in parallel where the graph allows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

from falaj_engine import urn as urns
from falaj_engine.deployment import Deployment
from falaj_engine.errors import EngineError, ProtectedError, StepError
from falaj_engine.events import Step, Timer
from falaj_engine.provider import Operation
from falaj_engine.state import ResourceState

_PARALLEL = 32


def remove_rest(deployment: Deployment) -> None:
    """Delete every resource this run has not come to, and what cut-off creations left behind.

    Raises the first EngineError.
    """
    deployment.admit()
    _recover(deployment)
    doomed = [state for state in deployment.snapshot.resources() if deployment.snapshot.current(state.urn) is not state]
    protected = [state for state in doomed if state.protect and not state.delete]
    for state in protected:
        error = ProtectedError(
            f"{urns.short(state.urn)} is protected and cannot be deleted: "
            f"take `protect` away in the program and run `falaj up`, "
            f"or put the resource back into the program"
        )
        deployment.record.failed(Step("delete", state.urn, state), str(error), 0.0)
        deployment.fail(error)
    deployment.admit()
    doomed_urns = {state.urn for state in doomed}
    in_order(doomed, lambda state: _delete(deployment, state, doomed_urns), deployment)
    deployment.admit()


def in_order(states: list[ResourceState], work: Callable[[ResourceState], None], deployment: Deployment) -> None:
    """Run `work` for every state after it is done for all that refer to the state.

    Stops starting when the deployment has failed.
    """
    waiting: dict[int, int] = {}
    holds: dict[int, list[ResourceState]] = {}
    by_urn: dict[str, list[ResourceState]] = {}
    for state in states:
        by_urn.setdefault(state.urn, []).append(state)
        waiting[id(state)] = 0
    for state in states:
        for urn in state.references():
            for target in by_urn.get(urn, ()):
                if target is not state:
                    waiting[id(target)] += 1
                    holds.setdefault(id(state), []).append(target)
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="falaj-remove") as pool:
        running: dict[Future[None], ResourceState] = {}

        def start(state: ResourceState) -> None:
            running[pool.submit(work, state)] = state

        for state in states:
            if waiting[id(state)] == 0:
                start(state)
        while running:
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                state = running.pop(future)
                try:
                    future.result()
                except EngineError as error:
                    deployment.fail(error)
                for target in holds.get(id(state), ()):
                    waiting[id(target)] -= 1
                    if waiting[id(target)] == 0 and not deployment.errors and not deployment.cancelled.is_set():
                        start(target)


def _delete(deployment: Deployment, state: ResourceState, doomed: set[str]) -> None:
    """One deletion.

    An object that falls with another (deleted_with), is not owned, or is retained is only forgotten.
    """
    deployment.admit()
    timer = Timer()
    owned = state.custom and not state.external and not state.is_provider and not state.pending_replacement
    op = "discard" if state.pending_replacement else "delete"
    # The old object of a replacement is part of a step already shown.
    step = Step("discard" if state.delete else op, state.urn, state)
    deployment.record.started(step)
    snapshot = deployment.snapshot
    try:
        if owned and not state.retain_on_delete and state.deleted_with not in doomed:
            token = snapshot.begin("deleting", state)
            try:
                if not deployment.preview:
                    provider = deployment.providers.for_state(state)
                    provider.delete(_operation(deployment, state), state.id, state.inputs, state.outputs)
            except StepError as failure:
                if not failure.uncertain:
                    snapshot.commit(token=token)
                raise
            snapshot.commit(token=token, done=state)
        else:
            snapshot.commit(done=state)
        if not state.delete:
            deployment.explain(state.urn)
    except EngineError as error:
        deployment.record.failed(step, str(error), timer.seconds)
        raise
    deployment.record.finished(step, timer.seconds)


def _recover(deployment: Deployment) -> None:
    """Remove what a creation cut off in an earlier run left behind and this run's program did not take up again."""
    if deployment.preview:
        return
    for urn, pending in list(deployment.earlier.items()):
        if pending.kind == "creating":
            state = pending.state
            live = deployment.providers.for_state(state).recover(_operation(deployment, state), pending)
            current = deployment.snapshot.current(urn)
            if live is not None and (current is None or current.id != live.id):
                # Into the state first: should this run be cut off as well, the next one knows of the object.
                found = replace(state, id=live.id, delete=True, protect=False).with_outputs(live.outputs)
                deployment.snapshot.commit(found=found)
                _delete(deployment, found, set())
        deployment.explain(urn)


def _operation(deployment: Deployment, state: ResourceState) -> Operation:
    timeout = state.custom_timeouts.get("delete")
    return Operation(
        state.urn,
        state.type,
        preview=deployment.preview,
        timeout=float(timeout) if timeout else None,
        tell=lambda text: deployment.record.status(state.urn, text),
        cancelled=deployment.cancelled,
    )
