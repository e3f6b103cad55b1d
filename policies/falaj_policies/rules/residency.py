"""Residency: everything sits in a (cloud, region) pair of the jurisdiction, and so does every copy of it."""

from __future__ import annotations

from collections.abc import Iterator

from falaj_policies.errors import UnknownRegime
from falaj_policies.facts import UNKNOWN, ResourceFact, StackFact
from falaj_policies.model import Objection, Severity
from falaj_policies.regimes import regime
from falaj_policies.rules import copies, egress
from falaj_policies.rules.azure_places import part_of_another
from falaj_policies.rules.declare import rule
from falaj_policies.rules.where import allowed_pairs, outside, short_region

__all__ = ["RULES"]


def in_jurisdiction(resource: ResourceFact) -> Iterator[Objection]:
    allowed = allowed_pairs(resource)
    if isinstance(allowed, str):
        yield Objection(allowed)
        return
    # The input that says it, where one does: not to be named twice.
    own = next((key for key in ("region", "location") if resource.inputs.get(key) == resource.region), "")
    if resource.cloud is UNKNOWN or resource.region is UNKNOWN:
        if "location" in resource.inputs or not part_of_another(resource.kind):
            yield Objection("where it will be is not known yet", path=own, undecided=True)
    elif not _inside(resource.cloud, resource.region, allowed):
        yield Objection(f"{resource.cloud} {resource.region} is not in {resource.jurisdiction}", path=own)
    yield from (found for found in outside(resource, "RES-01") if found.path != own)


def _inside(cloud: object, region: object, allowed: frozenset[tuple[str, str]]) -> bool:
    """Whether a known pair is allowed; Azure's own `global` is no region (DNS zones, alerts)."""
    short = short_region(str(cloud), str(region))
    return (cloud, short) in allowed or (cloud, short) == ("azure", "global")


def stack_in_jurisdiction(stack: StackFact) -> Iterator[Objection]:
    """The stack's own place. Where it says none, each resource's own is judged."""
    allowed = allowed_pairs(stack)
    if isinstance(allowed, str):
        yield Objection(allowed)
    elif UNKNOWN not in (stack.cloud, stack.region) and not _inside(stack.cloud, stack.region, allowed):
        yield Objection(f"{stack.cloud} {stack.region} is not in {stack.jurisdiction}")


def regime_declared(stack: StackFact) -> Iterator[Objection]:
    """A tenant says which law it is under, and under a free zone's law on what its transfers rest."""
    if not stack.regime:
        if stack.tenant is not None:
            yield Objection(f"the tenant {stack.tenant} does not say which regime it is under", path="regime")
        return
    try:
        law = regime(stack.regime)
    except UnknownRegime as error:
        yield Objection(str(error), path="regime")
        return
    if law.transfer_basis_required and not stack.transfer_basis:
        message = f"under {law.name} the region is outside the zone, and nothing says what that transfer rests on"
        yield Objection(message, path="transfer_basis")


RULES = (
    rule(
        "RES-01",
        rationale="Data, keys, logs and state leave a jurisdiction with the resource that holds them.",
        severity=Severity.CRITICAL,
        remedy="use a (cloud, region) pair of the tenant's jurisdiction",
        check=in_jurisdiction,
    ),
    rule(
        "RES-01",
        rationale="A stack that is outside takes everything in it along.",
        severity=Severity.CRITICAL,
        remedy="use a (cloud, region) pair of the tenant's jurisdiction",
        check=stack_in_jurisdiction,
        applies_to=StackFact,
    ),
    *copies.RULES,
    *egress.RULES,
    rule(
        "RES-05",
        rationale="Which rules apply, and whether being in the country is enough, depends on the law that is declared.",
        severity=Severity.HIGH,
        remedy="say `regime`, and under difc or adgm `transfer_basis`",
        check=regime_declared,
        applies_to=StackFact,
    ),
)
