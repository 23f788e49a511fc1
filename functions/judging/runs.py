"""Judge runs for the parts that end, repeat and announce submissions: see `functions.submissions.completion`."""

import base64
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, cast

from events import MessageInvalidError
from events.judged import (
    CHECKS_OUT_OF_TIME,
    MAX_CASES_BYTES,
    OUT_OF_TIME,
    SIGN_OF_LIFE_SECS,
    CaseResult,
    CaseResults,
    Compilation,
    JudgeCompleted,
    JudgeProgress,
)
from events.message import MAX_MESSAGE_BYTES, as_fields, read, write
from events.vocabulary import Integrity, Outcome
from functions.aws.dynamodb.conditional import ConditionalUpdate, check, put
from functions.aws.dynamodb.items import Value, key, to_item
from functions.aws.dynamodb.row_codec import read_compressed
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact
from functions.aws.payloads import PayloadMissingError, Payloads
from functions.clock import MS_PER_SEC, from_rfc3339
from functions.env import Env
from functions.event_log.model import CUT_SIZES, Event, event_bytes
from functions.http.parameters import judge_path
from functions.judging.model import Plan
from functions.judging.score import score
from functions.judging.views import (
    OUTPUT_MAX_BYTES,
    FinalJudgeRun,
    JudgeCompletedEvent,
    JudgedCase,
    counts,
    drop_messages,
    final_body,
    outcomes_of,
)
from functions.submissions.completed_event import submission_event
from functions.submissions.model import (
    INLINE_OUTPUT_MAX_BYTES,
    LONGEST_RUN_MS,
    Completion,
    Status,
    Submission,
)
from functions.submissions.store import submission_key, submission_pk
from functions.webhooks.vocabulary import EVENT_JUDGED

# Finished cases of judge runs that are not final: one item for each progress message, for a day.
#
# They have no outputs and no messages of checkers, so a deleted judge run leaves nothing of its program behind.

KEPT_SECS = 86_400
LONG_MS = SIGN_OF_LIFE_SECS * MS_PER_SEC // 2
"""From this age on, progress moves the due time of a judge run. No judge run is due earlier."""


class ProgressStore(Table):
    """Progress items in the submissions table."""

    table_setting = "submissions_table"

    def add(self, message: JudgeProgress, *, compresses: bool) -> None:
        """Keep the cases of a message, unless its judge run is final or gone. A lost one costs a poll some cases."""
        pk = submission_pk(message.submission_id)
        cases = tuple(case.changed(checker_message=None, team_message=None) for case in message.cases)
        item: dict[str, Value] = {
            "pk": pk,
            "sk": f"{_prefix(message.execution_id)}{message.sent_at}",
            "cases": _stored(write(CaseResults(cases=cases)), compresses=compresses),
            "ttl": self._clock() // MS_PER_SEC + KEPT_SECS,
        }
        at, condition = submission_key(message.submission_id), "#status IN (:pending, :running)"
        values: dict[str, Value] = {"pending": Status.PENDING.value, "running": Status.RUNNING.value}
        is_open = check(self.table_name, at, condition, values)
        if _is_long(message):  # also move its due time: a runner is still at work
            due = ("#due_at_ms = #run_budget_ms + :now",)
            update = ConditionalUpdate({}, condition, {**values, "now": self._clock()}, computed=due)
            is_open = update.action(self.table_name, at)
        progress = [put(self.table_name, to_item(item))] if message.cases else []
        transact(self._client, {"row": is_open, "progress": progress})

    def cases(self, row: Submission) -> tuple[CaseResult, ...]:
        """Return the finished cases of a judge run's current execution, by index."""
        known: dict[int, CaseResult] = {}
        for item in self._list(submission_pk(row.submission_id), _prefix(row.execution_id)):
            stored = read(read_compressed(item["cases"]), CaseResults, MAX_MESSAGE_BYTES)
            known |= {case.index: case for case in stored.cases}
        return tuple(known[index] for index in sorted(known))

    def delete(self, submission_id: str) -> None:
        for item in self._list(submission_pk(submission_id), _PREFIX):
            self._client.delete_item(TableName=self.table_name, Key=key(item["pk"], item["sk"]))


_PREFIX = "PROGRESS#"


def _stored(text: bytes, *, compresses: bool) -> bytes:
    """Return the text of an attribute: the results of 50 cases are 15 KiB, compressed 1 (`CompressCases`)."""
    return zlib.compress(text) if compresses else text


def _is_long(message: JudgeProgress) -> bool:
    """Tell whether a judge run comes near its due time: it may wait for its slot between two cases."""
    return LONG_MS <= from_rfc3339(message.sent_at) - from_rfc3339(message.started_at) < LONGEST_RUN_MS


def _prefix(execution_id: str) -> str:
    return f"{_PREFIX}{execution_id}#"


# The body of a `judge.completed` event: the answer with type and timestamp, at most 255 KiB.

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


_NOT_JUDGED = frozenset({Outcome.JUDGE_ERROR, Outcome.SKIPPED})
"""Outcomes of cases for which no time was left. An older runner skips them."""


class JudgedRuns:
    """Judge runs for the parts that end and announce submissions."""

    def __init__(self, env: Env) -> None:
        self._settings = env.settings
        self._payloads = env[Payloads]
        self._progress = env[ProgressStore]
        self._base_url = env.settings.public_base_url

    def completion(self, message: JudgeCompleted, row: Submission) -> Completion:
        """Convert a runner's result. Results that are too large for the row are stored in the bucket.

        Raises MessageInvalidError if the cases are not those of the row.
        """
        common = message.common_values()
        if message.failure is not None:
            result = as_fields(message.failure)
            return Completion(result=result, integrity=Integrity.WRITE_ERROR.value, **common)
        plan, cases = Plan.of_json(row.plan or {}), self._cases_of(message)
        if [case.index for case in cases] != list(range(len(plan.cases))):
            raise MessageInvalidError("cases", "not those of the request")
        scored = score(plan, outcomes_of(plan, cases))
        inline, key = self._store_cases(message, cases)
        messages = (case.checker_message or "" for case in cases if case.outcome in _NOT_JUDGED)
        out_of_time = next((text for text in messages if text.startswith((OUT_OF_TIME, CHECKS_OUT_OF_TIME))), None)
        return Completion(
            result={} if out_of_time is None else {"error_message": out_of_time},
            integrity=Integrity.COMPLETE.value,
            judged=counts(scored),
            has_judge_error=any(case.outcome is Outcome.JUDGE_ERROR for case in cases) or out_of_time is not None,
            compilation=_stored_compilation(message.compile),
            cases=inline,
            cases_key=key,
            case_keys=tuple(_object_keys(cases)),
            slot_secs=message.slot_secs or 0,
            **common,
        )

    def object_keys(self, message: JudgeCompleted) -> tuple[str, ...]:
        """Return the keys of all objects of a result; those that an unreadable object names are left out."""
        own = () if message.cases_key is None else (message.cases_key,)
        try:
            return (*own, *_object_keys(self._cases_of(message)))
        except MessageInvalidError:
            return own

    def add_progress(self, message: JudgeProgress) -> None:
        self._progress.add(message, compresses=self._settings.compress_cases)

    def event(self, final: Submission) -> Event:
        return submission_event(final, judge_event_body(final, self.results(final), self._base_url))

    def results(self, final: Submission) -> tuple[CaseResult, ...]:
        """Return the results of a final judge run; none after a failure of the platform, and of deleted objects."""
        text = final.cases
        if final.cases_key is not None:
            try:
                text = self._payloads.get_cases(final.submission_id, final.cases_key)
            except PayloadMissingError:
                text = None
        return () if text is None else read(read_compressed(text), CaseResults, MAX_CASES_BYTES).cases

    def _cases_of(self, message: JudgeCompleted) -> tuple[CaseResult, ...]:
        if message.cases_key is None:
            return message.cases or ()
        try:
            return message.read_cases(self._payloads.get_cases(message.submission_id, message.cases_key))
        except PayloadMissingError:
            raise MessageInvalidError("cases_key", "there is no such object") from None

    def _store_cases(self, message: JudgeCompleted, cases: tuple[CaseResult, ...]) -> tuple[bytes | None, str | None]:
        """Return the results for the row, or the key of the object that has them."""
        if message.cases_key is not None:
            return None, message.cases_key
        text = write(CaseResults(cases=cases))
        if len(text) <= INLINE_OUTPUT_MAX_BYTES:
            return _stored(text, compresses=self._settings.compress_cases), None
        return None, self._payloads.put_output(message.submission_id, message.execution_id, "cases", text)


def _object_keys(cases: Iterable[CaseResult]) -> list[str]:
    """Return the keys of whole outputs."""
    return [case.run.stdout.object_key for case in cases if case.run is not None and case.run.stdout.object_key]


def _stored_compilation(compiled: Compilation | None) -> dict[str, Any] | None:
    if compiled is None:
        return None
    return {
        "verdict": compiled.result.verdict.value,
        "stderr_base64": base64.b64encode(compiled.stderr.head).decode(),
        "cpu_time_secs": compiled.cpu_time_secs,
        "wall_time_secs": compiled.wall_time_secs,
        "cached": compiled.cached,
    }
