"""What a client sees of a judge run, besides its cases. Each `TypedDict` is a schema of the OpenAPI document."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypedDict, cast

from pydantic import Field

from events.evidence import Evidence
from events.judged import CaseResult
from events.vocabulary import Outcome, Verdict
from functions.http.json_body import body_text
from functions.http.openapi.bodies import Count, Measure, SchemaOf, Time, Uuid
from functions.judging.case_view import JudgedCase, case_body
from functions.judging.model import Plan
from functions.judging.score import CaseOutcome, GroupOutcome, Score, score
from functions.submissions.model import Status, Submission
from functions.submissions.results.short_views import JudgeCounts, fits_response
from functions.submissions.results.views import (
    SCHEMA_VERSION,
    FinalStatus,
    Head,
    MetricsBody,
    OpenStatus,
    expires_at,
    final_status,
    open_status,
    timestamps,
)

OUTPUT_MAX_BYTES = 65_536
"""Of one stream of one case in an answer."""
_OUTPUT_SIZES = (OUTPUT_MAX_BYTES, 16_384, 4_096, 1_024, 0)
"""Tried in turn until an answer fits into a response."""
Warnings = Annotated[
    list[str],
    Field(description="Only if the request had unknown fields, or every program passes some cases: each is named."),
]


class JudgeAccepted(TypedDict):
    """The judge run is queued or running."""

    id: Uuid
    status: Status
    queue_depth: Annotated[Count, Field(description="Submissions waiting or running in its queue, as of a second ago.")]
    warnings: NotRequired[Warnings]


class JudgedGroup(TypedDict):
    """One group."""

    id: str
    points: Measure
    max_points: Measure
    outcome: GroupOutcome


class JudgedCompile(TypedDict):
    """The compile step."""

    verdict: Annotated[str, SchemaOf(Verdict)]
    stderr: Annotated[str, Field(description="What the compiler wrote, at most 64 KiB.")]
    cpu_time_secs: Measure
    wall_time_secs: Measure
    cached: bool


class _OfProblem(TypedDict):
    problem: NotRequired[Annotated[str, Field(description="Only of a stored problem: its id and version.")]]


class OpenJudgeRun(Head, _OfProblem):
    """A judge run that is not finished: the cases that are, as far as they are known."""

    status: OpenStatus
    finished: Count
    total: Count
    results: list[JudgedCase]


class JudgeWaitOver(OpenJudgeRun):
    """The wait is over and the judge run continues. Poll it."""

    error: Literal["timeout"]
    message: str
    warnings: NotRequired[Warnings]


class FinalJudgeRun(Head, JudgeCounts, _OfProblem):
    """A finished judge run. `error`: the platform, or a checker, failed."""

    status: FinalStatus
    error_message: Annotated[str | None, Field(description="Of a failure of the platform, and of a cancelled run.")]
    compile: Annotated[JudgedCompile | None, Field(description="null for languages without a compile step.")]
    groups: list[JudgedGroup]
    results: list[JudgedCase]
    limits: Annotated[dict[str, Measure], Field(description="Those of the request.")]
    metrics: MetricsBody | None
    evidence: Annotated[
        Mapping[str, Any] | None, SchemaOf(Evidence | None), Field(description="The worst of all cases.")
    ]
    warnings: NotRequired[Warnings]


class JudgeCompletedEvent(FinalJudgeRun):
    """Body of the `judge.completed` webhook."""

    type: Literal["judge.completed"]
    timestamp: Annotated[str | None, SchemaOf(Time)]
    truncated_in_event: NotRequired[
        Annotated[
            bool,
            Field(description="Only if outputs are cut. Those of a body over 255 KiB have at most 8 KiB together."),
        ]
    ]
    result_url: NotRequired[Annotated[str, Field(description="Only with truncated_in_event.")]]


def final_body(
    row: Submission,
    cases: Sequence[CaseResult],
    *,
    after: int = 0,
    max_bytes: int = OUTPUT_MAX_BYTES,
    warnings: Sequence[str] = (),
) -> FinalJudgeRun:
    """Return the whole answer. Cases without a result, after a failure of the platform, count as skipped."""
    plan = Plan.of_json(row.plan or {"cases": [], "groups": []})
    by_index = {case.index: case for case in cases}
    scored = score(plan, outcomes_of(plan, by_index.values()))
    counted = counts(scored)
    body: FinalJudgeRun = {
        "id": row.submission_id,
        "schema_version": SCHEMA_VERSION,
        "status": final_status(row),
        "language": row.language,
        "profile": row.profile,
        "timestamps": timestamps(row),
        "metadata": dict(row.metadata),
        "expires_at": expires_at(row),
        "all_passed": counted["all_passed"],
        "passed": counted["passed"],
        "failed": counted["failed"],
        "skipped": counted["skipped"],
        "judge_errors": counted["judge_errors"],
        "score": counted["score"],
        "max_score": counted["max_score"],
        "first_failed": counted["first_failed"],
        "error_message": row.result.get("error_message") or _cancellation(row, counted["skipped"]),
        "compile": _compile_body(row, max_bytes),
        "groups": [
            {"id": group.id, "points": group.points, "max_points": group.max_points, "outcome": group.outcome}
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
    if row.problem is not None:
        body["problem"] = row.problem
    if warnings:
        body["warnings"] = list(warnings)
    return body


def _cancellation(row: Submission, skipped: int) -> str | None:
    return "the judge run was cancelled" if row.cancelled_at is not None and skipped else None


def open_body(row: Submission, cases: Sequence[CaseResult], *, after: int = 0) -> OpenJudgeRun:
    """Return the answer about a judge run that is not final: its state and its finished cases."""
    plan = Plan.of_json(row.plan or {"cases": [], "groups": []})
    known = {case.index: case for case in cases if case.index < len(plan.cases)}
    points = score(plan, outcomes_of(plan, known.values())).case_points
    body: OpenJudgeRun = {
        "id": row.submission_id,
        "schema_version": SCHEMA_VERSION,
        "status": open_status(row),
        "language": row.language,
        "profile": row.profile,
        "timestamps": timestamps(row),
        "metadata": dict(row.metadata),
        "expires_at": expires_at(row),
        "finished": len(known),
        "total": len(plan.cases),
        "results": [
            case_body(index, plan.cases[index], case, points[index], None)
            for index, case in sorted(known.items())
            if index >= after
        ],
    }
    if row.problem is not None:
        body["problem"] = row.problem
    return body


def timeout_body(
    row: Submission, cases: Sequence[CaseResult], path: str, warnings: Sequence[str] = ()
) -> JudgeWaitOver:
    """Return the body of 408: the wait is over, the judge run continues."""
    message = f"The judge run is not finished yet and continues. Poll GET {path}"
    body = cast("JudgeWaitOver", {**open_body(row, cases), "error": "timeout", "message": message})
    if warnings:
        body["warnings"] = list(warnings)
    return body


def accepted_body(row: Submission, queue_depth: int, warnings: Sequence[str] = ()) -> JudgeAccepted:
    """Return the body of 202."""
    body: JudgeAccepted = {"id": row.submission_id, "status": row.status, "queue_depth": queue_depth}
    if warnings:
        body["warnings"] = list(warnings)
    return body


def counts(scored: Score) -> JudgeCounts:
    """Return the counts and points, as answers and lists show them."""
    return {
        "all_passed": scored.all_passed,
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
        outcomes[case.index] = CaseOutcome(case.outcome, case.checker_points, case.checker_share)
    return outcomes


def text_within(row: Submission, cases: Sequence[CaseResult], *, after: int = 0, warnings: Sequence[str] = ()) -> str:
    """Return the final answer as JSON that fits into a response.

    Where it would be too large, its outputs are cut. If that is not enough, it loses the messages of its checkers.
    """
    for max_bytes in _OUTPUT_SIZES:
        body = final_body(row, cases, after=after, max_bytes=max_bytes, warnings=warnings)
        text = body_text(body)
        if fits_response(text):
            return text
    drop_messages(body)
    return body_text(body)


def drop_messages(body: FinalJudgeRun) -> None:
    """Drop the messages of checkers from an answer."""
    for case in body["results"]:
        case["checker_message"] = case["team_message"] = None


def _compile_body(row: Submission, max_bytes: int) -> JudgedCompile | None:
    compiled = row.compilation
    if compiled is None:
        return None
    return {
        "verdict": compiled["verdict"],
        "stderr": base64.b64decode(compiled["stderr_base64"])[:max_bytes].decode(errors="replace"),
        "cpu_time_secs": compiled["cpu_time_secs"],
        "wall_time_secs": compiled["wall_time_secs"],
        "cached": compiled["cached"],
    }
