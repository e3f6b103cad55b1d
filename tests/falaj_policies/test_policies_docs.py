"""The code in the how-to runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCKS = re.findall(r"^```python\n(.*?)^```", (DOCS / "rules.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_how_to_has_code() -> None:
    assert len(BLOCKS) == 1


@pytest.mark.parametrize("block", BLOCKS)
def test_the_how_to_runs(block: str) -> None:
    exec(compile(block, "docs/rules.md", "exec"), {"__name__": "rules"})
