"""An account whose DynamoDB and SQS answer over HTTP, from the engine: for functions in processes of their own."""

import base64
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest

from functions.projects.model import Project
from functions.projects.store import ProjectStore
from infra.embedded import services
from infra.embedded.engine import Engine, open_engine
from infra.embedded.errors import ServiceError
from infra.embedded.hook import Hook
from tests.adapters.aws_account import API_KEY, PROJECT_ID, forget_clients
from tests.adapters.new_account import new_account
from tests.submission_factory import GENEROUS

_SERVICES = {"DynamoDB_20120810": "dynamodb", "AmazonSQS": "sqs"}


@dataclass(frozen=True, slots=True)
class Account:
    """`url`: of the services. `environment`: what the template sets for all functions, with the account's names."""

    url: str
    environment: dict[str, str]


@contextmanager
def account() -> Iterator[Account]:
    """Make the template's tables and queues, and a project with API_KEY. Everything is as before afterwards."""
    patch = pytest.MonkeyPatch()
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(Path(folder) / "engine", synchronous="NORMAL")
        hook = Hook(lambda *asked: services.call(engine, *asked))
        hook.attach_everywhere()
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        forget_clients()
        try:
            with new_account(patch) as aws, _server(engine) as url:
                store = ProjectStore(aws.names["ProjectsTable"], aws.client("dynamodb"))
                store.create_project(Project(PROJECT_ID, "Cold", quotas=GENEROUS))
                store.issue_key(PROJECT_ID, api_key=API_KEY)
                yield Account(url, dict(os.environ))
        finally:
            forget_clients()
            hook.detach_everywhere()
            engine.close()
            patch.undo()


@contextmanager
def _server(engine: Engine) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer: a second one waits 40 ms for the ACK of the first

        def do_POST(self) -> None:
            target, _, operation = self.headers["x-amz-target"].partition(".")
            params = _bytes_of(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            try:
                status, answer = 200, services.call(engine, _SERVICES[target], operation, params)
            except ServiceError as error:
                status, answer = error.status, {"__type": error.code, "message": error.message, **error.more}
            content = json.dumps(answer, default=lambda raw: base64.b64encode(raw).decode()).encode()
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _bytes_of(value: Any) -> Any:
    """Decode DynamoDB's binary values, which JSON carries as base64."""
    if isinstance(value, list):
        return [_bytes_of(part) for part in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"B"} and isinstance(value["B"], str):
        return {"B": base64.b64decode(value["B"])}
    return {name: _bytes_of(part) for name, part in value.items()}
