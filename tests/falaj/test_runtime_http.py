"""The small HTTP server and client: bounds, malformed requests, redirects, answers that break off."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from falaj.errors import ServiceError, Unreachable
from falaj.http import Http
from falaj.httpserver import Answer, HttpProblem, Request, Server


def handle(request: Request) -> Answer:
    if request.path == "/crash":
        raise RuntimeError("a secret")
    if request.path == "/problem":
        raise HttpProblem(418, "a teapot")
    if request.path == "/redirect":
        return Answer({}, 302, headers={"Location": "http://127.0.0.1:1/"})
    if request.path == "/large":
        return Answer(None, raw=b"x" * 5000)
    return Answer(
        {"method": request.method, "path": request.path, "size": len(request.body), "query": dict(request.query)}
    )


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(handle, host="127.0.0.1", port=0, max_body=1000)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def http(server: Server) -> Http:
    return Http(f"http://127.0.0.1:{server.port}", what="the service")


def raw(port: int, content: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_requests_and_answers(http: Http) -> None:
    assert http.json("POST", "a b/ü", {"x": 1}, query={"q": "&="}) == {
        "method": "POST", "path": "/a b/ü", "size": 8, "query": {"q": "&="},
    }  # fmt: skip


def test_errors_say_what_and_nothing_of_the_inside(http: Http) -> None:
    with pytest.raises(ServiceError, match="the service answered 418 to GET problem: a teapot") as error:
        http.request("GET", "problem")
    assert error.value.status == 418
    with pytest.raises(ServiceError) as crash:
        http.request("GET", "crash")
    assert "secret" not in str(crash.value)


def test_redirects_are_not_followed(http: Http) -> None:
    with pytest.raises(ServiceError, match="answered 302"):
        http.request("GET", "redirect")


def test_answers_are_bounded(http: Http, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="more than 4999 bytes"):
        http.request("GET", "large", limit=4999)
    with pytest.raises(ServiceError, match="more than 4999 bytes"):
        http.download("large", tmp_path / "x", limit=4999)
    assert len(http.request("GET", "large", limit=5000)) == 5000


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Content-Length: 1001", 413),
        (b"Content-Length: -1", 400),
        (b"Content-Length: +3", 400),
        (b"Content-Length: 3\r\nContent-Length: 4", 400),
        (b"Content-Length: x", 400),
        (b"Transfer-Encoding: chunked", 411),
        (b"Content-Length: 50", 400),
    ],
)
def test_bodies_that_are_not_what_they_say_are_refused(server: Server, head: bytes, status: int) -> None:
    answer = raw(server.port, b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\nabc")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in answer


def test_garbage_does_not_stop_the_server(server: Server, http: Http) -> None:
    for content in (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"", b"GET / HTTP/9.9\r\n\r\n", b"A" * 70_000):
        raw(server.port, content)
    assert http.json("GET", "x")["path"] == "/x"


def test_many_at_once_are_all_answered(http: Http) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: http.json("GET", str(number))["path"], range(200)))
    assert answers == [f"/{number}" for number in range(200)]


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with pytest.raises(Unreachable, match="broke off"):
        Http(f"http://127.0.0.1:{listener.getsockname()[1]}", what="the service").request("GET", "x")
    thread.join(5)
    listener.close()


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match="connection refused") as error:
        Http(f"http://127.0.0.1:{port}", what="the service").request("GET", "x")
    assert error.value.exit_code == 2


def test_headers_do_not_show() -> None:
    http = Http("http://127.0.0.1:1", what="x", headers={"Authorization": "Bearer hidden"})
    assert "hidden" not in repr(http)
    assert "hidden" not in json.dumps(str(http))
