"""A webhook receiver on 127.0.0.1 that keeps every request and answers as it is told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from functions.clock import now_ms

type Reaction = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Received:
    """One request. Header names are lower case; `at_ms` is the receiver's clock."""

    path: str
    headers: dict[str, str]
    body: bytes
    at_ms: int

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]


class HookReceiver:
    """Answers with the statuses in `answers`, the last of them for ever; a path in `answers_of` has its own."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: list[Reaction] = [(200, {}, b"ok")]
        self.answers_of: dict[str, Reaction] = {}
        self.clock: Callable[[], int] = now_ms
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                path = self.path.partition("?")[0]
                receiver.received.append(Received(path, headers, body, receiver.clock()))
                answers = receiver.answers
                if path in receiver.answers_of:
                    status, extra, text = receiver.answers_of[path]
                else:
                    status, extra, text = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                for name, value in {**extra, "content-length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = self.url_of("/hook")
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def url_of(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}?token=very-hidden"

    def always(self, status: int, text: bytes = b"", **headers: str) -> None:
        self.answers = [(status, headers, text)]

    def of(self, path: str) -> list[Received]:
        return [request for request in self.received if request.path == path]

    @contextmanager
    def running(self) -> Iterator["HookReceiver"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(5)
