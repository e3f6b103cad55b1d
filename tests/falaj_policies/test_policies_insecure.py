"""Insecure settings that others describe: which of Falaj's own rules catches each, without Checkov.

The settings are data, in insecure_settings.yaml. Caught means that the insecure resource is refused by a rule that does
not refuse its good twin. Run as a program this writes docs/insecure-settings.md, which has those that are missed.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from falaj_policies import Fact, Stage, evaluate
from falaj_policies.testing import HERE, broken, change, good, stack
from falaj_policies.testing.stacks import bucket

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = yaml.safe_load((Path(__file__).parent / "insecure_settings.yaml").read_text())
GUIDE = ROOT / "docs" / "insecure-settings.md"
CHECKS = ROOT / "platform" / "falaj_platform" / "checkov" / "severities.tsv"


def facts(setting: dict[str, Any]) -> tuple[Fact, Fact]:
    """The good resource (or stack) and the insecure one."""
    if "bucket_without" in setting:
        return stack(*bucket()), stack(*bucket(without=setting["bucket_without"]))
    if "kind" in setting:
        secure = good(setting["kind"], tenant=setting.get("tenant"))
    else:
        here = HERE[setting["type"].split(":")[0]]
        secure = here.resource(setting["type"], "r", setting["inputs"], provider={"region": here.region})
    if "as" in setting:
        here = HERE[setting["as"].split(":")[0]]
        return secure, here.resource(setting["as"], "r", setting["set"], provider={"region": here.region})
    insecure = secure
    for path, value in setting.get("set", {}).items():
        insecure = change(insecure, path, value)
    for path in setting.get("remove", ()):
        insecure = change(insecure, path)
    return secure, insecure


@cache
def judged() -> tuple[tuple[dict[str, Any], tuple[str, ...]], ...]:
    """Each setting with the ids of the rules that catch it."""
    rows = []
    for setting in SETTINGS:
        secure, insecure = facts(setting)
        before, after = (
            {finding.rule for finding in evaluate(fact, Stage.PULL_REQUEST) if finding.denies}
            for fact in (secure, insecure)
        )
        rows.append((setting, tuple(sorted(after - before))))
    return tuple(rows)


def line(setting: dict[str, Any], *cells: str) -> str:
    number = f"{setting['number']}{'' if setting['verified'] else '?'}"
    what = setting.get("kind") or setting.get("as") or setting.get("type") or "aws:s3:Bucket"
    return f"| {' | '.join([setting['source'], number, setting['setting'], f'`{what}`', *cells])} |"


def guide() -> str:
    """The text of docs/insecure-settings.md."""
    caught = [(setting, rules) for setting, rules in judged() if rules]
    missed = [setting for setting, rules in judged() if not rules]
    head = "| Source | Number | Setting | Type |"
    lines = [
        "# Insecure settings",
        "",
        f"{len(SETTINGS)} settings that the field's own benchmarks, tools and post-mortems describe, each rewritten as",
        f"a Pulumi resource. Without Checkov, Falaj's own rules refuse {len(caught)} of them. They miss {len(missed)}:",
        "",
        head,
        "|---|---|---|---|",
        *(line(setting) for setting in missed),
        "",
        "`?` marks what is from memory. The numbers of CIS were compared with the text that kube-bench has of them,",
        "never with CIS's own documents; Checkov's with its list of checks. Beside these rules `falaj check` applies",
        "Checkov's own checks, as `severities.tsv` maps them: what is missed here may be refused there.",
        "",
        "## Caught",
        "",
        f"{head} Rules |",
        "|---|---|---|---|---|",
        *(line(setting, ", ".join(rules)) for setting, rules in caught),
        "",
        "This file is written by `python tests/falaj_policies/test_policies_insecure.py`; the settings are in",
        "`tests/falaj_policies/insecure_settings.yaml`.",
    ]
    return "\n".join(lines) + "\n"


def test_there_are_enough_of_every_field() -> None:
    sources = Counter(setting["source"].split(" ")[0] for setting in SETTINGS)
    assert len(SETTINGS) >= 40
    assert sources["CIS"] >= 20
    assert sources["Checkov"] >= 20
    assert sum(not setting["verified"] for setting in SETTINGS) >= 5


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: f"{setting['number']} {setting['setting']}")
def test_its_good_twin_is_good(setting: dict[str, Any]) -> None:
    """Otherwise what is caught may be something else."""
    secure, insecure = facts(setting)
    assert evaluate(secure, Stage.PULL_REQUEST) == []
    assert setting.get("bucket_without") or secure != insecure


def test_most_are_caught() -> None:
    assert sum(bool(rules) for _, rules in judged()) >= 40


def test_a_rule_that_is_gone_would_be_noticed() -> None:
    privileged = broken("kubernetes:core:Pod", "spec.containers[0].securityContext.privileged", True, tenant="acme")
    assert any(rules == ("TEN-03",) for setting, rules in judged() if facts(setting)[1] == privileged)


def test_what_checkov_calls_them_is_right() -> None:
    known = {row.split("\t")[0] for row in CHECKS.read_text().splitlines() if not row.startswith("#")}
    named = {setting["number"] for setting in SETTINGS if setting["source"] == "Checkov" and setting["verified"]}
    assert named <= known


def test_the_guide_is_up_to_date() -> None:
    assert GUIDE.read_text() == guide(), "run: python tests/falaj_policies/test_policies_insecure.py"


if __name__ == "__main__":
    GUIDE.write_text(guide())
