"""A webhook receiver on loopback, as a customer would write it: verify first, then believe."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

if TYPE_CHECKING:
    from types import TracebackType


class Receiver:
    """Takes one delivery. Use as a context manager; `url` is its address."""

    def __init__(self, secret: str) -> None:
        self._webhook = Webhook(secret)
        self._arrived = threading.Event()
        self._body: dict[str, Any] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait(self, timeout_secs: float) -> dict[str, Any] | None:
        """Return the verified body, None if nothing genuine came in time."""
        return self._body if self._arrived.wait(timeout_secs) else None

    def _accept(self, body: bytes, headers: dict[str, str]) -> bool:
        try:
            self._webhook.verify(body, headers)
        except WebhookVerificationError:
            return False
        self._body = json.loads(body)
        self._arrived.set()
        return True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        accept = self._accept

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                self.send_response(200 if accept(body, dict(self.headers.items())) else 401)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
                """Stay silent: the launcher shows the outcome."""

        return Handler
