"""Falaj's rules, without any engine: facts go in, findings come out.

    from falaj_policies import ModelFact, Stage, evaluate
    findings = evaluate(fact, Stage.DEPLOY)

The same functions are applied in the stack programs, at the deploy gate and in the serving replica. Each name is looked
up when it is first used, so that a command line that has this package does not load it to print its help.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from falaj_policies.catalogue import CONTROLS, FRAMEWORKS, control
    from falaj_policies.errors import (
        PoliciesError,
        RulePackageError,
        UnknownControl,
        UnknownJurisdiction,
        UnknownRegime,
    )
    from falaj_policies.facts import (
        UNKNOWN,
        Fact,
        FileFact,
        ModelFact,
        ProjectFact,
        ResourceFact,
        StackFact,
        StatementFact,
        Unknown,
    )
    from falaj_policies.formats import Format, sniff
    from falaj_policies.jurisdictions import JURISDICTIONS, pairs_of
    from falaj_policies.model import Admission, Control, Finding, Objection, Reference, Rule, Severity, Stage
    from falaj_policies.place import Place
    from falaj_policies.regimes import REGIMES, Regime, pairs_for, regime, retention_days
    from falaj_policies.registry import RULES, all_rules, apply, evaluate, rule_set_version

    RULE_SET_VERSION: str

__all__ = [
    "CONTROLS",
    "FRAMEWORKS",
    "JURISDICTIONS",
    "REGIMES",
    "RULES",
    "RULE_SET_VERSION",
    "UNKNOWN",
    "Admission",
    "Control",
    "Fact",
    "FileFact",
    "Finding",
    "Format",
    "ModelFact",
    "Objection",
    "Place",
    "PoliciesError",
    "ProjectFact",
    "Reference",
    "Regime",
    "ResourceFact",
    "Rule",
    "RulePackageError",
    "Severity",
    "StackFact",
    "Stage",
    "StatementFact",
    "Unknown",
    "UnknownControl",
    "UnknownJurisdiction",
    "UnknownRegime",
    "all_rules",
    "apply",
    "control",
    "evaluate",
    "pairs_for",
    "pairs_of",
    "regime",
    "retention_days",
    "rule_set_version",
    "sniff",
]

_HOMES = {
    "Admission": "model",
    "all_rules": "registry",
    "apply": "registry",
    "Control": "model",
    "control": "catalogue",
    "CONTROLS": "catalogue",
    "evaluate": "registry",
    "Fact": "facts",
    "FileFact": "facts",
    "Finding": "model",
    "Format": "formats",
    "FRAMEWORKS": "catalogue",
    "JURISDICTIONS": "jurisdictions",
    "ModelFact": "facts",
    "Objection": "model",
    "pairs_for": "regimes",
    "pairs_of": "jurisdictions",
    "Place": "place",
    "PoliciesError": "errors",
    "ProjectFact": "facts",
    "Reference": "model",
    "Regime": "regimes",
    "regime": "regimes",
    "REGIMES": "regimes",
    "ResourceFact": "facts",
    "retention_days": "regimes",
    "Rule": "model",
    "rule_set_version": "registry",
    "RulePackageError": "errors",
    "RULES": "registry",
    "Severity": "model",
    "sniff": "formats",
    "StackFact": "facts",
    "Stage": "model",
    "StatementFact": "facts",
    "UNKNOWN": "facts",
    "Unknown": "facts",
    "UnknownControl": "errors",
    "UnknownJurisdiction": "errors",
    "UnknownRegime": "errors",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name == "RULE_SET_VERSION":
        value: Any = importlib.import_module("falaj_policies.registry").rule_set_version()
    elif name in _HOMES:
        value = getattr(importlib.import_module(f"falaj_policies.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'falaj_policies' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
