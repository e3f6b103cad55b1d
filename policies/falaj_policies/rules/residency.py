"""Residency: everything sits in a (cloud, region) pair of the jurisdiction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from falaj_policies.errors import UnknownJurisdiction
from falaj_policies.facts import UNKNOWN, ResourceFact
from falaj_policies.jurisdictions import pairs_of
from falaj_policies.model import Objection, Severity
from falaj_policies.rules.declare import rule

__all__ = ["RULES"]

# Inputs that name a region, wherever in a resource they stand: its own, a replica's, a backup's, a log sink's.
_REGION_KEYS: Final = frozenset(
    {
        "region", "regions", "regionName", "regionNames", "location", "locations", "locationName", "replicaRegion",
        "replicaRegions", "destinationRegion", "backupRegion", "secondaryRegion", "secondaryLocation",
        "failoverLocation",
        "targetRegion", "targetRegions", "kmsKeyRegion", "primaryRegion",
        "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region",
    }
)  # fmt: skip
_NOT_A_PLACE: Final = frozenset({"", "global"})


def in_jurisdiction(resource: ResourceFact) -> Iterator[Objection]:
    if not resource.jurisdiction:
        yield Objection("its stack does not say which jurisdiction it must stay in")
        return
    try:
        allowed = pairs_of(resource.jurisdiction)
    except UnknownJurisdiction as error:
        yield Objection(str(error))
        return
    if resource.cloud is UNKNOWN or resource.region is UNKNOWN:
        yield Objection("where it will be is not known yet", undecided=True)
    elif (resource.cloud, resource.region) not in allowed:
        yield Objection(f"{resource.cloud} {resource.region} is not in {resource.jurisdiction}")
    for path, region in _regions(resource.inputs, ""):
        if region is UNKNOWN or resource.cloud is UNKNOWN:
            yield Objection("the region is not known yet", path=path, undecided=True)
        elif isinstance(region, str):
            # Azure writes "UAE North" for uaenorth; a jurisdiction holds the short form.
            short = region.replace(" ", "").lower() if resource.cloud == "azure" else region
            if short not in _NOT_A_PLACE and (resource.cloud, short) not in allowed:
                yield Objection(f"{resource.cloud} {region} is not in {resource.jurisdiction}", path=path)


def _regions(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, child in value.items():
            at = f"{path}.{key}" if path else str(key)
            if key in _REGION_KEYS:
                yield from ((at, item) for item in _leaves(child))
            else:
                yield from _regions(child, at)
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from _regions(child, f"{path}[{index}]")


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        for child in value.values():
            yield from _leaves(child)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from _leaves(child)
    else:
        yield value


RULES = (
    rule(
        "RES-01",
        rationale="Data, keys, logs and state leave a jurisdiction with the resource that holds them.",
        severity=Severity.CRITICAL,
        remedy="use a (cloud, region) pair of the tenant's jurisdiction",
        check=in_jurisdiction,
    ),
)
