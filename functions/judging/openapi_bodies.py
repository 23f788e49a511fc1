"""OpenAPI bodies of judge runs. `functions.judging.views` builds the answers; tests compare both."""

from typing import Literal

from pydantic import BaseModel, Field

from functions.http.openapi.bodies import Time, Uuid
from functions.judging.model import Visibility
from functions.judging.score import GroupOutcome
from functions.messages.evidence import Count, Evidence, Measure, Metrics
from functions.messages.judged import Outcome
from functions.messages.verdict import Cause, Integrity, Verdict
from functions.submissions.model import Status
from functions.submissions.openapi_bodies import WARNINGS, FinalStatus, Head, JudgeCounts, OpenStatus


class JudgeAccepted(BaseModel):
    """The judge run is queued or running."""

    id: Uuid
    status: Status
    queue_depth: Count = Field(description="Submissions waiting or running in its queue, as of a second ago.")
    warnings: list[str] = WARNINGS


class JudgedCase(BaseModel):
    """One case. Its visibility hides fields: they are null."""

    index: Count
    id: str | None
    group: str | None
    visibility: Visibility
    passed: bool
    verdict: Verdict | None = Field(description="Of the run, as in results; null if the program did not run.")
    outcome: Outcome | None = Field(description="Whether the answer is right; failed: the verdict is not AC.")
    points: Measure | None
    max_points: Measure | None
    checker_message: str | None = Field(description="For the judge: it may quote the expected output.")
    team_message: str | None = Field(description="For the contestant: teammessage.txt of a Kattis validator.")
    stdout: str | None = Field(description="At most 64 KiB; null while the judge run is not finished.")
    stderr: str | None
    stdout_truncated: bool = Field(default=True, description="Only if there is more: GET .../cases/{index}/stdout.")
    stderr_truncated: bool = Field(default=True, description="Only if there was more.")
    exit_code: int | None
    signal: int | None
    cause: Cause | None
    error_message: str | None
    cpu_time_secs: Measure | None
    wall_time_secs: Measure | None
    memory_peak_bytes: Count | None
    output_integrity: Integrity | None


class JudgedGroup(BaseModel):
    """One group."""

    id: str
    points: Measure
    max_points: Measure
    outcome: GroupOutcome


class JudgedCompile(BaseModel):
    """The compile step."""

    verdict: Verdict
    stderr: str = Field(description="What the compiler wrote, at most 64 KiB.")
    cpu_time_secs: Measure
    wall_time_secs: Measure
    cached: bool


class OpenJudgeRun(Head):
    """A judge run that is not finished: the cases that are, as far as they are known."""

    status: OpenStatus
    finished: Count
    total: Count
    results: list[JudgedCase]


class JudgeWaitOver(OpenJudgeRun):
    """The wait is over and the judge run continues. Poll it."""

    error: Literal["timeout"]
    message: str
    warnings: list[str] = WARNINGS


class FinalJudgeRun(Head, JudgeCounts):
    """A finished judge run. `error`: the platform, or a checker, failed."""

    status: FinalStatus
    error_message: str | None = Field(description="Of a failure of the platform.")
    compile: JudgedCompile | None = Field(description="null for languages without a compile step.")
    groups: list[JudgedGroup]
    results: list[JudgedCase]
    limits: dict[str, Measure] = Field(description="Those of the request.")
    metrics: Metrics | None
    evidence: Evidence | None = Field(description="The worst of all cases.")
    warnings: list[str] = WARNINGS


class JudgeCompletedEvent(FinalJudgeRun):
    """Body of the `judge.completed` webhook."""

    type: Literal["judge.completed"]
    timestamp: Time
    truncated_in_event: bool = Field(
        default=True, description="Only if outputs are cut. Those of a body over 255 KiB have at most 8 KiB together."
    )
    result_url: str = Field(default="", description="Only with truncated_in_event.")
