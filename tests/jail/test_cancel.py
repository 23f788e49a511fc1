"""A run that its project cancels is killed at once, whatever it does, and leaves nothing behind."""

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from threading import Thread

import pytest

from events.completed import ExecutionCompleted
from events.requested import ExecutionRequested
from sandbox_runtime.executor import execute
from sandbox_runtime.executor.step_runs import RunStop
from sandbox_runtime.jail import Slot
from sandbox_runtime.languages import Language
from tests.completions import streams
from tests.jail.guest_requests import request
from tests.jail.processes import processes_of
from tests.until import until

PRINTS_AND_FORKS = b"""
import os, signal, time
for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP): signal.signal(number, signal.SIG_IGN)
print("so far", flush=True)
for _ in range(3):
    if os.fork() == 0: os.setsid()
while True: time.sleep(1)
"""
FORKS = 8
"""Processes of that program. It prints before it forks."""
SPINS = b"while True: pass\n"
COMPILES_LONG = b"""
#include <array>
template <int N> struct Deep { static constexpr long value = Deep<N - 1>::value + Deep<N - 2>::value * N; };
template <> struct Deep<0> { static constexpr long value = 1; };
template <> struct Deep<1> { static constexpr long value = 1; };
template <int N> struct Many { static constexpr long value = Deep<N % 800>::value + Many<N - 1>::value; };
template <> struct Many<0> { static constexpr long value = 1; };
constexpr unsigned long spin(unsigned long n) { unsigned long s = 0; while (n--) s = s * 31 + n; return s; }
constexpr auto a = spin(30000000);
int main() { return (int) (Many<800>::value + a); }
"""


@pytest.fixture
def stop() -> Iterator[RunStop]:
    made = RunStop(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
    yield made
    os.close(made.fd)


def cancelled_when(
    is_time: Callable[[], bool],
    stop: RunStop,
    slot: Slot,
    languages: Mapping[str, Language],
    requested: ExecutionRequested,
) -> ExecutionCompleted:
    """Run a program, and cancel it as soon as a condition holds."""

    def cancel() -> None:
        until(is_time)
        stop.is_cancelled = True
        os.eventfd_write(stop.fd, 1)

    canceller = Thread(target=cancel)
    canceller.start()
    try:
        language = languages[requested.language]
        return execute(slot, requested, language, node_id="test", started_at=datetime.now(UTC), stop=stop)
    finally:
        canceller.join()


def after(secs: float) -> Callable[[], bool]:
    end = time.monotonic() + secs
    return lambda: time.monotonic() >= end


def test_a_program_that_ignores_signals_and_forks_is_dead_and_its_output_is_kept(
    slot: Slot, languages: Mapping[str, Language], stop: RunStop
) -> None:
    completed = cancelled_when(
        lambda: len(processes_of(slot.uid)) >= FORKS, stop, slot, languages, request("python", PRINTS_AND_FORKS)
    )
    result = completed.result
    assert (result.verdict, result.cause, result.signal, result.phase) == ("SIG", "cancelled", 9, "run")
    assert streams(completed)[0] == b"so far\n"
    assert completed.evidence is not None
    assert completed.evidence.teardown.cleanup_verified
    slot.settle()
    assert processes_of(slot.uid) == []
    assert slot.healthy


def test_a_compiler_is_stopped(slot: Slot, languages: Mapping[str, Language], stop: RunStop) -> None:
    completed = cancelled_when(after(0.2), stop, slot, languages, request("cpp", COMPILES_LONG))
    result = completed.result
    assert (result.verdict, result.cause, result.phase) == ("SIG", "cancelled", "compile")
    assert streams(completed)[0] == b""
    slot.settle()
    assert processes_of(slot.uid) == []


def test_a_run_may_be_cancelled_at_any_moment_and_the_slot_serves_the_next(
    slot: Slot, languages: Mapping[str, Language]
) -> None:
    moments = random.Random(36)  # noqa: S311 - moments of a test
    causes = set()
    for number in range(40):
        stop = RunStop(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
        secs = 0 if number % 4 == 0 else moments.random() * 0.02  # set-up takes a few milliseconds
        completed = cancelled_when(after(secs), stop, slot, languages, request("python", SPINS))
        os.close(stop.fd)
        causes.add(completed.result.cause)
        assert (completed.evidence is None) == (completed.metrics is None)
        slot.settle()
        assert processes_of(slot.uid) == []
        assert slot.healthy
    assert causes == {"cancelled"}
    assert streams(
        execute(slot, request("python", b"print(42)"), languages["python"], node_id="t", started_at=datetime.now(UTC))
    ) == (b"42\n", b"")
