"""What a client sees of a submission in a list."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypedDict, cast

from pydantic import Field

from functions.http.openapi.bodies import SchemaOf
from functions.messages.base import Result
from functions.messages.evidence import Count, Measure
from functions.submissions.model import Kind, Status, Submission
from functions.submissions.results.views import (
    FinalStatus,
    Flat,
    Head,
    MetricsBody,
    OpenStatus,
    final_status,
    flat_fields,
    head_fields,
    open_status,
)


class OpenItem(Head):
    """A list item without a verdict."""

    kind: Literal["run"]
    status: OpenStatus
    job_status: OpenStatus
    result: None
    metrics: None


class FinalItem(Head, Flat):
    """A finished list item: the result without output and evidence."""

    kind: Literal["run"]
    status: FinalStatus
    job_status: FinalStatus
    result: Annotated[dict[str, Any], SchemaOf(Result)]
    metrics: MetricsBody | None


class JudgeCounts(TypedDict):
    """How many cases passed, failed and were skipped, and the points."""

    all_passed: bool
    passed: Count
    failed: Annotated[Count, Field(description="Cases whose program or answer is wrong.")]
    skipped: Count
    judge_errors: Annotated[
        Count, Field(description="Cases whose checker failed: they count neither as passed nor as failed.")
    ]
    score: Measure
    max_score: Measure
    first_failed: Annotated[int | None, Field(description="Index of the first failed case.")]


class OpenJudgeItem(Head):
    """A judge run that is not finished, or that the platform failed, in a list."""

    kind: Literal["judge"]
    status: Status
    job_status: Status
    cases: Count
    metrics: Annotated[Mapping[str, Any] | None, SchemaOf(type(None))]


class FinalJudgeItem(Head, JudgeCounts):
    """A finished judge run in a list. GET /api/judge/{id} has its cases."""

    kind: Literal["judge"]
    status: FinalStatus
    job_status: FinalStatus
    cases: Count
    metrics: MetricsBody | None


class ResultPage(TypedDict):
    """One page, newest first. A filtered page may be short and still have a next page."""

    items: list[FinalItem | OpenItem | FinalJudgeItem | OpenJudgeItem]
    next_cursor: str | None


def summary_body(submission: Submission) -> OpenItem | FinalItem | OpenJudgeItem | FinalJudgeItem:
    """Return a list item: the result object without output and evidence; of a judge run, its counts and points."""
    if submission.kind is Kind.JUDGE:
        return _judge_item(submission)
    if submission.is_final:
        final = final_status(submission)
        return {
            **head_fields(submission),
            "status": final,
            "job_status": final,
            "result": dict(submission.result),
            "metrics": submission.metrics,
            "kind": "run",
            **flat_fields(submission),
        }
    status = open_status(submission)
    return {
        **head_fields(submission),
        "status": status,
        "job_status": status,
        "result": None,
        "metrics": None,
        "kind": "run",
    }


def _judge_item(submission: Submission) -> OpenJudgeItem | FinalJudgeItem:
    summary = submission.summary or {}
    item: OpenJudgeItem = {
        **head_fields(submission),
        "status": submission.status,
        "job_status": submission.status,
        "metrics": submission.metrics,
        "kind": "judge",
        "cases": summary.get("cases", 0),
    }
    return cast("FinalJudgeItem", {**item, **summary["judged"]}) if "judged" in summary else item
