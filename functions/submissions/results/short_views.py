"""Shorter views of a submission: compact, an item of a list, a part of an output, a result cut to fit an answer."""

import base64
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NotRequired, TypedDict, cast

from pydantic import ConfigDict, Field, with_config

from events.completed import Result
from events.vocabulary import Actor, Cause, Phase, Verdict
from functions.http.json_body import body_text, escaped_bytes
from functions.http.openapi.bodies import Count, Measure, SchemaOf, Time, Uuid
from functions.submissions.model import Kind, Status, Submission
from functions.submissions.results.views import (
    Artifacts,
    CancelledTooLate,
    Encoding,
    FinalResult,
    FinalStatus,
    Flat,
    Head,
    LanguageName,
    MetricsBody,
    OpenResult,
    OpenStatus,
    Output,
    SkippedArtifacts,
    StreamName,
    Waiting,
    Warnings,
    final_status,
    flat_fields,
    head_fields,
    open_status,
)

# What a client sees with `view=compact`: no aliases, no evidence, no null.

_COMPACT = (
    *("id", "status", "waiting", "language", "result", "output", "artifacts", "artifacts_skipped", "metrics"),
    *("metadata", "cancelled_too_late"),
)
_COMPACT_METRICS = ("cpu_time_secs", "wall_time_secs", "memory_peak_bytes")


class _Compact(TypedDict):
    id: Uuid
    language: LanguageName
    metadata: NotRequired[Annotated[dict[str, str], Field(description="Left out if empty.")]]


@with_config(ConfigDict(extra="forbid"))
class CompactOpen(_Compact):
    """A submission without a verdict, with `view=compact`."""

    status: OpenStatus
    waiting: NotRequired[Waiting]


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
    cancelled_too_late: NotRequired[CancelledTooLate]
    metrics: NotRequired[Annotated[CompactMetrics, Field(description="Left out without measurements.")]]
    warnings: NotRequired[Warnings]


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


# What a client sees of a submission in a list.


class _Listed(Head):
    line: Annotated[
        str | None,
        Field(
            description="The first line of the error, of stderr if the program failed, or of stdout; the last one of a "
            "traceback of Python. At most 120 characters, all of them printable."
        ),
    ]
    source: Annotated[
        str | None,
        Field(
            description="By which way it came: api, console, cli, check, or the name of a dialect, such as mcp. The "
            "client names the first three itself. null in rows of earlier versions."
        ),
    ]


class OpenItem(_Listed):
    """A list item without a verdict."""

    kind: Literal["run"]
    status: OpenStatus
    job_status: OpenStatus
    result: None
    metrics: None


class FinalItem(_Listed, Flat):
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


class OpenJudgeItem(_Listed):
    """A judge run that is not finished, or that the platform failed, in a list."""

    kind: Literal["judge"]
    status: Status
    job_status: Status
    cases: Count
    metrics: Annotated[Mapping[str, Any] | None, SchemaOf(type(None))]


class FinalJudgeItem(_Listed, JudgeCounts):
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
    searched: NotRequired[Annotated[int, Field(description="With `q`: how many submissions were read, at most 1,000.")]]


def _listed(submission: Submission) -> _Listed:
    return {**head_fields(submission), "line": submission.line, "source": submission.source}


def summary_body(submission: Submission) -> OpenItem | FinalItem | OpenJudgeItem | FinalJudgeItem:
    """Return a list item: the result object without output and evidence; of a judge run, its counts and points."""
    if submission.kind is Kind.JUDGE:
        return _judge_item(submission)
    if submission.is_final:
        final = final_status(submission)
        return {
            **_listed(submission),
            "status": final,
            "job_status": final,
            "result": dict(submission.result),
            "metrics": submission.metrics,
            "kind": "run",
            **flat_fields(submission),
        }
    status = open_status(submission)
    return {
        **_listed(submission),
        "status": status,
        "job_status": status,
        "result": None,
        "metrics": None,
        "kind": "run",
    }


def _judge_item(submission: Submission) -> OpenJudgeItem | FinalJudgeItem:
    summary = submission.summary or {}
    item: OpenJudgeItem = {
        **_listed(submission),
        "status": submission.status,
        "job_status": submission.status,
        "metrics": submission.metrics,
        "kind": "judge",
        "cases": summary.get("cases", 0),
    }
    return cast("FinalJudgeItem", {**item, **summary["judged"]}) if "judged" in summary else item


# What a client sees of one output stream: a part of it, or a link to it.


class OutputPart(TypedDict):
    """A part of one output stream, from the offset `after`. Ask again with `after` = `next` until `final`.

    If `execution` is another one than in the answer before, leave this part and begin again with `after` = 0.
    """

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
    execution: NotRequired[
        Annotated[
            str,
            Field(
                description="Whose output it is. It changes if the run begins again, because its runner was lost: what "
                "was read before is void. Left out while no execution is known."
            ),
        ]
    ]


class OutputLink(TypedDict):
    """Where to get an output of more than 4 MiB: send this request as it is, without an API key."""

    size: Annotated[int, Field(description="In bytes.")]
    url: str
    method: Literal["GET"]
    expires_at: Time


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


def output_link(size: int, url: str, expires_at: str) -> OutputLink:
    """Return where to get a large output."""
    return {"size": size, "url": url, "method": "GET", "expires_at": expires_at}


RESPONSE_MAX_BYTES = 5 * 1024 * 1024
"""A larger body is shortened, as the contract says."""
LAMBDA_MAX_BYTES = 6 * 1024 * 1024 - 128 * 1024
"""Lambda's limit is 6 MB, with our body as a JSON string in it: see `escaped_bytes`."""
_STREAMS = ("stdout", "stderr")
_EMPTY_BYTES = len('"\\"\\""')


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
