"""One judge run of many cases, beside one submission a case (both over the runner's HTTP) and bare runs in a jail."""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

from bench.answers import Expected, Tally, WrongAnswerError, check_completed
from bench.direct_path import requests_path as of_local_stack
from bench.jail_slots import languages, new_slot
from bench.report import Figure, Section
from bench.rounds import Way
from bench.scale import Scale
from events.completed import ExecutionCompleted
from events.judged import Completed, JudgeCompleted
from events.message import format_time
from events.program import RequestedLimits
from events.requested import Case, Checker, ExecutionRequested, JudgeRequested, Judging, Requested
from events.vocabulary import CheckerKind, Phase, Stop
from sandbox_runtime.executor import NO_CACHE
from sandbox_runtime.executor.compilation import compile_program
from sandbox_runtime.executor.step_runs import StepRuns
from sandbox_runtime.jail import Slot
from sandbox_runtime.languages import DEFAULT_PROFILE, Language, run_spec

Ask = Callable[[Requested], Completed]
RequestsPath = Callable[[], AbstractContextManager[Ask]]

_TITLE = "Judging: one program, many cases"
_NOTES = [
    "`one judge run`: from the request to the answer, with the compilation and with the comparison of every output.",
    "`one submission a case`: the same inputs, one request after the other over one kept connection.",
    "There the program comes from the runner's cache from the second request on.",
    "Bare: one compilation and the same runs in a slot of this process, one after the other, nothing compared or sent.",
    "Every round has a program that is new to the cache. Median of the rounds.",
]
_ROUNDS = 5
_MOST_CASES = {"python": 200, "cpp": 50}
_SOURCES = {
    "python": "# {number}\nprint(sum(map(int, input().split())))\n",
    "cpp": (
        "#include <iostream>\n// {number}\n"
        "int main() {{ long a, b; std::cin >> a >> b; std::cout << a + b << '\\n'; }}\n"
    ),
}


def run(scale: Scale, tally: Tally, _peer_ways: Sequence[Way], *, path: RequestsPath = of_local_stack) -> Section:
    """Starts a stack of its own."""
    figures = []
    offered = languages()
    with path() as ask, new_slot(0, offered) as slot:
        for name, most in _MOST_CASES.items():
            count = min(most, scale.stack_rounds)
            rounds = [
                (*_round(ask, name, count, tally), *_bare(slot, offered[name], count, tally))
                for _ in range(min(_ROUNDS, scale.stack_rounds))
            ]
            figures += _figures(f"{count} cases in {name}", count, rounds)
    return Section(title=_TITLE, missing=None, notes=_NOTES, series=[], figures=figures)


def _figures(group: str, count: int, rounds: Sequence[tuple[float, ...]]) -> list[Figure]:
    judged, single, compilation, bare = (statistics.median(times) for times in zip(*rounds, strict=True))
    return [
        Figure(group=group, name="one judge run", value=round(judged, 1), unit="ms"),
        Figure(group=group, name="one submission a case", value=round(single, 1), unit="ms"),
        Figure(group=group, name="bare: the compilation", value=round(compilation, 1), unit="ms"),
        Figure(group=group, name="bare: the runs", value=round(bare, 1), unit="ms"),
        Figure(group=group, name="cases a second", value=round(count / judged * 1000), unit=""),
        Figure(group=group, name="to one submission a case", value=round(judged / single, 2), unit="times"),
        Figure(group=group, name="to bare", value=round(judged / (compilation + bare), 2), unit="times"),
    ]


def _bare(slot: Slot, language: Language, count: int, tally: Tally) -> tuple[float, float]:
    """Compile a new program, and run it once for each case. Returns both times in ms."""
    code = _SOURCES[language.name].format(number=uuid4()).encode()
    step_runs = StepRuns(slot, None)
    begun_ns = time.perf_counter_ns()
    artifact = None
    if language.compile is not None:
        artifact = compile_program(step_runs, language, language.compile, code, NO_CACHE, "bench").artifact
    compiled_ns = time.perf_counter_ns()
    for number in range(count):
        stdin = f"{number} {number * 7}\n".encode()
        limits = language.run_limits(DEFAULT_PROFILE)
        ran, _ = step_runs.run(run_spec(language, code, artifact, limits=limits, stdin=stdin), Phase.RUN)
        _count(tally, 1, partial(_check_bare, ran.stdout, f"{number * 8}\n".encode()))
    slot.settle()
    return (compiled_ns - begun_ns) / 1e6, (time.perf_counter_ns() - compiled_ns) / 1e6


def _round(ask: Ask, language: str, count: int, tally: Tally) -> tuple[float, float]:
    """Judge a new program, then run another new one once for each case. Returns both times in ms."""
    pairs = [(number, number * 7) for number in range(count)]
    request = _judge_requested(language, pairs)
    begun_ns = time.perf_counter_ns()
    completed = ask(request)
    judged_ms = (time.perf_counter_ns() - begun_ns) / 1e6
    _count(tally, count, lambda: _check_judged(completed, count))
    single = _execution_requested(language)
    begun_ns = time.perf_counter_ns()
    answers = [ask(single.changed(submission_id=str(uuid4()), stdin=f"{a} {b}\n".encode())) for a, b in pairs]
    single_ms = (time.perf_counter_ns() - begun_ns) / 1e6
    for (a, b), answer in zip(pairs, answers, strict=True):
        _count(tally, 1, partial(_check_single, answer, Expected(f"{a + b}\n")))
    return judged_ms, single_ms


def _count(tally: Tally, count: int, check: Callable[[], None]) -> None:
    try:
        check()
    except WrongAnswerError as error:
        tally.fail(str(error), count)
    else:
        tally.right(count)


def _judge_requested(language: str, pairs: Sequence[tuple[int, int]]) -> JudgeRequested:
    cases = tuple(
        Case((), RequestedLimits(), 0, stdin=f"{a} {b}\n".encode(), expected=f"{a + b}\n".encode()) for a, b in pairs
    )
    judging = Judging((Checker(CheckerKind.LINES),), cases, (), Stop.NEVER)
    return JudgeRequested(judging=judging, judging_key=None, **_fields(language))


def _execution_requested(language: str) -> ExecutionRequested:
    return ExecutionRequested(stdin=b"", **_fields(language))


def _fields(language: str) -> dict[str, Any]:
    """Return the fields of both requests, with a new program."""
    return {
        "submission_id": str(uuid4()),
        "execution_id": str(uuid4()),
        "project_id": "bench",
        "language": language,
        "profile": "judge",
        "priority": "interactive",
        "limits": RequestedLimits(),
        "requested_at": format_time(datetime.now(UTC)),
        "code": _SOURCES[language].format(number=uuid4()).encode(),
    }


def _check_judged(completed: Completed, count: int) -> None:
    if not isinstance(completed, JudgeCompleted) or completed.cases is None:
        raise WrongAnswerError("no results of cases in the answer")
    passed = sum(case.outcome == "passed" for case in completed.cases)
    if passed != count:
        raise WrongAnswerError(f"{passed} of {count} cases passed")


def _check_bare(found: bytes, expected: bytes) -> None:
    if found != expected:
        raise WrongAnswerError(f"{found[:80]!r} instead of {expected!r}")


def _check_single(completed: Completed, expected: Expected) -> None:
    if not isinstance(completed, ExecutionCompleted):
        raise WrongAnswerError("no execution in the answer")
    check_completed(completed, expected)
