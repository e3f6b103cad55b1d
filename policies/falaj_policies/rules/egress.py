"""Egress: what may be reached from inside is listed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ResourceFact
from falaj_policies.model import Admission, Objection, Severity
from falaj_policies.rules.declare import rule
from falaj_policies.rules.networks import blocks, or_named, wider_than
from falaj_policies.rules.reading import get, items
from falaj_policies.rules.requiring import undecided

__all__ = ["RULES"]

# The widest private blocks are 10.0.0.0/8 and fc00::/7: whatever is wider is no list of destinations.
_everywhere: Final = wider_than(8, 7)
_any_destination: Final = or_named(_everywhere, "*", "internet", "any")


def _blocks(value: Any, path: str, *keys: str) -> Iterator[Objection]:
    yield from blocks(value, path, *keys, wide=_everywhere, says="lets everything out to")


def _egress_of_group(resource: ResourceFact) -> Iterator[Objection]:
    for at, one in items(resource.inputs, "egress", ""):
        if one is UNKNOWN:
            yield undecided(at)
            continue
        yield from _blocks(one, at, "cidrBlocks", "ipv6CidrBlocks")


def _group_rule(resource: ResourceFact) -> Iterator[Objection]:
    kind = resource.inputs.get("type")
    if kind is UNKNOWN:
        yield undecided("type")
    elif kind == "egress":
        yield from _blocks(resource.inputs, "", "cidrBlocks", "ipv6CidrBlocks")


def _egress_rule(resource: ResourceFact) -> Iterator[Objection]:
    yield from _blocks(resource.inputs, "", "cidrIpv4", "cidrIpv6")


def _azure_rule(value: Any, path: str) -> Iterator[Objection]:
    """A rule of a network security group that allows outbound traffic to everywhere."""
    under = f"{path}." if path else ""
    direction, access = get(value, "direction"), get(value, "access")
    if direction is UNKNOWN or access is UNKNOWN:
        yield undecided(f"{under}{'direction' if direction is UNKNOWN else 'access'}")
        return
    if str(direction).lower() != "outbound" or str(access).lower() != "allow":
        return
    keys = ("destinationAddressPrefix", "destinationAddressPrefixes")
    yield from blocks(value, path, *keys, wide=_any_destination, says="lets everything out to")


def _azure_group(resource: ResourceFact) -> Iterator[Objection]:
    for at, one in items(resource.inputs, "securityRules", ""):
        yield from [undecided(at)] if one is UNKNOWN else _azure_rule(one, at)


def _network_policy(resource: ResourceFact) -> Iterator[Objection]:
    for at, one in items(resource.inputs.get("spec"), "egress", "spec"):
        to = get(one, "to")
        if to is UNKNOWN:
            yield undecided(f"{at}.to")
            continue
        if not to:
            yield Objection("lets everything out: the rule names no destination", path=f"{at}.to")
        for place, peer in items(one, "to", at):
            yield from (
                [undecided(place)] if peer is UNKNOWN else _blocks(get(peer, "ipBlock"), f"{place}.ipBlock", "cidr")
            )


def _tenant_service(resource: ResourceFact) -> Iterator[Objection]:
    """A tenant's Service is reachable inside the cluster only, and is no name for anything outside it."""
    if resource.tenant is None:
        return
    kind = get(resource.inputs, "spec", "type")
    if kind is UNKNOWN:
        yield undecided("spec.type")
    elif kind not in (None, "ClusterIP"):
        yield Objection(f"the Service is of type {kind}", path="spec.type")
    external = get(resource.inputs, "spec", "externalIPs")
    if external is UNKNOWN:
        yield undecided("spec.externalIPs")
    elif external not in (None, [], ()):
        yield Objection("the Service has external addresses", path="spec.externalIPs")


_CLUSTER_IP_ONLY: Final = (
    "(!has(object.spec.type) || object.spec.type == 'ClusterIP')"
    " && (!has(object.spec.externalIPs) || object.spec.externalIPs.size() == 0)"
)

RULES = (
    rule(
        "RES-04",
        rationale="What may talk to everything takes the data anywhere.",
        severity=Severity.HIGH,
        remedy="name the destinations; a tenant's Service is of type ClusterIP, with no external addresses",
        check={
            "aws:ec2:SecurityGroup": _egress_of_group,
            "aws:ec2:DefaultSecurityGroup": _egress_of_group,
            "aws:ec2:SecurityGroupRule": _group_rule,
            "aws:vpc:SecurityGroupEgressRule": _egress_rule,
            "azure-native:network:NetworkSecurityGroup": _azure_group,
            "azure-native:network:SecurityRule": lambda resource: _azure_rule(resource.inputs, ""),
            "kubernetes:networking:NetworkPolicy": _network_policy,
            "kubernetes:core:Service": _tenant_service,
        },
        admission=(
            Admission(
                ("services",),
                _CLUSTER_IP_ONLY,
                "a tenant's Service is of type ClusterIP, with no external addresses",
            ),
        ),
    ),
)
