"""Falaj's rules, without any engine: facts go in, findings come out.

    from falaj_policies import ModelFact, Stage, evaluate
    findings = evaluate(fact, Stage.DEPLOY)

The same functions are applied in the stack programs, at the deploy gate and in the serving replica.
"""

from __future__ import annotations

from falaj_policies.catalogue import CONTROLS, FRAMEWORKS, control
from falaj_policies.errors import PoliciesError, UnknownControl, UnknownJurisdiction
from falaj_policies.facts import UNKNOWN, Fact, FileFact, ModelFact, ResourceFact, StatementFact, Unknown
from falaj_policies.formats import Format, sniff
from falaj_policies.jurisdictions import JURISDICTIONS, pairs_of
from falaj_policies.model import Control, Finding, Reference, Rule, Severity, Stage
from falaj_policies.registry import RULES, evaluate, rule_set_version

RULE_SET_VERSION = rule_set_version()

__all__ = [
    "CONTROLS",
    "FRAMEWORKS",
    "JURISDICTIONS",
    "RULES",
    "RULE_SET_VERSION",
    "UNKNOWN",
    "Control",
    "Fact",
    "FileFact",
    "Finding",
    "Format",
    "ModelFact",
    "PoliciesError",
    "Reference",
    "ResourceFact",
    "Rule",
    "Severity",
    "Stage",
    "StatementFact",
    "Unknown",
    "UnknownControl",
    "UnknownJurisdiction",
    "control",
    "evaluate",
    "pairs_of",
    "rule_set_version",
    "sniff",
]
