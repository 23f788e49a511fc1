"""Time of a submission's AWS calls and its run alone, by `bare_calls` beside the stack."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.answers import Tally
from bench.direct_path import runner_access
from bench.floors.child import Child, Facts
from bench.report import Figure, Series
from bench.rounds import FAILURES, FLOOR, Way, series
from bench.running_stack import RunningStack

ANSWER = f"{FLOOR}a run, its row and its final state"
WITH_PLACE = f"{FLOOR}a run, its place in a quota, its row and its final state"
ID = f"{FLOOR}a row and a message"
READ = f"{FLOOR}a row read"
RATE = "answers per second"
CLIENTS = 16
_LOAD_SECS = 120


@contextmanager
def bare_calls(stack: RunningStack) -> Iterator[Child]:
    """A process beside the functions, with the same clients of the same server and of the same runner."""
    runner, headers = runner_access(stack)
    with Child("bench.floors.bare_calls") as child:
        child.ask(state_dir=str(stack.local.state_dir), runner=runner, headers=headers)
        yield child


def call_ways(child: Child, every: int) -> list[Way]:
    """One client, one request at a time."""

    def elapsed_ms(answer: Facts) -> float:
        return float(answer["elapsed_ms"])

    return [
        Way(ANSWER, lambda: elapsed_ms(child.ask(what="answer", with_place=False)), every),
        Way(WITH_PLACE, lambda: elapsed_ms(child.ask(what="answer", with_place=True)), every),
        Way(ID, lambda: elapsed_ms(child.ask(what="take in")), every),
        Way(READ, lambda: elapsed_ms(child.ask(what="read")), every),
    ]


def load(child: Child, count: int, tally: Tally) -> tuple[list[Series], list[Figure]]:
    """CLIENTS at once, in the two ways to an answer; what fails is counted and not shown."""
    timings, figures = [], []
    for with_place in (False, True):
        name = load_name(with_place=with_place)
        try:
            done = child.ask(_LOAD_SECS, what="load", clients=CLIENTS, count=count, with_place=with_place)
        except FAILURES as error:
            tally.fail(f"{name}: {type(error).__name__}: {error}", count)
            continue
        tally.right(count)
        timings += series("Latency", [Way(name, lambda: 0.0, times_ms=done["times_ms"])])
        figures.append(Figure(group=name, name=RATE, value=round(count / done["elapsed_secs"], 1), unit="1/s"))
    return timings, figures


def load_name(*, with_place: bool = False) -> str:
    """Of the series and of the figure."""
    return f"{WITH_PLACE if with_place else ANSWER}, {CLIENTS} at once"
