"""Waivers: one rule, for one resource, for a reason, until a day, approved by someone.

Written in the repository, so that it is reviewed and its history kept. A waiver that is malformed, expired, without
its approvers or approved by its own author waives nothing and is a finding itself. This module reads no file: see
`falaj_infra.waivers`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Generic, Protocol, TypeVar

from falaj_policies.model import CRASHED, Finding, Severity

__all__ = ["FILE", "LONGEST", "NEVER", "Judged", "Problem", "Waived", "Waiver", "apply_waivers", "covers", "parse"]

FILE: Final = "falaj-waivers.yaml"
# The longest that a waiver may still have to run.
LONGEST: Final = timedelta(days=366)
# What keeps foreign code out of a serving replica: nobody waives it. No finding about a model is ever waived.
NEVER: Final = frozenset({"SUP-01", "SUP-02", "SUP-07"})
_REQUIRED: Final = ("rule", "resource", "reason", "expires", "approved_by")
_RULE: Final = re.compile(r"[A-Z][A-Z0-9]{1,9}-[0-9]{2,3}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Judged(Protocol):
    """What a waiver may cover: a Finding, or whatever names its rule and its subject likewise."""

    @property
    def rule(self) -> str: ...

    @property
    def subject(self) -> str: ...

    @property
    def remedy(self) -> str: ...


F = TypeVar("F", bound=Judged)


@dataclass(frozen=True, slots=True)
class Waiver:
    """An entry of the waiver file.

    `resource` is the exact subject of the finding: a URN, what follows the project in one (`type::name`, and with a
    parent `parent$type::name`), or a stack's name for what is said of a whole stack. The waiver holds to the end of
    `expires`. `approved_by` and `authors` are names or addresses; `authors` are those whose commits wrote the entry,
    empty where there is no history. `unproven` says why the history that there is does not tell them: then the waiver
    does not hold. `line` is that of the entry, from 1.
    """

    rule: str
    resource: str
    reason: str
    expires: date
    approved_by: tuple[str, ...]
    line: int = 0
    authors: tuple[str, ...] = ()
    unproven: str = ""

    def names(self, rule: str, subject: str) -> bool:
        """Whether it is about this rule and this very resource."""
        return rule == self.rule and self.resource in (subject, _short(subject))

    def __str__(self) -> str:
        return f"waived until {self.expires} by {', '.join(self.approved_by)}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an entry waives nothing, under the rule that it breaks; `waiver` is None where the entry is malformed."""

    rule: str
    message: str
    line: int
    path: str = ""
    waiver: Waiver | None = None

    @property
    def remedy(self) -> str:
        return f"repair or remove the entry in {FILE}"

    def finding(self) -> Finding:
        return Finding(self.rule, f"{FILE}:{self.line}", self.message, Severity.HIGH, self.remedy, self.path)

    def __str__(self) -> str:
        return str(self.finding())


@dataclass(frozen=True, slots=True)
class Waived(Generic[F]):
    """A finding that does not deny, and the waiver that says so: both are always shown."""

    finding: F
    waiver: Waiver


def parse(document: object, lines: Sequence[int] = ()) -> tuple[tuple[Waiver, ...], tuple[Problem, ...]]:
    """The waivers of `{waivers: [...]}` and what is wrong with the other entries.

    `lines` has the line of each entry. Whatever the document holds, nothing is raised.
    """
    if document is None:
        return (), ()
    if not isinstance(document, Mapping) or set(document) != {"waivers"}:
        return (), (Problem("CHG-01", "the file must be a mapping with `waivers` alone in it", 1),)
    entries = document["waivers"]
    if entries is None or entries == "":
        return (), ()
    if not isinstance(entries, list | tuple):
        return (), (Problem("CHG-01", "`waivers` must be a list", 1, "waivers"),)
    waivers: list[Waiver] = []
    problems: list[Problem] = []
    for index, entry in enumerate(entries):
        found = _entry(entry, f"waivers[{index}]", lines[index] if index < len(lines) else 0)
        if isinstance(found, Waiver):
            waivers.append(found)
        else:
            problems.append(found)
    return tuple(waivers), tuple(problems)


def apply_waivers(
    findings: Iterable[F], waivers: Sequence[Waiver], today: date, *, complete: bool = False
) -> tuple[list[F], list[Waived[F]], list[Problem]]:
    """The findings that stand, those that are waived, and what is wrong with the waivers.

    `complete` says that the findings are all there are, of every stack: a waiver that covers none of them is a problem.
    """
    findings = list(findings)
    problems = {id(waiver): _problem(waiver, today) for waiver in waivers}
    used: set[int] = set()
    by_rule: dict[str, list[Waiver]] = {}
    for waiver in waivers:
        by_rule.setdefault(waiver.rule, []).append(waiver)
    for finding in findings:
        for waiver in by_rule.get(finding.rule, ()):
            if covers(waiver, finding):
                used.add(id(waiver))
    standing: list[F] = []
    waived: list[Waived[F]] = []
    for finding in findings:
        holds = next(
            (item for item in by_rule.get(finding.rule, ()) if not problems[id(item)] and covers(item, finding)), None
        )
        if holds is None:
            standing.append(finding)
        else:
            waived.append(Waived(finding, holds))
    found = [problem for waiver in waivers if (problem := problems[id(waiver)]) is not None]
    if complete:
        found += [
            _said(waiver, "CHG-01", f"waives nothing: {waiver.rule} does not object to {waiver.resource}")
            for waiver in waivers
            if id(waiver) not in used and problems[id(waiver)] is None
        ]
    return standing, waived, sorted(found, key=lambda problem: problem.line)


def covers(waiver: Waiver, finding: Judged) -> bool:
    """Whether the waiver is about this finding: its rule and its very resource, and one that may be waived at all."""
    return (
        waiver.names(finding.rule, finding.subject)
        and finding.rule not in NEVER
        and not finding.subject.startswith("sha256:")
        and finding.remedy != CRASHED
    )


def _short(urn: str) -> str:
    """A URN without stack and project, its parents' types included: no two resources of a stack share that."""
    if not urn.startswith("urn:pulumi:") or urn.count("::") < 3:
        return urn
    return urn.split("::", 2)[2]


def _problem(waiver: Waiver, today: date) -> Problem | None:
    if waiver.expires < today:
        return _said(waiver, "CHG-01", f"expired on {waiver.expires}", "expires")
    if waiver.expires - today > LONGEST:
        return _said(waiver, "CHG-01", f"expires more than {LONGEST.days} days ahead, on {waiver.expires}", "expires")
    approvers = {_same(name) for name in waiver.approved_by}
    if waiver.rule.startswith("RES-") and len(approvers) < 2:
        return _said(waiver, "RES-06", "waives residency and has not two approvers", "approved_by")
    authors = {_same(name) for name in waiver.authors}
    if not approvers - authors:
        return _said(waiver, "IAM-05", "is approved by nobody but the author of its commit", "approved_by")
    if waiver.unproven:
        return _said(waiver, "IAM-05", f"has an author that nobody can tell: {waiver.unproven}", "approved_by")
    return None


def _said(waiver: Waiver, rule: str, what: str, key: str = "") -> Problem:
    return Problem(rule, f"the waiver of {waiver.rule} for {waiver.resource} {what}", waiver.line, key, waiver)


def _same(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _entry(entry: object, path: str, line: int) -> Waiver | Problem:
    if not isinstance(entry, Mapping):
        return Problem("CHG-01", "the entry must be a mapping", line, path)
    texts: dict[str, str] = {}
    for key in (*_REQUIRED, *entry):
        if key not in _REQUIRED:
            return Problem("CHG-01", f"no such key: {str(key)[:40]!r}; known are {', '.join(_REQUIRED)}", line, path)
        value = entry.get(key)
        if key == "approved_by":
            continue
        if isinstance(value, date):
            value = value.isoformat()
        if not isinstance(value, str) or not value.strip():
            return Problem("CHG-01", f"the entry does not say its {key}", line, f"{path}.{key}")
        texts[key] = value.strip()
    names = entry.get("approved_by")
    if not isinstance(names, list | tuple) or not names or not all(isinstance(n, str) and n.strip() for n in names):
        return Problem("CHG-01", "the entry has no list of approvers", line, f"{path}.approved_by")
    if not _RULE.fullmatch(texts["rule"]):
        return Problem("CHG-01", "the entry names no rule", line, f"{path}.rule")
    if texts["rule"] in NEVER or texts["resource"].startswith("sha256:"):
        return Problem("CHG-01", "what is said of a model is never waived", line, f"{path}.rule")
    if re.search(r"[*?]", texts["resource"]):
        return Problem("CHG-01", "a waiver is for one resource: no wildcard", line, f"{path}.resource")
    expires = _day(texts["expires"])
    if expires is None:
        return Problem("CHG-01", "the day of expiry must be YYYY-MM-DD", line, f"{path}.expires")
    approvers = tuple(name.strip() for name in names)
    return Waiver(texts["rule"], texts["resource"], texts["reason"], expires, approvers, line)


def _day(text: str) -> date | None:
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
