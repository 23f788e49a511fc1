"""Retries with backoff, and threads that survive their exceptions."""

from threading import Event

import pytest

from sandbox_runtime.retry import Backoff, persist, start_background
from tests.until import PATIENCE_SECS


def test_an_action_is_repeated_through_an_outage() -> None:
    failures = [EOFError] * 2

    def flaky() -> None:
        if failures:
            raise failures.pop()

    persist(flaky, stop=Event(), error=EOFError, give_up_secs=60)
    assert failures == []


@pytest.mark.parametrize(("is_stopped", "give_up_secs"), [(True, 60), (False, 0)])
def test_an_action_stops_at_its_deadline_or_on_request(*, is_stopped: bool, give_up_secs: int) -> None:
    stop = Event()
    if is_stopped:
        stop.set()
    calls = []

    def failing() -> None:
        calls.append(1)
        raise EOFError

    with pytest.raises(EOFError):
        persist(failing, stop=stop, error=EOFError, give_up_secs=give_up_secs)
    assert len(calls) == 1


def test_backoff_grows_to_a_bound_and_starts_anew() -> None:
    backoff = Backoff()
    assert backoff.next_delay_secs() <= 0.2
    assert all(0 <= backoff.next_delay_secs() <= 20 for _ in range(2000))
    backoff.reset()
    assert backoff.next_delay_secs() <= 0.2


def test_a_background_thread_goes_on_after_an_exception(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def flaky() -> None:
        calls.append(1)
        if len(calls) < 3:
            raise ZeroDivisionError

    start_background(flaky, stop=Event()).join(PATIENCE_SECS)
    # A thread of an earlier test may still log.
    own = [record.getMessage() for record in caplog.records if vars(record).get("step") == flaky.__qualname__]
    assert (len(calls), own) == (3, ["thread failed"] * 2)


def test_a_failing_background_thread_ends_on_request() -> None:
    stop = Event()

    def failing() -> None:
        stop.set()
        raise ZeroDivisionError

    thread = start_background(failing, stop=stop)
    thread.join(PATIENCE_SECS)
    assert not thread.is_alive()
