"""Deadlines over counters that the test writes: where nothing holds the memory, a breach must be seen twice."""

from dataclasses import replace

import pytest

from sandbox_runtime.jail import StopReason
from sandbox_runtime.jail.controls.cgroup import Counters
from sandbox_runtime.jail.supervisor.deadlines import Deadlines
from tests.unit.jail_doubles import LIMITS, MIB, NOTHING, Clock, Groups


def started(groups: Groups, clock: Clock) -> Deadlines:
    deadlines = Deadlines(groups, LIMITS, NOTHING)
    deadlines.program_started(clock.now_ns)
    return deadlines


BREACHES = [
    (replace(NOTHING, memory_now_bytes=65 * MIB), StopReason.MEMORY_LIMIT),
    (replace(NOTHING, cpu_usage_usec=1_000_000), StopReason.CPU_LIMIT),
]


@pytest.mark.parametrize(("counters", "reason"), BREACHES)
def test_a_sampled_breach_stops_the_run_when_it_is_seen_again(
    clock: Clock, counters: Counters, reason: StopReason
) -> None:
    groups = Groups(is_sampled=True)
    deadlines = started(groups, clock)
    groups.counters = counters
    clock.pass_ms(300)
    assert deadlines.due() is StopReason.NONE
    assert deadlines.timeout_ms() <= 6, "the second look comes soon"
    clock.pass_ms(6)
    assert deadlines.due() is reason


@pytest.mark.parametrize(("counters", "reason"), BREACHES)
def test_a_sampled_breach_that_is_gone_again_was_none(clock: Clock, counters: Counters, reason: StopReason) -> None:
    groups = Groups(is_sampled=True)
    deadlines = started(groups, clock)
    assert reason is not StopReason.NONE
    for _ in range(3):
        for seen in (counters, NOTHING):
            groups.counters = seen
            clock.pass_ms(300)
            assert deadlines.due() is StopReason.NONE


def test_a_groups_cpu_limit_stops_the_run_at_once(clock: Clock) -> None:
    groups = Groups(is_sampled=False)
    deadlines = started(groups, clock)
    groups.counters = replace(NOTHING, cpu_usage_usec=1_000_000)
    clock.pass_ms(1000)
    assert deadlines.due() is StopReason.CPU_LIMIT


def test_a_groups_memory_is_the_kernels_to_limit(clock: Clock) -> None:
    groups = Groups(is_sampled=False)
    deadlines = started(groups, clock)
    groups.counters = replace(NOTHING, memory_now_bytes=65 * MIB)
    clock.pass_ms(1000)
    assert deadlines.due() is StopReason.NONE


def test_the_nearer_the_memory_limit_the_sooner_the_next_look(clock: Clock) -> None:
    groups = Groups(is_sampled=True)
    deadlines = started(groups, clock)
    waits = []
    for memory_bytes in (0, 32 * MIB, 63 * MIB):
        groups.counters = replace(NOTHING, memory_now_bytes=memory_bytes)
        clock.pass_ms(300)
        assert deadlines.due() is StopReason.NONE
        waits.append(deadlines.timeout_ms())
    assert waits == sorted(waits, reverse=True)
    assert waits[-1] <= 3


def test_the_wall_limit_counts_from_the_programs_start(clock: Clock) -> None:
    deadlines = Deadlines(Groups(is_sampled=True), LIMITS, NOTHING)
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
    groups = Groups(is_sampled=False)
    deadlines = compiling(groups, clock)
    groups.counters = replace(NOTHING, cpu_usage_usec=100_000)
    clock.pass_ms(300)
    assert deadlines.due() is StopReason.NONE
    clock.pass_ms(IDLE_SECS * 1000 - 1)
    assert deadlines.due() is StopReason.NONE
    clock.pass_ms(300)
    assert deadlines.due() is StopReason.IDLE


def test_a_step_that_works_a_little_is_not_stopped(clock: Clock) -> None:
    groups = Groups(is_sampled=False)
    deadlines = compiling(groups, clock)
    for look in range(1, 30):
        groups.counters = replace(NOTHING, cpu_usage_usec=look * WORKING_USEC)
        clock.pass_ms(IDLE_SECS * 1000 - 500)
        if look * (IDLE_SECS * 1000 - 500) < LIMITS.wall_time_secs * 1000:
            assert deadlines.due() is StopReason.NONE


def test_without_such_a_limit_a_run_may_wait(clock: Clock) -> None:
    deadlines = started(Groups(is_sampled=False), clock)
    clock.pass_ms(20 * IDLE_SECS * 1000)
    assert deadlines.due() is StopReason.NONE
