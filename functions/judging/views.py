"""Build the answers about a judge run. `case_view` builds the cases in them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from functions.clock import MS_PER_SEC, to_rfc3339
from functions.http.json_body import body_text
from functions.judging.case_view import case_body
from functions.judging.model import Plan
from functions.judging.score import CaseOutcome, score
from functions.messages.judged import Outcome
from functions.submissions.results.views import SCHEMA_VERSION, fits_response

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from functions.http.json_body import Body
    from functions.judging.score import Score
    from functions.messages.judged import CaseResult
    from functions.submissions.model import Submission

OUTPUT_MAX_BYTES = 65_536
"""Of one stream of one case in an answer."""
_OUTPUT_SIZES = (OUTPUT_MAX_BYTES, 16_384, 4_096, 1_024, 0)
"""Tried in turn until an answer fits into a response."""


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


def text_within(row: Submission, cases: Sequence[CaseResult], *, after: int = 0, more: Body | None = None) -> str:
    """Return the final answer as JSON that fits into a response.

    Where it would be too large, its outputs are cut. If that is not enough, it loses the messages of its checkers.
    """
    body: Body = {}
    for max_bytes in _OUTPUT_SIZES:
        body = final_body(row, cases, after=after, max_bytes=max_bytes) | (more or {})
        text = body_text(body)
        if fits_response(text):
            return text
    drop_messages(body)
    return body_text(body)


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
