"""Egress: what may be reached from inside is listed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ResourceFact
from falaj_policies.model import Admission, Objection, Severity
from falaj_policies.rules.declare import rule
from falaj_policies.rules.reading import get, items
from falaj_policies.rules.requiring import undecided

__all__ = ["RULES"]

# The widest private blocks are 10.0.0.0/8 and fc00::/7: whatever is wider is no list of destinations.
_WIDEST: Final = {4: 8, 6: 7}
_ANY_DESTINATION: Final = frozenset({"*", "internet", "any"})


@lru_cache(maxsize=1024)
def _everywhere(block: str) -> bool:
    """Whether a CIDR block is wider than any private one; what is no CIDR block at all is not for this rule."""
    try:
        network = ipaddress.ip_network(block.strip(), strict=False)
    except ValueError:
        return False
    return network.prefixlen < _WIDEST[network.version]


def _blocks(value: Any, key: str, path: str) -> Iterator[Objection]:
    """Objections to the CIDR blocks under `key`: a list, or one."""
    at = f"{path}.{key}" if path else key
    blocks = get(value, key)
    for block in blocks if isinstance(blocks, list | tuple) else [blocks]:
        if block is UNKNOWN:
            yield undecided(at)
        elif isinstance(block, str) and _everywhere(block):
            yield Objection(f"lets everything out to {block}", path=at)


def _egress_of_group(resource: ResourceFact) -> Iterator[Objection]:
    for at, one in items(resource.inputs, "egress", ""):
        if one is UNKNOWN:
            yield undecided(at)
            continue
        for key in ("cidrBlocks", "ipv6CidrBlocks"):
            yield from _blocks(one, key, at)


def _group_rule(resource: ResourceFact) -> Iterator[Objection]:
    kind = resource.inputs.get("type")
    if kind is UNKNOWN:
        yield undecided("type")
    elif kind == "egress":
        for key in ("cidrBlocks", "ipv6CidrBlocks"):
            yield from _blocks(resource.inputs, key, "")


def _egress_rule(resource: ResourceFact) -> Iterator[Objection]:
    for key in ("cidrIpv4", "cidrIpv6"):
        yield from _blocks(resource.inputs, key, "")


def _azure_rule(value: Any, path: str) -> Iterator[Objection]:
    """A rule of a network security group that allows outbound traffic to everywhere."""
    under = f"{path}." if path else ""
    direction, access = get(value, "direction"), get(value, "access")
    if direction is UNKNOWN or access is UNKNOWN:
        yield undecided(f"{under}{'direction' if direction is UNKNOWN else 'access'}")
        return
    if str(direction).lower() != "outbound" or str(access).lower() != "allow":
        return
    for key in ("destinationAddressPrefix", "destinationAddressPrefixes"):
        said = get(value, key)
        for one in said if isinstance(said, list | tuple) else [said]:
            if one is UNKNOWN:
                yield undecided(f"{under}{key}")
            elif isinstance(one, str) and (one.lower() in _ANY_DESTINATION or _everywhere(one)):
                yield Objection(f"lets everything out to {one}", path=f"{under}{key}")


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
                [undecided(place)] if peer is UNKNOWN else _blocks(get(peer, "ipBlock"), "cidr", f"{place}.ipBlock")
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
