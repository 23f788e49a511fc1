import logging
import sys
import threading
from collections.abc import Iterator

import pytest
from aws_lambda_powertools import Logger

from functions.telemetry import logger

ROUNDS = 300


@pytest.fixture
def short_turns() -> Iterator[None]:
    """Threads change within most functions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def call_at_once(service: str) -> list[Logger]:
    """Return what two threads get from their first calls."""
    together, got = threading.Barrier(2), list[Logger]()

    def call() -> None:
        together.wait()
        got.append(logger(service))

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


@pytest.mark.usefixtures("short_turns")
def test_first_calls_at_once_get_one_logger_with_one_handler_and_its_formatter() -> None:
    for number in range(ROUNDS):
        service = f"first-calls-at-once-{number}"
        first, second = call_at_once(service)
        assert first is second
        assert [handler.formatter for handler in logging.getLogger(service).handlers] == [first.registered_formatter]
        assert first.registered_formatter is not None
