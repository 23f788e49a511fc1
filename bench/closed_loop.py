"""Many clients at once from one thread: each keeps its connection and sends again when its answer is there.

Hand-written on non-blocking sockets so that the client costs little beside the service, on the same cores. Answers
are kept as bytes and looked at when the clock has stopped.
"""

import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.api_client import Endpoint, body_of
from bench.sources import Program

_ANSWER_SECS = 45  # the service answers within 30
_HEAD_END = b"\r\n\r\n"
_OK = b"HTTP/1.1 200"


@dataclass(frozen=True, slots=True)
class Exchange:
    """`answer`: the body of a 200; else None, and `problem` says why."""

    program: Program
    elapsed_ms: float
    answer: bytes | None
    problem: str = ""


@dataclass(slots=True)
class _Client:
    connection: socket.socket
    program: Program
    begun_ns: int = 0
    received: bytearray = field(default_factory=bytearray)
    missing_bytes: int | None = None


class ClosedLoop:
    """Iterate over it: exchanges as they end. `client_cpu_secs` and `elapsed_secs` are known afterwards.

    `programs` bounds the count; after `most_secs` nothing new is sent. The count of clients is at most 64.
    """

    def __init__(self, endpoint: Endpoint, clients: int, programs: Iterator[Program], most_secs: float) -> None:
        self._endpoint = endpoint
        self._clients = clients
        self._programs = programs
        self._most_secs = most_secs
        self._selector = selectors.DefaultSelector()
        self.client_cpu_secs = 0.0
        self.elapsed_secs = 0.0

    def __iter__(self) -> Iterator[Exchange]:
        begun, cpu_begun = time.monotonic(), time.process_time()
        self._stop_at = begun + self._most_secs
        try:
            for _ in range(self._clients):
                self._next(None)
            while self._selector.get_map():
                ready = self._selector.select(_ANSWER_SECS)
                if not ready:
                    yield from self._give_up()
                    break
                for key, _ in ready:
                    done = self._receive(key.data)
                    if done is not None:
                        yield done
        finally:
            for key in list(self._selector.get_map().values()):
                key.data.connection.close()
            self._selector.close()
            self.elapsed_secs = time.monotonic() - begun
            self.client_cpu_secs = time.process_time() - cpu_begun

    def _next(self, connection: socket.socket | None) -> None:
        """Send the next program, or end this client."""
        program = next(self._programs, None) if time.monotonic() < self._stop_at else None
        if program is None:
            if connection is not None:
                self._selector.unregister(connection)
                connection.close()
            return
        body = body_of(program)
        head = (
            f"POST /api/submit?wait=true HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {self._endpoint.api_key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        if connection is None:
            connection = socket.create_connection(("127.0.0.1", self._endpoint.port), timeout=_ANSWER_SECS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = _Client(connection, program)
            self._selector.register(connection, selectors.EVENT_READ, client)
        else:
            client = _Client(connection, program)
            self._selector.modify(connection, selectors.EVENT_READ, client)
        client.begun_ns = time.perf_counter_ns()
        connection.sendall(head + body)  # a few hundred bytes: the socket's buffer takes them at once

    def _receive(self, client: _Client) -> Exchange | None:
        """Read on; the exchange if it is over, in which case the next one has begun."""
        chunk = client.connection.recv(1 << 18)
        received = client.received
        received += chunk
        if chunk and client.missing_bytes is None and (head_end := received.find(_HEAD_END)) >= 0:
            client.missing_bytes = head_end + len(_HEAD_END) + _content_length(received[:head_end])
        if chunk and (client.missing_bytes is None or len(received) < client.missing_bytes):
            return None
        elapsed_ms = (time.perf_counter_ns() - client.begun_ns) / 1e6
        if not chunk:
            self._selector.unregister(client.connection)
            client.connection.close()
        self._next(client.connection if chunk else None)
        head, _, body = bytes(received).partition(_HEAD_END)
        if chunk and head.startswith(_OK):
            return Exchange(client.program, elapsed_ms, body)
        problem = f"{head[:12]!r} {body[:200]!r}" if chunk else "the connection was closed"
        return Exchange(client.program, elapsed_ms, None, problem)

    def _give_up(self) -> Iterator[Exchange]:
        for key in self._selector.get_map().values():
            yield Exchange(key.data.program, _ANSWER_SECS * 1000, None, f"no answer within {_ANSWER_SECS} s")


def _content_length(head: bytearray) -> int:
    for line in bytes(head).lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    raise ValueError("an answer without content-length")
