"""Cases of the change rules over what is declared."""

from __future__ import annotations

from typing import Any, Final

from falaj_policies.facts import StackFact
from falaj_policies.testing.build import good, stack
from falaj_policies.testing.case import Case

_QUEUE: Final = "aws:sqs:Queue"


def _two(first: Any, second: Any) -> StackFact:
    return stack(good(_QUEUE, name="a", tags=first), good(_QUEUE, name="b", tags=second))


CASES = (
    Case(
        "CHG-02",
        "development in production's stack",
        _two({"environment": "production"}, {"environment": "prod"}),
        _two({"environment": "production"}, {"environment": "dev"}),
    ),
    Case(
        "CHG-02",
        "staging in production's stack",
        _two({"Env": "dev"}, {"env": "staging"}),
        _two({"Env": "prod"}, {"env": "staging"}),
    ),
)
