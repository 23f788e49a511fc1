"""Waits of submit's handler on a clock of the test."""

from typing import Any

import pytest

from functions.handlers import submit
from functions.http.long_poll import LongPoll, long_poll
from tests.submission_factory import FakeTime


def waiting(monkeypatch: pytest.MonkeyPatch, *steps: Any) -> FakeTime:
    """Let fake time pass in waits; call each of `steps` in one of them, in order."""
    time, left = FakeTime(), iter(steps)

    def sleep(secs: float) -> None:
        time.sleep(secs)
        next(left, lambda: None)()

    monkeypatch.setitem(submit.ENV._parts, long_poll, LongPoll(sleep, time.monotonic))
    return time
