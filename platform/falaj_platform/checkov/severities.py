"""What a failed Checkov check means here: our rule, its severity, or why it does not apply. Open-source Checkov has no
severities, so a table that people review holds them: `severities.tsv`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files

from falaj_policies.model import Severity

__all__ = ["Disposition", "Meaning", "meaning", "table"]


class Disposition(StrEnum):
    """What a failure leads to."""

    MANDATORY = "mandatory"
    ADVISORY = "advisory"
    NOT_APPLIED = "not-applied"


@dataclass(frozen=True, slots=True)
class Meaning:
    """A line of the table; `reason` says why a check is advisory or not applied."""

    check_id: str
    rule: str
    severity: Severity
    disposition: Disposition
    reason: str = ""


def meaning(check_id: str) -> Meaning:
    """What a failure of this check means. One that nobody has reviewed is mandatory, under its own name."""
    return table().get(check_id) or Meaning(check_id, check_id, Severity.HIGH, Disposition.MANDATORY)


@lru_cache(maxsize=1)
def table() -> Mapping[str, Meaning]:
    """The reviewed checks by id. Raises ValueError: a malformed line."""
    text = files(__package__).joinpath("severities.tsv").read_text(encoding="utf-8")
    found: dict[str, Meaning] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) not in (5, 6) or fields[0] in found:
            raise ValueError(
                f"severities.tsv line {number}: an id of its own, rule, severity, disposition, name, reason"
            )
        check_id, rule, severity, disposition, _name, reason = (*fields, "")[:6]
        line_means = Meaning(check_id, rule, Severity(severity), Disposition(disposition), reason)
        if bool(reason) == (line_means.disposition is Disposition.MANDATORY):
            raise ValueError(f"severities.tsv line {number}: a reason where the check is not mandatory, and only there")
        found[check_id] = line_means
    return found
