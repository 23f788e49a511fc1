"""OpenAPI bodies of /api/admin."""

from pydantic import BaseModel, Field

from functions.http.openapi.bodies import Time, Uuid


class TracedRow(BaseModel):
    """The submission's row, without code, input and output."""

    status: str
    verdict: str | None
    cause: str | None
    language: str
    profile: str
    priority: str
    execution_id: str
    node_id: str | None
    redrives: int = Field(description="How often the sweeper sent it again.")
    due_at: Time | None = Field(description="When the sweeper looks at it; null if it needs no next step.")
    waits_for_direct_run: bool
    has_webhook: bool
    stdout_size_bytes: int
    stderr_size_bytes: int
    objects: list[str] = Field(description="Keys in the bucket.")
    expires_at: Time


class TracedAttempt(BaseModel):
    """One send, without the receiver's text."""

    n: int
    at: Time
    status_code: int | None
    error_code: str | None
    latency_ms: int
    address: str | None


class TracedDelivery(BaseModel):
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
    parked: bool = Field(description="It waits for a send slot.")
    attempts: list[TracedAttempt]


class TracedStep(BaseModel):
    """One state change."""

    at: Time
    what: str
    detail: str


class TracedLogs(BaseModel):
    """Where the log lines are."""

    query: str = Field(description="For `aws logs start-query --query-string`.")
    from_secs: int = Field(description="For `--start-time`.")
    to_secs: int = Field(description="For `--end-time`.")


class TraceBody(BaseModel):
    """The life of one submission."""

    id: Uuid
    project_id: str
    correlation_id: str
    row: TracedRow
    event_stored: bool = Field(description="The bytes of its webhooks exist.")
    deliveries: list[TracedDelivery]
    history: list[TracedStep] = Field(description="Oldest first.")
    logs: TracedLogs


class RedrivenBody(BaseModel):
    """The result of a redrive."""

    queue: str
    moved: int
    left: int = Field(description="Dead letters that are still there; the sweeper may hold some for six minutes.")


class PurgedBody(BaseModel):
    """The result of a purge."""

    project_id: str
    submissions_deleted: int
    endpoints_deleted: int
    checks_deleted: int
    check_runs_deleted: int
    events_deleted: int = Field(description="Events without a submission, such as those of checks.")
    submissions_running: int = Field(description="They can be deleted when they have ended.")
    complete: bool = Field(description="Nothing was left. Else repeat the call.")
