"""A webhook receiver on loopback that keeps every delivery as it came."""

import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_LOOPBACK = ("127.0.0.1", 0)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request: header names in lower case, the raw body, and when it came (seconds since the epoch)."""

    headers: dict[str, str]
    body: bytes
    received_at: float = field(default_factory=time.time)

    @property
    def webhook_id(self) -> str:
        """The event's id."""
        return self.headers["webhook-id"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a receiver to a request. `status` None: it closes the connection."""

    status: int | None
    delay_secs: float = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


type Receiver = Callable[[Delivery], Answer]
"""Called by a thread of its own for each request, as soon as that is read."""


class Inbox:
    """Deliveries in the order they came; `answers` are the status codes of the first ones, then 200."""

    def __init__(self, answers: list[int]) -> None:
        self._answers = answers
        self._deliveries: list[Delivery] = []
        self._lock = threading.Lock()
        self.url = ""

    def put(self, delivery: Delivery) -> int:
        """Keep a delivery and return the status to answer with."""
        with self._lock:
            self._deliveries.append(delivery)
            return self._answers.pop(0) if self._answers else 200

    def of(self, webhook_id: str) -> list[Delivery]:
        """Return the deliveries with this id."""
        with self._lock:
            return [delivery for delivery in self._deliveries if delivery.webhook_id == webhook_id]

    def ids(self) -> set[str]:
        """Return every id that came."""
        with self._lock:
            return {delivery.webhook_id for delivery in self._deliveries}

    def all(self) -> list[Delivery]:
        """Return everything that came."""
        with self._lock:
            return list(self._deliveries)


@contextmanager
def open_inbox(
    answers: list[int] | None = None, address: tuple[str, int] = _LOOPBACK, tls: ssl.SSLContext | None = None
) -> Iterator[Inbox]:
    """Serve an inbox at `inbox.url` while the block runs."""
    inbox = Inbox(answers or [])
    with open_receiver(lambda delivery: Answer(inbox.put(delivery)), address, tls) as inbox.url:
        yield inbox


@contextmanager
def open_receiver(
    receive: Receiver, address: tuple[str, int] = _LOOPBACK, tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Serve a receiver at the URL that is given, while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["content-length"])
            body = self.rfile.read(size)
            if len(body) < size:
                return  # whoever sent it died on the way
            answer = receive(Delivery({name.lower(): value for name, value in self.headers.items()}, body))
            time.sleep(answer.delay_secs)
            if answer.status is None:
                return  # HTTP/1.0: this ends the connection
            with suppress(OSError):  # who asked may be dead by now
                self.send_response(answer.status)
                for name, value in ({"content-length": str(len(answer.body))} | dict(answer.headers)).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
            """Stay silent."""

    server = _Server(address, Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://{address[0]}:{server.server_port}/hook"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about clients that were killed in mid-request, as some tests do; tell of faults of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
