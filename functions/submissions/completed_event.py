"""The body of a `submission.completed` webhook: the result object with type and timestamp, at most 256 KiB."""

import codecs
from collections.abc import Callable, Mapping
from typing import Any

from functions.aws.payloads import PayloadMissingError, Payloads
from functions.http.paths import result_path
from functions.submissions.judge_runs import JudgeRuns
from functions.submissions.model import Kind, Submission, event_id_for
from functions.submissions.views import result_body
from functions.webhooks.cut_body import CUT_OUTPUT_BYTES, event_bytes
from functions.webhooks.deliveries.model import Event
from functions.webhooks.event_types import EVENT_COMPLETED

MAX_BODY_BYTES = 256 * 1024

type Render = Callable[[bytes, bytes], Mapping[str, Any]]
"""`render(stdout, stderr)` returns the result object of a final submission."""


def completed_event(submission: Submission, body: bytes) -> Event:
    """Return the event of a final submission."""
    return Event(
        event_id=submission.event_id or event_id_for(submission.submission_id, EVENT_COMPLETED),
        type=EVENT_COMPLETED,
        project_id=submission.project_id,
        submission_id=submission.submission_id,
        body=body,
        correlation_id=submission.correlation_id or "",
        traceparent=submission.traceparent or "",
    )


def event_of(judge_runs: JudgeRuns, payloads: Payloads, public_base_url: str, final: Submission) -> Event:
    """Return the event of a final submission, with its body."""
    if final.kind is Kind.JUDGE:
        return judge_runs.event(final)
    return completed_event(final, render_event(final, payloads, public_base_url))


def render_event(final: Submission, payloads: Payloads, public_base_url: str) -> bytes:
    """Return the event body of a final submission, with output from the bucket if it is there."""
    return completed_body(
        lambda stdout, stderr: result_body(final, stdout, stderr),
        stdout=_stream(payloads, final.submission_id, final.stdout, final.stdout_key),
        stderr=_stream(payloads, final.submission_id, final.stderr, final.stderr_key),
        result_url=public_base_url + result_path(final.submission_id),
    )


def completed_body(render: Render, *, stdout: bytes, stderr: bytes, result_url: str) -> bytes:
    """Return the event body as JSON in UTF-8. The same submission always gives the same bytes.

    If the body would be over 256 KiB, both streams are cut to 8 KiB of text. It then has `truncated_in_event` and the
    URL of the whole result.
    """
    body = whole_body(render, stdout=stdout, stderr=stderr)
    if body is not None:
        return body
    result = dict(render(_cut(stdout), _cut(stderr)))
    result["output"] = {**result["output"], "truncated_in_event": True}
    return event_bytes(_event_of({**result, "result_url": result_url}))


def whole_body(render: Render, *, stdout: bytes, stderr: bytes) -> bytes | None:
    """Return the uncut event body, or None if it is over 256 KiB."""
    if len(stdout) + len(stderr) > MAX_BODY_BYTES:
        return None
    body = event_bytes(_event_of(render(stdout, stderr)))
    return body if len(body) <= MAX_BODY_BYTES else None


def _stream(payloads: Payloads, submission_id: str, inline: bytes | None, key: str | None) -> bytes:
    if key is None:
        return inline or b""
    try:
        return payloads.get_output(submission_id, key)
    except PayloadMissingError:  # deleted or expired meanwhile; targets still get the verdict
        return b""


def _event_of(result: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": EVENT_COMPLETED, "timestamp": result["completed_at"], **result}


def _cut(output: bytes) -> bytes:
    """Return up to 8 KiB of the decoded text (invalid UTF-8 replaced), cut between characters."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(output[:CUT_OUTPUT_BYTES], final=len(output) <= CUT_OUTPUT_BYTES)
    return text.encode()[:CUT_OUTPUT_BYTES].decode(errors="ignore").encode()
