"""Build the answers about a judge run.

`visibility` decides here what any answer, event or list shows of a case: nothing else reads results of cases.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from functions.clock import MS_PER_SEC, to_rfc3339
from functions.http.json_body import to_json
from functions.judging.model import Plan, Visibility
from functions.judging.score import CaseOutcome, score
from functions.messages.judged import Outcome
from functions.submissions.views import SCHEMA_VERSION, fits_response

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from functions.http.json_body import Body
    from functions.judging.model import PlannedCase
    from functions.judging.score import Score
    from functions.messages.judged import CaseResult, CaseRun, CaseStream
    from functions.submissions.model import Submission

OUTPUT_MAX_BYTES = 65_536
"""Of one stream of one case in an answer."""
_OUTPUT_SIZES = (OUTPUT_MAX_BYTES, 16_384, 4_096, 1_024, 0)
"""Tried in turn until an answer fits into a response."""

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


def final_body(
    row: Submission, cases: Sequence[CaseResult], *, after: int = 0, max_bytes: int = OUTPUT_MAX_BYTES
) -> Body:
    """Return the whole answer. Cases without a result, after a failure of the platform, count as skipped."""
    plan = Plan.of_json(row.plan or {"cases": [], "groups": []})
    by_index = {case.index: case for case in cases}
    scored = score(plan, outcomes_of(plan, by_index.values()))
    return _head(row) | {
        "all_passed": scored.all_passed,
        **counts(scored),
        "error_message": row.result.get("error_message"),
        "compile": _compile_body(row, max_bytes),
        "groups": [
            {
                "id": group.id,
                "points": group.points,
                "max_points": group.max_points,
                "outcome": group.outcome.value,
            }
            for group in scored.groups
        ],
        "results": [
            case_body(index, planned, by_index.get(index), scored.case_points[index], max_bytes)
            for index, planned in enumerate(plan.cases)
            if index >= after
        ],
        "limits": dict(row.limits),
        "metrics": row.metrics,
        "evidence": row.evidence,
    }


def open_body(row: Submission, cases: Sequence[CaseResult], *, after: int = 0) -> Body:
    """Return the answer about a judge run that is not final: its state and its finished cases."""
    plan = Plan.of_json(row.plan or {"cases": [], "groups": []})
    known = {case.index: case for case in cases if case.index < len(plan.cases)}
    points = score(plan, outcomes_of(plan, known.values())).case_points
    return _head(row) | {
        "finished": len(known),
        "total": len(plan.cases),
        "results": [
            case_body(index, plan.cases[index], case, points[index], None)
            for index, case in sorted(known.items())
            if index >= after
        ],
    }


def counts(scored: Score) -> Body:
    """Return the counts and points, as answers and lists show them."""
    return {
        "passed": scored.passed,
        "failed": scored.failed,
        "skipped": scored.skipped,
        "judge_errors": scored.judge_errors,
        "score": scored.score,
        "max_score": scored.max_score,
        "first_failed": scored.first_failed,
    }


def outcomes_of(plan: Plan, cases: Iterable[CaseResult]) -> list[CaseOutcome]:
    """Return the outcome of each case of the plan; `skipped` where there is no result."""
    outcomes = [CaseOutcome(Outcome.SKIPPED)] * len(plan.cases)
    for case in cases:
        outcomes[case.index] = CaseOutcome(case.outcome, case.checker_points)
    return outcomes


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


def text_within(row: Submission, cases: Sequence[CaseResult], *, after: int = 0, more: Body | None = None) -> str:
    """Return the final answer as JSON that fits into a response.

    Where it would be too large, its outputs are cut. If that is not enough, it loses the messages of its checkers.
    """
    body: Body = {}
    for max_bytes in _OUTPUT_SIZES:
        body = final_body(row, cases, after=after, max_bytes=max_bytes) | (more or {})
        text = to_json(body)
        if fits_response(text):
            return text
    drop_messages(body)
    return to_json(body)


def drop_messages(body: Body) -> None:
    """Drop the messages of checkers from an answer."""
    for case in body["results"]:
        case["checker_message"] = case["team_message"] = None


def _head(row: Submission) -> Body:
    return {
        "id": row.submission_id,
        "schema_version": SCHEMA_VERSION,
        "status": row.status.value,
        "language": row.language,
        "profile": row.profile,
        "timestamps": {
            "created_at": row.created_at,
            "started_at": row.started_at,
            "completed_at": row.completed_at,
        },
        "metadata": dict(row.metadata),
        "expires_at": to_rfc3339(row.ttl * MS_PER_SEC),
    }


def _compile_body(row: Submission, max_bytes: int) -> Body | None:
    if row.compilation is None:
        return None
    stderr = base64.b64decode(row.compilation["stderr_base64"])
    kept = {name: row.compilation[name] for name in ("verdict", "cpu_time_secs", "wall_time_secs", "cached")}
    return kept | {"stderr": stderr[:max_bytes].decode(errors="replace")}


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
