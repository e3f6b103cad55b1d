"""Building facts: a good resource of a kind, and the same with one field changed."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from falaj_policies.facts import ResourceFact, StackFact, kind_of
from falaj_policies.paths import steps
from falaj_policies.place import Place
from falaj_policies.testing import aws, azure, kubernetes

__all__ = ["HERE", "REMOVED", "broken", "change", "good", "kinds", "stack"]


class _Removed:
    def __repr__(self) -> str:
        return "REMOVED"


REMOVED: Final = _Removed()

_AWS: Final = ("aws", "me-central-1")
_AZURE: Final = ("azure", "uaenorth")
# Where the good resources of each package are: inside the UAE, with a second site there.
HERE: Final[Mapping[str, Place]] = {
    "aws": Place(cloud=_AWS[0], region=_AWS[1], jurisdiction="uae", regime="pdpl", standby=_AZURE),
    "azure-native": Place(cloud=_AZURE[0], region=_AZURE[1], jurisdiction="uae", regime="pdpl", standby=_AWS),
    "kubernetes": Place(cloud="on-premises", region="local", jurisdiction="uae", regime="pdpl", standby=_AZURE),
}
_ELSEWHERE: Final = HERE["kubernetes"]
# Pulumi type token and inputs, by kind.
_GOOD: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    kind_of(token): (token, inputs) for module in (aws, azure, kubernetes) for token, inputs in module.GOOD.items()
}


def kinds() -> tuple[str, ...]:
    """The kinds that `good` knows."""
    return tuple(_GOOD)


def good(
    kind: str, /, *, tenant: str | None = None, place: Place | None = None, name: str = "r", **inputs: Any
) -> ResourceFact:
    """A resource of `kind` (`aws:s3:Bucket`) that no rule objects to; `inputs` replace or add top-level inputs.

    Raises KeyError: a kind that `kinds` does not list.
    """
    token, base = _GOOD[kind]
    here = place or HERE.get(kind.split(":", 1)[0], _ELSEWHERE)
    here = dataclasses.replace(here, tenant=tenant or here.tenant)
    urn = f"urn:pulumi:dev::acme::{token}::{name}"
    return here.resource(
        token,
        name,
        {**copy.deepcopy(dict(base)), **inputs},
        urn=urn,
        provider={"region": here.region, "location": here.region},
    )


def broken(kind: str, path: str, value: Any = REMOVED, /, **options: Any) -> ResourceFact:
    """`good(kind, **options)` with the input at `path` set to `value`, or removed."""
    return change(good(kind, **options), path, value)


def change(fact: ResourceFact, path: str, value: Any = REMOVED) -> ResourceFact:
    """`fact` with one input changed. `path` is as findings write it: `spec.containers[0].image`; a name with dots in
    it goes in quotes: `metadata.labels.'falaj.io/tenant'`. Mappings on the way are made; list items must be there.
    """
    inputs = copy.deepcopy(dict(fact.inputs))
    *above, last = steps(path)
    here: Any = inputs
    for step in above:
        here = here.setdefault(step, {}) if isinstance(here, dict) else here[step]
    if value is REMOVED:
        del here[last]
    elif isinstance(here, list) and last == len(here):
        here.append(value)
    else:
        here[last] = value
    return dataclasses.replace(fact, inputs=inputs)


def stack(*resources: ResourceFact, place: Place | None = None, **fields: Any) -> StackFact:
    """A stack of these resources, by default in the UAE with its state there; `fields` are StackFact's own."""
    here = place or (HERE.get(resources[0].type.split(":", 1)[0], _ELSEWHERE) if resources else _ELSEWHERE)
    backend = "s3://acme-state?region=me-central-1" if here.cloud != "on-premises" else "file://~"
    return dataclasses.replace(here.stack("dev", resources, backend=backend), **fields)
