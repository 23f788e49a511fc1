"""What a client sees of a submission. Each `TypedDict` is a schema of the OpenAPI document.

The result object is one body for clients of schema 1.0 and 2.0. A final body has the nested form (2.0) and flat
aliases (1.0). A body that is not final has null in the nested fields and no flat keys: two SDKs stop polling as soon
as the key `verdict` exists.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, TypedDict, cast

from pydantic import ConfigDict, Field, with_config

from functions.clock import MS_PER_SEC, to_rfc3339
from functions.http.json_body import body_text, escaped_bytes
from functions.http.openapi.bodies import SchemaOf, Time, Uuid
from functions.messages.base import Result
from functions.messages.evidence import Count, Evidence, Measure, Metrics
from functions.messages.languages import Language, Profile
from functions.messages.verdict import Actor, Cause, Integrity, Phase, Verdict
from functions.submissions.model import Kind, Status, Submission

SCHEMA_VERSION: Literal["2.0"] = "2.0"
RESPONSE_MAX_BYTES = 5 * 1024 * 1024
"""A larger body is shortened, as the contract says."""
LAMBDA_MAX_BYTES = 6 * 1024 * 1024 - 128 * 1024
"""Lambda's limit is 6 MB, with our body as a JSON string in it: see `escaped_bytes`."""

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
Warnings = Annotated[list[str], Field(description="Only if the request had unknown fields: each is named.")]

_STREAMS = ("stdout", "stderr")
_COMPACT = ("id", "status", "language", "result", "output", "artifacts", "artifacts_skipped", "metrics", "metadata")
_COMPACT_METRICS = ("cpu_time_secs", "wall_time_secs", "memory_peak_bytes")
_EMPTY_BYTES = len('"\\"\\""')


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


class OutputPart(TypedDict):
    """A part of one output stream, from the offset `after`. Ask again with `after` = `next` until `final`."""

    id: Uuid
    status: Status
    stream: StreamName
    after: Count
    output: Annotated[str, Field(description="Text; base64 with `encoding`. Empty: there was none in time.")]
    encoding: NotRequired[
        Annotated[Literal["base64"], Field(description="If it is not UTF-8, or ?encoding=base64 asks for it.")]
    ]
    next: Annotated[Count, Field(description="The offset of the next byte.")]
    final: Annotated[bool, Field(description="The run is finished, and this is the end of its output.")]


class _Start(TypedDict):
    id: Uuid
    schema_version: Literal["2.0"]
    language: LanguageName
    profile: ProfileName


class Head(_Start):
    """What all bodies of a submission have."""

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


class _Flat(TypedDict):
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


class _Final(Head, _Flat):
    status: FinalStatus
    job_status: FinalStatus
    result: Annotated[dict[str, Any], SchemaOf(Result)]
    output: Output
    metrics: MetricsBody | None
    evidence: EvidenceBody | None
    stdout: NotRequired[Annotated[str, Field(description="Left out if the body would be over 5 MiB.")]]
    stderr: NotRequired[Annotated[str, Field(description="Left out if the body would be over 5 MiB.")]]
    output_integrity: IntegrityName


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


class OutputLink(TypedDict):
    """Where to get an output of more than 4 MiB: send this request as it is, without an API key."""

    size: Annotated[int, Field(description="In bytes.")]
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


Artifacts = Annotated[list[ArtifactBody], Field(description="Only if the request asked for artifacts.")]
SkippedArtifacts = Annotated[list[SkippedArtifactBody], Field(description="Only if there are such; the first 20.")]


class FinalResult(_Final):
    """A finished submission: the nested form (schema 2.0), and flat aliases (schema 1.0)."""

    artifacts: NotRequired[Artifacts]
    artifacts_skipped: NotRequired[SkippedArtifacts]
    compile: NotRequired[Annotated[CompilerWarnings, Field(description="Only if the compiler had warnings.")]]
    warnings: NotRequired[Warnings]


class CompletedEvent(FinalResult):
    """Body of the `submission.completed` webhook."""

    type: Literal["submission.completed"]
    timestamp: Annotated[str | None, SchemaOf(Time)]
    result_url: NotRequired[Annotated[str, Field(description="Only if the output was cut to fit 256 KiB.")]]


class _Compact(TypedDict):
    id: Uuid
    language: LanguageName
    metadata: NotRequired[Annotated[dict[str, str], Field(description="Left out if empty.")]]


@with_config(ConfigDict(extra="forbid"))
class CompactOpen(_Compact):
    """A submission without a verdict, with `view=compact`."""

    status: OpenStatus


@with_config(ConfigDict(extra="ignore"))  # not that of the body around it
class CompactResult(TypedDict):
    """The verdict and its reasons. Unknown values are left out."""

    verdict: Verdict
    cause: Cause
    actor: Actor
    phase: Phase
    exit_code: NotRequired[Annotated[int, Field(description="Left out if the program did not exit by itself.")]]
    signal: NotRequired[Annotated[int, Field(description="Left out if no signal ended the program.")]]
    error_message: NotRequired[Annotated[str, Field(description="Left out if there is nothing to say.")]]


@with_config(ConfigDict(extra="ignore"))
class CompactMetrics(TypedDict, total=False):
    """The measurements. One that is missing is left out."""

    cpu_time_secs: Measure
    wall_time_secs: Measure
    memory_peak_bytes: Count


@with_config(ConfigDict(extra="forbid"))
class CompactFinal(_Compact):
    """A finished submission, with `view=compact`: no aliases, no evidence, no null."""

    status: FinalStatus
    result: CompactResult
    output: Output
    artifacts: NotRequired[Artifacts]
    artifacts_skipped: NotRequired[SkippedArtifacts]
    metrics: NotRequired[Annotated[CompactMetrics, Field(description="Left out without measurements.")]]
    warnings: NotRequired[Warnings]


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


class Cancelling(TypedDict):
    """The submission is being stopped."""

    id: Uuid
    status: OpenStatus
    job_status: OpenStatus


class KeptProgram(TypedDict):
    """The program of a run, for 24 hours."""

    id: Uuid
    request: Annotated[
        dict[str, Any],
        Field(description="The body of POST /api/submit, without metadata, webhook_url, webhook_secret and keep_code."),
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


def pending_body(submission: Submission) -> OpenResult:
    """Return the result object of a submission that is not final."""
    status = open_status(submission)
    return {
        **_start(submission),
        "status": status,
        "job_status": status,
        "timestamps": timestamps(submission),
        "result": None,
        "output": None,
        "metrics": None,
        "evidence": None,
        "metadata": dict(submission.metadata),
        "expires_at": expires_at(submission),
    }


def cancelling_body(submission: Submission) -> Cancelling:
    """Return the body of 202 after a cancel. It must not have the key `verdict`."""
    status = open_status(submission)
    return {"id": submission.submission_id, "status": status, "job_status": status}


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


def timeout_body(submission: Submission, path: str, warnings: Sequence[str] = ()) -> WaitOver:
    """Return the body of 408: the wait is over, the run continues."""
    message = f"The run is not finished yet and continues. Poll GET {path}"
    body: WaitOver = {"id": submission.submission_id, "error": "timeout", "message": message}
    if warnings:
        body["warnings"] = list(warnings)
    return body


def output_part(
    submission: Submission, stream: StreamName, after: int, content: bytes, *, is_end: bool, encoding: Encoding | None
) -> OutputPart:
    """Return a part of the output. `is_end`: of a final submission, with nothing after it."""
    shown, text = content, None
    if encoding is None:
        shown, text = _whole_text(content, is_end=is_end)
    part: OutputPart = {
        "id": submission.submission_id,
        "status": submission.status,
        "stream": stream,
        "after": after,
        "output": base64.b64encode(shown).decode() if text is None else text,
        "next": after + len(shown),
        "final": is_end,
    }
    if text is None:
        part["encoding"] = "base64"
    return part


def _whole_text(content: bytes, *, is_end: bool) -> tuple[bytes, str | None]:
    """Return bytes and their text; None: they are not UTF-8. The beginning of a character waits for its rest."""
    try:
        return content, content.decode()
    except UnicodeDecodeError as error:
        is_unfinished = error.reason == "unexpected end of data" and not is_end
        if is_unfinished and error.start > 0:
            return content[: error.start], content[: error.start].decode()
        return content, None


def program_body(submission: Submission, request: dict[str, Any], expires_ms: int) -> KeptProgram:
    """Return a kept program."""
    return {"id": submission.submission_id, "request": request, "expires_at": to_rfc3339(expires_ms)}


def deleted_body(submission: Submission) -> Deleted:
    """Return the body of a deletion."""
    return {"id": submission.submission_id, "deleted": True}


def summary_body(submission: Submission) -> OpenItem | FinalItem | OpenJudgeItem | FinalJudgeItem:
    """Return a list item: the result object without output and evidence; of a judge run, its counts and points."""
    if submission.kind is Kind.JUDGE:
        return _judge_item(submission)
    if submission.is_final:
        final = final_status(submission)
        return {
            **_start(submission),
            "status": final,
            "job_status": final,
            "timestamps": timestamps(submission),
            "result": dict(submission.result),
            "metrics": submission.metrics,
            "metadata": dict(submission.metadata),
            "expires_at": expires_at(submission),
            "kind": "run",
            **_flat(submission),
        }
    status = open_status(submission)
    return {
        **_start(submission),
        "status": status,
        "job_status": status,
        "timestamps": timestamps(submission),
        "result": None,
        "metrics": None,
        "metadata": dict(submission.metadata),
        "expires_at": expires_at(submission),
        "kind": "run",
    }


def _judge_item(submission: Submission) -> OpenJudgeItem | FinalJudgeItem:
    summary = submission.summary or {}
    item: OpenJudgeItem = {
        **_start(submission),
        "status": submission.status,
        "job_status": submission.status,
        "timestamps": timestamps(submission),
        "metrics": submission.metrics,
        "metadata": dict(submission.metadata),
        "expires_at": expires_at(submission),
        "kind": "judge",
        "cases": summary.get("cases", 0),
    }
    return cast("FinalJudgeItem", {**item, **summary["judged"]}) if "judged" in summary else item


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
        **_start(submission),
        "status": status,
        "job_status": status,
        "timestamps": timestamps(submission),
        "result": dict(submission.result),
        "output": output,
        "metrics": submission.metrics,
        "evidence": submission.evidence,
        "metadata": dict(submission.metadata),
        "expires_at": expires_at(submission),
        **_flat(submission),
        "stdout": shown_stdout,
        "stderr": shown_stderr,
        "output_integrity": integrity,
    }
    body = cast("FinalResult", final)
    if submission.compilation is not None:
        body["compile"] = {"stderr": submission.compilation["stderr"]}
    if submission.artifacts is not None:
        body["artifacts"] = [artifact_body(file) for file in submission.artifacts["stored"]]
        if submission.artifacts["skipped"]:
            body["artifacts_skipped"] = submission.artifacts["skipped"]
    if warnings:
        body["warnings"] = list(warnings)
    return body


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


def output_link(size: int, url: str, expires_at: str) -> OutputLink:
    """Return where to get a large output."""
    return {"size": size, "url": url, "method": "GET", "expires_at": expires_at}


def compact(body: FinalResult | OpenResult) -> CompactFinal | CompactOpen:
    """Return what most clients of a result use: no aliases, no evidence, no null and no empty metadata."""
    whole: Mapping[str, Any] = body
    kept = {name: whole[name] for name in _COMPACT if whole.get(name)}
    for name in ("result", "metrics"):
        if name in kept:
            kept[name] = {key: value for key, value in kept[name].items() if value is not None}
    if "metrics" in kept:
        kept["metrics"] = {name: value for name, value in kept["metrics"].items() if name in _COMPACT_METRICS}
    if "warnings" in whole:
        kept["warnings"] = whole["warnings"]
    return cast("CompactFinal | CompactOpen", kept)


def serialise_within(
    body: Mapping[str, Any], *, url: str, max_bytes: int = RESPONSE_MAX_BYTES, is_cut: bool = False
) -> str:
    """Return a final body as JSON that fits into a response. `is_cut`: it has only the beginning of an output.

    A larger body first loses the flat copies of the output, then its streams are cut. It then has
    `truncated_in_response` and the URLs of the whole streams, `<url>/stdout` and `<url>/stderr`.
    """
    text = body_text(body)
    if not is_cut and fits_response(text, max_bytes):
        return text
    output = body["output"] | {"truncated_in_response": True}
    output |= {f"{stream}_url": f"{url}/{stream}" for stream in _STREAMS}
    smaller = {name: value for name, value in body.items() if name not in _STREAMS}
    text = body_text(smaller | {"output": output})
    if fits_response(text, max_bytes):
        return text
    left_bytes = max_bytes - escaped_bytes(body_text(smaller | {"output": output | dict.fromkeys(_STREAMS, "")}))
    # The shorter stream first: the longer one gets the unused part of its half.
    for share, stream in zip((2, 1), sorted(_STREAMS, key=lambda name: len(output[name])), strict=True):
        output[stream] = _cut(output[stream], left_bytes // share)
        left_bytes -= escaped_bytes(body_text(output[stream]))
    return body_text(smaller | {"output": output})


def final_status(submission: Submission) -> FinalStatus:
    """Return the status of a final submission, as answers have it."""
    return "error" if submission.status is Status.ERROR else "completed"


def open_status(submission: Submission) -> OpenStatus:
    """Return the status of a submission that is not final, as answers have it."""
    return "running" if submission.status is Status.RUNNING else "pending"


def timestamps(submission: Submission) -> Timestamps:
    """Return the times of a submission."""
    return {
        "created_at": submission.created_at,
        "started_at": submission.started_at,
        "completed_at": submission.completed_at,
    }


def expires_at(submission: Submission) -> str:
    """Return the end of its retention."""
    return to_rfc3339(submission.ttl * MS_PER_SEC)


def _start(submission: Submission) -> _Start:
    return {
        "id": submission.submission_id,
        "schema_version": SCHEMA_VERSION,
        "language": submission.language,
        "profile": submission.profile,
    }


def _flat(submission: Submission) -> _Flat:
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


def fits_response(text: str, max_bytes: int = RESPONSE_MAX_BYTES) -> bool:
    """Tell whether a body fits into an answer of ours and of Lambda."""
    size = len(text.encode())
    # Escaping at most triples a text (a letter of two bytes becomes \u00e9), so small texts need no exact check.
    return size <= max_bytes and (size <= LAMBDA_MAX_BYTES // 3 or escaped_bytes(text) <= LAMBDA_MAX_BYTES)


def _cut(text: str, max_bytes: int) -> str:
    """Return the longest start of the text that fits, in whole groups of base64."""
    while (size := escaped_bytes(body_text(text))) > max(max_bytes, _EMPTY_BYTES):
        # Shrink by the measured ratio and a little more, so that a few rounds suffice.
        kept = len(text) * max(max_bytes, 0) // size * 15 // 16
        text = text[: kept // 4 * 4]
    return text
