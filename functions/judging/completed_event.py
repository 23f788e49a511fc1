"""The body of a `judge.completed` event: the answer with type and timestamp, at most 255 KiB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from functions.event_log.cut_body import CUT_SIZES, event_bytes
from functions.http.paths import judge_path
from functions.judging.views import OUTPUT_MAX_BYTES, drop_messages, final_body
from functions.webhooks.vocabulary import EVENT_JUDGED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.judged import CaseResult
    from functions.judging.case_view import JudgedCase
    from functions.judging.views import FinalJudgeRun, JudgeCompletedEvent
    from functions.submissions.model import Submission

MAX_BODY_BYTES = 255 * 1024
"""The event bus takes 256 KiB with the project and the names, and never has to cut this body."""


def judge_event_body(final: Submission, cases: Sequence[CaseResult], public_base_url: str) -> bytes:
    """Return the body as JSON in UTF-8. The same judge run always gives the same bytes.

    A body over 255 KiB keeps at most 8 KiB of the outputs of all cases together, then loses the messages of its
    checkers, and keeps 1 KiB if that is still too much, and at last has no results. It then has `truncated_in_event`
    and the URL of the whole answer.
    """
    body = event_bytes(_event_of(final_body(final, cases, max_bytes=OUTPUT_MAX_BYTES)))
    if len(body) <= MAX_BODY_BYTES:
        return body
    cut = {"truncated_in_event": True, "result_url": public_base_url + judge_path(final.submission_id)}
    for kept_bytes in CUT_SIZES:
        short = final_body(final, cases, max_bytes=kept_bytes)
        _cut_outputs(short["results"], kept_bytes)
        body = event_bytes({**_event_of(short), **cut})
        if len(body) > MAX_BODY_BYTES:
            drop_messages(short)
            body = event_bytes({**_event_of(short), **cut})
        if len(body) <= MAX_BODY_BYTES:
            return body
    short["results"] = []  # of 1,000 cases
    return event_bytes({**_event_of(short), **cut})


def _event_of(answer: FinalJudgeRun) -> JudgeCompletedEvent:
    body = {"type": EVENT_JUDGED, "timestamp": answer["timestamps"]["completed_at"], **answer}
    return cast("JudgeCompletedEvent", body)


def _cut_outputs(cases: Sequence[JudgedCase], kept_bytes: int) -> None:
    """Keep the first `kept_bytes` of the streams of all cases together."""
    left = kept_bytes
    for case in cast("Sequence[dict[str, Any]]", cases):
        for name in ("stdout", "stderr"):
            if case[name] is None:
                continue
            whole = case[name].encode()
            kept = whole[: max(left, 0)]
            left -= len(kept)
            case[name] = kept.decode(errors="ignore")
            if len(kept) < len(whole):
                case[f"{name}_truncated"] = True
