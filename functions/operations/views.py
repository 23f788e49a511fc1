"""What an administrator sees of submissions and dead letters. Each `TypedDict` is a schema of the OpenAPI document."""

from dataclasses import dataclass
from typing import Annotated, TypedDict

from pydantic import Field

from functions.http.openapi.bodies import Time, Uuid

# Results of redrives and purges.


@dataclass(slots=True)
class Purged:
    """The result of one call. `complete`: nothing was left. `running`: submissions that cannot be deleted yet.

    `changed`: checks, problems and files that are still there, because another process changed them meanwhile.
    `events`: those without a submission, which may show the output of a check.
    """

    submissions: int = 0
    endpoints: int = 0
    checks: int = 0
    check_runs: int = 0
    problems: int = 0
    files: int = 0
    events: int = 0
    running: int = 0
    changed: int = 0
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Redriven:
    """Messages that were moved, and those that are left: visible ones, and those that the sweeper holds now."""

    moved: int
    left: int


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


class RedrivenBody(TypedDict):
    """The result of a redrive."""

    queue: str
    moved: int
    left: Annotated[
        int, Field(description="Dead letters that are still there; the sweeper may hold some for six minutes.")
    ]


class PurgedBody(TypedDict):
    """The result of a purge."""

    project_id: str
    submissions_deleted: int
    endpoints_deleted: int
    checks_deleted: int
    check_runs_deleted: int
    problems_deleted: int
    files_deleted: int
    events_deleted: Annotated[int, Field(description="Events without a submission, such as those of checks.")]
    submissions_running: Annotated[int, Field(description="They can be deleted when they have ended.")]
    complete: Annotated[bool, Field(description="Nothing was left. Else repeat the call.")]


def redriven_body(queue: str, redriven: Redriven) -> RedrivenBody:
    """Return the answer of a redrive."""
    return {"queue": queue, "moved": redriven.moved, "left": redriven.left}


def purged_body(project_id: str, purged: Purged) -> PurgedBody:
    """Return the answer of a purge."""
    return {
        "project_id": project_id,
        "submissions_deleted": purged.submissions,
        "endpoints_deleted": purged.endpoints,
        "checks_deleted": purged.checks,
        "check_runs_deleted": purged.check_runs,
        "problems_deleted": purged.problems,
        "files_deleted": purged.files,
        "events_deleted": purged.events,
        "submissions_running": purged.running,
        "complete": purged.complete,
    }
