"""Checks of an emulator before a deployment creates anything: its Python, its calls, the addresses of its services."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.deploy import account_checks
from infra.deploy.emulator import check_python
from infra.deploy.smoke_test import runner_settings
from infra.deploy.target import DeployError, Target, endpoint_variable, read_target
from infra.local.settings import ROOT, StartError, read_settings

OUTPUTS = dict.fromkeys(
    ("InteractiveQueueUrl", "BatchQueueUrl", "NetworkQueueUrl", "CompletionsQueueUrl", "PayloadsBucketName"), "x"
) | {"SubmissionVisibilitySecs": "60"}
IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/x</Arn><UserId>x</UserId>"
    "<Account>000000000001</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


class _Server(ThreadingHTTPServer):
    """Answers STS. `answer`: what an invoked function returns; None: it does not know Lambda, as moto's account."""

    answer: object = None
    calls: list[str]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.calls.append(f"{self.command} {self.path}")
        if self.path == "/":
            self._send(200, IDENTITY)
        elif self.server.answer is None:
            self._send(404, "Not yet implemented")
        elif self.path.endswith("/invocations"):
            self._send(200, json.dumps(self.server.answer))
        else:
            function = {"FunctionName": "x", "State": "Active", "Configuration": {"State": "Active"}}
            account = {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}}
            self._send(201, json.dumps(function | account))

    do_GET = do_DELETE = do_POST  # noqa: N815 - names of the standard library

    def _send(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Write nothing."""


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.calls = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def _target(server: _Server) -> Target:
    return Target("local", "us-east-1", f"http://127.0.0.1:{server.server_port}")


def test_an_emulator_with_another_python_is_refused_and_the_probe_is_deleted(server: _Server) -> None:
    server.answer = [3, 11]
    with pytest.raises(
        DeployError, match=r"functions on CPython 3\.11, .* for 3\.13: start the emulator with CPython 3\.13"
    ):
        check_python(_target(server))
    assert server.calls[-1].startswith("DELETE /2015-03-31/functions/rustbox-probe-")


def test_an_emulator_with_the_python_of_the_zip_passes(server: _Server) -> None:
    server.answer = [3, 13]
    check_python(_target(server))


@pytest.mark.parametrize("answer", [None, {"errorMessage": "no docker"}])
def test_an_emulator_that_runs_no_functions_is_refused(server: _Server, answer: object) -> None:
    server.answer = answer
    with pytest.raises(DeployError, match=r"runs no functions .*docs/emulators\.md"):
        check_python(_target(server))


def test_a_server_without_the_call_of_the_account_is_named_with_the_way_out(server: _Server) -> None:
    with pytest.raises(DeployError, match="does not know GetAccountSettings, as moto: use an emulator that runs"):
        account_checks.check(_target(server), "")


def test_each_client_honours_the_address_of_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9324")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "http://127.0.0.1:8000")
    target = Target("local", "us-east-1", "http://127.0.0.1:4566")
    found = {name: target.client(name).meta.endpoint_url for name in ("sqs", "dynamodbstreams", "s3", "events")}
    assert found == {
        "sqs": "http://127.0.0.1:9324",
        "dynamodbstreams": "http://127.0.0.1:8000",
        "s3": "http://127.0.0.1:4566",
        "events": "http://127.0.0.1:4566",
    }
    assert endpoint_variable("events") == "AWS_ENDPOINT_URL_EVENTBRIDGE"
    variables = runner_settings(target, OUTPUTS)
    assert (variables["AWS_ENDPOINT_URL"], variables["AWS_ENDPOINT_URL_SQS"]) == (target.endpoint, found["sqs"])
    assert "AWS_ENDPOINT_URL_S3" not in variables


def test_the_sdks_variable_counts_as_the_endpoint_of_a_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert read_target("", "", "").endpoint == "http://127.0.0.1:4566"
    assert read_target("", "", "http://127.0.0.1:9").endpoint == "http://127.0.0.1:9"


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS"])
def test_the_local_stack_refuses_an_address_of_any_service(name: str) -> None:
    with pytest.raises(StartError, match=f"unset {name}, or deploy to that server"):
        read_settings({name: "http://127.0.0.1:4566"})


def test_make_deploy_creates_nothing_on_an_emulator_with_another_python(server: _Server, tmp_path: Path) -> None:
    server.answer = [3, 11]
    environment = {
        "PATH": os.environ["PATH"],
        "ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "STAGE": "local",
        "REGION": "us-east-1",
        "HOME": str(tmp_path),
    }
    command = [sys.executable, "-m", "infra.deploy", "deploy"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "start the emulator with CPython 3.13" in ended.stdout + ended.stderr
    asked = [call.partition("?")[0] for call in server.calls]
    probe = [call for call in asked if "/functions" in call]
    assert probe[-1].startswith("DELETE ")
    rest = [call for call in asked if call not in probe and not call.startswith("GET ")]
    assert set(rest) == {"POST /"}  # STS, which only reads
