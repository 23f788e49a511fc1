"""OpenAPI bodies of submissions. `functions.submissions.results.views` builds the answers; tests compare both."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from functions.http.openapi.bodies import Time, Uuid
from functions.messages.base import Result
from functions.messages.evidence import Count, Evidence, Measure, Metrics
from functions.messages.languages import Language, Profile
from functions.messages.verdict import Actor, Cause, Integrity, Phase, Verdict
from functions.submissions.model import Status

WARNINGS: Any = Field(default_factory=list, description="Only if the request had unknown fields: each is named.")
FinalStatus = Literal["completed", "error"]
OpenStatus = Literal["pending", "running"]


class Accepted(BaseModel):
    """The submission is queued or running. The body has no `verdict`."""

    id: Uuid
    status: Status
    job_status: Status
    queue_depth: Count = Field(description="Submissions waiting or running in its queue, as of a second ago.")
    warnings: list[str] = WARNINGS


class WaitOver(BaseModel):
    """The wait is over and the run continues. Poll the result."""

    id: Uuid
    error: Literal["timeout"]
    message: str
    warnings: list[str] = WARNINGS


class Timestamps(BaseModel):
    """RFC 3339, UTC."""

    created_at: Time
    started_at: Time | None
    completed_at: Time | None


class Output(BaseModel):
    """Both streams. Text has invalid UTF-8 replaced; `?encoding=base64` is exact."""

    stdout: str
    stderr: str
    integrity: Integrity
    encoding: Literal["base64"] = Field(default="base64", description="Only with ?encoding=base64.")
    truncated_in_response: bool = Field(
        default=True, description="Only if the body would be over 5 MiB: flat copies are left out, then text is cut."
    )
    stdout_url: str = Field(default="", description="Path of the whole stdout, only with truncated_in_response.")
    stderr_url: str = Field(default="", description="Path of the whole stderr, only with truncated_in_response.")


class Head(BaseModel):
    """What all bodies of a submission begin with."""

    id: Uuid
    schema_version: Literal["2.0"]
    language: Language
    profile: Profile
    timestamps: Timestamps
    metadata: dict[str, str]
    expires_at: Time


class OpenResult(Head):
    """A submission without a verdict. It has none of the flat keys of a final result."""

    status: OpenStatus
    job_status: OpenStatus
    result: None
    output: None
    metrics: None
    evidence: None


class _Flat(BaseModel):
    verdict: Verdict
    exit_code: int | None
    signal: int | None
    error_message: str | None
    cpu_time_secs: Measure | None
    wall_time_secs: Measure | None
    memory_peak_bytes: Count | None
    created_at: Time
    started_at: Time | None
    completed_at: Time


class CompilerWarnings(BaseModel):
    """Warnings of the compiler about a program that it compiled."""

    stderr: str = Field(description="At most 16 KiB.")


class FinalResult(Head, _Flat):
    """A finished submission: the nested form (schema 2.0), and flat aliases (schema 1.0)."""

    status: FinalStatus
    job_status: FinalStatus
    result: Result
    output: Output
    metrics: Metrics | None
    evidence: Evidence | None
    stdout: str = Field(default="", description="Left out if the body would be over 5 MiB.")
    stderr: str = Field(default="", description="Left out if the body would be over 5 MiB.")
    output_integrity: Integrity
    compile: CompilerWarnings = Field(
        default=CompilerWarnings(stderr=""), description="Only if the compiler had warnings."
    )
    warnings: list[str] = WARNINGS


class CompactOpen(BaseModel):
    """A submission without a verdict, with `view=compact`."""

    model_config = ConfigDict(extra="forbid")

    id: Uuid
    status: OpenStatus
    language: Language
    metadata: dict[str, str] = Field(default_factory=dict, description="Left out if empty.")


class CompactResult(BaseModel):
    """The verdict and its reasons. Unknown values are left out."""

    verdict: Verdict
    cause: Cause
    actor: Actor
    phase: Phase
    exit_code: int = Field(default=0, description="Left out if the program did not exit by itself.")
    signal: int = Field(default=0, description="Left out if no signal ended the program.")
    error_message: str = Field(default="", description="Left out if there is nothing to say.")


class CompactMetrics(BaseModel):
    """The measurements. One that is missing is left out."""

    cpu_time_secs: Measure = 0
    wall_time_secs: Measure = 0
    memory_peak_bytes: Count = 0


class CompactFinal(CompactOpen):
    """A finished submission, with `view=compact`: no aliases, no evidence, no null."""

    status: FinalStatus  # type: ignore[assignment]
    result: CompactResult
    output: Output
    metrics: CompactMetrics = Field(default=CompactMetrics(), description="Left out without measurements.")
    warnings: list[str] = WARNINGS


class OpenItem(Head):
    """A list item without a verdict."""

    kind: Literal["run"]
    status: OpenStatus
    job_status: OpenStatus
    result: None
    metrics: None


class FinalItem(Head, _Flat):
    """A finished list item: the result without output and evidence."""

    kind: Literal["run"]
    status: FinalStatus
    job_status: FinalStatus
    result: Result
    metrics: Metrics | None


class JudgeCounts(BaseModel):
    """How many cases passed, failed and were skipped, and the points."""

    all_passed: bool
    passed: Count
    failed: Count = Field(description="Cases whose program or answer is wrong.")
    skipped: Count
    judge_errors: Count = Field(description="Cases whose checker failed: they count neither as passed nor as failed.")
    score: Measure
    max_score: Measure
    first_failed: int | None = Field(description="Index of the first failed case.")


class OpenJudgeItem(Head):
    """A judge run that is not finished, or that the platform failed, in a list."""

    kind: Literal["judge"]
    status: Status
    job_status: Status
    cases: Count
    metrics: None


class FinalJudgeItem(Head, JudgeCounts):
    """A finished judge run in a list. GET /api/judge/{id} has its cases."""

    kind: Literal["judge"]
    status: FinalStatus
    job_status: FinalStatus
    cases: Count
    metrics: Metrics | None


class ResultPage(BaseModel):
    """One page, newest first. A filtered page may be short and still have a next page."""

    items: list[FinalItem | OpenItem | FinalJudgeItem | OpenJudgeItem]
    next_cursor: str | None


class Deleted(BaseModel):
    """Code, input and output are deleted."""

    id: Uuid
    deleted: Literal[True]


class CompletedEvent(FinalResult):
    """Body of the `submission.completed` webhook."""

    type: Literal["submission.completed"]
    timestamp: Time
    result_url: str = Field(default="", description="Only if the output was cut to fit 256 KiB.")
