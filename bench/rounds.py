"""Interleaved rounds: every way is timed once in a round, so that a busy moment of the machine meets all of them."""

import http.client
import math
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.answers import Tally, WrongAnswerError
from bench.report import Series
from sandbox_runtime.jail import JailError

PYTHON, BWRAP = "bare python3 -c", "bwrap"
FLOOR = "floor: "
"""Names begin with it that stand for what the same work costs without anything that this project adds."""
# What may go wrong with one request. It is counted, and the rounds go on.
FAILURES = (WrongAnswerError, JailError, OSError, subprocess.SubprocessError, http.client.HTTPException, ValueError)


@dataclass(slots=True)
class Way:
    """One thing to time. `once` does it with a new source, checks the answer, and returns milliseconds.

    `every`: takes part in each nth round only, for what is slow.
    """

    name: str
    once: Callable[[], float]
    every: int = 1
    times_ms: list[float] = field(default_factory=list)


def interleave(ways: Sequence[Way], rounds: int, tally: Tally) -> None:
    """Run the rounds, after one that is not counted. Each begins with another way."""
    for number in range(-1, rounds):
        first = number % len(ways)
        for way in (*ways[first:], *ways[:first]):
            if number > 0 and number % way.every:
                continue
            try:
                elapsed_ms = way.once()
            except FAILURES as error:
                tally.fail(f"{way.name}: {type(error).__name__}: {error}")
                continue
            tally.right()
            if number >= 0:
                way.times_ms.append(elapsed_ms)


def series(group: str, ways: Sequence[Way]) -> list[Series]:
    """One for each way that has a right answer, with its ratios to the two references among them."""
    medians = {way.name: statistics.median(way.times_ms) for way in ways if way.times_ms}
    return [
        Series(
            group=group,
            name=way.name,
            unit="ms",
            n=len(way.times_ms),
            median=_rounded(medians[way.name]),
            p95=_rounded(p95(way.times_ms)),
            least=_rounded(min(way.times_ms)),
            most=_rounded(max(way.times_ms)),
            to_python=_ratio(medians, way.name, PYTHON),
            to_bwrap=_ratio(medians, way.name, BWRAP),
        )
        for way in ways
        if way.times_ms
    ]


def p95(values: Sequence[float]) -> float:
    """Nearest rank: a value that was measured."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def _ratio(medians: dict[str, float], name: str, reference: str) -> float | None:
    return round(medians[name] / medians[reference], 3) if reference in medians else None


def _rounded(value_ms: float) -> float:
    return round(value_ms, 3)
