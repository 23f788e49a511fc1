"""Run the example of a durable function over AWS's testing SDK: `drive.py EXAMPLE`. Prints its result as JSON.

Its receiver is behind an HTTP server that makes the events of a Function URL.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

sys.path.insert(0, sys.argv[1])
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

import receiver
import workflow
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner

STATUSES: list[int] = []


class FunctionUrl(BaseHTTPRequestHandler):
    """Calls the receiver with each POST."""

    def do_POST(self) -> None:
        """Make the event, and answer as the receiver does."""
        query = dict(parse_qsl(urlsplit(self.path).query))
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        event: dict[str, Any] = {"headers": headers, "queryStringParameters": query, "body": body}
        forged = receiver.handler({**event, "body": body + " "}, None)
        answer = receiver.handler(event, None)
        STATUSES.extend([forged["statusCode"], answer["statusCode"]])
        self.send_response(answer["statusCode"])
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


with DurableFunctionTestRunner(handler=workflow.handler, skip_time=False) as runner:

    def send(*, CallbackId: str, Result: bytes) -> None:  # noqa: N803 - boto3's names
        runner.send_callback_success(CallbackId, Result)

    client: Any = SimpleNamespace(
        send_durable_execution_callback_success=send,
        exceptions=SimpleNamespace(CallbackTimeoutException=ZeroDivisionError),
    )
    receiver.CLIENT = client
    server = ThreadingHTTPServer(("127.0.0.1", 0), FunctionUrl)
    Thread(target=server.serve_forever, daemon=True).start()
    os.environ["RECEIVER_URL"] = f"http://127.0.0.1:{server.server_port}/"
    ended = runner.run(json.dumps({"language": "python", "code": "print(6 * 7)"}), execution_timeout=120)
    server.shutdown()
    sys.stdout.write(json.dumps({"status": str(ended.status), "result": ended.result, "statuses": STATUSES}) + "\n")
