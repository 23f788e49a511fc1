"""Time that a run lost to others: told from sleep, and from threads of the run that wait for each other."""

import os
import threading
from dataclasses import dataclass

import pytest

from sandbox_runtime.jail.supervisor.deadlines import CpuWait, ThreadTime, read_threads
from tests.until import until

LOOK_MS, NS_PER_MS = 250, 1_000_000


@dataclass(frozen=True, slots=True)
class Load:
    """The load of each interval: `threads` that could run all the time (0: all sleep), and the run's CPU time."""

    threads: int
    used_ms: int
    is_short_lived: bool = False  # each thread is a new one at each look


SLEEPS, SPINS, STARVES = Load(0, 0), Load(1, LOOK_MS), Load(1, 50)
SPINS_ON_TWO_CPUS = Load(2, 2 * LOOK_MS)
CROWD_ALONE, CROWD_STARVES = Load(100, 2 * LOOK_MS), Load(100, 50)
CHILD_BEGINS = Load(1, 1, is_short_lived=True)
CHILDREN_STARVE, CHILDREN_SPIN = Load(1, 50, is_short_lived=True), Load(1, LOOK_MS, is_short_lived=True)


def lost_ms(*intervals: Load) -> float:
    wait = CpuWait(0)
    now_ms = used_ms = 0
    runnable_ms = dict.fromkeys(range(100), 0)
    for index, load in enumerate(intervals):
        now_ms, used_ms = now_ms + LOOK_MS, used_ms + load.used_ms
        for number in range(load.threads):
            runnable_ms[number] += LOOK_MS
        threads = {
            number + 1000 * index * load.is_short_lived: ThreadTime(total * NS_PER_MS, number < load.threads)
            for number, total in runnable_ms.items()
            if number < max(1, load.threads)
        }
        wait.add(now_ms * NS_PER_MS, used_ms * NS_PER_MS, threads)
    return wait.usec / 1000


@pytest.mark.parametrize(
    ("intervals", "expected_ms"),
    [
        ([], 0),
        ([SLEEPS] * 20, 0),
        ([SPINS] * 20, 0),
        ([SPINS_ON_TWO_CPUS] * 20, 0),
        ([CROWD_ALONE] * 20, 0),
        ([CHILDREN_SPIN] * 20, 0),
        # The first look has nothing to compare with.
        ([STARVES] * 20, 19 * 200),
        ([CROWD_STARVES] * 20, 19 * 200),
        ([CHILDREN_STARVE] * 20, 20 * 200 - LOOK_MS),
        ([CHILD_BEGINS, *[SLEEPS] * 19], 0),
        ([SLEEPS, SPINS] * 10, 0),
        ([SLEEPS, STARVES] * 10, 10 * 200),
        # What a run had to itself before takes nothing from what it lost later.
        ([SPINS_ON_TWO_CPUS] * 10 + [STARVES] * 10, 10 * 200),
    ],
)
def test_only_time_that_others_took_counts(intervals: list[Load], expected_ms: float) -> None:
    assert lost_ms(*intervals) == expected_ms


def test_a_thread_with_a_number_that_was_used_before_is_no_loss() -> None:
    wait = CpuWait(0)
    wait.add(LOOK_MS * NS_PER_MS, LOOK_MS * NS_PER_MS, {7: ThreadTime(LOOK_MS * NS_PER_MS, is_runnable=True)})
    wait.add(2 * LOOK_MS * NS_PER_MS, LOOK_MS * NS_PER_MS, {7: ThreadTime(0, is_runnable=False)})
    assert wait.usec == 0


@pytest.mark.parametrize(
    ("seen", "expected_ms"),
    [
        # Of one thread at each look: its time so far, and whether it can run.
        ([(0, True), (0, True), (0, True), (3 * LOOK_MS, True), (3 * LOOK_MS + 10, True)], 3 * LOOK_MS + 10),
        ([(0, False), (0, True), (10, True)], 10),
        # The kernel adds the end of a wait only when the thread runs again, here 150 ms after the look.
        ([(0, False), (100, True), (100 + 150 + LOOK_MS, True)], 2 * LOOK_MS),
        ([(0, False), (0, False), (0, False)], 0),
    ],
)
def test_a_wait_counts_while_it_lasts_and_not_again_at_its_end(seen: list[tuple[int, bool]], expected_ms: int) -> None:
    wait = CpuWait(0)
    for look, (time_ms, is_runnable) in enumerate(seen, start=1):
        wait.add(look * LOOK_MS * NS_PER_MS, 0, {7: ThreadTime(time_ms * NS_PER_MS, is_runnable)})
    assert wait.usec == expected_ms * 1000


def test_looks_have_a_shortest_interval() -> None:
    wait = CpuWait(0)
    assert not wait.is_due(49 * NS_PER_MS)
    assert wait.is_due(50 * NS_PER_MS)


def test_threads_are_read_as_the_kernel_counts_them() -> None:
    numbers: list[int] = []
    stop = threading.Event()

    def sleep() -> None:
        numbers.append(threading.get_native_id())
        stop.wait()

    sleeper = threading.Thread(target=sleep)
    sleeper.start()
    until(lambda: numbers)
    own = threading.get_native_id()
    until(lambda: not read_threads(numbers)[numbers[0]].is_runnable)
    found = read_threads([own, *numbers, 1 << 30])
    assert set(found) == {own, *numbers}
    assert found[own].is_runnable
    assert os.times().user * 1e9 * 0.5 <= found[own].runnable_ns
    until(lambda: read_threads([own])[own].runnable_ns > found[own].runnable_ns)
    assert read_threads(numbers)[numbers[0]].runnable_ns < found[own].runnable_ns
    stop.set()
    sleeper.join()
