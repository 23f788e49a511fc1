"""Settle messages of the dead-letter queues: record them if possible, else give their submission the verdict IE.

A request whose submission never began is not the end: SQS counts receives, also those of a runner that dies with all
its messages. The row is still due, so the sweeper sends it again until PENDING_MAX_MS have passed.
"""

import json
import re

from events.vocabulary import Cause
from functions.clock import from_rfc3339
from functions.errors import MessageInvalidError
from functions.messages.wire import parse_completions_message
from functions.submissions.complete.record import Recorder
from functions.submissions.model import NOT_RUN, PENDING_MAX_MS, Status

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def settle(body: str, recorder: Recorder) -> str:
    """Settle one message; return `hint`, `pending`, `recorded`, `ended`, `ignored` or `unreadable`."""
    # The type of the message identifies its queue.
    submission_id, kind = _read_loosely(body)
    if kind == "hint":
        return "hint"  # the row is still due, and the sweeper finds it
    if kind in {"execution_requested", "judge_requested"} and submission_id is not None:
        return _settle_request(submission_id, recorder)
    try:
        message = parse_completions_message(body)
        recorder.send(recorder.apply(message, recorder.rows_of([message])))
    except MessageInvalidError:
        if submission_id is None or kind in {"execution_started", "judge_progress"}:  # the pending row is still due
            return "unreadable"
        failed = recorder.fail(submission_id, Cause.IE_SUPERVISOR_FAILURE, "the answer of the runner could not be read")
        return "ended" if failed is not None else "ignored"
    return "recorded"


def _settle_request(submission_id: str, recorder: Recorder) -> str:
    row = recorder.submissions.get(submission_id)
    cause, problem = Cause.IE_SUPERVISOR_FAILURE, "the submission could not be run after several tries"
    if row is not None and row.status is Status.PENDING:
        if recorder.completer.clock() - from_rfc3339(row.created_at) <= PENDING_MAX_MS:
            return "pending"
        cause, problem = Cause.IE_NOT_RUN, NOT_RUN
    return "ended" if recorder.fail(submission_id, cause, problem) is not None else "ignored"


def submission_of(body: str) -> str | None:
    """Return the submission's id for the log; None if the message has none, or a malformed one."""
    submission_id, _ = _read_loosely(body)
    return submission_id if submission_id is not None and _UUID.fullmatch(submission_id) else None


def _read_loosely(body: str) -> tuple[str | None, str | None]:
    """Return submission id and type of a message that may be malformed; the type of a delivery hint is `hint`."""
    try:
        message = json.loads(body)
    except ValueError:
        return None, None
    if not isinstance(message, dict):
        return None, None
    if "event_id" in message and "type" not in message:
        return None, "hint"
    submission_id, kind = message.get("submission_id"), message.get("type")
    return (
        submission_id if isinstance(submission_id, str) and submission_id else None,
        kind if isinstance(kind, str) else None,
    )
