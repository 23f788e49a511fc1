"""The benchmark's client counts what a service does wrong, and is not held up by it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from typing import Any

import pytest

from bench.answers import WrongAnswerError
from bench.api_client import ApiClient, Endpoint, body_of
from bench.closed_loop import ClosedLoop, Exchange
from bench.sources import python_program


class Service(ThreadingHTTPServer):
    """Answers with the submitted code; each nth request is answered wrongly, or the connection closed."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *, fail_each: int = 0, close_each: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fail_each, self.close_each = fail_each, close_each
        self.connections = 0
        self.codes: list[str] = []
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Service

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            self.server.codes.append(asked["code"])
            number = len(self.server.codes)
        if self.server.close_each and number % self.server.close_each == 0:
            self.close_connection = True
            return
        status = 503 if self.server.fail_each and number % self.server.fail_each == 0 else 200
        # Larger than one read, in two writes: the client must put it together.
        answer = json.dumps({"code": asked["code"], "key": self.headers["x-api-key"], "filler": "x" * 300_000}).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer[:1000])
        self.wfile.write(answer[1000:])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Stay silent."""


@contextmanager
def serving(service: Service) -> Iterator[Endpoint]:
    thread = threading.Thread(target=service.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield Endpoint(service.server_port, "a key")
    finally:
        service.shutdown()
        service.server_close()
        thread.join()


def ask(service: Service, clients: int, count: int) -> list[Exchange]:
    with serving(service) as endpoint:
        loop = ClosedLoop(endpoint, clients, (python_program() for _ in range(count)), 60)
        exchanges = list(loop)
    assert loop.elapsed_secs > 0
    assert loop.client_cpu_secs > 0
    return exchanges


@pytest.mark.parametrize("clients", [1, 7, 64])
def test_each_program_is_sent_once_over_kept_connections(clients: int) -> None:
    service = Service()
    exchanges = ask(service, clients, 130)
    assert sorted(service.codes) == sorted(exchange.program.code for exchange in exchanges)
    assert len(set(service.codes)) == 130
    assert service.connections == clients
    for exchange in exchanges:
        assert exchange.answer is not None
        found = json.loads(exchange.answer)
        assert (found["code"], found["key"]) == (exchange.program.code, "a key")
        assert exchange.elapsed_ms > 0


def test_more_clients_than_programs_end_too() -> None:
    assert len(ask(Service(), 9, 3)) == 3


def test_other_statuses_are_problems() -> None:
    exchanges = ask(Service(fail_each=5), 3, 50)
    problems = [exchange.problem for exchange in exchanges if exchange.answer is None]
    assert len(exchanges) == 50
    assert len(problems) == 10
    assert all("503" in problem for problem in problems)


def test_a_closed_connection_is_a_problem_and_the_client_comes_back() -> None:
    service = Service(close_each=10)
    exchanges = ask(service, 3, 50)
    assert [exchange.problem for exchange in exchanges if exchange.answer is None] == ["the connection was closed"] * 5
    assert len(exchanges) == 50
    assert 3 < service.connections <= 8


def test_nothing_is_sent_when_the_time_is_over() -> None:
    service = Service()
    with serving(service) as endpoint:
        assert list(ClosedLoop(endpoint, 4, repeat(python_program()), 0)) == []
    assert service.codes == []


def test_one_client_refuses_any_other_status() -> None:
    service = Service(fail_each=2)
    with serving(service) as endpoint, ApiClient(endpoint) as client:
        assert b"a key" in client.submit(body_of(python_program()), wait=True)
        with pytest.raises(WrongAnswerError, match="503"):
            client.submit(body_of(python_program()), wait=True)
        with pytest.raises(WrongAnswerError, match="200"):
            client.submit(body_of(python_program()), wait=False)
    assert service.connections == 1
