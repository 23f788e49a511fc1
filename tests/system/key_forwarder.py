"""A server on loopback that adds the API key to requests of clients that can send none, or only one of their own."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.system.local_stack import API_KEY

HOP_HEADERS = {"host", "content-length", "connection", "transfer-encoding"}
REPLACED = {*HOP_HEADERS, "x-api-key"}


@contextmanager
def adding_key(url: str) -> Iterator[str]:
    """Give an address whose requests go to `url` with the key."""
    service = urlsplit(url)

    class WithKey(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in REPLACED}
            with closing(http.client.HTTPConnection(service.hostname or "", service.port, timeout=40)) as connection:
                connection.request(self.command, self.path, body, {**headers, "x-api-key": API_KEY})
                answer = connection.getresponse()
                content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_HEADERS:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = forward  # noqa: N815 - the names of the base class

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client may close its connection at any time."""

    with Server(("127.0.0.1", 0), WithKey) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
