"""What becomes of a message that was received too often: its submission ends as IE, unless it is recorded after all."""

import json

from functions.errors import MessageInvalidError
from functions.messages.verdict import Cause
from functions.messages.wire import parse_completions_message
from functions.submissions.complete import Completions


def bury(body: str, completions: Completions) -> str:
    """Settle one message of a dead-letter queue and say how: `hint`, `recorded`, `ended`, `ignored` or `unreadable`.

    The queue is told by the message itself: only submissions ask for an execution, only deliveries are hints.
    """
    submission_id, kind = _read_loosely(body)
    if kind in {"hint", "fanouts_due"}:
        return "hint"  # the row is what counts, and the due index finds it
    if kind == "execution_requested" and submission_id is not None:
        failed = completions.fail(
            submission_id, Cause.IE_SUPERVISOR_FAILURE, "the submission could not be run after several tries"
        )
        return "ended" if failed is not None else "ignored"
    try:
        completions.apply(parse_completions_message(body))
    except MessageInvalidError:
        if submission_id is None or kind == "execution_started":  # the due key of a pending row is untouched
            return "unreadable"
        failed = completions.fail(
            submission_id, Cause.IE_SUPERVISOR_FAILURE, "the answer of the runner could not be read"
        )
        return "ended" if failed is not None else "ignored"
    return "recorded"


def _read_loosely(body: str) -> tuple[str | None, str | None]:
    """Submission id and type of a message that may be broken; `hint` for that of a delivery."""
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
