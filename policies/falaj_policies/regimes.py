"""Regimes as data: the law that a tenant declares, what it narrows and what it adds to a jurisdiction's rules.

The references are those of the control table, where `?` marks what is from memory.
`binds_in` is where a tenant of Falaj may be under the regime, not how far the law itself reaches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from falaj_policies.catalogue import reference
from falaj_policies.errors import UnknownRegime
from falaj_policies.jurisdictions import pairs_of
from falaj_policies.model import Reference

__all__ = ["DEFAULT_RETENTION_DAYS", "REGIMES", "Regime", "pairs_for", "regime", "retention_days"]

# The control table's six months (no six in a row have more days), and 25 years with their leap days.
DEFAULT_RETENTION_DAYS: Final = 184
_HEALTH_RETENTION_DAYS: Final = 9131


@dataclass(frozen=True, slots=True)
class Regime:
    """One law. `retention_days` is how long logs are kept at least; the rest says what a stack under it must have."""

    name: str
    title: str
    binds_in: frozenset[str]
    transfer_basis_required: bool = False
    second_site_required: bool = False
    retention_days: int = DEFAULT_RETENTION_DAYS
    references: tuple[Reference, ...] = ()


def _regime(name: str, title: str, jurisdiction: str, references: str, **duties: bool | int) -> Regime:
    return Regime(
        name=name,
        title=title,
        binds_in=frozenset({jurisdiction}),
        transfer_basis_required=bool(duties.get("transfer_basis_required")),
        second_site_required=bool(duties.get("second_site_required")),
        retention_days=int(duties.get("retention_days", DEFAULT_RETENTION_DAYS)),
        references=tuple(reference(text) for text in references.split()),
    )


# PDPL rules transfers and does not localise; residency comes from the central bank's regulation and the health law.
# DIFC and ADGM lie in the UAE but treat the country around them as a third country: no region is inside them.
REGIMES: Final[Mapping[str, Regime]] = MappingProxyType(
    {
        law.name: law
        for law in (
            _regime("pdpl", "UAE PDPL (Federal Decree-Law 45/2021)", "uae", "P20 P21 P22 P23"),
            _regime(
                "cbuae", "CBUAE Outsourcing Regulation C14/2021", "uae", "C6.1 C6.3 C6.7", second_site_required=True
            ),
            _regime(
                "health",
                "UAE ICT Health Law 2/2019",
                "uae",
                "H13",
                second_site_required=True,
                retention_days=_HEALTH_RETENTION_DAYS,
            ),
            _regime("difc", "DIFC Data Protection Law", "uae", "Di26 Di27", transfer_basis_required=True),
            _regime("adgm", "ADGM Data Protection Regulations", "uae", "Ad40-42", transfer_basis_required=True),
            _regime("gdpr", "GDPR", "eu", "G44 G46"),
        )
    }
)


def regime(name: str) -> Regime:
    """The regime called `name`. Raises UnknownRegime, which names those that are known."""
    try:
        return REGIMES[name]
    except KeyError:
        raise UnknownRegime(f"no regime called {name!r}; known are {', '.join(sorted(REGIMES))}") from None


def pairs_for(jurisdiction: str, regime_name: str) -> frozenset[tuple[str, str]]:
    """The (cloud, region) pairs of `jurisdiction` that remain under the regime, all of them where none is said.

    Empty where the regime does not bind there. Raises UnknownJurisdiction and UnknownRegime.
    """
    pairs = pairs_of(jurisdiction)
    if not regime_name or jurisdiction in regime(regime_name).binds_in:
        return pairs
    return frozenset()


def retention_days(regime_name: str) -> int:
    """How many days logs are kept at least. Raises UnknownRegime."""
    return regime(regime_name).retention_days if regime_name else DEFAULT_RETENTION_DAYS
