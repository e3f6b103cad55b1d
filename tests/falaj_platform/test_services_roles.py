"""Rights and flows as data: who may reach what, in Kubernetes, in Vault, on the network."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falaj_platform.services import network, roles
from falaj_platform.services.vault import member_policy, serving_policy, signing_keys

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
ROLES = sorted(roles.ROLES)
PLANE = {"ipBlock": {"cidr": "10.0.0.1/32"}}


def _paths(document: str) -> list[str]:
    return [line.split('"')[1] for line in document.splitlines() if line.startswith("path")]


def _matches(pattern: str, path: str) -> bool:
    """Vault's own matching, without the trailing star that no policy of ours may use."""
    assert not pattern.endswith("*")
    parts, wanted = pattern.split("/"), path.split("/")
    return len(parts) == len(wanted) and all(p in ("+", w) for p, w in zip(parts, wanted, strict=True))


@given(a=NAMES, b=NAMES)
def test_no_member_can_use_anothers_key(a: str, b: str) -> None:
    policy = _paths(member_policy("tenant-demo", a, ROLES))
    for key in signing_keys(b, ROLES):
        for path in (f"tenant-demo/transit/sign/{key}", f"tenant-demo/transit/sign/{key}/sha2-256"):
            assert any(_matches(pattern, path) for pattern in policy) == (a == b)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gives_its_own_keys_only(role: str) -> None:
    expected = {"data-scientist": ["sign-x"], "approver": ["approve-x"], "operator": []}
    assert signing_keys("x", [role]) == expected[role]


def test_only_a_data_scientist_reads_rays_token() -> None:
    for role in ROLES:
        readable = any("kv/data/ray" in path for path in _paths(member_policy("tenant-demo", "x", [role])))
        assert readable == (role == "data-scientist")


def test_the_replica_only_reads_public_keys() -> None:
    assert _paths(serving_policy("tenant-demo")) == ["tenant-demo/transit/keys/+"]
    assert "update" not in serving_policy("tenant-demo")


@pytest.mark.parametrize("role", ROLES)
def test_rights_are_to_things_by_name(role: str) -> None:
    for rule in roles.rules(role):
        assert rule["resourceNames"]
        assert not any("*" in value for values in rule.values() for value in values)


def test_only_the_operator_says_what_is_served() -> None:
    for role in ROLES:
        writes = [rule for rule in roles.rules(role) if "serving" in rule["resourceNames"]]
        assert bool(writes) == (role == "operator")


def test_members_of_a_role() -> None:
    members = {"lead": ["data-scientist", "approver"], "ann": ["data-scientist"], "bob": ["operator"]}
    assert roles.members_of("data-scientist", members) == ["ann", "lead"]
    assert roles.members_of("approver", members) == ["lead"]


def test_every_flow_is_allowed_at_both_ends() -> None:
    made = network.policies([PLANE], [PLANE])
    assert tuple(made) == network.NAMES
    for who, whom, port in network.INSIDE:
        assert _allows(made[whom]["ingress"], "from", who, port)
        assert _allows(made[who]["egress"], "to", whom, port)
    for who, whom in itertools.permutations(network.FRONT, 2):
        if (who, whom) not in {(a, b) for a, b, _ in network.INSIDE}:
            assert not _allows(made[whom]["ingress"], "from", who, network.FRONT[whom])


def test_nothing_but_the_registry_reaches_the_database() -> None:
    ingress = network.policies([PLANE], [PLANE])["postgres"]["ingress"]
    assert [peer for rule in ingress for peer in rule["from"]] == [
        {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "mlflow", "app.kubernetes.io/part-of": "falaj"}}}
    ]


def _allows(rules: list[dict[str, list[dict[str, object]]]], end: str, name: str, port: int) -> bool:
    def named(peer: dict[str, object]) -> bool:
        return name in str(peer.get("podSelector", ""))

    return any(
        any(named(peer) for peer in rule[end]) and any(item["port"] == port for item in rule.get("ports", []))
        for rule in rules
    )
