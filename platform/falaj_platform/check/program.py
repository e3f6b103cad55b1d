"""One stack's program, run against nothing and judged. Runs in a process of its own; takes and gives plain JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlparse

from falaj_platform.check.wire import known_text, replaced, sent

if TYPE_CHECKING:
    from falaj_engine.capture import Capture, CapturedResource
    from falaj_policies import Finding, ResourceFact, StackFact

__all__ = ["HIDDEN", "at", "judge", "outputs_of", "value_at"]

# The engine's bookkeeping and what a dynamic provider pickles of itself: no resource's inputs.
HIDDEN: Final = frozenset({"__provider", "__internal", "__defaults", "__name"})
_COMPONENTS: Final = frozenset({"falaj_infra", "falaj_platform", "falaj_engine"})
_LIBRARIES: Final = frozenset({"site-packages", "dist-packages"})


def judge(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run the program of `job["stack"]`, judge what it declares, and say where each finding's value is written.

    Raises EngineError, PlaceError or RulePackageError: it cannot be judged.
    """
    from falaj_engine.values import UNKNOWN_TEXT
    from falaj_infra.place import place_of
    from falaj_policies import Stage, evaluate

    stack = job["stack"]
    place = place_of(stack["name"], stack["config"], [Path(job["config_dir"])])
    said = {key: job[key] for key in ("jurisdiction", "regime") if job.get(key)}
    place = dataclasses.replace(place, **said)
    captured = _capture(job)
    facts = [fact for resource in captured.resources if (fact := _fact(resource, place)) is not None]
    whole = place.stack(stack["name"], tuple(facts), backend=job["backend"], encryption=stack["encryption"])
    found = [
        *(finding for fact in facts for finding in evaluate(fact, Stage.PULL_REQUEST)),
        *evaluate(whole, Stage.PULL_REQUEST),
    ]
    written = _Written(job, captured, facts, whole)
    return {
        "findings": [written.describe(finding) for finding in found],
        "resources": [sent(fact) | written.line(fact.urn) for fact in facts],
        "outputs": _plain(captured.outputs, UNKNOWN_TEXT),
        "cloud": known_text(place.cloud),
        "region": known_text(place.region),
        "jurisdiction": place.jurisdiction,
        "regime": place.regime,
        "tenant": place.tenant or "",
    }


def outputs_of(job: Mapping[str, Any]) -> dict[str, Any]:
    """Only the outputs of a stack, for others that read them."""
    from falaj_engine.values import UNKNOWN_TEXT

    return {"outputs": _plain(_capture(job).outputs, UNKNOWN_TEXT)}


def value_at(job: Mapping[str, Any]) -> dict[str, Any]:
    """The values at `job["places"]` (pairs of URN and path) with `job["changed"]` in the configuration."""
    from falaj_engine.values import UNKNOWN_TEXT

    resources = {resource.urn: resource for resource in _capture(job).resources}
    values = []
    for urn, path in job["places"]:
        resource = resources.get(urn)
        found = None if resource is None else at(_plain(resource.inputs, UNKNOWN_TEXT), path)
        values.append(found if isinstance(found, str | int | float | bool) else None)
    return {"values": values}


def _capture(job: Mapping[str, Any]) -> Capture:
    from falaj_engine.capture import capture
    from falaj_engine.values import UNKNOWN, UNKNOWN_TEXT

    # What the program's own gate would refuse is judged here, with everything else.
    return capture(
        job["root"],
        job["stack"]["name"],
        job.get("changed"),
        stack_file=Path(job["stack"]["file"]),
        references={
            name: {key: replaced(value, UNKNOWN_TEXT, UNKNOWN) for key, value in outputs.items()}
            for name, outputs in job["references"].items()
        },
        judged=True,
    )


def _fact(resource: CapturedResource, place: Any) -> ResourceFact | None:
    from falaj_engine.values import secret_paths
    from falaj_policies import UNKNOWN

    # What is only looked up (a stack reference, `.get`) is not declared here.
    if not resource.custom or resource.external or resource.type == "pulumi:pulumi:StackReference":
        return None
    found: ResourceFact = place.resource(
        resource.type,
        resource.name,
        {key: _plain(value, UNKNOWN) for key, value in resource.inputs.items() if key not in HIDDEN},
        urn=resource.urn,
        provider=_plain(resource.provider_inputs, UNKNOWN),
        references={key: tuple(urns) for key, urns in resource.property_dependencies.items() if urns},
        secret_paths=secret_paths(resource.inputs),
    )
    return found


def _plain(value: Any, unknown: Any) -> Any:
    """`value` without the engine's wrappers: secrets opened, nulls dropped, what is not known as `unknown`."""
    from falaj_engine.values import UNKNOWN, UNKNOWN_TEXT, Secret

    # Text that was made of something unknown holds its marker.
    if value is UNKNOWN or (isinstance(value, str) and UNKNOWN_TEXT in value):
        return unknown
    if isinstance(value, Secret):
        return _plain(value.value, unknown)
    if isinstance(value, Mapping):
        return {key: _plain(item, unknown) for key, item in value.items() if item is not None}
    return [_plain(item, unknown) for item in value] if isinstance(value, list | tuple) else value


def _secret_texts(value: Any) -> Iterator[str]:
    from falaj_engine.values import Secret
    from falaj_policies import UNKNOWN
    from falaj_policies.hiding import texts

    if isinstance(value, Secret):
        yield from texts(_plain(value, UNKNOWN))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secret_texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _secret_texts(item)


def at(value: Any, path: str) -> Any:
    """The value at a finding's path, None where there is nothing.

    Keys that hold dots need no quotes: the longest key that fits is taken.
    """
    from falaj_policies.paths import steps

    return _at(value, steps(path))


def _at(value: Any, parts: Sequence[str | int]) -> Any:
    if not parts:
        return value
    if isinstance(value, list) and isinstance(parts[0], int):
        return _at(value[parts[0]], parts[1:]) if parts[0] < len(value) else None
    if isinstance(value, Mapping):
        for length in range(len(parts), 0, -1):
            key = ".".join(map(str, parts[:length]))
            if key in value:
                return _at(value[key], parts[length:])
    return None


def _about_place(finding: Finding) -> bool:
    return finding.rule.startswith("RES-")


class _Written:
    """Where what a finding objects to is written."""

    def __init__(
        self, job: Mapping[str, Any], captured: Capture, facts: Sequence[ResourceFact], whole: StackFact
    ) -> None:
        self._root = Path(job["root"])
        self._captured = {resource.urn: resource for resource in captured.resources}
        self._facts = {fact.urn: fact for fact in facts}
        self._whole = whole
        # The facts hide their own inputs; where a provider is comes from its own, which no fact holds.
        self._secrets = {text for item in captured.resources for text in _secret_texts(item.provider_inputs)}

    def describe(self, finding: Finding) -> dict[str, Any]:
        """The finding with its value, where that is plain, and the line of the program."""
        from falaj_policies import UNKNOWN
        from falaj_policies.hiding import hide

        fact = self._facts.get(finding.subject)
        value: Any = None
        if fact is None and not finding.path and _about_place(finding):
            value = self._whole.region
        if fact is not None:
            # A finding about residency without a path is about where the resource itself is.
            value = at(fact.inputs, finding.path) if finding.path else fact.region if _about_place(finding) else None
        if value is UNKNOWN or not isinstance(value, str | int | float | bool):
            value = None
        secret = fact is not None and any(
            finding.path == path or finding.path.startswith((f"{path}.", f"{path}[")) for path in fact.secret_paths
        )
        return {
            "rule": finding.rule,
            "subject": finding.subject,
            "message": hide(finding.message, self._secrets),
            "severity": str(finding.severity),
            "remedy": finding.remedy,
            "path": finding.path,
            "undecided": finding.undecided,
            "advisory": finding.advisory,
            "value": None if secret else value,
            **self.line(finding.subject),
        }

    def line(self, urn: str) -> dict[str, Any]:
        """The first frame of the project that is not Falaj's components', nor a library's, as `file` and `line`."""
        resource = self._captured.get(urn)
        for uri, line in resource.stack_trace if resource is not None else ():
            path = Path(unquote(urlparse(uri).path))
            if not path.is_relative_to(self._root):
                continue
            inside = path.relative_to(self._root)
            if not (_COMPONENTS | _LIBRARIES).intersection(inside.parts):
                return {"file": inside.as_posix(), "line": line}
        return {"file": "", "line": 0}
