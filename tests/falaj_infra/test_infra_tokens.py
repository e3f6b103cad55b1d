"""Generated secrets."""

from __future__ import annotations

import re

import pytest

from falaj_infra.tokens import RandomTokenProvider


def test_tokens_are_long_different_and_safe_anywhere() -> None:
    made = [RandomTokenProvider().create({"bytes": 32}) for _ in range(50)]
    values = {result.outs["value"] for result in made if result.outs}
    assert len(values) == 50
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in values)
    assert not any(result.id in value for result in made for value in values)


def test_a_short_token_is_refused() -> None:
    with pytest.raises(ValueError, match="can be guessed"):
        RandomTokenProvider().create({"bytes": 4})


def test_it_changes_only_with_its_size() -> None:
    olds = {"bytes": 32, "value": "v"}
    assert not RandomTokenProvider().diff("id", olds, {"bytes": 32}).changes
    assert RandomTokenProvider().diff("id", olds, {"bytes": 48}).replaces == ["bytes"]
