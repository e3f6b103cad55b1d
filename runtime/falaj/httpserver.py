"""A small HTTP server for the audit service and the serving replica: bounded, with one error format, keep-alive.

Bodies, headers, concurrent connections and the time a client may take are limited; an exception in a handler is a 500
without its text. Answers are JSON.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["Answer", "HttpProblem", "Request", "Server"]

MAX_CONNECTIONS: Final = 128
IDLE_SECONDS: Final = 30.0
# How soon a server notices that it should stop.
NOTICE_SECONDS = 0.2


class HttpProblem(Exception):
    """An answer that is an error: `status` and one line for the caller."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises HttpProblem 400."""
        try:
            return json.loads(self.body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise HttpProblem(400, f"the body is not JSON: {error}") from None


@dataclass(frozen=True, slots=True)
class Answer:
    data: object
    status: int = 200
    raw: bytes | None = None
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


class Server:
    """Serves `handle` on (host, port) in threads; port 0 takes a free one, see `.port`."""

    def __init__(self, handle: Callable[[Request], Answer], *, host: str, port: int, max_body: int) -> None:
        self._httpd = _Httpd((host, port), _handler(handle, max_body))
        self.port: int = self._httpd.server_address[1]
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(
            target=self._httpd.serve_forever, args=(NOTICE_SECONDS,), name="http", daemon=True
        )
        self._thread.start()

    def serve(self) -> None:
        """Serves until `stop` is called from another thread."""
        self._httpd.serve_forever(NOTICE_SECONDS)

    def stop(self) -> None:
        self._httpd.shutdown()
        self._httpd.server_close()
        if self._thread is not None:
            self._thread.join(5)


class _Httpd(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(timeout=1.0):
            # Too many connections: this one is closed at once rather than left to wait without end.
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; anything else is named without its text, which could hold its data."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"http: {type(error).__name__}", file=sys.stderr, flush=True)


def _handler(handle: Callable[[Request], Answer], max_body: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "falaj"
        sys_version = ""
        timeout = IDLE_SECONDS
        disable_nagle_algorithm = True
        # Buffered and flushed after each answer, so that a small one is one packet.
        wbufsize = 64 * 1024

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            try:
                answer = handle(self._request())
            except HttpProblem as problem:
                answer = Answer({"error": str(problem)}, problem.status)
            except Exception as error:  # noqa: BLE001 - the border: the caller learns nothing of the inside
                print(f"http: {type(error).__name__} in {self.command}", file=sys.stderr, flush=True)
                answer = Answer({"error": "internal error"}, 500)
            self._send(answer)

        def _request(self) -> Request:
            url = urlsplit(self.path)
            if self.headers.get("Transfer-Encoding"):
                self.close_connection = True
                raise HttpProblem(411, "send a Content-Length")
            given = self.headers.get_all("Content-Length") or ["0"]
            # Two lengths, or one that is not plain digits, are how a request hides another.
            length = int(given[0]) if len(given) == 1 and given[0].isascii() and given[0].isdigit() else -1
            if not 0 <= length <= max_body:
                # The body is not read, so the connection cannot be used for another request.
                self.close_connection = True
                raise HttpProblem(413 if length > 0 else 400, f"a body has at most {max_body} bytes")
            body = self.rfile.read(length) if length else b""
            if len(body) != length:
                self.close_connection = True
                raise HttpProblem(400, "the body ended early")
            headers = {name.lower(): value for name, value in self.headers.items()}
            return Request(self.command, unquote(url.path), dict(parse_qsl(url.query)), headers, body)

        def _send(self, answer: Answer) -> None:
            content = answer.raw
            if content is None:
                content = json.dumps(answer.data, separators=(",", ":")).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Content-Type-Options", "nosniff")
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Requests are not logged: paths and queries may hold names of people."""

    return Handler
