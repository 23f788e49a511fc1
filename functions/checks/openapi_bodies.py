"""Response bodies of /api/checks and /api/badges, and bodies of the events of checks."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from functions.checks.assertions.kinds import Assertions
from functions.checks.runs.model import RunKind, RunStatus
from functions.checks.settings.check_settings import FailAfter, MissedRule, Overlap
from functions.checks.settings.event_data import EventAs
from functions.checks.settings.triggers import Trigger
from functions.checks.state import State
from functions.http.openapi.bodies import Time, Uuid
from functions.messages.languages import Profile
from functions.submissions.accept.limits import RequestLimits


class JsonSchema(BaseModel):
    """A JSON Schema."""

    model_config = ConfigDict(extra="allow")


class LastRun(BaseModel):
    """The last run that ended."""

    run_id: Uuid
    status: RunStatus
    scheduled_at: Time
    submission_id: Uuid | None
    verdict: str | None


class ListedCheck(BaseModel):
    """A check without its program."""

    id: Uuid
    name: str
    slug: str
    language: str
    profile: Profile
    limits: RequestLimits | None
    env: dict[str, str] = Field(description="Names of its variables. Each value is ***.")
    event_as: EventAs
    schedule: str | None
    timezone: str
    spread_minutes: int | None = Field(default=None, description="Missing without a schedule.")
    trigger: Trigger | None
    overlap: Overlap
    missed: MissedRule
    grace_minutes: int
    faster_while_failing: str | None
    assertions: Assertions
    retries: int
    fail_after: FailAfter
    remind_hours: int
    notify: list[Uuid]
    muted_until: Time | None
    should_fail: bool
    tags: list[str]
    state: State
    state_since: Time | None
    next_runs: list[Time] = Field(description="The next five, in the check's time zone, with its spread.")
    last_run: LastRun | None
    badge_url: str = Field(description="Everybody who knows it may see the state. Also with .json and /shields.")
    created_at: Time
    updated_at: Time


class Statistics(BaseModel):
    """Figures of the latest 1,000 runs of 30 days; null without data. Uptime: the share of runs that passed."""

    p50_wall_secs: float | None
    p95_wall_secs: float | None
    uptime_7d: float | None
    uptime_30d: float | None


class CheckView(ListedCheck):
    """A check."""

    code: str
    stdin: str


class CheckDetail(CheckView):
    """A check with figures of its history."""

    statistics: Statistics


class CheckPage(BaseModel):
    """One page, newest first."""

    items: list[ListedCheck]
    next_cursor: str | None


class CheckDeleted(BaseModel):
    """A deleted check."""

    id: Uuid
    deleted: Literal[True]


class AssertionResult(BaseModel):
    """One assertion with its outcome. Each text has at most 256 characters."""

    assertion: str
    expected: str
    actual: str
    passed: bool


class CheckRunView(BaseModel):
    """One run of a check. GET /api/result/{submission_id} has its output, for RetentionDays."""

    id: Uuid
    check_id: Uuid
    kind: RunKind
    status: RunStatus
    scheduled_at: Time = Field(description="The slot of its schedule, without the spread.")
    affects_state: bool
    attempt: int = Field(description="0: the first; retries count up.")
    reason: str = Field(description="Why it was missed, skipped, late, repeated or not run.")
    submission_id: Uuid | None
    verdict: str | None
    wall_time_secs: float | None
    started_at: Time | None
    completed_at: Time | None
    assertions: list[AssertionResult]


class CheckRunPage(BaseModel):
    """One page, newest first."""

    items: list[CheckRunView]
    next_cursor: str | None


class InboundSecret(BaseModel):
    """A new inbound secret. No other response shows it."""

    secret: str
    url: str


class BadgeView(BaseModel):
    """The state of a check."""

    name: str
    state: State
    color: str


class ShieldsBadge(BaseModel):
    """https://shields.io/badges/endpoint-badge."""

    schemaVersion: Literal[1]  # noqa: N815 - their name
    label: str
    message: State
    color: str
    isError: bool  # noqa: N815 - their name
    cacheSeconds: int  # noqa: N815 - their name


class _CheckEvent(BaseModel):
    timestamp: Time
    check_id: Uuid
    check_slug: str
    check_name: str
    tags: list[str]
    run_id: Uuid
    kind: RunKind
    status: RunStatus
    scheduled_at: Time
    reason: str
    verdict: str | None
    wall_time_secs: float | None
    submission_id: Uuid | None
    result_url: str | None = Field(description="The run with its output and evidence.")


class CheckRunCompletedEvent(_CheckEvent):
    """A run of a check has ended."""

    type: Literal["check.run.completed"]


class CheckRunMissedEvent(_CheckEvent):
    """A run of a check did not start."""

    type: Literal["check.run.missed"]


class CheckStateChangedEvent(_CheckEvent):
    """The state of a check has changed, or lasts for another `remind_hours`."""

    type: Literal["check.state.changed"]
    state: State
    previous_state: State
    is_reminder: bool
    since: Time | None = Field(description="When the state began; of an outage its first failure.")
    outage_secs: int | None = Field(description="Only after a recovery.")
    failed: list[AssertionResult]
    difference: str = Field(description="From the last good output; at most 60 lines. Empty: none.")
    next: str = Field(description="What to do.")
