"""Runs a second of the jail alone: slots on threads of one process, or in a process each."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from bench.answers import Tally
from bench.floors.interpreter import warm_interpreter
from bench.jail_slots import languages, new_slot, timed
from bench.report import Figure
from bench.rounds import FAILURES, FLOOR
from bench.sources import python_program

FLOOR_NAME = f"{FLOOR}2 warm interpreters fork into namespaces, 2 processes"
_READY_SECS = 60
_RUNS_BETWEEN_LOOKS = 20


@dataclass(frozen=True, slots=True)
class _Lap:
    """The runs of one slot. Times of the monotonic clock, which all processes of a host share."""

    begun_secs: float
    ended_secs: float
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Signs:
    """`start` when every slot is ready; `stop` when the benchmark is interrupted."""

    start: threading.Barrier
    stop: threading.Event


type _Place = Callable[[int], AbstractContextManager[Callable[[], object]]]
"""Opened with a number of its own; gives what makes one run and checks it."""


def loops(runs: int, tally: Tally) -> list[Figure]:
    """Python print, a new source each time, in one slot, on two threads, in two processes; then without a jail."""
    context = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(1) as one:
        figures = _loop("1 slot", one, _Signs(threading.Barrier(1), threading.Event()), 1, runs, tally)
    with ThreadPoolExecutor(2) as threads:
        signs = _Signs(threading.Barrier(2), threading.Event())
        figures += _loop("2 slots, 2 threads", threads, signs, 2, runs, tally)
    places: tuple[tuple[str, _Place], ...] = (("2 slots, 2 processes", in_slot), (FLOOR_NAME, in_no_jail))
    for name, place in places:
        with context.Manager() as shared, ProcessPoolExecutor(2, context) as processes:
            signs = _Signs(shared.Barrier(2), shared.Event())
            figures += _loop(name, processes, signs, 2, runs, tally, place)
    return figures


@contextmanager
def in_slot(index: int) -> Iterator[Callable[[], object]]:
    """A slot of the jail, each run forked from its warm interpreter."""
    python = languages()["python"]
    with new_slot(index, {"python": python}) as slot:
        yield lambda: timed(slot, python, python_program())


@contextmanager
def in_no_jail(_index: int) -> Iterator[Callable[[], object]]:
    """A warm interpreter that forks into five namespaces."""
    with warm_interpreter(languages()["python"].warm_imports) as interpreter:
        yield lambda: interpreter.fork(in_namespaces=True)


def _loop(
    name: str, executor: Executor, signs: _Signs, slots: int, runs: int, tally: Tally, place: _Place = in_slot
) -> list[Figure]:
    futures = [executor.submit(lap, place, index, runs // slots, signs) for index in range(slots)]
    try:
        laps = [future.result() for future in futures]
    finally:
        signs.stop.set()
    problems = [problem for done in laps for problem in done.problems]
    for problem in problems:
        tally.fail(f"{name}: {problem}")
    right = runs // slots * slots - len(problems)
    tally.right(right)
    elapsed_secs = max(done.ended_secs for done in laps) - min(done.begun_secs for done in laps)
    return [
        Figure(group=name, name="runs", value=right, unit=""),
        Figure(group=name, name="runs per second", value=round(right / elapsed_secs, 1), unit="1/s"),
    ]


def lap(place: _Place, index: int, runs: int, signs: _Signs) -> _Lap:
    """Open the place, wait for the others, run. Called in a thread or a process of its own."""
    problems = []
    with place(index) as run_once:
        run_once()
        signs.start.wait(_READY_SECS)
        begun_secs = time.monotonic()
        for number in range(runs):
            # Asking another process takes time: not for each run.
            if number % _RUNS_BETWEEN_LOOKS == 0 and signs.stop.is_set():
                break
            try:
                run_once()
            except FAILURES as error:
                problems.append(f"{type(error).__name__}: {error}")
        return _Lap(begun_secs, time.monotonic(), tuple(problems))
