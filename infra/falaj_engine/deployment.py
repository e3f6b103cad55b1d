"""One run over a stack: decides a step for every resource the program registers, carries it out, and records it.

The SDK registers a resource when everything it depends on is registered, so calls arrive in parallel exactly where
the graph allows. What the program no longer registers is removed afterwards (falaj_engine.removal).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from falaj_engine import diff as diffs
from falaj_engine import urn as urns
from falaj_engine.errors import (
    CheckError,
    EngineError,
    InterruptedError_,
    PartialError,
    ProtectedError,
    StepError,
)
from falaj_engine.events import Record, Step, Timer
from falaj_engine.goal import Goal, is_default, state_of
from falaj_engine.judging import Hearing, Judge, Registration
from falaj_engine.provider import Difference, Operation, Provider
from falaj_engine.providers import Providers
from falaj_engine.snapshot import Snapshot
from falaj_engine.state import ResourceState, now
from falaj_engine.values import UNKNOWN, UNKNOWN_TEXT, Props


class Deployment:
    """The decisions of one run. Methods are called from many threads.

    `only_looked_at` is for captures: what asks for more than recording is not known then, instead of refused.
    The first error stops the run: steps in flight finish, nothing new starts. `judge` is asked before any step of a
    resource; what it refuses is not done. A preview goes on after a refusal, to name them all.
    """

    only_looked_at = False

    def __init__(
        self,
        *,
        project: str,
        stack: str,
        snapshot: Snapshot,
        providers: Providers,
        record: Record,
        preview: bool,
        cancelled: threading.Event,
        judge: Judge | None = None,
    ) -> None:
        self.project = project
        self.stack = stack
        self.snapshot = snapshot
        self.providers = providers
        self.record = record
        self.preview = preview
        self.cancelled = cancelled
        self.judge = judge
        self._hearing = None if judge is None else Hearing(judge, record, preview=preview)
        self.errors: list[EngineError] = []
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._olds = {state.urn: state for state in snapshot.resources() if not state.delete}
        self._intents = snapshot.pending()
        self.earlier = {item.state.urn: item for item in self._intents}
        providers.attach(self)

    # Called by the monitor

    def register(self, goal: Goal) -> ResourceState:
        """Bring one resource to what the program wants; returns its state. Raises EngineError."""
        self.admit()
        urn = urns.make(self.stack, self.project, goal.parent, goal.type, goal.name)
        with self._lock:
            twice = urn in self._seen
            self._seen.add(urn)
        if twice:
            raise self.fail(StepError(f"{urns.short(urn)}: two resources of the program have the URN {urn}"))
        if goal.custom:
            self._judge(goal, urn)
        old = self._find_old(urn, goal.aliases)
        try:
            if goal.type.startswith("pulumi:providers:"):
                return self.providers.register(goal, urn, old)
            return self._custom(goal, urn, old) if goal.custom else self._component(goal, urn, old)
        except EngineError as error:
            raise self.fail(error) from None
        except ValueError as error:
            raise self.fail(StepError(f"{urns.short(urn)}: {error}")) from None

    def conclude(self) -> None:
        """The program has ended: judge the stack as a whole. Raises the first refusal of this run."""
        if self._hearing is None:
            return
        root = urns.make(self.stack, self.project, "", urns.STACK_TYPE, f"{self.project}-{self.stack}")
        try:
            self._hearing.stack(root)
        except EngineError as error:
            raise self.fail(error) from None
        for refusal in self._hearing.refusals:
            self.fail(refusal)
        if self.errors:
            raise self.errors[0]

    def register_outputs(self, urn: str, outputs: Props) -> None:
        """Record what a component, or the stack, says its outputs are."""
        state = self.snapshot.current(urn)
        if state is not None:
            self.snapshot.commit(changed=[(state, replace(state, outputs=outputs))])

    def read(self, goal: Goal, id: str) -> ResourceState:  # noqa: A002
        """Look up an object that the stack does not own. Raises EngineError when it does not exist."""
        self.admit()
        urn = urns.make(self.stack, self.project, goal.parent, goal.type, goal.name)
        with self._lock:
            self._seen.add(urn)
        old = self._find_old(urn, ())
        try:
            provider, reference = self.providers.for_goal(goal)
            unknown = id == UNKNOWN_TEXT
            state = replace(state_of(goal, urn, reference), external=True, id="" if unknown else id)
            with self._step(Step("read", urn, old, state)):
                if not unknown:
                    live = provider.read(self._operation(goal, urn, "read"), id, goal.inputs, {})
                    if live is None:
                        raise StepError(f"{urns.short(urn)}: {id!r} does not exist")
                    state = replace(state, id=live.id).with_outputs(live.outputs)
            self.snapshot.commit(done=old, new=state)
            return state
        except EngineError as error:
            raise self.fail(error) from None

    def admit(self) -> None:
        """Raise unless new steps may start."""
        if self.cancelled.is_set() and not self.errors:
            self.fail(InterruptedError_("stopped on request; what was in flight is finished and recorded"))
        if self.errors:
            raise self.errors[0]

    def fail(self, error: EngineError) -> EngineError:
        """Stop the run for this reason; returns it."""
        with self._lock:
            if error not in self.errors:
                self.errors.append(error)
        return error

    def visited(self, urn: str) -> bool:
        """True when the program has registered the URN in this run."""
        with self._lock:
            return urn in self._seen

    def explain(self, urn: str) -> None:
        """An intent of an earlier run for this URN is dealt with."""
        if self.earlier.pop(urn, None) is not None:
            self.snapshot.explain([item for item in self._intents if item.state.urn == urn])

    # Judging

    def _judge(self, goal: Goal, urn: str) -> None:
        """Ask the judge about a registration. Raises RefusedError where the run ends with it."""
        if self._hearing is None:
            return
        registration = Registration(
            urn=urn,
            type=goal.type,
            name=goal.name,
            inputs=goal.inputs,
            provider=self.providers.settings(goal),
            references={key: tuple(sources) for key, sources in goal.property_dependencies.items() if sources},
            position=goal.source_position,
        )
        try:
            self._hearing.resource(registration)
        except EngineError as error:
            raise self.fail(error) from None

    # Components

    def _component(self, goal: Goal, urn: str, old: ResourceState | None) -> ResourceState:
        state = state_of(goal, urn, "")
        paths: tuple[diffs.Path, ...] = ()
        if old is None:
            state = replace(state, created=now(), modified=now())
            op = "create"
        else:
            paths = tuple(diffs.differences(old.inputs, goal.inputs))
            op = "update" if paths else "same"
            modified = now() if paths else old.modified
            state = replace(state, outputs=old.outputs, created=old.created, modified=modified, extra=old.extra)
        with self._step(Step(op, urn, old, state, paths)):
            self.snapshot.commit(done=old, new=state)
        return state

    # Custom resources

    def _custom(self, goal: Goal, urn: str, old: ResourceState | None) -> ResourceState:
        provider, reference = self.providers.for_goal(goal)
        operation = self._operation(goal, urn, "create")
        gone = old is None or old.pending_replacement or old.external
        earlier = self.earlier.get(urn)
        if old is not None and not gone and earlier is not None and earlier.kind == "deleting":
            old = self._settle(provider, operation, old)
            gone = old.pending_replacement
        resumed = earlier if earlier is not None and earlier.kind == "creating" else None
        if old is None or gone:
            checked = self._check(provider, operation, resumed.state.inputs if resumed else None, goal.inputs)
            op = "replace" if old is not None else "create"
            state = replace(state_of(goal, urn, reference), inputs=checked)
            operation = replace(operation, resumed=resumed, replacing=old is not None)
            return self._create(goal, provider, operation, Step(op, urn, old, state), done=old)
        wanted = diffs.ignore_changes(old.inputs, goal.inputs, goal.ignore_changes)
        checked = self._check(provider, operation, old.inputs, wanted)
        difference = self._diff(goal, provider, operation, old, reference, checked)
        if difference.replaces:
            # What was carried over from the old object (a generated name, ignored changes) is not the new object's.
            checked = self._check(provider, operation, resumed.state.inputs if resumed else None, goal.inputs)
            state = replace(state_of(goal, urn, reference), inputs=checked)
            step = Step("replace", urn, old, state, difference.paths, difference.replaces)
            operation = replace(operation, resumed=resumed, replacing=True)
            return self._replace(goal, provider, operation, step, difference)
        interrupted = earlier is not None and earlier.kind in ("updating", "deleting")
        state = replace(
            state_of(goal, urn, reference),
            id=old.id,
            inputs=checked,
            created=old.created,
            modified=old.modified,
            import_id=old.import_id,
            extra=old.extra,
        ).with_outputs(old.outputs)
        if difference.changed or old.init_errors or interrupted:
            return self._update(goal, provider, Step("update", urn, old, state, difference.paths))
        with self._step(Step("same", urn, old, replace(state, inputs=old.inputs))) as step:
            assert step.new is not None
            self.snapshot.commit(done=old, new=step.new)
        return step.new

    def _settle(self, provider: Provider, operation: Operation, old: ResourceState) -> ResourceState:
        """What has become of an object whose deletion was cut off and that the program wants after all."""
        live = provider.read(operation, old.id, old.inputs, old.outputs)
        metadata = live.outputs.get("metadata") if live is not None else None
        leaving = isinstance(metadata, dict) and metadata.get("deletionTimestamp")
        return self._clear(old) if live is None or leaving else old

    def _check(self, provider: Provider, operation: Operation, olds: Props | None, news: Props) -> Props:
        checked = provider.check(operation, olds, news)
        if checked.failures:
            reasons = "; ".join(f"{name}: {reason}" if name else reason for name, reason in checked.failures)
            error = CheckError(f"{urns.short(operation.urn)}: {reasons}")
            with self._step(Step("create" if olds is None else "update", operation.urn)):
                raise error
        return checked.inputs

    def _diff(
        self, goal: Goal, provider: Provider, operation: Operation, old: ResourceState, reference: str, news: Props
    ) -> Difference:
        if old.provider != reference and not (is_default(old.provider) and is_default(reference)):
            return Difference(True, (("provider",),), (("provider",),))
        found = provider.diff(operation, old.id, old.inputs, old.outputs, news)
        patterns = [diffs.parse_path(text) for text in goal.replace_on_changes]
        extra = tuple(path for path in found.paths if any(diffs.covers(pattern, path) for pattern in patterns))
        return replace(found, replaces=(*found.replaces, *extra)) if extra else found

    def _create(
        self, goal: Goal, provider: Provider, operation: Operation, step: Step, *, done: ResourceState | None
    ) -> ResourceState:
        """Create `step.new`. done: the base entry it takes the place of."""
        assert step.new is not None
        # The intent carries the moment it was formed: an object older than that is not its work.
        state = replace(step.new, created=now(), modified=now())
        with self._step(step):
            token = self.snapshot.begin("creating", state)
            try:
                live = provider.create(operation, state.inputs)
                error = None
            except PartialError as partial:
                live, error = None, partial
            except StepError as failure:
                if not failure.uncertain:
                    self.snapshot.commit(token=token)
                raise
            if error is not None:
                state = replace(state, id=error.id, outputs=error.outputs, init_errors=tuple(error.reasons))
            elif live is not None:
                state = replace(state, id=live.id, outputs=live.outputs)
            state = replace(state, modified=now()).with_outputs(state.outputs)
            superseded = (
                () if done is None or step.op == "create" or done.pending_replacement or done.external else (done,)
            )
            self.snapshot.commit(
                token=token,
                new=state,
                done=None if superseded else done,
                changed=[(entry, replace(entry, delete=True)) for entry in superseded],
            )
            self.explain(state.urn)
            if error is not None:
                raise error
        return state

    def _update(self, goal: Goal, provider: Provider, step: Step) -> ResourceState:
        old, state = step.old, step.new
        assert old is not None
        assert state is not None
        operation = self._operation(goal, state.urn, "update")
        with self._step(step):
            token = self.snapshot.begin("updating", replace(state, init_errors=old.init_errors))
            try:
                outputs = provider.update(operation, old.id, old.inputs, old.outputs, state.inputs)
                error = None
            except PartialError as partial:
                outputs, error = partial.outputs, partial
            except StepError as failure:
                if not failure.uncertain:
                    self.snapshot.commit(token=token)
                raise
            errors = () if error is None else tuple(error.reasons)
            state = replace(state, modified=now(), init_errors=errors).with_outputs(outputs)
            self.snapshot.commit(token=token, done=old, new=state)
            self.explain(state.urn)
            if error is not None:
                raise error
        return state

    def _replace(
        self, goal: Goal, provider: Provider, operation: Operation, step: Step, difference: Difference
    ) -> ResourceState:
        old = step.old
        assert old is not None
        if old.protect:
            with self._step(step):
                raise ProtectedError(
                    f"{urns.short(step.urn)} would be replaced and is protected: "
                    "take the protection away and run `falaj up` first"
                )
        first = goal.delete_before_replace
        if not (difference.delete_before_replace if first is None else first):
            return self._create(goal, provider, operation, step, done=old)
        for dependent in self._fall_with(old):
            self._clear(dependent)
        return self._create(goal, provider, operation, step, done=self._clear(old))

    def _clear(self, state: ResourceState) -> ResourceState:
        """Delete an object that will be made anew; its entry says so until then."""
        provider = self.providers.for_state(state)
        if not state.retain_on_delete:
            token = self.snapshot.begin("deleting", state)
            operation = Operation(
                state.urn,
                state.type,
                preview=self.preview,
                timeout=_timeout(state.custom_timeouts, "delete"),
                tell=lambda text: self.record.status(state.urn, text),
                cancelled=self.cancelled,
            )
            try:
                if not self.preview:
                    provider.delete(operation, state.id, state.inputs, state.outputs)
            except StepError as failure:
                if not failure.uncertain:
                    self.snapshot.commit(token=token)
                raise
        else:
            token = None
        cleared = replace(state, pending_replacement=True)
        self.snapshot.commit(token=token, changed=[(state, cleared)])
        with self._lock:
            self._olds[state.urn] = cleared
        return cleared

    def _fall_with(self, root: ResourceState) -> list[ResourceState]:
        """Dependents that have to be replaced because `root` is, dependents before what they depend on.

        A dependent falls when its provider would replace it, were the inputs computed from replaced resources to
        change.
        """
        falling: list[ResourceState] = []
        replaced = {root.urn}
        for state in self.snapshot.resources():
            if (
                not state.custom
                or state.external
                or state.delete
                or state.pending_replacement
                or self.visited(state.urn)
            ):
                continue
            touched = {key for key, sources in state.property_dependencies.items() if replaced & set(sources)}
            if not touched or state.is_provider:
                continue
            news = {key: UNKNOWN if key in touched else value for key, value in state.inputs.items()}
            operation = Operation(state.urn, state.type, preview=True)
            found = self.providers.for_state(state).diff(operation, state.id, state.inputs, state.outputs, news)
            if found.replaces:
                if state.protect:
                    raise ProtectedError(
                        f"{urns.short(state.urn)} would be replaced with what it depends on and is protected"
                    )
                replaced.add(state.urn)
                falling.insert(0, state)
        return falling

    # Shared

    def _find_old(self, urn: str, aliases: tuple[str, ...]) -> ResourceState | None:
        with self._lock:
            if (old := self._olds.get(urn)) is not None:
                return old
            for alias in aliases:
                if (old := self._olds.get(alias)) is not None and alias not in self._seen:
                    # The old URN is this resource's now; another registration may not claim it as well.
                    del self._olds[alias]
                    self._seen.add(alias)
                    break
            else:
                return None
        self.snapshot.rename(old.urn, urn)
        with self._lock:
            self._olds = {
                state.urn: state for state in self.snapshot.resources() if not state.delete and state.urn in self._olds
            }
        return old

    def _operation(self, goal: Goal, urn: str, kind: str) -> Operation:
        return Operation(
            urn,
            goal.type,
            preview=self.preview,
            timeout=_timeout(goal.custom_timeouts, kind),
            tell=lambda text: self.record.status(urn, text),
            cancelled=self.cancelled,
        )

    @contextmanager
    def _step(self, step: Step) -> Iterator[Step]:
        timer = Timer()
        self.record.started(step)
        try:
            yield step
        except EngineError as error:
            self.record.failed(step, str(error), timer.seconds)
            raise
        self.record.finished(step, timer.seconds)


def _timeout(timeouts: Mapping[str, Any], kind: str) -> float | None:
    value = timeouts.get(kind)
    return float(value) if value else None
