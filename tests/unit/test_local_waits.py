"""Waits hold threads of their own, so they stop neither short calls nor health."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from socket import socket
from typing import Any

import pytest

from infra.local.http import request_threads
from infra.local.invoker import LambdaContext
from tests.local_front import TIMEOUT_SECS, connect, gateway, read_answer, request, serving


class _Function:
    """Answers at once, or holds a request whose path or query has `hold` in it until the end of the test."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        self.may_end = threading.Event()
        self.was_ended = threading.Event()
        self.app = gateway(self)

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> Any:
        target = event["rawPath"] + "?" + event["rawQueryString"]
        self.targets.append(target)
        if "hold" in target:
            self.may_end.wait(TIMEOUT_SECS)
        if "poll" in target:
            while context.get_remaining_time_in_millis() and not self.may_end.is_set():
                time.sleep(0.005)
            self.was_ended.set()
        has_time = context.get_remaining_time_in_millis() > 0
        return {"statusCode": 200, "body": f'{{"has_time":{str(has_time).lower()}}}'}


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Function]:
    for name in ("_WAIT_THREADS", "_SHORT_THREADS", "_HEALTH_THREADS"):
        monkeypatch.setattr(request_threads, name, 4)
    for name in ("ANSWER_SECS", "_INTEGRATION_TIMEOUT_SECS"):
        monkeypatch.setattr(request_threads, name, 3600)  # no wait of a test ends by itself
    made = _Function()
    yield made
    made.may_end.set()


@pytest.fixture
def ask(function: _Function) -> Iterator[Callable[..., socket]]:
    """Send a request on a connection of its own; return the connection."""
    with ExitStack() as opened, serving(function.app) as port:
        opened.callback(function.may_end.set)

        def send(target: str, project: str = "a", method: str = "GET", *fields: str) -> socket:
            connection = opened.enter_context(connect(port))
            connection.sendall(request(method, target, f"X-API-Key: {project}.1", *fields))
            return connection

        yield send


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_SECS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_waits_of_one_project_stop_neither_short_calls_nor_health_nor_waits_of_others(
    function: _Function, ask: Callable[..., socket]
) -> None:
    for number in range(20):
        ask(f"/api/result/hold{number}?wait=20")
    until(lambda: len(function.targets) == 2)  # half of the threads
    assert read_answer(ask("/api/languages"))[0] == 200
    assert read_answer(ask("/api/health"))[0] == 200
    assert read_answer(ask("/api/result/mine?wait=20", "b")) == (200, {"has_time": True})
    assert sum("hold" in target for target in function.targets) == 2


def test_short_calls_that_hang_stop_neither_health_nor_short_calls_of_others(
    function: _Function, ask: Callable[..., socket]
) -> None:
    for number in range(20):
        ask(f"/api/result/hold{number}")
    until(lambda: len(function.targets) == 2)
    assert read_answer(ask("/api/languages", "b"))[0] == 200
    assert read_answer(ask("/api/health"))[0] == 200


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/api/result/hold?wait=true"),
        ("GET", "/api/result/hold?wait=0.5"),
        ("GET", "/api/result/hold?w%61it=20"),
        ("POST", "/api/submit?wait=true&hold"),
        ("POST", "/api/judge?hold"),
        ("DELETE", "/api/result/hold"),
    ],
)
def test_each_kind_of_wait_holds_a_thread_for_waits(
    function: _Function, ask: Callable[..., socket], method: str, target: str
) -> None:
    for _ in range(20):
        ask(target, method=method)
    until(lambda: len(function.targets) == 2)
    assert read_answer(ask("/api/languages"))[0] == 200


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/api/result/7"),
        ("GET", "/api/result/7?wait=false"),
        ("GET", "/api/result/7?wait=0"),
        ("GET", "/api/result/7?wait=nan"),
        ("GET", "/api/result/7?wait=-1"),
        ("GET", "/api/result/7?wait=x"),
        ("POST", "/api/judge?wait=false"),
        ("GET", "/api/results?wait=true"),
        ("POST", "/api/result/7/cancel?wait=true"),
    ],
)
def test_short_call_has_no_time_to_wait(ask: Callable[..., socket], method: str, target: str) -> None:
    assert read_answer(ask(target, method=method)) == (200, {"has_time": False})


@pytest.mark.parametrize(
    ("method", "query", "secs"),
    [("GET", b"wait=true", 20), ("GET", b"wait=28", 20), ("GET", b"wait=3", 3), ("POST", b"wait=true", 28)],
)
def test_a_request_queues_no_longer_than_its_route_waits(method: str, query: bytes, secs: float) -> None:
    """A long poll that queued for 28 s, and 5 s more for a short call, was answered with 503."""
    scope = {"method": method, "path": "/api/result/7", "query_string": query}
    assert request_threads._asked_wait_secs(scope, "if_asked") == secs
    if method == "GET":
        assert secs + request_threads._PATIENCE_SECS < request_threads._INTEGRATION_TIMEOUT_SECS


@pytest.mark.parametrize(("method", "target"), [("GET", "/api/result/7?wait=0.05"), ("POST", "/api/submit?wait=true")])
def test_wait_that_finds_no_thread_is_answered_with_the_state(
    function: _Function, ask: Callable[..., socket], monkeypatch: pytest.MonkeyPatch, method: str, target: str
) -> None:
    assert request_threads._PATIENCE_SECS == 5
    monkeypatch.setattr(request_threads, "_PATIENCE_SECS", 0.05)
    for number in range(2):
        ask(f"/api/result/hold{number}?wait=20")
    until(lambda: len(function.targets) == 2)
    assert read_answer(ask(target, method=method)) == (200, {"has_time": False})


def test_health_has_no_share_and_reads_no_body(function: _Function, ask: Callable[..., socket]) -> None:
    assert function.app._requests.take("a", 500)  # of 1000: all that it may have
    assert read_answer(ask("/api/languages"))[0] == 429
    half_bodies = [ask("/api/health", "a", "GET", "Content-Length: 1000") for _ in range(10)]
    assert [read_answer(one)[0] for one in [*half_bodies, ask("/api/health")]] == [200] * 11


def test_wait_gets_the_thread_of_one_that_ends(function: _Function, ask: Callable[..., socket]) -> None:
    held = [ask(f"/api/result/hold{number}?wait=20") for number in range(2)]
    until(lambda: len(function.targets) == 2)
    queued = ask("/api/result/queued?wait=20")
    function.may_end.set()
    assert [read_answer(one)[0] for one in held] == [200, 200]
    assert read_answer(queued) == (200, {"has_time": True})


def test_client_that_is_gone_ends_its_wait(function: _Function, ask: Callable[..., socket]) -> None:
    waiting = ask("/api/result/poll?wait=20")
    until(lambda: len(function.targets) == 1)
    waiting.close()
    assert function.was_ended.wait(TIMEOUT_SECS)


def test_client_that_is_gone_ends_the_wait_before_its_next_request(
    function: _Function, ask: Callable[..., socket]
) -> None:
    waiting = ask("/api/result/poll?wait=20")
    until(lambda: len(function.targets) == 1)
    waiting.sendall(request("GET", "/api/languages") * 2)
    waiting.close()
    assert function.was_ended.wait(TIMEOUT_SECS)


def test_client_that_is_gone_while_it_queues_reaches_no_function(
    function: _Function, ask: Callable[..., socket]
) -> None:
    for number in range(2):
        ask(f"/api/result/hold{number}?wait=20")
    until(lambda: len(function.targets) == 2)
    queued, queues = ask("/api/submit?wait=true", method="POST"), function.app._threads._waits._queues
    until(lambda: "a" in queues)
    queued.close()
    until(lambda: "a" not in queues)
    last = ask("/api/result/last?wait=20")
    function.may_end.set()
    assert read_answer(last)[0] == 200
    assert len(function.targets) == 3


def test_short_call_that_finds_no_thread_in_time_is_503_and_never_runs(
    function: _Function, ask: Callable[..., socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        ask(f"/api/result/hold{number}")
    until(lambda: len(function.targets) == 2)
    monkeypatch.setattr(request_threads, "_PATIENCE_SECS", 0.05)
    assert read_answer(ask("/api/submit", method="POST")) == (503, {"message": "Service Unavailable"})
    function.may_end.set()
    assert read_answer(ask("/api/languages"))[0] == 200
    assert [target for target in function.targets if "submit" in target] == []
