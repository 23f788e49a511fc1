"""The supervisor polls the group, for a bounded time, for a refusal that is not counted yet."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from sandbox_runtime.jail.supervisor import watch as late_refusals
from sandbox_runtime.jail.supervisor.watch import PendingRefusals
from tests.unit.jail_doubles import LIMITS, NOTHING, Clock, Groups
from tests.until import until

FAILED, SUCCEEDED, KILLED, DUMPED = 1 << 8, 0, 9, 6 | 0x80

TEN = replace(LIMITS, max_processes=10)


@pytest.fixture
def groups() -> Groups:
    made = Groups()
    made.counters = replace(NOTHING, process_count=10, fork_refusals=7)
    return made


@pytest.fixture
def halts(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The answers of successive looks for halted processes; after the last one they are not halted."""
    answers: list[bool] = []
    monkeypatch.setattr(late_refusals, "stop_processes", lambda _: bool(answers) and answers.pop(0))
    return answers


@pytest.mark.usefixtures("halts")
@pytest.mark.parametrize(("status", "expected"), [(FAILED, True), (SUCCEEDED, False), (KILLED, False), (DUMPED, False)])
def test_only_a_failure_can_become_ple(groups: Groups, status: int, *, expected: bool) -> None:
    assert PendingRefusals(groups, TEN, groups.counters).may_come(status) is expected


@pytest.mark.usefixtures("halts")
def test_a_counted_refusal_ends_the_waiting(groups: Groups) -> None:
    late = PendingRefusals(groups, TEN, groups.counters)
    assert late.may_come(FAILED)
    groups.counters = replace(groups.counters, fork_refusals=8)
    assert not late.may_come(FAILED)


@pytest.mark.usefixtures("halts")
@pytest.mark.parametrize(("count", "expected"), [(1, False), (3, False), (4, True), (10, True)])
def test_few_processes_cannot_have_been_too_many(groups: Groups, count: int, *, expected: bool) -> None:
    start, groups.counters = groups.counters, replace(groups.counters, process_count=count)
    assert PendingRefusals(groups, TEN, start).may_come(FAILED) is expected


def test_some_are_halted_at_once_and_that_ends_the_waiting(groups: Groups, halts: list[bool]) -> None:
    start, groups.counters = groups.counters, replace(groups.counters, process_count=5)
    halts[:] = [False, True, True]
    late = PendingRefusals(groups, TEN, start)
    assert [late.may_come(FAILED), late.may_come(FAILED)] == [True, False]
    assert halts == [True]


@contextmanager
def child(code: str) -> Iterator[int]:
    """The pid of a real Python process that runs `code`."""
    with Popen([sys.executable, "-c", code], stdin=PIPE) as process:
        yield process.pid
        process.kill()


def test_very_many_are_halted_when_they_have_had_their_cpu_time(
    groups: Groups, clock: Clock, halts: list[bool]
) -> None:
    groups.counters = replace(groups.counters, process_count=6, cpu_usage_usec=500)
    late = PendingRefusals(groups, TEN, groups.counters)
    with child("while True: pass") as pid:
        groups.threads, halts[:] = [pid], [True]
        assert late.may_come(FAILED)
        clock.pass_ms(200)  # a busy host: they have used nothing
        groups.counters = replace(groups.counters, cpu_usage_usec=30_499)
        assert late.may_come(FAILED)
        groups.counters = replace(groups.counters, cpu_usage_usec=30_500)
        assert not late.may_come(FAILED)
    assert halts == []


def test_very_many_that_only_wait_are_halted_at_once(groups: Groups, halts: list[bool]) -> None:
    late = PendingRefusals(groups, TEN, groups.counters)
    with child("input()") as pid:
        groups.threads = [pid]
        until(lambda: " S " in Path(f"/proc/{pid}/stat").read_text())
        halts[:] = [True]
        assert not late.may_come(FAILED)
    assert halts == []


@pytest.mark.usefixtures("halts")
def test_the_wait_for_refused_forks_ends_after_two_seconds(groups: Groups, clock: Clock) -> None:
    late = PendingRefusals(groups, TEN, groups.counters)
    assert late.may_come(FAILED)
    clock.pass_ms(1999)
    assert late.may_come(FAILED)
    clock.pass_ms(1)
    assert not late.may_come(FAILED)


def test_processes_without_cpu_time_are_stopped_after_a_second(
    groups: Groups, clock: Clock, halts: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late_refusals, "is_any_runnable", lambda _: True)
    halts[:] = [True]
    late = PendingRefusals(groups, TEN, groups.counters)
    assert late.may_come(FAILED)
    clock.pass_ms(999)
    assert late.may_come(FAILED)
    assert halts == [True]
    clock.pass_ms(1)
    assert not late.may_come(FAILED)
    assert halts == []
