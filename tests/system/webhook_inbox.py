"""A webhook receiver on loopback that keeps every delivery as it came."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request: header names in lower case, the raw body."""

    headers: dict[str, str]
    body: bytes

    @property
    def webhook_id(self) -> str:
        """The event's id."""
        return self.headers["webhook-id"]


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
def open_inbox(answers: list[int] | None = None) -> Iterator[Inbox]:
    """Serve an inbox at `inbox.url` while the block runs."""
    inbox = Inbox(answers or [])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = inbox.put(Delivery({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    inbox.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield inbox
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
