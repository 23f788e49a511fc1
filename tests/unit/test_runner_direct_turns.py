"""A direct judge run that waits for its second turn, at the moment when its first wait for a slot ends."""

from typing import Any, cast

from sandbox_runtime.worker.direct_intake import DirectIntake, RunningSubmissions
from sandbox_runtime.worker.file_cache import Fetcher
from sandbox_runtime.worker.reports import QueueHealth
from sandbox_runtime.worker.scheduler import Capacity, WaitingJob
from sandbox_runtime.worker.turns import NotRun
from tests.runner_doubles import requested


class TwoTurns:
    """A runner whose requests need two turns, and then cannot store their output."""

    fetcher, case_secs = Fetcher(None), 0.0

    def __init__(self) -> None:
        self.taken = 0

    def obstacle(self, _request: object) -> None:
        return None

    def begin(self, _request: object, **_: object) -> "TwoTurns":
        return self

    def take(self, _slot: object) -> tuple[NotRun | None, bool]:
        self.taken += 1
        return (None if self.taken == 1 else NotRun.OUTPUT_NOT_STORED), True


def test_a_run_that_waits_for_its_second_turn_is_not_taken_for_one_without_a_slot() -> None:
    started, refusals, slot = list[WaitingJob](), list[tuple[int, str]](), cast("Any", object())
    capacity, health, runner = Capacity(1, started.append), QueueHealth(), TwoTurns()
    health.sent()
    capacity.add_ready()

    class SlowCaller:
        def wait(self, _secs: float) -> bool:
            assert started[0].run(slot)  # the first turn; the second one waits, because no slot is ready
            return False

        def refuse(self, status: int, code: str) -> None:
            refusals.append((status, code))

    intake = DirectIntake(cast("Any", runner), RunningSubmissions(), capacity, health)
    request = requested()
    intake.accept(request.serialise().encode(), "", cast("Any", SlowCaller()))
    assert (refusals, len(started)) == ([], 1)
    capacity.release(started[0])
    capacity.add_ready()
    assert started[1].run(slot)
    assert refusals == [(502, NotRun.OUTPUT_NOT_STORED)]
