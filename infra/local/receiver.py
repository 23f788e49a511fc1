"""A webhook receiver on loopback, as a customer would write it: verify first, then believe."""

from __future__ import annotations

import json
import queue
import threading
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

type Wait = Callable[[float], dict[str, Any] | None]
"""Seconds to the next verified body, None if nothing genuine comes in that time."""


@contextmanager
def receiver(secret: str) -> Iterator[tuple[str, Wait]]:
    """Serve in a `with` statement, which gets the address and a function that waits for bodies."""
    webhook, bodies = Webhook(secret), queue.SimpleQueue[dict[str, Any]]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            try:
                webhook.verify(body, dict(self.headers.items()))
            except WebhookVerificationError:
                self.send_response(HTTPStatus.UNAUTHORIZED)
            else:
                bodies.put(json.loads(body))
                self.send_response(HTTPStatus.OK)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
            """Stay silent: the first run shows the outcome."""

    def wait(timeout_secs: float) -> dict[str, Any] | None:
        with suppress(queue.Empty):
            return bodies.get(timeout=timeout_secs)
        return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", wait
        finally:
            server.shutdown()
