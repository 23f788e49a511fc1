"""Shapes of answers. They document; what is sent is built in `core.result_view` and checked against these in tests."""

from typing import Any, Literal

from pydantic import BaseModel, Field, RootModel

from functions.http.openapi.bodies import Time, Uuid
from functions.messages.evidence import CgroupBackend, Count, Evidence, IsolationMode, Measure, Metrics
from functions.messages.languages import Language, Profile
from functions.messages.verdict import Integrity, Verdict
from functions.messages.wire import Result
from functions.submissions.model import Status

FinalStatus = Literal["completed", "error"]
OpenStatus = Literal["pending", "running"]


class Accepted(BaseModel):
    """The submission is queued or on its way. There is no `verdict` here."""

    id: Uuid
    status: Status
    job_status: Status
    queue_depth: Count = Field(description="Submissions waiting or running in its queue, as of a second ago.")


class WaitOver(BaseModel):
    """The wait is over and the run goes on; ask for the result."""

    id: Uuid
    error: Literal["timeout"]
    message: str


class Timestamps(BaseModel):
    """RFC 3339, UTC."""

    created_at: Time
    started_at: Time | None
    completed_at: Time | None


class Output(BaseModel):
    """Both streams. In text invalid UTF-8 is replaced; `?encoding=base64` is exact."""

    stdout: str
    stderr: str
    integrity: Integrity
    encoding: Literal["base64"] = Field(default="base64", description="Only with ?encoding=base64.")
    truncated_in_response: bool = Field(
        default=True, description="Only where the body would be over 5 MiB: flat copies are left out, then text is cut."
    )
    stdout_url: str = Field(default="", description="Path of the whole stdout, only with truncated_in_response.")
    stderr_url: str = Field(default="", description="Path of the whole stderr, only with truncated_in_response.")


class _Head(BaseModel):
    id: Uuid
    schema_version: Literal["2.0"]
    language: Language
    profile: Profile
    timestamps: Timestamps
    metadata: dict[str, str]
    expires_at: Time


class OpenResult(_Head):
    """A submission without a verdict yet. None of the flat keys of a final result is present."""

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


class FinalResult(_Head, _Flat):
    """A finished submission: the nested form (schema 2.0), and flat aliases (schema 1.0)."""

    status: FinalStatus
    job_status: FinalStatus
    result: Result
    output: Output
    metrics: Metrics | None
    evidence: Evidence | None
    stdout: str = Field(default="", description="Left out where the body would be over 5 MiB.")
    stderr: str = Field(default="", description="Left out where the body would be over 5 MiB.")
    output_integrity: Integrity


class OpenItem(_Head):
    """A list's item that has no verdict yet."""

    status: OpenStatus
    job_status: OpenStatus
    result: None
    metrics: None


class FinalItem(_Head, _Flat):
    """A list's finished item: the result without output and evidence."""

    status: FinalStatus
    job_status: FinalStatus
    result: Result
    metrics: Metrics | None


class ResultPage(BaseModel):
    """One page, newest first. With a filter a page may be short and still have a next one."""

    items: list[FinalItem | OpenItem]
    next_cursor: str | None


class Deleted(BaseModel):
    """Code, input and output are gone."""

    id: Uuid
    deleted: Literal[True]


class _Figures(BaseModel):
    enforcement_mode: IsolationMode
    cgroup_backend: CgroupBackend | None
    namespace_support: bool
    workers: Count = Field(description="Slots of all live runners: they reported in the last minute and do not drain.")
    queue_depth: Count
    node_id: str = Field(description="The live runner that reported last; empty if there is none.")


class HealthReport(_Figures):
    """`degraded`: the figures could not be read."""

    status: Literal["ok", "degraded"]


class Ready(_Figures):
    """At least one runner is live."""

    status: Literal["ready"]


class NotReady(BaseModel):
    """No runner has reported for a minute, or the last report of each said that it stops."""

    status: Literal["not_ready"]
    error: str


class CompletedEvent(FinalResult):
    """Body of the `submission.completed` webhook."""

    type: Literal["submission.completed"]
    timestamp: Time
    result_url: str = Field(default="", description="Only where the output was cut to fit 256 KiB.")


class Languages(RootModel[list[Language]]):
    """A bare array."""


class LanguageDetail(BaseModel):
    """A language, and what the runners of the last 24 h run it with."""

    name: Language
    toolchains: list[str] = Field(description="Versions as the toolchains tell them; several while a fleet is renewed.")


class LanguageDetails(RootModel[list[LanguageDetail]]):
    """With `detail=true`."""


class Document(RootModel[dict[str, Any]]):
    """An OpenAPI document."""
