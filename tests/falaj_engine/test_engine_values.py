"""Values, differences, URNs, secrets and snapshots, as pure functions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falaj_engine import diff, urn, values
from falaj_engine.errors import PassphraseError, StateError
from falaj_engine.secrets import Crypter
from falaj_engine.snapshot import Checkpoint, Snapshot, open_checkpoint, salt_of
from falaj_engine.state import ResourceState, decode, encode
from falaj_engine.values import UNKNOWN, Secret

texts = st.text(max_size=8).filter(lambda text: text not in (values.SIGNATURE, values.UNKNOWN_TEXT))
leaves = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts
plain = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
marked = st.recursive(
    leaves | plain.map(Secret) | st.just(UNKNOWN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
props = st.dictionaries(texts, marked, max_size=4)
objects = st.dictionaries(texts, plain, max_size=4)

CRYPTER = Crypter.none()


@given(props)
def test_what_the_sdk_sends_comes_back(value: dict[str, Any]) -> None:
    assert values.from_struct(values.to_struct(value)) == value


@settings(deadline=None)
@given(props)
def test_a_checkpoint_keeps_values_and_hides_secrets(value: dict[str, Any]) -> None:
    text = values.checkpoint_json(value, CRYPTER.encrypt)
    assert values.from_checkpoint(json.loads(text), CRYPTER.decrypt) == value


def test_a_secret_is_nowhere_in_clear() -> None:
    secret = Secret({"inner": "hush-hush"})
    assert "hush" not in values.checkpoint_json({"a": secret}, CRYPTER.encrypt)
    assert "hush" not in repr(secret)
    assert values.mask({"a": [secret]}) == {"a": ["[secret]"]}


def test_an_unchanged_secret_keeps_its_ciphertext() -> None:
    text = values.checkpoint_json({"a": Secret("x")}, CRYPTER.encrypt)
    again = values.checkpoint_json(values.from_checkpoint(json.loads(text), CRYPTER.decrypt), CRYPTER.encrypt)
    assert again == text


@given(objects)
def test_equal_values_do_not_differ(value: dict[str, Any]) -> None:
    assert diff.differences(value, json.loads(json.dumps(value))) == []


@given(objects, objects)
def test_differences_are_where_values_differ(old: dict[str, Any], new: dict[str, Any]) -> None:
    def at(value: Any, path: diff.Path) -> Any:
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError):
                return KeyError
        return value

    for path in diff.differences(old, new):
        before, after = at(old, path), at(new, path)
        assert before != after or type(before) is not type(after)


@given(objects, objects, st.data())
def test_ignored_changes_are_not_seen(old: dict[str, Any], new: dict[str, Any], data: st.DataObject) -> None:
    keys = sorted(old.keys() | new.keys())
    ignored = data.draw(st.sets(st.sampled_from(keys))) if keys else set()
    kept = diff.ignore_changes(old, new, [diff.show_path((key,)) for key in ignored if key])
    changed = {path[0] for path in diff.differences(old, kept)}
    assert not changed & {key for key in ignored if key}


@given(st.lists(st.text(min_size=1, max_size=5) | st.integers(0, 99), min_size=1, max_size=4))
def test_paths_are_read_as_they_are_shown(path: list[str | int]) -> None:
    wanted = tuple(part for part in path if part != "*")
    if wanted:
        assert diff.parse_path(diff.show_path(wanted)) == wanted


@pytest.mark.parametrize(
    ("pattern", "path", "inside"),
    [
        ("spec.selector", "spec.selector.matchLabels.app", True),
        ("spec.selector", "spec.replicas", False),
        ("spec.containers[*].env", "spec.containers[1].env[0].value", True),
        ("data", "data", True),
        ("data.a", "data", False),
    ],
)
def test_within(pattern: str, path: str, inside: bool) -> None:
    assert diff.within(diff.parse_path(pattern), diff.parse_path(path)) is inside


def test_ignore_changes_reaches_into_lists_and_adds_what_was_left_out() -> None:
    old = {"spec": {"containers": [{"image": "a", "name": "x"}], "replicas": 3}}
    new = {"spec": {"containers": [{"image": "b", "name": "y"}]}}
    assert diff.ignore_changes(old, new, ["spec.containers[*].image", "spec.replicas"]) == {
        "spec": {"containers": [{"image": "a", "name": "y"}], "replicas": 3}
    }
    assert diff.ignore_changes({}, {"a": 1, "b": 2}, ["a"]) == {"b": 2}


@pytest.mark.parametrize("text", ["", "a[", "a[x]", '["a'])
def test_malformed_paths(text: str) -> None:
    with pytest.raises(ValueError, match="path"):
        diff.parse_path(text)


def test_urns() -> None:
    stack = urn.make("dev", "p", "", urn.STACK_TYPE, "p-dev")
    parent = urn.make("dev", "p", stack, "a:b:C", "c")
    child = urn.make("dev", "p", parent, "kubernetes:core/v1:ConfigMap", "x::y")
    assert parent == "urn:pulumi:dev::p::a:b:C::c"
    assert child == "urn:pulumi:dev::p::a:b:C$kubernetes:core/v1:ConfigMap::x::y"
    assert (urn.type_of(child), urn.name_of(child)) == ("kubernetes:core/v1:ConfigMap", "x::y")


def test_the_passphrase_of_a_pulumi_stack() -> None:
    salt = "v1:iIziSMj9rRM=:v1:QzBiwM/9X3CARtT4:2wyzr/FHXZSfu6cuw62HWg+eOZtOnQ=="
    crypter = Crypter("sample", salt)
    assert crypter.decrypt("v1:6IfLkFOuJAm1aynM:0U1D6NKqVCZQKqfyfPsTNurYQDHsFOQ=") == "hunter2"
    assert crypter.decrypt(crypter.encrypt("again")) == "again"
    with pytest.raises(PassphraseError, match="incorrect passphrase"):
        Crypter("other", salt).verify()
    with pytest.raises(PassphraseError, match="passphrase format"):
        Crypter("other", "v2:x")


def test_another_secrets_provider_is_refused_by_name() -> None:
    with pytest.raises(StateError, match="awskms"):
        salt_of({"checkpoint": {"latest": {"secrets_providers": {"type": "awskms", "state": {}}}}})


@settings(deadline=None)
@given(props, props, st.booleans(), st.lists(texts, max_size=3))
def test_a_resource_comes_back_from_its_entry(
    inputs: dict[str, Any], outputs: dict[str, Any], flag: bool, names: list[str]
) -> None:
    state = ResourceState(
        urn="urn:pulumi:dev::p::a:b:C::x",
        type="a:b:C",
        custom=True,
        id="x",
        inputs=inputs,
        outputs=outputs,
        protect=flag,
        delete=not flag,
        dependencies=tuple(names),
        extra={"taint": True, "stackTrace": [{}]},
    )
    entry = json.loads(encode(state, CRYPTER.encrypt))
    back = decode(entry, CRYPTER.decrypt)
    for attribute in ResourceState.__dataclass_fields__:
        assert getattr(back, attribute) == getattr(state, attribute), attribute


def resource(name: str, **fields: Any) -> ResourceState:
    return ResourceState(urn=f"urn:pulumi:dev::p::a:b:C::{name}", type="a:b:C", custom=True, id=name, **fields)


def test_a_snapshot_on_disk_after_every_step() -> None:
    written: list[bytes] = []
    old = resource("old")
    snapshot = Snapshot(Checkpoint("organization/p/dev", (old,)), CRYPTER, written.append)
    token = snapshot.begin("creating", resource("new"))
    document = json.loads(written[-1])
    assert [entry["type"] for entry in document["checkpoint"]["latest"]["pending_operations"]] == ["creating"]
    snapshot.commit(token=token, new=resource("new", dependencies=(old.urn,)))
    snapshot.commit(done=old, new=resource("old", outputs={"a": Secret(1)}))
    snapshot.close()
    checkpoint = open_checkpoint(json.loads(written[-1]), CRYPTER.decrypt)
    assert checkpoint.stack == "organization/p/dev"
    assert not checkpoint.pending
    assert [state.name for state in checkpoint.resources] == ["new", "old"]
    assert checkpoint.resources[1].outputs == {"a": Secret(1)}


def test_a_state_that_cannot_be_written_stops_the_run() -> None:
    def full(_content: bytes) -> None:
        raise OSError(28, "No space left on device")

    snapshot = Snapshot(Checkpoint("organization/p/dev"), CRYPTER, full)
    with pytest.raises(StateError, match="No space left"):
        snapshot.begin("creating", resource("new"))


def test_renaming_keeps_references() -> None:
    parent, child = resource("old"), resource("child", parent="urn:pulumi:dev::p::a:b:C::old")
    snapshot = Snapshot(Checkpoint("organization/p/dev", (parent, child)), CRYPTER, None)
    snapshot.rename(parent.urn, "urn:pulumi:dev::p::a:b:C::new")
    assert [state.parent for state in snapshot.resources()] == ["", "urn:pulumi:dev::p::a:b:C::new"]
