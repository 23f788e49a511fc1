"""Head and body of an answer leave together, and nothing is held back for a body that comes later."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

from infra.local.joined_writes import JoinedWritesProtocol

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
_WAIT_SECS = 20


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def serving(app: Any, protocol: type[JoinedWritesProtocol] = JoinedWritesProtocol) -> Iterator[socket.socket]:
    """Serve the application on a thread, and return a connection to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, lifespan="off", log_config=None, http=protocol, ws="none")
        server = _Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            with socket.create_connection(listener.getsockname(), _WAIT_SECS) as connection:
                yield connection
        finally:
            server.should_exit = True
            thread.join(_WAIT_SECS)


def head(length: int) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(length).encode())]}


def body(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


def read(connection: socket.socket, is_whole: Callable[[bytes], bool]) -> bytes:
    seen = b""
    while not is_whole(seen):
        part = connection.recv(65536)
        assert part, seen
        seen += part
    return seen


def test_an_answer_is_one_write() -> None:
    writes: list[bytes] = []

    class Counting(JoinedWritesProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            write = transport.write

            class Transport:
                def __getattr__(self, name: str) -> Any:
                    return getattr(transport, name)

                def write(self, data: bytes) -> None:
                    writes.append(data)
                    write(data)

            super().connection_made(Transport())  # type: ignore[arg-type]

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send(head(5))
        await send(body(b"hello"))

    with serving(app, Counting) as connection:
        for _ in range(3):  # on one connection
            connection.sendall(GET)
            assert read(connection, lambda seen: seen.endswith(b"hello")).startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(writes) == 3
    assert all(write.startswith(b"HTTP/1.1 200") and write.endswith(b"\r\n\r\nhello") for write in writes)


def test_a_head_does_not_wait_for_its_body() -> None:
    seen_by_client = threading.Event()

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send(head(6))
        await asyncio.to_thread(seen_by_client.wait, _WAIT_SECS)
        for part in (b"a", b"bc", b"def"):
            await send(body(part, more=part != b"def"))

    with serving(app) as connection:
        connection.sendall(GET)
        assert read(connection, lambda seen: seen.endswith(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        seen_by_client.set()
        assert read(connection, lambda seen: len(seen) >= 6) == b"abcdef"


@pytest.mark.parametrize("request_head", [b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n", GET], ids=["head", "empty"])
def test_an_answer_without_body_is_sent(request_head: bytes) -> None:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        await send(head(5 if scope["method"] == "HEAD" else 0))
        await send(body(b""))

    with serving(app) as connection:
        connection.sendall(request_head)
        assert read(connection, lambda seen: seen.endswith(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")


def test_what_was_kept_is_written_before_the_end() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send(head(2))
        await send(body(b"ok"))

    with serving(app) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        seen = b""
        while part := connection.recv(65536):
            seen += part
        assert seen.endswith(b"connection: close\r\n\r\nok")


def test_whoever_waits_to_send_is_told_to_go_on() -> None:
    received = b"x" * 200_000

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        size = 0
        while (message := await receive()).get("more_body"):
            size += len(message["body"])
        size += len(message["body"])
        await send(head(6))
        await send(body(b"%d" % size))

    with serving(app) as connection:
        ask = b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(received)
        connection.sendall(ask)
        assert read(connection, lambda seen: seen.endswith(b"\r\n\r\n")) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(received)
        assert read(connection, lambda seen: seen.endswith(b"200000")).startswith(b"HTTP/1.1 200 OK\r\n")
