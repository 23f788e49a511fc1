"""A project pays for its own runs: they cost no other project anything."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from select import POLLIN, poll
from socket import create_connection

import httpx
import pytest

from functions.projects.model import DEFAULT_QUOTAS
from tests.system.kill_run.killer import kill_tree
from tests.system.local_stack import LocalStack, wait_until

SLEEPERS = 10
SLEEPER = {
    "language": "python",
    "code": "import time\ntime.sleep(25)",
    "profile": "judge",
    "limits": {"wall_time_secs": 25},
}
PRINT = {"language": "python", "code": "print(1)"}


@pytest.fixture(scope="module")
def local(small_stack: Callable[..., LocalStack]) -> LocalStack:
    """Give one stack to both tests; the last one kills it."""
    made = small_stack(RUSTBOX_PROCESSES="2")
    made.start()
    return made


def test_long_polls_of_one_key_stop_neither_health_nor_short_calls(local: LocalStack) -> None:
    hostile_key, waiting = local.add_project("polls", quotas=DEFAULT_QUOTAS), poll()
    with ExitStack() as opened:
        honest, hostile = opened.enter_context(local.client()), opened.enter_context(local.client(hostile_key))
        sleeper = hostile.post("/api/submit", json=SLEEPER).json()["id"]
        long_poll = f"GET /api/result/{sleeper}?wait=20 HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {hostile_key}\r\n\r\n"
        for _ in range(300):
            connection = opened.enter_context(create_connection(("127.0.0.1", local.port)))
            connection.sendall(long_poll.encode())
            waiting.register(connection, POLLIN)
        answers = [honest.get(path) for path in ("/api/health", "/api/results", "/api/health/ready")]
        answers += [hostile.get("/api/results"), honest.post("/api/submit?wait=true", json=PRINT)]
        assert [answer.status_code for answer in answers] == [200] * 5
        assert waiting.poll(0) == []  # none of these was answered after the end of a long poll
        assert hostile.post(f"/api/result/{sleeper}/cancel").status_code in {200, 202}


def test_ten_sleepers_of_one_project_keep_no_run_of_another_waiting(local: LocalStack) -> None:
    hostile_key = local.add_project("sleeps", quotas=DEFAULT_QUOTAS)

    def sleep() -> None:
        with local.client(hostile_key) as client, suppress(httpx.TransportError):
            client.post("/api/submit?wait=true", json=SLEEPER)

    with ThreadPoolExecutor(SLEEPERS) as threads, local.client(hostile_key) as hostile, local.client() as honest:
        sleepers = [threads.submit(sleep) for _ in range(SLEEPERS)]
        wait_until(lambda: _states(hostile) == SLEEPERS, 20, "all sleepers are accepted", local.log)
        bodies = [honest.post("/api/submit?wait=true", json=PRINT) for _ in "1234"]
        assert [(body.status_code, body.json().get("stdout")) for body in bodies] == [(200, "1\n")] * 4
        # None of them has ended: the honest runs did not just wait for the end of the sleepers.
        assert not any(sleeper.done() for sleeper in sleepers)
        assert local.process is not None
        kill_tree(local.process)  # a stop would wait for them


def _states(client: httpx.Client) -> int:
    return len(client.get("/api/results").json()["items"])
