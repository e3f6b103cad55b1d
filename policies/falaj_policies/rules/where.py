"""The places that a resource's inputs name, and which control answers for each.

RES-03 answers for what is replicated, RES-02 for copies, backups, keys and logs, RES-01 for everything else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from falaj_policies.errors import PoliciesError
from falaj_policies.facts import UNKNOWN, ResourceFact, StackFact, Unknown
from falaj_policies.model import Objection
from falaj_policies.regimes import REGIMES, pairs_for

__all__ = ["allowed_pairs", "foreign_texts", "named_places", "outside", "region_of_text", "short_region"]

# Inputs that name a region, wherever in a resource they stand.
_REGION_KEYS: Final = frozenset(
    {
        "region", "regions", "regionName", "regionNames", "location", "locations", "locationName", "replicaRegion",
        "replicaRegions", "destinationRegion", "backupRegion", "secondaryRegion", "secondaryLocation",
        "failoverLocation", "targetRegion", "targetRegions", "kmsKeyRegion", "primaryRegion",
        "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region",
    }
)  # fmt: skip
_NODE_LABELS: Final = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
# Maps whose keys are their writer's own words: a tag that is called `region` names no place, the labels above do.
_FREE_FORM: Final = frozenset(
    {
        "tags", "tagsAll", "targetTags", "tagsToAdd", "labels", "matchLabels", "annotations", "data", "stringData",
        "variables",
    }
)  # fmt: skip
_OWN: Final = frozenset({"region", "location"})
_NOT_A_PLACE: Final = frozenset({"", "global"})
_CONTAINERS: Final = (dict, list, tuple)
# Kinds whose region inputs are where their copies are, though no input is called so.
_OF_KINDS: Final[Mapping[str, str]] = {
    "aws:efs:ReplicationConfiguration": "RES-03",
    "aws:ecr:ReplicationConfiguration": "RES-03",
    "aws:dynamodb:GlobalTable": "RES-03",
    "azure-native:cosmosdb:DatabaseAccount": "RES-03",
    "aws:rds:SnapshotCopy": "RES-02",
    "aws:rds:ClusterSnapshotCopy": "RES-02",
    "aws:dlm:LifecyclePolicy": "RES-02",
}
_COPIES: Final = ("backup", "snapshot", "copy", "copies", "destination", "targetregion", "kmskey", "logging")
_HOST: Final = ".amazonaws.com"
_HOST_REGION: Final = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com")


class Named(NamedTuple):
    """A place that inputs name: where in them, the region as it is written or UNKNOWN, the control that answers."""

    path: str
    region: str | Unknown
    control: str


def allowed_pairs(fact: ResourceFact | StackFact) -> frozenset[tuple[str, str]] | str:
    """The pairs that `fact` may be in, or one line that says why nobody can tell."""
    if not fact.jurisdiction:
        return "its stack does not say which jurisdiction it must stay in"
    try:
        pairs = pairs_for(fact.jurisdiction, fact.regime)
    except PoliciesError as error:
        return str(error)
    if not pairs:
        binds = ", ".join(sorted(REGIMES[fact.regime].binds_in))
        return f"the regime {fact.regime} binds in {binds}, not in {fact.jurisdiction}"
    return pairs


@lru_cache(maxsize=1024)
def short_region(cloud: str, region: str) -> str:
    """Azure writes "UAE North" for uaenorth; a jurisdiction holds the short form."""
    return region.replace(" ", "").lower() if cloud == "azure" else region


def outside(resource: ResourceFact, control: str) -> Iterator[Objection]:
    """Objections to the places named in the inputs that `control` answers for; none where it cannot be judged."""
    if not _may_name_a_place(resource.inputs, resource.region):
        return
    named = [place for place in named_places(resource) if place.control == control]
    allowed = allowed_pairs(resource)
    if isinstance(allowed, str):
        return
    for path, region, _ in named:
        if region is UNKNOWN or resource.cloud is UNKNOWN:
            yield Objection("the region is not known yet", path=path, undecided=True)
            continue
        short = short_region(str(resource.cloud), str(region))
        if short not in _NOT_A_PLACE and (resource.cloud, short) not in allowed:
            yield Objection(f"{resource.cloud} {region} is not in {resource.jurisdiction}", path=path)


def _may_name_a_place(inputs: Mapping[str, Any], own: object) -> bool:
    """Whether a walk is worth it: an input besides the resource's `own` region names one. Most resources have none."""
    for key in _REGION_KEYS.intersection(inputs):
        if key not in _OWN or inputs[key] != own:
            return True
    waiting = [child for child in inputs.values() if isinstance(child, _CONTAINERS)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if not _REGION_KEYS.isdisjoint(value) or ("key" in value and value["key"] in _NODE_LABELS):
                return True
            waiting += [child for child in value.values() if isinstance(child, _CONTAINERS)]
        else:
            waiting += [child for child in value if isinstance(child, _CONTAINERS)]
    return False


def named_places(resource: ResourceFact) -> list[Named]:
    """Every region that the inputs name."""
    start = _OF_KINDS.get(resource.kind, "RES-01")
    found = _named(resource.inputs, start)
    if start != "RES-01":
        return [place if place.path not in _OWN else place._replace(control="RES-01") for place in found]
    return found


def _named(value: Any, control: str, keys: Collection[str] = _REGION_KEYS) -> list[Named]:
    """As `named_places`, by the keys that name places directly in `value`.

    Paths are put together on the way back, and only where something was found.
    """
    found: list[Named] = []
    if isinstance(value, Mapping):
        if value.get("key") in _NODE_LABELS:
            found += [Named(f"values{at}", region, control) for at, region in _regions(value.get("values"))]
        for key, child in value.items():
            if key in keys:
                answers = _answers(key, control)
                found += [Named(f"{_quoted(key)}{at}", region, answers) for at, region in _regions(child)]
            if isinstance(child, _CONTAINERS):
                inside = _NODE_LABELS if key in _FREE_FORM else _REGION_KEYS
                found += [
                    place._replace(path=_join(str(key), place.path))
                    for place in _named(child, _answers(key, control), inside)
                ]
    else:
        for index, child in enumerate(value):
            if isinstance(child, _CONTAINERS):
                found += [place._replace(path=_join(f"[{index}]", place.path)) for place in _named(child, control)]
    return found


def _quoted(key: object) -> str:
    return f"'{key}'" if "." in str(key) else str(key)


def _join(step: str, path: str) -> str:
    return f"{step}{path}" if path.startswith("[") else f"{step}.{path}"


def _regions(value: Any) -> list[tuple[str, str | Unknown]]:
    """The regions under a key that names some: text, a list of text, or a list of objects that have a `name`."""
    if value is UNKNOWN or isinstance(value, str):
        return [("", value)]
    if isinstance(value, Mapping):
        name = value.get("name")
        return [(".name", name)] if name is UNKNOWN or isinstance(name, str) else []
    if isinstance(value, list | tuple):
        return [(f"[{index}]{at}", region) for index, item in enumerate(value) for at, region in _regions(item)]
    return []


@lru_cache(maxsize=8192)
def _answers(key: object, control: str) -> str:
    """The control that answers for what stands under `key`, inside of what `control` answers for."""
    if control != "RES-01":
        return control
    word = str(key).lower()
    if "replica" in word or "failover" in word or "secondary" in word:
        return "RES-03"
    if any(part in word for part in _COPIES):
        return "RES-02"
    return control


def region_of_text(text: str) -> str | None:
    """The AWS region that an ARN or a host name of AWS's says; None where it says none.

    A pattern over regions (`arn:aws:logs:*:...`, in a condition) is no place.
    """
    if text.startswith("arn:aws"):
        parts = text.split(":", 4)
        return parts[3] if len(parts) == 5 and parts[3] and "*" not in parts[3] else None
    if _HOST in text and not text.lstrip().startswith("{"):
        found = _HOST_REGION.search(text)
        return found[1] if found else None
    return None


def foreign_texts(resource: ResourceFact) -> list[tuple[str, str]]:
    """Where in the inputs ARNs and host names say another AWS region than the resource's own, and which."""
    waiting: list[Any] = [resource.inputs.values()]
    while waiting:
        for child in waiting.pop():
            # Both marks have it in them.
            if isinstance(child, str):
                if "aws" in child and region_of_text(child) not in (None, resource.region):
                    return _foreign(resource.inputs, resource.region)
            elif isinstance(child, dict):
                waiting.append(child.values())
            elif isinstance(child, list | tuple):
                waiting.append(child)
    return []


def _foreign(value: Any, own: object) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    named = isinstance(value, Mapping)
    steps: Iterable[tuple[Any, Any]] = value.items() if named else enumerate(value)
    for key, child in steps:
        step = _quoted(key) if named else f"[{key}]"
        if isinstance(child, str):
            if (region := region_of_text(child)) not in (None, own):
                found.append((step, str(region)))
        elif isinstance(child, _CONTAINERS):
            found += [
                (f"{step}{at if at.startswith('[') else f'.{at}'}", region) for at, region in _foreign(child, own)
            ]
    return found
