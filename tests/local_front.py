"""The front of the local stack in this process: the real server, protocol and gateway, with functions of the test."""

import asyncio
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from functions.handlers.api_document import ROUTES as API_ROUTES
from infra.local.console import Console
from infra.local.http.answers import HttpAnswer
from infra.local.http.gateway import Flush, Gateway, KeyOwners, Manners
from infra.local.http.site import App
from infra.local.http.stored_content import StoredContent
from infra.local.invoker import Invoker, LambdaContext
from infra.local.metrics import Counters, duration_name, request_name
from infra.local.processes.functions_process import Server, http_config
from infra.local.template import Function, Route

ROUTES = [
    Route("POST", "/api/submit", "F"),
    Route("POST", "/api/judge", "F"),
    Route("ANY", "/api/result/{proxy+}", "F"),
    Route("GET", "/api/results", "F"),
    Route("GET", "/api/languages", "F"),
    Route("GET", "/api/health", "F"),
    Route("ANY", "/api/checks/{proxy+}", "F"),
]
MANNERS = Manners(API_ROUTES)
TIMEOUT_SECS = 60

type Handler = Callable[[dict[str, Any], LambdaContext], Any]


def ok(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": "{}"}


def project_of(api_key: str) -> str | None:
    """`a.1` and `a.2` are keys of the project `a`; one without a point is invalid."""
    project, point, _ = api_key.partition(".")
    return project if point else None


def is_administrator(admin_key: str) -> bool:
    return admin_key == "admin"


def flushed(_path: str, answer: HttpAnswer) -> HttpAnswer:
    """Let every answer leave: these tests have no disk."""
    return answer


def front(handler: Handler, bucket: str, *routes: tuple[str, str], flush: Flush = flushed) -> Gateway:
    """The gateway of one machine with these routes, which store and send objects of a bucket."""
    return _gateway(handler, 1000, None, [Route(*route, "F") for route in routes], bucket, flush)


def gateway(
    handler: Handler, most_requests: int = 1000, out: io.StringIO | None = None, flush: Flush = flushed
) -> Gateway:
    return _gateway(handler, most_requests, out, ROUTES, "bucket", flush)


def _gateway(
    handler: Handler, most_requests: int, out: io.StringIO | None, routes: list[Route], bucket: str, flush: Flush
) -> Gateway:
    names = [request_name(name, status) for name in ("", "F") for status in (200, 300, 400, 500)]
    counters = Counters([*names, duration_name(""), duration_name("F")], 1)
    invoker = Invoker({"F": Function("F", "m.handler", 3600, 128, {})}, {"F": handler})
    console = Console(io.StringIO() if out is None else out)
    content = StoredContent(bucket)
    owners = KeyOwners(project_of, is_administrator)
    return Gateway(routes, MANNERS, invoker, console, counters, owners, most_requests, content, flush)


@contextmanager
def serving(app: App, *, most_connections: int = 1000) -> Iterator[int]:
    """Serve on a free port of loopback, which it returns."""
    listener = socket.create_server(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    server = Server(http_config(app, MANNERS, most_connections, 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(TIMEOUT_SECS)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECS)


def answers(port: int, *parts: bytes) -> bytes:
    """Send the parts, and return all bytes until the server closes the connection."""
    with closing(connect(port)) as client:
        for part in parts:
            client.sendall(part)
        return read_all(client)


def read_all(client: socket.socket) -> bytes:
    received = b""
    while chunk := client.recv(65536):
        received += chunk
    return received


def read_answer(client: socket.socket) -> tuple[int, Any]:
    """Return status and JSON of the next answer."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = client.recv(65536)
        assert chunk, f"closed after {received!r}"
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
    while len(body) < length:
        body += client.recv(65536)
    return int(lines[0].split()[1]), json.loads(body)


def request(method: str, target: str, *fields: str, body: bytes = b"") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: x", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
