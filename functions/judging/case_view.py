"""One case in an answer.

`visibility` decides here what any answer, event or list shows of a case: nothing else reads results of cases.
"""

from typing import Annotated, NotRequired, TypedDict, cast

from pydantic import Field

from events.judged import CaseResult, CaseStream
from events.vocabulary import Cause, Integrity, Outcome, Verdict
from functions.http.openapi.bodies import Count, Measure, SchemaOf
from functions.judging.model import PlannedCase, Visibility

_SECRET_OF_EXPECTED = ("checker_message",)
"""A checker's message often quotes the expected output."""
_SECRET_OF_INPUT = ("stdout", "stderr", "exit_code", "signal", "error_message")
"""A program can put its input into each of these."""
_SECRET = ("id", "group", "verdict", "outcome", "cause", "output_integrity", "points", "max_points", "team_message")
_MEASURES = ("cpu_time_secs", "wall_time_secs", "memory_peak_bytes")
_HIDDEN_BY = {
    Visibility.FULL: (),
    Visibility.NO_EXPECTED: _SECRET_OF_EXPECTED,
    Visibility.VERDICT: _SECRET_OF_EXPECTED + _SECRET_OF_INPUT,
    Visibility.HIDDEN: _SECRET_OF_EXPECTED + _SECRET_OF_INPUT + _SECRET + _MEASURES,
}


class JudgedCase(TypedDict):
    """One case. Its visibility hides fields: they are null."""

    index: Count
    id: str | None
    group: str | None
    visibility: Annotated[str, SchemaOf(Visibility)]
    verdict: Annotated[Verdict | None, Field(description="Of the run, as in results; null if the program did not run.")]
    passed: bool
    outcome: Annotated[Outcome | None, Field(description="Whether the answer is right; failed: the verdict is not AC.")]
    points: Measure | None
    max_points: Measure | None
    checker_message: Annotated[str | None, Field(description="For the judge: it may quote the expected output.")]
    team_message: Annotated[str | None, Field(description="For the contestant: teammessage.txt of a Kattis validator.")]
    stdout: Annotated[str | None, Field(description="At most 64 KiB; null while the judge run is not finished.")]
    stderr: str | None
    stdout_truncated: NotRequired[
        Annotated[bool, Field(description="Only if there is more: GET .../cases/{index}/stdout.")]
    ]
    stderr_truncated: NotRequired[Annotated[bool, Field(description="Only if there was more.")]]
    exit_code: int | None
    signal: int | None
    cause: Cause | None
    error_message: str | None
    cpu_time_secs: Measure | None
    wall_time_secs: Measure | None
    memory_peak_bytes: Count | None
    output_integrity: Integrity | None


def case_body(
    index: int, planned: PlannedCase, case: CaseResult | None, points: float, max_bytes: int | None
) -> JudgedCase:
    """Return one case as its visibility allows. `max_bytes`: of each stream; None: there are no outputs yet."""
    outcome = Outcome.SKIPPED if case is None else case.outcome
    run = None if case is None else case.run
    body: JudgedCase = {
        "index": index,
        "id": planned.id,
        "group": planned.group,
        "visibility": planned.visibility,
        "verdict": None if run is None else run.result.verdict,
        "passed": outcome is Outcome.PASSED,
        "outcome": outcome,
        "points": points,
        "max_points": int(planned.points) if planned.points == int(planned.points) else planned.points,
        "checker_message": None if case is None else case.checker_message,
        "team_message": None if case is None else case.team_message,
        "stdout": None if run is None else _text(run.stdout, max_bytes),
        "stderr": None if run is None else _text(run.stderr, max_bytes),
        "exit_code": None if run is None else run.result.exit_code,
        "signal": None if run is None else run.result.signal,
        "cause": None if run is None else run.result.cause,
        "error_message": None if run is None else run.result.error_message,
        "cpu_time_secs": None if run is None else run.cpu_time_secs,
        "wall_time_secs": None if run is None else run.wall_time_secs,
        "memory_peak_bytes": None if run is None else run.memory_peak_bytes,
        "output_integrity": None if run is None else run.integrity,
    }
    if run is not None and max_bytes is not None and shows_output(planned):
        if max_bytes < run.stdout.size_bytes or len(run.stdout.head) < run.stdout.size_bytes:
            body["stdout_truncated"] = True
        if max_bytes < run.stderr.size_bytes or len(run.stderr.head) < run.stderr.size_bytes:
            body["stderr_truncated"] = True
    return cast("JudgedCase", {**body, **dict.fromkeys(_HIDDEN_BY[planned.visibility])})


def shows_output(planned: PlannedCase) -> bool:
    """Tell whether a case's output may be read."""
    return "stdout" not in _HIDDEN_BY[planned.visibility]


def _text(stream: CaseStream, max_bytes: int | None) -> str | None:
    return None if max_bytes is None else stream.head[:max_bytes].decode(errors="replace")
