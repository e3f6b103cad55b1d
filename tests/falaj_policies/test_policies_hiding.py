"""No finding says a secret: not whole, not out of a document, not in part."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from falaj_policies import Stage, evaluate
from falaj_policies.facts import ResourceFact
from falaj_policies.hiding import HIDDEN, hide
from falaj_policies.testing import broken, stack

POLICY = json.dumps({"Statement": [{"Effect": "Allow", "Action": "zz:*", "Resource": "*"}]})
POD = {"containers": [{"name": "c", "image": "registry.zz.example/web:1"}]}


@pytest.mark.parametrize(
    ("fact", "hides", "text"),
    [
        (broken("aws:s3:Bucket", "region", "zz-region"), "region", "zz-region"),
        (broken("kubernetes:core:Pod", "spec", POD), "spec", "registry.zz.example"),
        (broken("kubernetes:core:Pod", "spec", POD), "spec.containers[0].image", "registry.zz.example"),
        (broken("aws:iam:Policy", "policy", POLICY), "policy", "zz:"),
    ],
)
def test_a_finding_does_not_say_a_secret(fact: ResourceFact, hides: str, text: str) -> None:
    if hides == "region":
        fact = replace(fact, region=text)
    plainly = evaluate(fact, Stage.PULL_REQUEST)
    assert any(text in finding.message for finding in plainly)
    hidden = replace(fact, secret_paths=frozenset({hides}))
    found = evaluate(hidden, Stage.PULL_REQUEST)
    assert [(item.rule, item.path, item.denies) for item in found] == [
        (item.rule, item.path, item.denies) for item in plainly
    ]
    for finding in [*found, *evaluate(stack(hidden), Stage.PULL_REQUEST)]:
        assert text not in finding.message + finding.remedy + finding.path
    assert any(HIDDEN in finding.message for finding in found)


def test_what_is_short_is_hidden_as_a_word_only() -> None:
    assert hide("5 of 15 are 'a', b\\\\nc", {"5", "a", "b\\nc"}) == f"{HIDDEN} of 15 are '{HIDDEN}', {HIDDEN}"
    assert hide("nothing", set()) == "nothing"
