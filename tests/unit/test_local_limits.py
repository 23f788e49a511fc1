"""The local gateway has the limits of an HTTP API and of synchronous Lambda calls."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from functions.submissions.accept.requests import STDIN_MAX_BYTES
from infra.local.http import request_threads
from infra.local.invoker import LambdaContext
from tests.local_front import gateway

MIB = 1_048_576


class _Function:
    """Stands in for the loaded handler."""

    def __init__(self, answer: Callable[[dict[str, Any]], Any]) -> None:
        self._answer = answer
        self.events: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any], _context: LambdaContext) -> Any:
        self.events.append(event)
        return self._answer(event)


def _post(function: _Function, body: bytes) -> tuple[int, bytes]:
    app = gateway(function)
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/submit",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


def _ok(_event: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": 200, "body": "{}"}


def test_a_request_over_10_mib_is_refused_by_the_gateway() -> None:
    function = _Function(_ok)
    status, body = _post(function, b"x" * (10 * MIB + 1))
    assert (status, json.loads(body), function.events) == (413, {"message": "Request Entity Too Large"}, [])


def test_a_signed_call_that_is_too_large_is_refused_by_its_length_before_it_is_read() -> None:
    reads = list[bool]()
    function = _Function(lambda event: {"statusCode": 413, "body": event.get("body", "not read")})
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/checks/an-id/events",
        "query_string": b"",
        "headers": [(b"content-length", b"%d" % (STDIN_MAX_BYTES + 1))],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        reads.append(True)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(gateway(function)(scope, receive, send))
    assert (sent[0]["status"], sent[1]["body"], reads) == (413, b"not read", [])


def test_an_event_over_6_mib_does_not_reach_the_function() -> None:
    function = _Function(_ok)
    assert _post(function, b"x" * (6 * MIB))[0] == 413
    assert function.events == []
    assert _post(function, b"x" * (6 * MIB - 4096))[0] == 200


def test_an_answer_over_6_mib_is_an_error_of_the_function() -> None:
    assert _post(_Function(lambda _event: {"statusCode": 200, "body": "x" * (6 * MIB)}), b"{}")[0] == 500
    assert _post(_Function(lambda _event: {"statusCode": 200, "body": "x" * (6 * MIB - 4096)}), b"{}")[0] == 200


def test_a_function_that_does_not_answer_in_time_goes_on_without_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    assert request_threads._INTEGRATION_TIMEOUT_SECS == 30
    monkeypatch.setattr(request_threads, "_INTEGRATION_TIMEOUT_SECS", 0.05)
    may_end, ended = threading.Event(), threading.Event()

    def slow(_event: dict[str, Any]) -> dict[str, Any]:
        may_end.wait(20)
        ended.set()
        return {"statusCode": 200, "body": "{}"}

    status, body = _post(_Function(slow), b"{}")
    assert (status, json.loads(body)) == (503, {"message": "Service Unavailable"})
    assert not ended.is_set()
    may_end.set()
    assert ended.wait(20)
