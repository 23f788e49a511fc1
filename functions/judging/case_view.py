"""One case in an answer.

`visibility` decides here what any answer, event or list shows of a case: nothing else reads results of cases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.judging.model import Visibility
from functions.messages.judged import Outcome

if TYPE_CHECKING:
    from functions.http.json_body import Body
    from functions.judging.model import PlannedCase
    from functions.messages.judged import CaseResult, CaseRun, CaseStream

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


def case_body(index: int, planned: PlannedCase, case: CaseResult | None, points: float, max_bytes: int | None) -> Body:
    """Return one case as its visibility allows. `max_bytes`: of each stream; None: there are no outputs yet."""
    outcome = Outcome.SKIPPED if case is None else case.outcome
    body: Body = {
        "index": index,
        "id": planned.id,
        "group": planned.group,
        "visibility": planned.visibility.value,
        "verdict": None,
        "passed": outcome is Outcome.PASSED,
        "outcome": outcome.value,
        "points": points,
        "max_points": int(planned.points) if planned.points == int(planned.points) else planned.points,
        "checker_message": None if case is None else case.checker_message,
        "team_message": None if case is None else case.team_message,
        **_run_body(None if case is None else case.run, max_bytes),
    }
    hidden = _HIDDEN_BY[planned.visibility]
    body |= dict.fromkeys(hidden)
    if "stdout" in hidden:
        for name in ("stdout_truncated", "stderr_truncated"):
            body.pop(name, None)
    return body


def shows_output(planned: PlannedCase) -> bool:
    """Tell whether a case's output may be read."""
    return "stdout" not in _HIDDEN_BY[planned.visibility]


def _run_body(run: CaseRun | None, max_bytes: int | None) -> Body:
    """Return the fields of the program's run; nulls if it did not run."""
    if run is None:
        nothing = ("stdout", "stderr", "exit_code", "signal", "cause", "error_message", *_MEASURES, "output_integrity")
        return dict.fromkeys(nothing)
    return {
        "verdict": run.result.verdict.value,
        **_stream_body("stdout", run.stdout, max_bytes),
        **_stream_body("stderr", run.stderr, max_bytes),
        "exit_code": run.result.exit_code,
        "signal": run.result.signal,
        "cause": run.result.cause.value,
        "error_message": run.result.error_message,
        **{name: getattr(run, name) for name in _MEASURES},
        "output_integrity": run.integrity.value,
    }


def _stream_body(name: str, stream: CaseStream, max_bytes: int | None) -> Body:
    if max_bytes is None:
        return {name: None}
    kept = stream.head[:max_bytes]
    cut = {f"{name}_truncated": True} if len(kept) < stream.size_bytes else {}
    return {name: kept.decode(errors="replace"), **cut}
