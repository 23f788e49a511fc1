"""A collector: an OTLP/HTTP server that reads requests with OpenTelemetry's own classes of the JSON encoding."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto_json.collector.trace.v1.trace_service import ExportTraceServiceRequest


class Collector(ThreadingHTTPServer):
    """`status`: of its answers. `requests`: the headers of each; `spans`: service and `Span` of all, in order."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict[str, str]] = []
        self.spans: list[tuple[str, Any]] = []

    @property
    def url(self) -> str:
        """The value of OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self.server_port}"

    def named(self, name: str) -> list[Any]:
        """Return the spans of a name."""
        return [span for _, span in self.spans if span.name == name]

    @contextmanager
    def running(self) -> Iterator["Collector"]:
        """Serve until the end of the block."""
        threading.Thread(target=self.serve_forever, daemon=True).start()
        with self:
            yield self
            self.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        assert self.headers["Content-Type"] == "application/json"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(dict(self.headers.items()))
        parts: Any = ExportTraceServiceRequest.from_json(body).resource_spans
        for part in parts:
            names = {pair.key: pair.value.string_value for pair in part.resource.attributes}
            for scope in part.scope_spans:
                self.server.spans += [(names["service.name"], span) for span in scope.spans]
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Write nothing."""
