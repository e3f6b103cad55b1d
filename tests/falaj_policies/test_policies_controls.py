"""`falaj controls`: what a reader and a machine are told of each control."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from falaj_policies import CONTROLS, RULES
from falaj_policies.commands import register
from falaj_policies.testing import own_cases


def run(*arguments: str) -> str:
    app = typer.Typer()
    register(app)
    done = CliRunner().invoke(app, ["controls", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_the_table_has_every_control_and_who_answers() -> None:
    told = json.loads(run("--json"))
    rows = {row["id"]: row for row in told["controls"]}
    assert list(rows) == list(CONTROLS)
    for name, row in rows.items():
        assert (row["disposition"] == "rule") is row["enforced"] is any(rule.id == name for rule in RULES)
        assert row["enforced"] or row["reason"]
    text = run()
    assert all(name in text for name in CONTROLS)


@pytest.mark.parametrize("name", ["IAM-03", "iam-03"])
def test_a_control_is_shown_with_its_rules_and_cases(name: str) -> None:
    row = json.loads(run("show", name, "--json"))
    assert row["tests"] == [case.what for case in own_cases() if case.rule == "IAM-03"]
    assert {rule["judges"] for rule in row["rules"]} == {"resource"}
    assert any("object.rules" in admission["cel"] for rule in row["rules"] for admission in rule["admission"])
    text = run("show", name)
    for said in ("kubernetes:rbac:Role", "rolebindings", "object.rules", "a role over all resources", "8.2"):
        assert said in text


def test_a_control_without_a_rule_says_why() -> None:
    text = run("show", "LOG-02")
    assert "detected" in text
    assert "falaj audit verify" in text
    doubtful = run("show", "CRY-01")
    assert "(not verified)" in doubtful
