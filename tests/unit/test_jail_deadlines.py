"""Deadlines over counters that the test writes."""

from dataclasses import replace

import pytest

from sandbox_runtime.jail import StopReason
from sandbox_runtime.jail.supervisor import deadlines as module
from sandbox_runtime.jail.supervisor.deadlines import Deadlines, ThreadTime
from tests.unit.jail_doubles import LIMITS, MIB, NOTHING, Clock, Groups


def started(groups: Groups, clock: Clock) -> Deadlines:
    deadlines = Deadlines(groups, LIMITS, NOTHING)
    deadlines.program_started(clock.now_ns)
    return deadlines


def test_a_groups_cpu_limit_stops_the_run_at_once(clock: Clock) -> None:
    groups = Groups()
    deadlines = started(groups, clock)
    groups.counters = replace(NOTHING, cpu_usage_usec=1_000_000)
    clock.pass_ms(1000)
    assert deadlines.due() is StopReason.CPU_LIMIT


def test_a_groups_memory_is_the_kernels_to_limit(clock: Clock) -> None:
    groups = Groups()
    deadlines = started(groups, clock)
    groups.counters = replace(NOTHING, memory_now_bytes=65 * MIB)
    clock.pass_ms(1000)
    assert deadlines.due() is StopReason.NONE


def test_the_nearer_the_cpu_limit_the_sooner_the_next_look(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CPUS", 4)
    groups = Groups()
    deadlines = started(groups, clock)
    waits = []
    for used_usec in (0, 800_000, 996_000):
        groups.counters = replace(NOTHING, cpu_usage_usec=used_usec)
        clock.pass_ms(300)
        assert deadlines.due() is StopReason.NONE
        waits.append(deadlines.timeout_ms())
    assert waits == sorted(waits, reverse=True)
    assert waits[-1] <= 3


def test_the_wall_limit_counts_from_the_programs_start(clock: Clock) -> None:
    deadlines = Deadlines(Groups(), LIMITS, NOTHING)
    clock.pass_ms(5000)
    assert deadlines.setup_overran
    deadlines.program_started(clock.now_ns)
    clock.pass_ms(99_999)
    assert deadlines.due() is StopReason.NONE
    clock.pass_ms(2)
    assert deadlines.due() is StopReason.WALL_LIMIT


IDLE_SECS = 4
WORKING_USEC = 30_000  # more than a runtime's own timers take in that time


def compiling(groups: Groups, clock: Clock) -> Deadlines:
    deadlines = Deadlines(groups, replace(LIMITS, idle_secs=IDLE_SECS), NOTHING)
    clock.pass_ms(IDLE_SECS * 1000)
    assert deadlines.due() is StopReason.NONE, "nothing has started yet"
    deadlines.program_started(clock.now_ns)
    return deadlines


def test_a_step_that_waits_without_working_is_stopped(clock: Clock) -> None:
    groups = Groups()
    deadlines = compiling(groups, clock)
    groups.counters = replace(NOTHING, cpu_usage_usec=100_000)
    clock.pass_ms(300)
    assert deadlines.due() is StopReason.NONE
    clock.pass_ms(IDLE_SECS * 1000 - 1)
    assert deadlines.due() is StopReason.NONE
    clock.pass_ms(300)
    assert deadlines.due() is StopReason.IDLE


def test_a_step_that_works_a_little_is_not_stopped(clock: Clock) -> None:
    groups = Groups()
    deadlines = compiling(groups, clock)
    for look in range(1, 30):
        groups.counters = replace(NOTHING, cpu_usage_usec=look * WORKING_USEC)
        clock.pass_ms(IDLE_SECS * 1000 - 500)
        if look * (IDLE_SECS * 1000 - 500) < LIMITS.wall_time_secs * 1000:
            assert deadlines.due() is StopReason.NONE


def test_without_such_a_limit_a_run_may_wait(clock: Clock) -> None:
    deadlines = started(Groups(), clock)
    clock.pass_ms(20 * IDLE_SECS * 1000)
    assert deadlines.due() is StopReason.NONE


# --- a busy host ---

WALL_MS, STEP_MS, OVERTIME_SECS = 100_000, 1_000, 30


class Busy:
    """A run with one thread. The host gives it a share of the time that it wants."""

    def __init__(self, clock: Clock, monkeypatch: pytest.MonkeyPatch, cpu_secs: float = 1000) -> None:
        self._clock, self._groups = clock, Groups()
        self._wanted_ms = self._used_ms = 0.0
        self._is_runnable = True
        monkeypatch.setattr(module, "read_threads", self._threads)
        limits = replace(LIMITS, cpu_time_secs=cpu_secs)
        self.deadlines = Deadlines(self._groups, limits, NOTHING, OVERTIME_SECS)
        self.deadlines.program_started(clock.now_ns)

    def _threads(self, _: object) -> dict[int, ThreadTime]:
        return {7: ThreadTime(int(self._wanted_ms * 1e6), self._is_runnable)}

    def run(self, share: float, *, wants: float = 1, until_ms: float = 10 * WALL_MS) -> tuple[StopReason, float]:
        """Go on until the supervisor stops the run. Returns why, and when in milliseconds."""
        passed_ms = 0.0
        while passed_ms < until_ms:
            self._clock.pass_ms(STEP_MS)
            passed_ms += STEP_MS
            self._is_runnable = wants > 0
            self._wanted_ms += wants * STEP_MS
            self._used_ms += share * wants * STEP_MS
            self._groups.counters = replace(NOTHING, cpu_usage_usec=int(self._used_ms * 1000))
            if (reason := self.deadlines.due()) is not StopReason.NONE:
                return reason, passed_ms
        return StopReason.NONE, passed_ms


def test_an_endless_loop_on_a_busy_host_goes_on_until_it_has_used_its_cpu_time(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason, ended_ms = Busy(clock, monkeypatch, cpu_secs=60).run(0.5)
    assert reason is StopReason.CPU_LIMIT
    assert WALL_MS < ended_ms <= 60_000 / 0.5 + STEP_MS


def test_a_run_that_had_its_own_wall_time_is_too_slow(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    reason, ended_ms = Busy(clock, monkeypatch).run(0.9)
    assert reason is StopReason.WALL_LIMIT
    assert WALL_MS * 1.05 < ended_ms <= WALL_MS / 0.9 + 2 * STEP_MS


def test_after_the_overtime_nothing_is_said_about_the_program(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Busy(clock, monkeypatch).run(0.1) == (StopReason.HOST_OVERLOADED, WALL_MS + OVERTIME_SECS * 1000)


def test_a_run_that_lost_nothing_ends_at_its_wall_limit(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for share, wants in ((0.97, 1), (1, 1), (1, 0), (0.1, 0.03)):
        assert Busy(clock, monkeypatch).run(share, wants=wants) == (StopReason.WALL_LIMIT, WALL_MS)


def test_cpu_time_decides_before_wall_time(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = Busy(clock, monkeypatch, cpu_secs=60)
    assert busy.run(0.5, until_ms=WALL_MS - STEP_MS)[0] is StopReason.NONE
    monkeypatch.setattr(busy.deadlines, "_next_check_ns", 10**18)  # no look at the counters comes before
    assert busy.run(11) == (StopReason.CPU_LIMIT, STEP_MS)
