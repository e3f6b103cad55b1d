"""Jurisdictions as data: named sets of (cloud, region) pairs.

Never a region alone: `me-central-1` is the UAE at AWS and Riyadh at Alibaba. `on-premises` sites are named by whoever
runs them, and a jurisdiction lists the ones it knows; `local` is the machine that the embedded site runs on, which is
where its user says it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from falaj_policies.errors import UnknownJurisdiction

__all__ = ["JURISDICTIONS", "pairs_of"]

Pair = tuple[str, str]


def _pairs(**clouds: str) -> frozenset[Pair]:
    return frozenset(
        (cloud.replace("_", "-"), region) for cloud, regions in clouds.items() for region in regions.split()
    )


JURISDICTIONS: Final[Mapping[str, frozenset[Pair]]] = MappingProxyType(
    {
        "uae": _pairs(
            aws="me-central-1",
            azure="uaenorth uaecentral",
            oracle="me-abudhabi-1 me-dubai-1",
            alibaba="me-east-1",
            on_premises="local",
        ),
        "ksa": _pairs(
            google="me-central2",
            oracle="me-riyadh-1 me-jeddah-1",
            alibaba="me-central-1",
            on_premises="local",
        ),
        "eu": _pairs(
            aws="eu-central-1 eu-west-1 eu-west-3 eu-north-1 eu-south-1 eu-south-2",
            azure="westeurope northeurope germanywestcentral francecentral swedencentral"
            " italynorth spaincentral polandcentral",
            google="europe-west1 europe-west3 europe-west4 europe-west8 europe-west9 europe-north1 europe-southwest1",
            on_premises="local",
        ),
    }
)


def pairs_of(jurisdiction: str) -> frozenset[Pair]:
    """The pairs of a jurisdiction. Raises UnknownJurisdiction, which names those that are known."""
    try:
        return JURISDICTIONS[jurisdiction]
    except KeyError:
        known = ", ".join(sorted(JURISDICTIONS))
        raise UnknownJurisdiction(f"no jurisdiction called {jurisdiction!r}; known are {known}") from None
