"""What a client sees of a submission. Each `TypedDict` is a schema of the OpenAPI document.

The result object is one body for clients of schema 1.0 and 2.0. A final body has the nested form (2.0) and flat
aliases (1.0). A body that is not final has null in the nested fields and no flat keys: two SDKs stop polling as soon
as the key `verdict` exists.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, TypedDict, cast

from pydantic import Field

from events.completed import Result
from events.evidence import Evidence, Metrics
from events.vocabulary import Integrity, Language, Profile, Verdict
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.http.openapi.bodies import Count, Measure, SchemaOf, Time, Uuid
from functions.submissions.model import Status, Submission


class ArtifactBody(TypedDict):
    """A file that the program left. GET /api/result/{id}/artifacts/{path} has its content."""

    path: str
    size: Count
    sha256: str
    media_type: Annotated[str, Field(description="By the end of its name; nobody looks into it.")]


class ArtifactLink(ArtifactBody):
    """Where to get an artifact: send this request as it is, without an API key."""

    url: str
    method: Literal["GET"]
    expires_at: Time


class SkippedArtifactBody(TypedDict):
    """A file that was asked for and is not kept."""

    path: Annotated[str, Field(description="With escapes if it is no ordinary text. Empty: all others, see `time`.")]
    reason: Annotated[
        str,
        Field(
            description="not_a_regular_file, unreadable (for the program's user), name (no UTF-8, characters that "
            "cannot be printed, or over 255 bytes), too_deep (over 8 parts), file_too_large (25 MiB), total_too_large "
            "(100 MiB), too_many_files (100), time (reading took over 2 s)."
        ),
    ]


def artifact_body(file: Mapping[str, Any]) -> ArtifactBody:
    """Return an artifact of a row without the key of its object."""
    return {
        "path": file["path"],
        "size": file["size"],
        "sha256": file["sha256"],
        "media_type": file["media_type"],
    }


def artifact_link(file: Mapping[str, Any], url: str, expires_at: str) -> ArtifactLink:
    """Return where to get an artifact."""
    return {**artifact_body(file), "url": url, "method": "GET", "expires_at": expires_at}


SCHEMA_VERSION: Literal["2.0"] = "2.0"

type Encoding = Literal["base64"]
StreamName = Literal["stdout", "stderr"]
FinalStatus = Literal["completed", "error"]
OpenStatus = Literal["pending", "running"]
# The row has these values as text and JSON: a newer version may have written others.
LanguageName = Annotated[str, SchemaOf(Language)]
ProfileName = Annotated[str, SchemaOf(Profile)]
IntegrityName = Annotated[str, SchemaOf(Integrity)]
MetricsBody = Annotated[Mapping[str, Any], SchemaOf(Metrics)]
EvidenceBody = Annotated[Mapping[str, Any], SchemaOf(Evidence)]
CancelledTooLate = Annotated[
    Literal[True], Field(description="Only if a cancel came before the end of the run and did not stop it.")
]
Warnings = Annotated[list[str], Field(description="Only if the request had unknown fields: each is named.")]


class RunWaiting(TypedDict):
    """Why a submission has not begun."""

    reason: Literal["queue"]
    behind: Annotated[
        Count, Field(description="Others that wait or run in its queue, as of a second ago: at most so many before it.")
    ]


Waiting = Annotated[RunWaiting, Field(description="Only while it is queued behind others.")]


class Accepted(TypedDict):
    """The submission is queued or running. The body has no `verdict`."""

    id: Uuid
    status: Status
    job_status: Status
    queue_depth: Annotated[Count, Field(description="Submissions waiting or running in its queue, as of a second ago.")]
    warnings: NotRequired[Warnings]


class WaitOver(TypedDict):
    """The wait is over and the run continues. Poll the result."""

    id: Uuid
    error: Literal["timeout"]
    message: str
    waiting: NotRequired[Waiting]
    warnings: NotRequired[Warnings]


class Timestamps(TypedDict):
    """RFC 3339, UTC."""

    created_at: Time
    started_at: Time | None
    completed_at: Time | None


class Output(TypedDict):
    """Both streams. Text has invalid UTF-8 replaced; `?encoding=base64` is exact."""

    stdout: str
    stderr: str
    integrity: IntegrityName
    encoding: NotRequired[Annotated[Literal["base64"], Field(description="Only with ?encoding=base64.")]]
    truncated_in_response: NotRequired[
        Annotated[
            bool,
            Field(description="Only if the body would be over 5 MiB: flat copies are left out, then text is cut."),
        ]
    ]
    truncated_in_event: NotRequired[Annotated[bool, Field(description="Only in an event whose output is cut.")]]
    stdout_url: NotRequired[
        Annotated[str, Field(description="Path of the whole stdout, only with truncated_in_response.")]
    ]
    stderr_url: NotRequired[
        Annotated[str, Field(description="Path of the whole stderr, only with truncated_in_response.")]
    ]


class Head(TypedDict):
    """What all bodies of a submission have."""

    id: Uuid
    schema_version: Literal["2.0"]
    language: LanguageName
    profile: ProfileName
    timestamps: Timestamps
    metadata: dict[str, str]
    expires_at: Time


class OpenResult(Head):
    """A submission without a verdict. It has none of the flat keys of a final result."""

    status: OpenStatus
    job_status: OpenStatus
    waiting: NotRequired[Waiting]
    result: None
    output: None
    metrics: None
    evidence: None


class Flat(TypedDict):
    """The aliases of schema 1.0."""

    verdict: Annotated[str | None, SchemaOf(Verdict)]
    exit_code: int | None
    signal: int | None
    error_message: str | None
    cpu_time_secs: Measure | None
    wall_time_secs: Measure | None
    memory_peak_bytes: Count | None
    created_at: Time
    started_at: Time | None
    completed_at: Annotated[str | None, SchemaOf(Time)]


class CompilerWarnings(TypedDict):
    """Warnings of the compiler about a program that it compiled."""

    stderr: Annotated[str, Field(description="At most 16 KiB.")]


class _Final(Head, Flat):
    status: FinalStatus
    job_status: FinalStatus
    result: Annotated[dict[str, Any], SchemaOf(Result)]
    output: Output
    metrics: MetricsBody | None
    evidence: EvidenceBody | None
    stdout: NotRequired[Annotated[str, Field(description="Left out if the body would be over 5 MiB.")]]
    stderr: NotRequired[Annotated[str, Field(description="Left out if the body would be over 5 MiB.")]]
    output_integrity: IntegrityName


Artifacts = Annotated[list[ArtifactBody], Field(description="Only if the request asked for artifacts.")]
SkippedArtifacts = Annotated[list[SkippedArtifactBody], Field(description="Only if there are such; the first 20.")]


class FinalResult(_Final):
    """A finished submission: the nested form (schema 2.0), and flat aliases (schema 1.0)."""

    artifacts: NotRequired[Artifacts]
    artifacts_skipped: NotRequired[SkippedArtifacts]
    cancelled_too_late: NotRequired[CancelledTooLate]
    compile: NotRequired[Annotated[CompilerWarnings, Field(description="Only if the compiler had warnings.")]]
    warnings: NotRequired[Warnings]


class CompletedEvent(FinalResult):
    """Body of the `submission.completed` webhook."""

    type: Literal["submission.completed"]
    timestamp: Annotated[str | None, SchemaOf(Time)]
    result_url: NotRequired[Annotated[str, Field(description="Only if the output was cut to fit 256 KiB.")]]


class Cancelling(TypedDict):
    """The submission is being stopped. It may still end by itself."""

    id: Uuid
    status: OpenStatus
    job_status: OpenStatus
    message: str


class KeptProgram(TypedDict):
    """The program of a run, for 24 hours."""

    id: Uuid
    request: Annotated[
        dict[str, Any],
        Field(description="The body of POST /api/submit without keep_code, env, metadata and the fields of webhooks."),
    ]
    expires_at: Time


class Deleted(TypedDict):
    """Code, input and output are deleted."""

    id: Uuid
    deleted: Literal[True]


@dataclass(frozen=True, slots=True)
class Shape:
    """How a client wants a result: the encoding of its streams, and the compact view."""

    encoding: Encoding | None = None
    is_compact: bool = False


WHOLE = Shape()
_STOPPING = "The run is being stopped. It may still end by itself before that: poll its result."


def waiting_body(behind: int) -> RunWaiting:
    """Return why a submission that has others before it has not begun."""
    return {"reason": "queue", "behind": behind}


def pending_body(submission: Submission, behind: int | None = None) -> OpenResult:
    """Return the result object of a submission that is not final. `behind`: see `others_before`."""
    status = open_status(submission)
    values = dict.fromkeys(("result", "output", "metrics", "evidence"))
    body = cast("OpenResult", {**head_fields(submission), "status": status, "job_status": status, **values})
    if behind:
        body["waiting"] = waiting_body(behind)
    return body


def cancelling_body(submission: Submission) -> Cancelling:
    """Return the body of 202 after a cancel. It must not have the key `verdict`."""
    status = open_status(submission)
    return {"id": submission.submission_id, "status": status, "job_status": status, "message": _STOPPING}


def accepted_body(submission: Submission, queue_depth: int, warnings: Sequence[str] = ()) -> Accepted:
    """Return the body of 202. It must not have the key `verdict`."""
    status = submission.status
    body: Accepted = {
        "id": submission.submission_id,
        "status": status,
        "job_status": status,
        "queue_depth": queue_depth,
    }
    if warnings:
        body["warnings"] = list(warnings)
    return body


def timeout_body(
    submission: Submission, path: str, warnings: Sequence[str] = (), behind: int | None = None
) -> WaitOver:
    """Return the body of 408: the wait is over, the run continues."""
    message = f"The run is not finished yet and continues. Poll GET {path}"
    body: WaitOver = {"id": submission.submission_id, "error": "timeout", "message": message}
    if behind:
        body["waiting"] = waiting_body(behind)
    if warnings:
        body["warnings"] = list(warnings)
    return body


def program_body(submission: Submission, request: dict[str, Any], expires_ms: int) -> KeptProgram:
    """Return a kept program."""
    return {"id": submission.submission_id, "request": request, "expires_at": to_rfc3339(expires_ms)}


def deleted_body(submission: Submission) -> Deleted:
    """Return the body of a deletion."""
    return {"id": submission.submission_id, "deleted": True}


def result_body(
    submission: Submission,
    stdout: bytes,
    stderr: bytes,
    *,
    encoding: Encoding | None = None,
    warnings: Sequence[str] = (),
) -> FinalResult:
    """Return the result object of a final submission.

    Invalid UTF-8 is replaced; with `encoding="base64"` both streams are exact.
    """
    status, integrity = final_status(submission), submission.integrity or ""
    shown_stdout, shown_stderr = _text(stdout, encoding), _text(stderr, encoding)
    output: Output = {"stdout": shown_stdout, "stderr": shown_stderr, "integrity": integrity}
    if encoding is not None:
        output["encoding"] = encoding
    final: _Final = {
        **head_fields(submission),
        "status": status,
        "job_status": status,
        "result": dict(submission.result),
        "output": output,
        "metrics": submission.metrics,
        "evidence": submission.evidence,
        **flat_fields(submission),
        "stdout": shown_stdout,
        "stderr": shown_stderr,
        "output_integrity": integrity,
    }
    body = cast("FinalResult", final)
    if submission.was_cancelled_too_late:
        body["cancelled_too_late"] = True
    if submission.compilation is not None:
        body["compile"] = {"stderr": submission.compilation["stderr"]}
    if submission.artifacts is not None:
        body["artifacts"] = [artifact_body(file) for file in submission.artifacts["stored"]]
        if submission.artifacts["skipped"]:
            body["artifacts_skipped"] = submission.artifacts["skipped"]
    if warnings:
        body["warnings"] = list(warnings)
    return body


def final_status(submission: Submission) -> FinalStatus:
    """Return the status of a final submission, as answers have it."""
    return "error" if submission.status is Status.ERROR else "completed"


def open_status(submission: Submission) -> OpenStatus:
    """Return the status of a submission that is not final, as answers have it."""
    return "running" if submission.status is Status.RUNNING else "pending"


def head_fields(submission: Submission) -> Head:
    """Return the fields that all bodies have."""
    return {
        "id": submission.submission_id,
        "schema_version": SCHEMA_VERSION,
        "language": submission.language,
        "profile": submission.profile,
        "timestamps": {
            "created_at": submission.created_at,
            "started_at": submission.started_at,
            "completed_at": submission.completed_at,
        },
        "metadata": dict(submission.metadata),
        "expires_at": to_rfc3339(submission.ttl * MS_PER_SEC),  # the end of its retention
    }


def flat_fields(submission: Submission) -> Flat:
    """Return the aliases of schema 1.0 of a final submission."""
    result, metrics = submission.result, submission.metrics or {}
    return {
        "verdict": submission.verdict,
        "exit_code": result.get("exit_code"),
        "signal": result.get("signal"),
        "error_message": result.get("error_message"),
        "cpu_time_secs": metrics.get("cpu_time_secs"),
        "wall_time_secs": metrics.get("wall_time_secs"),
        "memory_peak_bytes": metrics.get("memory_peak_bytes"),
        "created_at": submission.created_at,
        "started_at": submission.started_at,
        "completed_at": submission.completed_at,
    }


def _text(raw: bytes, encoding: Encoding | None) -> str:
    return base64.b64encode(raw).decode() if encoding else raw.decode(errors="replace")
