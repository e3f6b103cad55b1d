"""The judge that the commands run programs under: Falaj's rules and those of the installed rule packages."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

from falaj_engine import values
from falaj_engine.errors import ProjectError
from falaj_engine.judging import Opinion, Registration, Scene
from falaj_infra.errors import InfraError
from falaj_infra.judge import UNJUDGED, Verdict, holds_unknown, judge
from falaj_infra.place import place_of
from falaj_infra.waivers import Waivers, load
from falaj_policies import UNKNOWN, Place, PoliciesError, ResourceFact, all_rules

__all__ = ["RulesJudge", "gate"]


def gate(scene: Scene) -> RulesJudge:
    """The judge of one run. Raises ProjectError: where the stack is, a waiver file or a rule package cannot be read."""
    folders = [scene.home / "stacks", scene.project.root / ".falaj" / "stacks", scene.project.config_dir]
    try:
        all_rules()
        place = place_of(scene.stack, scene.config, folders)
        waivers = load(scene.project.root)
    except (InfraError, PoliciesError) as error:
        raise ProjectError(f"nothing can be judged, so nothing is done: {error}") from None
    return RulesJudge(scene, place, waivers)


class RulesJudge:
    """Judges by the rules what a program registers in a stack that is at `place`."""

    def __init__(self, scene: Scene, place: Place, waivers: Waivers) -> None:
        self._scene = scene
        self._place = place
        self._waivers = waivers
        self._lock = threading.Lock()
        self._undecided: Counter[str] = Counter()
        self._waived = False

    def resource(self, registration: Registration, *, preview: bool) -> Opinion:
        fact = self._fact(registration)
        decided = not preview or not holds_unknown([fact.inputs, fact.cloud, fact.region])
        return self._opinion(judge(fact, self._waivers, decided=decided))

    def stack(self, registrations: Sequence[Registration], *, preview: bool) -> Opinion:
        resources = tuple(map(self._fact, registrations))
        scene = self._scene
        fact = self._place.stack(scene.stack, resources, backend=scene.backend, encryption=scene.encryption)
        decided = not preview or not holds_unknown([resource.inputs for resource in resources])
        opinion = self._opinion(judge(fact, self._waivers, decided=decided))
        notes = list(opinion.notes)
        if self._undecided:
            counted = ", ".join(f"{rule} ({count})" for rule, count in sorted(self._undecided.items()))
            notes.append(("info", f"{self._undecided.total()} judgements wait for values that `up` knows: {counted}"))
        if self._waived:
            notes.append(("warning", self._waivers.proof))
        return Opinion(opinion.refused, tuple(notes))

    def _opinion(self, found: Verdict) -> Opinion:
        with self._lock:
            self._undecided.update(item.rule for item in found.undecided)
            self._waived |= bool(found.waived)
        waived = [("warning", f"{item.finding}: {item.waiver}") for item in found.waived]
        return Opinion(found.refused, (*waived, *(("warning", str(item)) for item in found.advice)))

    def _fact(self, registration: Registration) -> ResourceFact:
        inputs = {key: plain(value) for key, value in registration.inputs.items() if key not in UNJUDGED}
        return self._place.resource(
            registration.type,
            registration.name,
            {key: value for key, value in inputs.items() if value is not None},
            urn=registration.urn,
            provider={key: plain(value) for key, value in registration.provider.items()},
            references=registration.references,
            secret_paths=values.secret_paths(registration.inputs),
        )


def plain(value: Any) -> Any:
    """A value of the engine's as rules take it: secrets opened, nulls dropped, UNKNOWN the rules' own."""
    if value is values.UNKNOWN:
        return UNKNOWN
    if isinstance(value, values.Secret):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not None}
    return [plain(item) for item in value] if isinstance(value, list) else value
