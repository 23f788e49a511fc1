"""What a client sees of a judge run and its cases. Each `TypedDict` is a schema of the OpenAPI document."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypedDict, cast

from pydantic import Field

from events.evidence import Evidence
from events.judged import CaseResult, CaseStream
from events.vocabulary import CANCELLATIONS, Cause, Integrity, Outcome, Verdict
from functions.http.json_body import body_text
from functions.http.openapi.bodies import Count, Measure, SchemaOf, Time, Uuid
from functions.judging.model import Plan, PlannedCase, Visibility
from functions.judging.score import CaseOutcome, GroupOutcome, Score, score
from functions.submissions.model import Status, Submission
from functions.submissions.results.short_views import JudgeCounts, fits_response
from functions.submissions.results.views import (
    CancelledTooLate,
    FinalStatus,
    Head,
    MetricsBody,
    OpenStatus,
    Waiting,
    final_status,
    head_fields,
    open_status,
    waiting_body,
)

# `visibility` decides here what any answer, event or list shows of a case: nothing else reads results of cases.

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
    waiting: NotRequired[Waiting]
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
    cancelled_too_late: NotRequired[CancelledTooLate]
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
    body = cast(
        "FinalJudgeRun",
        {
            **head_fields(row),
            "status": final_status(row),
            **counted,
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
        },
    )
    if row.problem is not None:
        body["problem"] = row.problem
    was_stopped = counted["skipped"] or any(case.run and case.run.result.cause in CANCELLATIONS for case in cases)
    if row.was_cancelled_too_late and not was_stopped:
        body["cancelled_too_late"] = True
    if warnings:
        body["warnings"] = list(warnings)
    return body


def _cancellation(row: Submission, skipped: int) -> str | None:
    return "the judge run was cancelled" if row.cancelled_at is not None and skipped else None


def open_body(
    row: Submission, cases: Sequence[CaseResult], *, after: int = 0, behind: int | None = None
) -> OpenJudgeRun:
    """Return the answer about a judge run that is not final: its state, its finished cases, and why it waits."""
    plan = Plan.of_json(row.plan or {"cases": [], "groups": []})
    known = {case.index: case for case in cases if case.index < len(plan.cases)}
    points = score(plan, outcomes_of(plan, known.values())).case_points
    body = cast(
        "OpenJudgeRun",
        {
            **head_fields(row),
            "status": open_status(row),
            "finished": len(known),
            "total": len(plan.cases),
            "results": [
                case_body(index, plan.cases[index], case, points[index], None)
                for index, case in sorted(known.items())
                if index >= after
            ],
        },
    )
    if behind:
        body["waiting"] = waiting_body(behind)
    if row.problem is not None:
        body["problem"] = row.problem
    return body


def timeout_body(
    row: Submission, cases: Sequence[CaseResult], path: str, warnings: Sequence[str] = (), behind: int | None = None
) -> JudgeWaitOver:
    """Return the body of 408: the wait is over, the judge run continues."""
    message = f"The judge run is not finished yet and continues. Poll GET {path}"
    body = cast("JudgeWaitOver", {**open_body(row, cases, behind=behind), "error": "timeout", "message": message})
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
    return cast("JudgeCounts", {name: getattr(scored, name) for name in JudgeCounts.__annotations__})


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
