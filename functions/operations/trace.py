"""The life of one submission from its rows: state changes, deliveries, attempts, and where its log lines are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, TypedDict, cast

from pydantic import Field

from functions.clock import MS_PER_SEC, from_rfc3339, to_rfc3339
from functions.http.openapi.bodies import Time, Uuid
from functions.submissions.model import Submission
from functions.webhooks.deliveries.model import Delivery, RecordedAttempt
from functions.webhooks.deliveries.views import delivery_body

# What an administrator sees of submissions and dead letters. Each `TypedDict` is a schema of the OpenAPI document.


class TracedRow(TypedDict):
    """The submission's row, without code, input and output."""

    status: str
    verdict: str | None
    cause: str | None
    language: str
    profile: str
    priority: str
    execution_id: str
    node_id: str | None
    redrives: Annotated[int, Field(description="How often the sweeper sent it again.")]
    due_at: Annotated[Time | None, Field(description="When the sweeper looks at it; null if it needs no next step.")]
    waits_for_direct_run: bool
    has_webhook: bool
    stdout_size_bytes: int
    stderr_size_bytes: int
    objects: Annotated[list[str], Field(description="Keys in the bucket.")]
    expires_at: Time


class TracedAttempt(TypedDict):
    """One send, without the receiver's text."""

    n: int
    at: Time
    status_code: int | None
    error_code: str | None
    latency_ms: int
    address: str | None


class TracedDelivery(TypedDict):
    """One delivery with its attempts."""

    id: str
    webhook_id: Uuid
    type: str
    endpoint_id: str
    submission_id: Uuid | None
    state: str
    attempts_made: int
    next_attempt_at: Time | None
    created_at: Time
    lease_until: Time | None
    parked: Annotated[bool, Field(description="It waits for a send slot.")]
    attempts: list[TracedAttempt]


class TracedStep(TypedDict):
    """One state change."""

    at: Time
    what: str
    detail: str


class TracedLogs(TypedDict):
    """Where the log lines are."""

    query: Annotated[str, Field(description="For `aws logs start-query --query-string`.")]
    from_secs: Annotated[int, Field(description="For `--start-time`.")]
    to_secs: Annotated[int, Field(description="For `--end-time`.")]


class TraceBody(TypedDict):
    """The life of one submission."""

    id: Uuid
    project_id: str
    correlation_id: str
    row: TracedRow
    event_stored: Annotated[bool, Field(description="The bytes of its webhooks exist.")]
    deliveries: list[TracedDelivery]
    history: Annotated[list[TracedStep], Field(description="Oldest first.")]
    logs: TracedLogs


type Attempts = Mapping[str, Sequence[RecordedAttempt]]
"""Attempts by endpoint id."""

_MARGIN_SECS = 60


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything that is known about a submission. `has_event`: the bytes of its webhooks exist."""

    row: Submission
    deliveries: Sequence[Delivery]
    attempts: Attempts
    has_event: bool


def trace_body(trace: Trace, log_group_prefix: str, now_ms: int) -> TraceBody:
    """Return the answer. It holds no code, input, output, metadata, URL, and no text of a receiver."""
    return {
        "id": trace.row.submission_id,
        "project_id": trace.row.project_id,
        "correlation_id": trace.row.log_ids["correlation_id"],
        "row": _row_body(trace.row),
        "event_stored": trace.has_event,
        "deliveries": [_delivery_body(delivery, trace.attempts) for delivery in trace.deliveries],
        "history": _history(trace),
        "logs": _logs_body(trace, log_group_prefix, now_ms),
    }


def _row_body(row: Submission) -> TracedRow:
    return {
        "status": row.status.value,
        "verdict": row.verdict,
        "cause": row.result.get("cause"),
        "language": row.language,
        "profile": row.profile,
        "priority": row.priority,
        "execution_id": row.execution_id,
        "node_id": row.node_id,
        "redrives": row.redrives,
        "due_at": to_rfc3339(row.due_at_ms) if row.due_at_ms is not None else None,
        "waits_for_direct_run": row.asked_directly,
        "has_webhook": row.webhook_url is not None,
        "stdout_size_bytes": row.stdout_size_bytes,
        "stderr_size_bytes": row.stderr_size_bytes,
        "objects": list(row.object_keys),
        "expires_at": to_rfc3339(row.ttl * MS_PER_SEC),
    }


def _delivery_body(delivery: Delivery, attempts: Attempts) -> TracedDelivery:
    lease = delivery.lease_until_ms
    body = delivery_body(delivery) | {
        "lease_until": to_rfc3339(lease) if lease is not None else None,
        "parked": delivery.lane_at_ms is not None,
        "attempts": [_attempt_body(attempt) for attempt in attempts.get(delivery.endpoint_id, ())],
    }
    return cast("TracedDelivery", body)


def _attempt_body(attempt: RecordedAttempt) -> TracedAttempt:
    return {
        "n": attempt.n,
        "at": attempt.at,
        "status_code": attempt.status_code,
        "error_code": attempt.error_code,
        "latency_ms": attempt.latency_ms,
        "address": attempt.address,
    }


def _history(trace: Trace) -> list[TracedStep]:
    row = trace.row
    steps: list[tuple[str | None, str, str]] = [
        (row.created_at, "submission accepted", f"{row.priority} queue"),
        (row.started_at, "execution started", row.node_id or ""),
        (row.completed_at, "execution completed", row.verdict or ""),
    ]
    for delivery in trace.deliveries:
        steps.append((delivery.created_at, "delivery created", delivery.endpoint_id))
        for attempt in trace.attempts.get(delivery.endpoint_id, ()):
            answer = attempt.status_code or attempt.error_code
            steps.append((attempt.at, f"attempt {attempt.n}", f"{delivery.endpoint_id}: {answer}"))
    known = [(at, what, detail) for at, what, detail in steps if at is not None]
    # Times have three to six decimals, so texts do not sort.
    ordered = sorted(known, key=lambda step: from_rfc3339(step[0]))
    return [{"at": at, "what": what, "detail": detail} for at, what, detail in ordered]


def _logs_body(trace: Trace, log_group_prefix: str, now_ms: int) -> TracedLogs:
    """Return the query of CloudWatch Logs Insights, and the seconds between which the lines were written.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Source.html
    """
    ids = trace.row.log_ids
    query = (
        f'SOURCE logGroups(namePrefix: ["{log_group_prefix}"]) '
        "| fields @timestamp, service, level, message, outcome, error_type "
        f'| filter correlation_id = "{ids["correlation_id"]}" or submission_id = "{ids["submission_id"]}" '
        "| sort @timestamp asc"
    )
    return {
        "query": query,
        "from_secs": from_rfc3339(trace.row.created_at) // MS_PER_SEC - _MARGIN_SECS,
        "to_secs": now_ms // MS_PER_SEC + _MARGIN_SECS,
    }
