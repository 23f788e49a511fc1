"""The registry of stops of a runner."""

import select

import pytest

from events.runner import cancelled_in
from sandbox_runtime.worker.control import CANCELLED_SECS, MOST_CANCELLED, RunStops

RUN = "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11"


def is_readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def test_a_cancel_reaches_one_run_and_a_drain_all() -> None:
    stops = RunStops()
    with stops.open("a") as first, stops.open("b") as second:
        assert stops.cancel("a")
        assert (first.is_cancelled, is_readable(first.fd)) == (True, True)
        assert (second.is_cancelled, is_readable(second.fd)) == (False, False)
        stops.drain()
        assert (second.is_cancelled, is_readable(second.fd)) == (False, True)
        with stops.open("c") as late:
            assert (late.is_cancelled, is_readable(late.fd)) == (False, True)
            assert stops.cancel("c")  # while the runner drains, a cancel is the end all the same
            assert late.is_cancelled
    assert not stops.cancel("a")


def test_a_submission_that_was_cancelled_before_its_run_stays_so_for_a_time() -> None:
    now = [0.0]
    stops = RunStops(lambda: now[0])
    assert not stops.cancel("a")
    for after_secs, is_cancelled in ((CANCELLED_SECS - 1, True), (CANCELLED_SECS + 1, False)):
        now[0] = after_secs
        with stops.open("a") as stop:
            assert (stop.is_cancelled, is_readable(stop.fd)) == (is_cancelled, is_cancelled)


def test_the_memory_of_cancelled_submissions_is_bounded() -> None:
    stops = RunStops()
    for number in range(MOST_CANCELLED + 1):
        stops.cancel(str(number))
    with stops.open("0") as oldest, stops.open("1") as second:
        assert (oldest.is_cancelled, second.is_cancelled) == (False, True)


def test_only_runs_that_last_are_worth_a_poll() -> None:
    now = [0.0]
    stops = RunStops(lambda: now[0])
    assert not stops.has_older_than(1)
    with stops.open("a"):
        now[0] = 0.9
        with stops.open("b"):
            assert not stops.has_older_than(1)
            now[0] = 1.1
            assert stops.has_older_than(1)
    with stops.open("c"):
        assert not stops.has_older_than(1)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (b"", []),
        (b"null", []),
        (b'{"cancelled": 3}', []),
        (b'{"cancelled": {"x": 1, "' + RUN.encode() + b'": 2}, "newer": []}', [RUN]),
        (b"\xff", []),
    ],
)
def test_a_control_object_is_read_with_suspicion(text: bytes, ids: list[str]) -> None:
    assert cancelled_in(text) == ids
