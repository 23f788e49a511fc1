"""A real HTTP server on loopback that speaks SQS's protocol as far as a runner does, and refuses what AWS refuses."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# AWS compares the time in a signature with its own.
_SKEW = timedelta(minutes=5)
_POLL_SECS = 0.05


@dataclass
class SqsServer:
    """`ahead`: how far its clock is ahead of this machine's. `keys`: the known access keys.

    `denied`: operations that the caller's policy lacks. `hangs`: it accepts connections and never answers.
    """

    url: str
    ahead: timedelta = timedelta()
    keys: set[str] = field(default_factory=lambda: {"testing"})
    denied: set[str] = field(default_factory=set)
    is_down: bool = False
    queued: list[str] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    receives: int = 0

    def refusal(self, operation: str, key: str, signed_at: datetime) -> str | None:
        """Return AWS's error code for a call, None if it is allowed."""
        if key not in self.keys:
            return "InvalidClientTokenId"
        if abs(datetime.now(UTC) + self.ahead - signed_at) > _SKEW:
            return "InvalidSignatureException"
        return "AccessDeniedException" if operation in self.denied else None

    def answer(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Do what an allowed call asks for."""
        if operation == "SendMessageBatch":
            self.sent += [json.loads(entry["MessageBody"]) for entry in asked["Entries"]]
            return {
                "Successful": [{"Id": e["Id"], "MessageId": e["Id"], "MD5OfMessageBody": ""} for e in asked["Entries"]]
            }
        if operation == "ReceiveMessage":
            self.receives += 1
            if self.queued and asked["QueueUrl"].endswith("InteractiveQueue"):
                attributes = {"ApproximateReceiveCount": "1"}
                body = self.queued.pop()
                return {"Messages": [{"MessageId": "m", "ReceiptHandle": "r", "Body": body, "Attributes": attributes}]}
            time.sleep(_POLL_SECS)
        return {}


@contextmanager
def open_sqs_server() -> Iterator[SqsServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if server.is_down:
                self.close_connection = True  # without an answer
                return
            operation = self.headers["x-amz-target"].partition(".")[2]
            key = self.headers["authorization"].partition("Credential=")[2].partition("/")[0]
            signed_at = datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            refusal = server.refusal(operation, key, signed_at)
            answer = server.answer(operation, asked) if refusal is None else {"__type": f"com.amazonaws.sqs#{refusal}"}
            content = json.dumps(answer).encode()
            self.send_response(200 if refusal is None else 403)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = SqsServer(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
