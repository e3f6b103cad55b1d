"""One judgement for every place that judges what a stack declares: the rules, then the waivers.

The gate inside the programs, the embedded engine and the policy pack collect facts in their own ways and ask here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from falaj_infra.waivers import Waivers, today
from falaj_policies import UNKNOWN, Finding, ResourceFact, StackFact, Stage, evaluate
from falaj_policies.waivers import Waived

__all__ = ["UNJUDGED", "Verdict", "holds_unknown", "judge", "verdict"]

# Inputs that are Pulumi's own bookkeeping: the pickled class of a dynamic provider.
UNJUDGED = frozenset({"__provider"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of a fact.

    `refused` is a line for each finding that denies, and for each waiver that does not hold against one. `undecided`
    waits for values that are not known yet, `waived` does not deny, `advice` never did.
    """

    refused: tuple[str, ...] = ()
    undecided: tuple[Finding, ...] = ()
    waived: tuple[Waived[Finding], ...] = ()
    advice: tuple[Finding, ...] = ()


def judge(fact: ResourceFact | StackFact, waivers: Waivers, *, decided: bool) -> Verdict:
    """The verdict on a resource or a stack.

    `decided` says that nothing will be known later that is not known now, so that what is undecided denies. Raises
    RulePackageError: an installed rule package cannot be used, so nothing can be judged.
    """
    return verdict(evaluate(fact, Stage.PROVISION), waivers, decided=decided, day=today())


def verdict(findings: Iterable[Finding], waivers: Waivers, *, decided: bool, day: date) -> Verdict:
    """The verdict that follows from findings on the day `day`."""
    standing, waived, problems = waivers.split(findings, day)
    denied = [finding for finding in standing if not finding.advisory and (decided or not finding.undecided)]
    about = {(finding.rule, finding.subject) for finding in denied}
    # A defective waiver is news where it would have been needed; `falaj check` reports them all.
    refused = [str(finding) for finding in denied]
    refused += [
        str(problem)
        for problem in problems
        if problem.waiver is not None and any(problem.waiver.names(rule, subject) for rule, subject in about)
    ]
    return Verdict(
        refused=tuple(refused),
        undecided=tuple(finding for finding in standing if finding.undecided and not decided),
        waived=tuple(waived),
        advice=tuple(finding for finding in standing if finding.advisory),
    )


def holds_unknown(value: object) -> bool:
    """Whether any part of a value is not known yet."""
    if value is UNKNOWN:
        return True
    if isinstance(value, Mapping):
        return any(map(holds_unknown, value.values()))
    return isinstance(value, list | tuple) and any(map(holds_unknown, value))
