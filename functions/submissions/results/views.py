"""Build the result object, one body for clients of schema 1.0 and 2.0.

A final body has the nested form (2.0) and flat aliases (1.0). A body that is not final has null in the nested fields
and no flat keys: two SDKs stop polling as soon as the key `verdict` exists.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from functions.clock import MS_PER_SEC, to_rfc3339
from functions.http.json_body import body_text, escaped_bytes
from functions.submissions.model import Kind

if TYPE_CHECKING:
    from functions.http.json_body import Body
    from functions.submissions.model import Submission

SCHEMA_VERSION = "2.0"
RESPONSE_MAX_BYTES = 5 * 1024 * 1024
"""A larger body is shortened, as the contract says."""
LAMBDA_MAX_BYTES = 6 * 1024 * 1024 - 128 * 1024
"""Lambda's limit is 6 MB, with our body as a JSON string in it: see `escaped_bytes`."""

type Encoding = Literal["base64"]

_STREAMS = ("stdout", "stderr")
_COMPACT = ("id", "status", "language", "result", "output", "metrics", "metadata")
_COMPACT_METRICS = ("cpu_time_secs", "wall_time_secs", "memory_peak_bytes")
_EMPTY_BYTES = len('"\\"\\""')


@dataclass(frozen=True, slots=True)
class Shape:
    """How a client wants a result: the encoding of its streams, and the compact view."""

    encoding: Encoding | None = None
    is_compact: bool = False


WHOLE = Shape()


def pending_body(submission: Submission) -> Body:
    """Return the result object of a submission that is not final."""
    return _head(submission) | {
        "result": None,
        "output": None,
        "metrics": None,
        "evidence": None,
        "metadata": dict(submission.metadata),
        "expires_at": to_rfc3339(submission.ttl * MS_PER_SEC),
    }


def accepted_body(submission: Submission, queue_depth: int) -> Body:
    """Return the body of 202. It must not have the key `verdict`."""
    status = submission.status.value
    return {"id": submission.submission_id, "status": status, "job_status": status, "queue_depth": queue_depth}


def timeout_body(submission: Submission, path: str) -> Body:
    """Return the body of 408: the wait is over, the run continues."""
    message = f"The run is not finished yet and continues. Poll GET {path}"
    return {"id": submission.submission_id, "error": "timeout", "message": message}


def summary_body(submission: Submission) -> Body:
    """Return a list item: the result object without output and evidence; of a judge run, its counts and points."""
    body = pending_body(submission) | {"kind": submission.kind.value}
    del body["output"], body["evidence"]
    if submission.kind is Kind.JUDGE:
        del body["result"]
        summary = submission.summary or {}
        body |= {"cases": summary.get("cases", 0), "metrics": submission.metrics, **summary.get("judged", {})}
    elif submission.is_final:
        body |= {"result": dict(submission.result), "metrics": submission.metrics, **_flat(submission)}
    return body


def result_body(submission: Submission, stdout: bytes, stderr: bytes, *, encoding: Encoding | None = None) -> Body:
    """Return the result object of a final submission.

    Invalid UTF-8 is replaced; with `encoding="base64"` both streams are exact.
    """
    texts = {"stdout": _text(stdout, encoding), "stderr": _text(stderr, encoding)}
    output: Body = {**texts, "integrity": submission.integrity}
    if encoding is not None:
        output["encoding"] = encoding
    body = pending_body(submission) | {
        "result": dict(submission.result),
        "output": output,
        "metrics": submission.metrics,
        "evidence": submission.evidence,
    }
    body |= _flat(submission) | texts | {"output_integrity": submission.integrity}
    if submission.compilation is not None:
        body["compile"] = {"stderr": submission.compilation["stderr"]}
    return body


def compact(body: Body) -> Body:
    """Return what most clients of a result use: no aliases, no evidence, no null and no empty metadata."""
    kept = {name: body[name] for name in _COMPACT if body.get(name)}
    for name in ("result", "metrics"):
        if name in kept:
            kept[name] = {key: value for key, value in kept[name].items() if value is not None}
    if "metrics" in kept:
        kept["metrics"] = {name: value for name, value in kept["metrics"].items() if name in _COMPACT_METRICS}
    return kept


def serialise_within(body: Body, *, url: str, max_bytes: int = RESPONSE_MAX_BYTES) -> str:
    """Return a final body as JSON that fits into a response.

    A larger body first loses the flat copies of the output, then its streams are cut. It then has
    `truncated_in_response` and the URLs of the whole streams, `<url>/stdout` and `<url>/stderr`.
    """
    text = body_text(body)
    if fits_response(text, max_bytes):
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


def _head(submission: Submission) -> Body:
    return {
        "id": submission.submission_id,
        "schema_version": SCHEMA_VERSION,
        "language": submission.language,
        "profile": submission.profile,
        "status": submission.status.value,
        "job_status": submission.status.value,
        "timestamps": {
            "created_at": submission.created_at,
            "started_at": submission.started_at,
            "completed_at": submission.completed_at,
        },
    }


def _flat(submission: Submission) -> Body:
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
