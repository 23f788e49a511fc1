"""When the pool starts a waiting command, and which requests it answers."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox_runtime import prewarm
from sandbox_runtime.jail import JailError, JailSpec, Limits, WaitingCommand
from sandbox_runtime.prewarm import WaitingPool
from tests.runner_doubles import CLEAN, RecordedSlot
from tests.until import until

SPEC = JailSpec(("/bin/one",), Limits(1, 1, 1 << 20, 1, 1, 1, 1), waiting=WaitingCommand(("/bin/waits",), 0))


class Slot(RecordedSlot):
    """It is ready as soon as it is prewarmed, for one run."""

    waits = False

    def prewarm(self, spec: JailSpec) -> None:
        super().prewarm(spec)
        self.waits = True

    def is_ready_for(self, spec: JailSpec) -> bool:
        return self.waits and spec.waiting == self.prewarmed[-1].waiting

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> object:  # type: ignore[override]
        self.waits = False
        return super().answer(spec, cancel_fd=cancel_fd)


class Pool:
    """A pool of one slot. `opened`: all slots that it had; `refusals`: how many openings fail first."""

    def __init__(self, spec: JailSpec, refusals: int = 0) -> None:
        self.opened: list[Slot] = []
        self.refused = 0
        self.pool = WaitingPool((spec,), self._open)  # type: ignore[arg-type] # a double answers with what it is given
        self._refusals = refusals
        self.spec = spec
        self.pool.start()

    def _open(self, index: int) -> Slot:
        if self.refused < self._refusals:
            self.refused += 1
            raise JailError("open", str(index))
        self.opened.append(Slot())
        return self.opened[-1]

    @property
    def is_waiting(self) -> bool:
        """Whether one waits, and the thread that started it has given it out of its hands."""
        return any(slot.waits and not slot.is_closed for slot in self.opened) and not self.pool._entries[0].is_busy

    def ask(self) -> bool:
        """Whether a command that waited answered."""
        return self.pool.answer(self.spec) is not None


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prewarm, "QUIET_SECS", 0.0)


@pytest.fixture
def made() -> Iterator[list[Pool]]:
    pools: list[Pool] = []
    yield pools
    for one in pools:
        one.pool.close()
        assert all(slot.is_closed for slot in one.opened)


def test_a_command_waits_from_the_start_and_again_after_each_answer(made: list[Pool]) -> None:
    made.append(Pool(SPEC))
    for _ in range(3):
        until(lambda: made[0].is_waiting)
        assert made[0].ask()
    assert len(made[0].opened) == 1
    assert made[0].pool.answer(replace(SPEC, waiting=WaitingCommand(("/bin/other",), 0))) is None


def test_a_command_that_does_not_start_is_not_retried_for_each_request(made: list[Pool]) -> None:
    made.append(Pool(SPEC, refusals=1))
    until(lambda: made[0].refused == 1)
    for _ in range(20):
        assert not made[0].ask()
        time.sleep(0.005)
    assert made[0].opened == []


def test_a_command_that_does_not_start_is_retried_later(made: list[Pool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prewarm, "RETRY_SECS", 0.0)
    made.append(Pool(SPEC, refusals=3))
    until(lambda: made[0].is_waiting)
    assert (made[0].refused, len(made[0].opened)) == (3, 1)


def test_a_dead_process_is_started_again(made: list[Pool]) -> None:
    class Dying(Slot):
        def is_ready_for(self, spec: JailSpec) -> bool:
            raise JailError("get ready", spec.argv[0])

    made.append(Pool(SPEC))
    until(lambda: made[0].is_waiting)
    made[0].opened[0].__class__ = Dying
    assert not made[0].ask()
    until(lambda: len(made[0].opened) == 2 and made[0].is_waiting)
    assert made[0].opened[0].is_closed
    assert made[0].ask()


def test_a_run_that_fails_is_left_to_another_slot(made: list[Pool]) -> None:
    made.append(Pool(SPEC))
    until(lambda: made[0].is_waiting)
    made[0].opened[0]._answers = [JailError("run", "x"), CLEAN]
    assert not made[0].ask()
    until(lambda: len(made[0].opened) == 2 and made[0].is_waiting)
