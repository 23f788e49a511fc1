"""The body of a `submission.completed` webhook: the result object with type and timestamp, at most 256 KiB."""

import codecs
from typing import cast

from functions.aws.payloads import Payloads
from functions.event_log.cut_body import CUT_SIZES, event_bytes
from functions.event_log.model import Event
from functions.http.paths import result_path
from functions.submissions.complete.judge_runs import JudgeRuns
from functions.submissions.model import Kind, Submission
from functions.submissions.results.output import output_if_kept
from functions.submissions.results.views import CompletedEvent, FinalResult, result_body
from functions.webhooks.vocabulary import EVENT_COMPLETED

MAX_BODY_BYTES = 256 * 1024


def event_of(judge_runs: JudgeRuns, payloads: Payloads, public_base_url: str, final: Submission) -> Event:
    """Return the event of a final submission. Without the output that was deleted, targets still get the verdict."""
    if final.kind is Kind.JUDGE:
        return judge_runs.event(final)
    stdout, stderr = output_if_kept(payloads, final, "stdout"), output_if_kept(payloads, final, "stderr")
    return submission_event(final, completed_body(final, stdout, stderr, public_base_url))


def submission_event(final: Submission, body: bytes) -> Event:
    """Return the event with this body."""
    return Event(
        event_id=final.submission_id,
        type=final.event_type,
        project_id=final.project_id,
        body=body,
        submission_id=final.submission_id,
        correlation_id=final.correlation_id or "",
        traceparent=final.traceparent or "",
    )


def completed_body(final: Submission, stdout: bytes, stderr: bytes, public_base_url: str) -> bytes:
    """Return the event body as JSON in UTF-8. The same submission always gives the same bytes.

    If the body would be over 256 KiB, both streams are cut to at most 8 KiB of text, or 1 KiB if that is still too
    much. It then has `truncated_in_event` and the URL of the whole result.
    """
    if len(stdout) + len(stderr) <= MAX_BODY_BYTES:
        body = event_bytes(_with_type(result_body(final, stdout, stderr)))
        if len(body) <= MAX_BODY_BYTES:
            return body
    url = public_base_url + result_path(final.submission_id)
    body = b""
    for kept_bytes in CUT_SIZES:
        result = result_body(final, _cut(stdout, kept_bytes), _cut(stderr, kept_bytes))
        result["output"]["truncated_in_event"] = True
        body = event_bytes({**_with_type(result), "result_url": url})
        if len(body) <= MAX_BODY_BYTES:
            break
    return body


def _with_type(result: FinalResult) -> CompletedEvent:
    body = {"type": EVENT_COMPLETED, "timestamp": result["completed_at"], **result}
    return cast("CompletedEvent", body)


def _cut(output: bytes, kept_bytes: int) -> bytes:
    """Return up to `kept_bytes` of the decoded text (invalid UTF-8 replaced), cut between characters."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(output[:kept_bytes], final=len(output) <= kept_bytes)
    return text.encode()[:kept_bytes].decode(errors="ignore").encode()
