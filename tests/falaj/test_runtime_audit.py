"""The audit log: what is altered, moved, dropped or cut off is noticed; what a crash leaves does not stop it."""

from __future__ import annotations

import dataclasses
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falaj.audit.record import GENESIS, Entry, Record, verify
from falaj.audit.store import Store
from falaj.errors import AuditLogError, NotLoggedIn
from falaj.session import Session
from falaj.tenant import Tenant

DETAIL = st.dictionaries(
    st.text(max_size=20), st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=50)
)


def entry(number: int = 0, **changes: Any) -> Entry:
    return dataclasses.replace(Entry(f"{number:032x}", "model.signed", "sha256:x", {"n": number}), **changes)


def log(count: int, details: list[dict[str, Any]] | None = None) -> list[bytes]:
    lines, previous = [], GENESIS
    for number in range(count):
        record = Record.make(
            sequence=number,
            time=f"2026-01-01T00:00:00.{number:03}Z",
            actor="alice",
            entry=entry(number, detail=details[number] if details else {"n": number}),
            previous=previous,
        )
        lines.append(record.line)
        previous = record.digest
    return lines


@given(st.lists(DETAIL, min_size=1, max_size=6))
def test_an_untouched_log_verifies(details: list[dict[str, Any]]) -> None:
    verdict = verify(log(len(details), details))
    assert (verdict.ok, verdict.records) == (True, len(details))


@given(st.data())
def test_any_changed_byte_is_noticed(data: st.DataObject) -> None:
    lines = log(4)
    index = data.draw(st.integers(0, 3))
    position = data.draw(st.integers(0, len(lines[index]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != lines[index][position]))
    lines[index] = lines[index][:position] + bytes([byte]) + lines[index][position + 1 :]
    verdict = verify(lines)
    assert not verdict.ok
    assert verdict.records <= index


@given(st.permutations(range(5)).filter(lambda order: list(order) != sorted(order)))
def test_any_other_order_is_noticed(order: list[int]) -> None:
    lines = log(5)
    assert not verify([lines[index] for index in order]).ok


@given(st.sets(st.integers(0, 4), min_size=1, max_size=4))
def test_any_missing_record_is_noticed_with_the_head_known(gone: set[int]) -> None:
    lines = log(5)
    head = verify(lines).head
    left = [line for index, line in enumerate(lines) if index not in gone]
    assert not verify(left, head).ok


def test_a_rewritten_tail_is_noticed_with_the_head_known() -> None:
    lines = log(5)
    head = verify(lines).head
    other = log(5, [{"n": 0}, {"n": 1}, {"n": 2}, {"n": 3}, {"n": 99}])
    assert verify(other).ok
    assert "cut off" in verify(other, head).problem
    assert verify([*lines, *log(6)[5:]], head).ok


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "object"),
        ({"id": "x", "action": "model.signed"}, "id must be"),
        ({"id": "0" * 32, "action": "signed"}, "action must"),
        ({"id": "0" * 32, "action": "model.signed", "subject": 1}, "subject"),
        ({"id": "0" * 32, "action": "model.signed", "detail": []}, "detail must"),
        ({"id": "0" * 32, "action": "model.signed", "detail": {"x": 0.5}}, "canonical"),
        ({"id": "0" * 32, "action": "model.signed", "detail": {"x": 2**53}}, "canonical"),
        ({"id": "0" * 32, "action": "model.signed", "detail": {"x": "y" * 20_000}}, "at most"),
        ({"id": "0" * 32, "action": "model.signed", "more": 1}, "object with"),
        ({"id": "0" * 32, "action": "model.signed", "detail": {"x": "\ud800"}}, "canonical"),
    ],
)
def test_malformed_entries_are_refused(data: object, message: str) -> None:
    with pytest.raises(AuditLogError, match=message):
        Entry.parse(data)


# The store


def test_records_survive_and_the_same_id_is_recorded_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.append("alice", entry(1))
    assert store.append("alice", entry(1)) == first
    assert store.append("bob", entry(1)).sequence == 1
    with pytest.raises(AuditLogError, match="another entry"):
        store.append("alice", entry(1, action="model.approved"))
    store.close()
    again = Store(tmp_path)
    assert again.append("alice", entry(1)) == first
    assert again.append("alice", entry(2)).sequence == 2
    assert verify(again.read()).records == 3
    assert [json.loads(line)["sequence"] for line in again.read(after=0, limit=1)] == [1]
    again.close()
    assert (tmp_path / "records.jsonl").stat().st_mode & 0o077 == 0


def test_a_torn_last_line_is_set_aside(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in range(3):
        store.append("alice", entry(number))
    store.close()
    path = tmp_path / "records.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    again = Store(tmp_path)
    assert again.torn is not None
    assert whole.endswith(again.torn.read_bytes() + whole[-7:])
    assert again.append("alice", entry(9)).sequence == 2
    assert verify(again.read()).ok
    again.close()


def test_a_log_that_does_not_verify_is_never_appended_to(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in range(3):
        store.append("alice", entry(number))
    store.close()
    path = tmp_path / "records.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"n":1', b'"n":7'))
    altered = path.read_bytes()
    with pytest.raises(AuditLogError, match="line 2: its digest does not fit"):
        Store(tmp_path)
    assert path.read_bytes() == altered


def test_one_writer_only(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(AuditLogError, match="another process"):
        Store(tmp_path)
    store.close()
    Store(tmp_path).close()


def test_a_full_disk_refuses_and_leaves_the_log_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.append("alice", entry(0))
    real_write = os.write

    def full(descriptor: int, content: bytes) -> int:
        real_write(descriptor, content[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(AuditLogError, match="No space left"):
            store.append("alice", entry(1))
    assert store.append("alice", entry(2)).sequence == 1
    assert verify((tmp_path / "records.jsonl").read_bytes().splitlines()).records == 2
    store.close()


def test_a_clock_set_back_does_not_break_the_order(tmp_path: Path) -> None:
    times = iter([datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC) - timedelta(minutes=10)])
    store = Store(tmp_path, clock=lambda: next(times))
    first, second = store.append("a", entry(0)), store.append("a", entry(1))
    assert first.time == second.time
    assert verify(store.read()).ok
    store.close()


# The service, over HTTP


def call(port: int, method: str, path: str, token: str | None, body: bytes | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, method=method)
    if token is not None:
        request.add_header("X-Falaj-Token", token)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


BODY = json.dumps({"id": "0" * 32, "action": "model.signed", "subject": "s", "detail": {"actor": "mallory"}}).encode()


def test_the_actor_is_who_the_api_server_says(world: Any) -> None:
    status, content = call(world.audit_port, "POST", "/v1/records", world.token("alice"), BODY)
    assert (status, json.loads(content)["actor"]) == (201, "alice")


@pytest.mark.parametrize("route", [("POST", "/v1/records"), ("GET", "/v1/records"), ("GET", "/v1/head")])
def test_nobody_unknown_reads_or_writes(world: Any, route: tuple[str, str]) -> None:
    other = world.token("alice", namespace="tenant-other")
    for token, expected in ((None, 401), ("", 401), ("made-up", 401), (other, 403)):
        assert call(world.audit_port, *route, token, BODY if route[0] == "POST" else None)[0] == expected
    assert list(world.store.read()) == []


def test_a_token_for_something_else_is_not_taken(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is taken here opens nothing else."""
    credentials = world.credentials("alice")
    token, audit_token = credentials.token.get_secret_value(), credentials.audit_token.get_secret_value()
    assert call(world.audit_port, "GET", "/v1/head", audit_token)[0] == 200
    assert call(world.audit_port, "GET", "/v1/head", token)[0] == 401
    swapped = credentials.model_copy(update={"token": credentials.audit_token})
    with pytest.raises(NotLoggedIn):
        Tenant(Session(swapped, world.folder)).status()
    # An API server that says nothing of audiences has not looked at them.
    silent = {"authenticated": True, "user": {"username": "system:serviceaccount:tenant-demo:alice"}}
    kube = world.kube("audit")
    monkeypatch.setattr(kube.http, "json", lambda *_, **__: {"status": silent})
    assert kube.review_token("x", "falaj-audit") is None


def test_no_review_no_record(world: Any) -> None:
    world.refuse["/apis/authentication.k8s.io"] = 500
    assert call(world.audit_port, "POST", "/v1/records", world.token("alice"), BODY)[0] == 503
    assert list(world.store.read()) == []


@pytest.mark.parametrize(
    ("body", "expected"), [(b"{", 400), (b"[]", 400), (b'{"id":NaN}', 400), (b"x" * 20_000, 413), (b"\xff", 400)]
)
def test_malformed_requests_are_refused(world: Any, body: bytes, expected: int) -> None:
    assert call(world.audit_port, "POST", "/v1/records", world.token("alice"), body)[0] == expected


def test_the_log_is_read_in_pages(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = world.tenant("alice")
    for number in range(7):
        tenant.session.audit.append("model.signed", str(number))
    read = world.store.read
    monkeypatch.setattr(world.store, "read", lambda after: read(after, 3))
    assert [json.loads(line)["sequence"] for line in tenant.session.audit.lines()] == list(range(7))
    assert tenant.session.audit.head() == (7, verify(read()).head)


@pytest.mark.parametrize("after", ["x", "-2", str(2**53), "1.5"])
def test_a_wrong_page_is_refused(world: Any, after: str) -> None:
    assert call(world.audit_port, "GET", f"/v1/records?after={after}", world.token("alice"))[0] == 400


def test_it_is_not_healthy_when_it_cannot_write(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its probe has it restarted: only that finds out what is on disk."""
    token = world.token("alice")
    body = json.dumps({"id": "0" * 32, "action": "a.b", "subject": "", "detail": {}}).encode()
    assert call(world.audit_port, "GET", "/healthz", None) == (200, b'{"status":"ok"}')

    def fail(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("falaj.audit.store.os.fsync", fail)
        patched.setattr("falaj.audit.store.os.ftruncate", fail)
        assert call(world.audit_port, "POST", "/v1/records", token, body)[0] == 503
    assert call(world.audit_port, "GET", "/healthz", None)[0] == 503


def test_a_closed_log_is_not_healthy(world: Any) -> None:
    world.store.close()
    assert call(world.audit_port, "GET", "/healthz", None)[0] == 503


def test_unknown_routes(world: Any) -> None:
    assert call(world.audit_port, "GET", "/healthz", None)[0] == 200
    assert call(world.audit_port, "GET", "/v1/nothing", world.token("alice"))[0] == 404


def test_it_refuses_to_start_outside_a_pod(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from falaj.audit import server

    monkeypatch.delenv("FALAJ_NAMESPACE", raising=False)
    assert server.main() == 2
    monkeypatch.setenv("FALAJ_NAMESPACE", "tenant-demo")
    assert server.main() == 2
    assert "FALAJ_NAMESPACE is not set" in (output := capsys.readouterr().err)
    assert "not a pod" in output


def test_a_failed_record_is_tried_again_and_recorded_once(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import falaj.audit.client

    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        world.refuse.clear()

    monkeypatch.setattr(falaj.audit.client.time, "sleep", nap)
    world.refuse[f"/api/v1/namespaces/{'tenant-demo'}/services/http:audit"] = 503
    tenant = world.tenant("alice")
    assert tenant.session.connection
    tenant.session.audit.append("model.signed", "s")
    assert len(naps) == 1
    assert len(list(world.store.read())) == 1


def test_commands(world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., None]) -> None:
    from typer.testing import CliRunner

    from falaj.cli import build

    monkeypatch.setenv("FALAJ_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home/credentials"
    folder.mkdir(parents=True)
    world.credentials("alice").save(folder)
    world.tenant("alice").session.audit.append("model.signed", "sha256:abc", {"run": "r1"})
    runner, app = CliRunner(), build()
    shown = runner.invoke(app, ["audit", "show", "--json"])
    assert shown.exit_code == 0
    saved = tmp_path / "log.jsonl"
    saved.write_text(shown.stdout)
    assert "model.signed" in runner.invoke(app, ["audit", "show"]).stdout
    result = runner.invoke(app, ["audit", "verify", "--json"])
    assert json.loads(result.stdout)["ok"]
    assert runner.invoke(app, ["audit", "verify", "--file", str(saved)]).exit_code == 0
    saved.write_text(shown.stdout.replace("r1", "r2"))
    broken = runner.invoke(app, ["audit", "verify", "--file", str(saved)])
    assert broken.exit_code == 1
    assert "altered" in broken.stderr
    assert runner.invoke(app, ["audit", "verify", "--head", "sha256:" + "1" * 64]).exit_code == 1
