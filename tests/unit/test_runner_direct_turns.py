"""Turns of requests at rare moments: a second one that waits while the first wait ends, and one that cannot begin."""

import errno
from typing import Any, cast

import pytest

from sandbox_runtime.transport import Received
from sandbox_runtime.worker.direct_intake import Claim, DirectIntake, RunningSubmissions
from sandbox_runtime.worker.file_cache import Fetcher
from sandbox_runtime.worker.queue_intake import NewMessage, QueueIntake, VisibilityKeeper
from sandbox_runtime.worker.reports import QueueHealth
from sandbox_runtime.worker.scheduler import Capacity, Priority, WaitingJob
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


class NoDescriptors(TwoTurns):
    """A runner that has too many open files."""

    def begin(self, _request: object, **_: object) -> "TwoTurns":
        raise OSError(errno.EMFILE, "too many open files")


class Caller:
    """A client of the direct path. It waits until its run has an end."""

    def __init__(self, run: Any) -> None:
        self._run, self.refusals = run, list[tuple[int, str]]()

    def wait(self, _secs: float) -> bool:
        with pytest.raises(OSError, match="too many"):
            self._run()
        return True

    def refuse(self, status: int, code: str) -> None:
        self.refusals.append((status, code))


def test_a_direct_request_that_cannot_begin_is_answered_and_may_come_again() -> None:
    started, running, health = list[WaitingJob](), RunningSubmissions(), QueueHealth()
    capacity, caller = Capacity(1, started.append), Caller(lambda: started[0].run(cast("Any", None)))
    health.sent()
    capacity.add_ready()
    request = requested()
    intake = DirectIntake(cast("Any", NoDescriptors()), running, capacity, health)
    intake.accept(request.serialise().encode(), "", cast("Any", caller))
    assert caller.refusals == [(500, "internal")]
    assert running.claim(request.submission_id) is Claim.CLAIMED


def test_a_message_whose_request_cannot_begin_is_let_go() -> None:
    extended, running, request = list[Received](), RunningSubmissions(), requested()

    class Queue:
        extend = staticmethod(extended.append)

        def is_over(self, _submission_id: str) -> bool:
            return False

    queue, none = cast("Any", Queue()), cast("Any", None)
    keeper = VisibilityKeeper(queue, visibility_secs=30)
    intake = QueueIntake(cast("Any", NoDescriptors()), queue, keeper, none, running, 3, none)
    received = Received("https://queue", "handle", "id", 1, request.serialise())
    keeper.hold(received)
    message = NewMessage(
        project_id="p", priority=Priority.BATCH, name="id", intake=intake, received=received, request=request
    )
    with pytest.raises(OSError, match="too many"):
        message.run(none)
    keeper.extend_all()
    assert extended == []
    assert running.claim(request.submission_id) is Claim.CLAIMED
