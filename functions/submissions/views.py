"""The result object: one body for both generations of clients.

The nested form (schema 2.0) and flat aliases (schema 1.0) stand side by side in a final body. A body that is not final
has null in the nested places and no flat key at all: two SDKs stop polling as soon as the key `verdict` exists.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Literal

from functions.clock import MS_PER_SEC, to_rfc3339
from functions.http.json_body import to_json
from functions.http.paths import result_path

if TYPE_CHECKING:
    from functions.http.json_body import Body
    from functions.submissions.model import Submission

SCHEMA_VERSION = "2.0"
RESPONSE_MAX_BYTES = 5 * 1024 * 1024
"""Contract: a body over this is made smaller."""
LAMBDA_MAX_BYTES = 6 * 1024 * 1024 - 128 * 1024
"""A function may answer 6 MB, in which our body is a string in JSON: see `_escaped_bytes`."""

type Encoding = Literal["base64"]

_STREAMS = ("stdout", "stderr")
_NOTHING_BYTES = len('"\\"\\""')


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
    """Answer of 202: it is queued, or on its way. `verdict` must not be there."""
    status = submission.status.value
    return {"id": submission.submission_id, "status": status, "job_status": status, "queue_depth": queue_depth}


def timeout_body(submission: Submission, path: str) -> Body:
    """Answer of 408: the wait is over, the run goes on."""
    message = f"The run is not finished yet and goes on. Ask again: GET {path}"
    return {"id": submission.submission_id, "error": "timeout", "message": message}


def summary_body(submission: Submission) -> Body:
    """One item of a list: the result object without output and evidence."""
    body = pending_body(submission)
    del body["output"], body["evidence"]
    if submission.is_final:
        body |= {"result": dict(submission.result), "metrics": submission.metrics, **_flat(submission)}
    return body


def result_body(
    submission: Submission,
    stdout: bytes,
    stderr: bytes,
    *,
    encoding: Encoding | None = None,
    result_base_url: str = "",
) -> Body:
    """Return the result object of a final submission.

    Text replaces invalid UTF-8; with `encoding="base64"` both streams are exact. With `result_base_url` (no slash at
    its end) the body names the result's own address.
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
    if result_base_url:
        body["result_url"] = f"{result_base_url}{result_path(submission.submission_id)}"
    return body


def serialise_within(body: Body, *, url: str, max_bytes: int = RESPONSE_MAX_BYTES) -> str:
    """Write a final body as JSON that fits into a response.

    If it does not, the flat copies of the output go first, then the streams are cut; the body then says so and names
    `<url>/stdout` and `<url>/stderr`, which give every byte.
    """
    text = to_json(body)
    if _fits(text, max_bytes):
        return text
    output = body["output"] | {"truncated_in_response": True}
    output |= {f"{stream}_url": f"{url}/{stream}" for stream in _STREAMS}
    smaller = {name: value for name, value in body.items() if name not in _STREAMS}
    text = to_json(smaller | {"output": output})
    if _fits(text, max_bytes):
        return text
    room = max_bytes - _escaped_bytes(to_json(smaller | {"output": output | dict.fromkeys(_STREAMS, "")}))
    # The shorter stream first: what it leaves of its half is the other's.
    for share, stream in zip((2, 1), sorted(_STREAMS, key=lambda name: len(output[name])), strict=True):
        output[stream] = _cut(output[stream], room // share)
        room -= _escaped_bytes(to_json(output[stream]))
    return to_json(smaller | {"output": output})


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


def _fits(text: str, max_bytes: int) -> bool:
    size = len(text.encode())
    # Escaping at most triples a text (a letter of two bytes becomes \u00e9), so small ones need no second look.
    return size <= max_bytes and (size <= LAMBDA_MAX_BYTES // 3 or _escaped_bytes(text) <= LAMBDA_MAX_BYTES)


def _cut(text: str, room_bytes: int) -> str:
    """Return as much of the text's start as fits, in whole groups of base64."""
    while (size := _escaped_bytes(to_json(text))) > max(room_bytes, _NOTHING_BYTES):
        # Shrink by the ratio seen, and a little more, so that a few rounds do.
        kept = len(text) * max(room_bytes, 0) // size * 15 // 16
        text = text[: kept // 4 * 4]
    return text


def _escaped_bytes(text: str) -> int:
    """Bytes of a text as a JSON string, with everything but ASCII escaped: our body is one in the function's response.

    The runtime of Python 3.13 leaves letters as they are, others and the local stack escape them: take the larger.
    """
    return len(json.dumps(text))
