"""A company's own rules, from its own packages: entry points of the group `falaj.rules`.

    [project.entry-points."falaj.rules"]
    acme = "acme_rules:RULES"

The value is a sequence of `falaj_policies.Rule`. Their ids are the company's own: never those of the control table, and
never those of another package. One that cannot be used stops all judging: rules that are installed and do not count
would be worse than none. Packages run in the process that judges, with all its rights and without a time limit: a rule
that never returns keeps the command waiting, which lets nothing through, until whoever started it ends it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from falaj_policies.catalogue import CONTROLS
from falaj_policies.errors import RulePackageError
from falaj_policies.facts import Fact, ModelFact, ProjectFact, ResourceFact, StackFact, kind_of
from falaj_policies.model import Admission, Rule, Severity, Stage

__all__ = ["GROUP", "RulePackage", "extensions"]

GROUP: Final = "falaj.rules"
# What is judged, and when. A rule over anything else, or at another stage, would never be applied.
_STAGES: Final[Mapping[type[Fact], frozenset[Stage]]] = {
    ResourceFact: frozenset({Stage.PULL_REQUEST, Stage.PROVISION}),
    StackFact: frozenset({Stage.PULL_REQUEST, Stage.PROVISION}),
    ProjectFact: frozenset({Stage.PULL_REQUEST}),
    ModelFact: frozenset({Stage.DEPLOY, Stage.RUNTIME}),
}
_ID = re.compile(r"[A-Z][A-Z0-9]{1,9}-[0-9]{2,3}")


@dataclass(frozen=True, slots=True)
class RulePackage:
    """An installed distribution with rules: its name, its version, the module that holds them, what it declares."""

    name: str
    version: str
    module: str
    rules: tuple[Rule, ...]

    def digest(self) -> str:
        """Hex SHA-256 over every file beside the module but bytecode: an edited rule makes another rule set."""
        digest = hashlib.sha256()
        for name, path in sorted(_files(self.module)):
            content = path.read_bytes()
            digest.update(f"{name} {len(content)}\n".encode() + content)
        return digest.hexdigest()


@cache
def extensions() -> tuple[RulePackage, ...]:
    """The installed rule packages, by name. Raises RulePackageError: one cannot be used, so nothing can be judged."""
    found = [_load(point) for point in metadata.entry_points(group=GROUP)]
    packages = tuple(sorted(found, key=lambda package: (package.name, package.module)))
    owners: dict[str, RulePackage] = {}
    for package in packages:
        for rule in package.rules:
            owner = owners.setdefault(rule.id, package)
            if owner is not package:
                raise RulePackageError(
                    f"the rule packages {owner.name} and {package.name} both have a rule {rule.id}: uninstall one"
                )
    return packages


def _load(point: metadata.EntryPoint) -> RulePackage:
    name, version, declared = point.name, "", ()
    try:
        if point.dist is not None:
            name, version = point.dist.name or point.name, point.dist.version or ""
        declared = tuple(point.load())
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - also a package that exits: its rules are not there
        raise RulePackageError(
            f"the rule package {name} cannot be loaded ({_said(error)}): repair it or uninstall it"
        ) from None
    if not declared:
        raise RulePackageError(f"the rule package {name}: {point.value} holds no rule")
    seen: set[tuple[str, type[Fact]]] = set()
    for rule in declared:
        if not isinstance(rule, Rule):
            raise RulePackageError(f"the rule package {name}: {point.value} holds something that is not a Rule")
        if problem := _problem(rule, seen):
            raise RulePackageError(f"the rule package {name}: {problem}")
        seen.add((rule.id, rule.applies_to))
    return RulePackage(name, version, point.module, declared)


def _problem(rule: Rule, seen: set[tuple[str, type[Fact]]]) -> str:
    """Why a rule cannot be used, empty where it can: what would never be applied, or not be told from another."""
    kinds: Any = rule.kinds
    if not isinstance(rule.id, str) or rule.id in CONTROLS or not _ID.fullmatch(rule.id):
        return f"{rule.id!r} must be an id of its own, such as ACME-01, not a control's"
    if not (isinstance(rule.applies_to, type) and rule.applies_to in _STAGES):
        return f"{rule.id}: applies_to must be one of {', '.join(fact.__name__ for fact in _STAGES)}"
    if (rule.id, rule.applies_to) in seen:
        return f"two rules {rule.id} over {rule.applies_to.__name__}: rename one"
    if not callable(rule.check):
        return f"{rule.id}: check must be a function from a fact to objections"
    if not isinstance(rule.severity, Severity):
        return f"{rule.id}: severity must be a falaj_policies.Severity"
    if not rule.stages or not all(isinstance(stage, Stage) for stage in rule.stages):
        return f"{rule.id}: stages must name one falaj_policies.Stage or more"
    never = sorted(stage.value for stage in set(rule.stages) - _STAGES[rule.applies_to])
    if never:
        return (
            f"{rule.id}: stages must not name {never[0]}: nothing applies a rule over {rule.applies_to.__name__} there"
        )
    if not isinstance(rule.admission, tuple) or not all(isinstance(one, Admission) for one in rule.admission):
        return f"{rule.id}: admission must be a tuple of falaj_policies.Admission"
    if kinds is None:
        return ""
    if not isinstance(kinds, frozenset) or not kinds or rule.applies_to is not ResourceFact:
        return f"{rule.id}: kinds must be a frozenset of resource kinds, of a rule over ResourceFact"
    wrong = sorted(str(kind) for kind in kinds if not isinstance(kind, str) or kind_of(kind) != kind)
    if wrong:
        return f"{rule.id}: {wrong[0]!r} is not a kind of falaj_policies.facts.kind_of; {kind_of(wrong[0])!r} is"
    return ""


def _said(error: BaseException) -> str:
    try:
        lines: Sequence[str] = str(error).splitlines()
    except Exception:  # noqa: BLE001 - a package's own exception may not even print
        lines = ()
    return f"{type(error).__name__}{f': {lines[0][:200]}' if lines else ''}"


def _files(module: str) -> Iterator[tuple[str, Path]]:
    """The files of the outermost regular package around `module`, by relative name, or its only file."""
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        spec = find_spec(".".join(parts[:depth]))
        if spec is None or spec.origin is None:
            continue  # a namespace package belongs to several distributions
        origin = Path(spec.origin)
        if spec.submodule_search_locations is None:
            yield origin.name, origin
            return
        for path in origin.parent.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
                yield path.relative_to(origin.parent).as_posix(), path
        return
