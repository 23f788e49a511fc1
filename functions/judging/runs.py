"""Judge runs for the parts that end, repeat and announce submissions: see `functions.submissions.complete`."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from events import MessageInvalidError
from events.judged import MAX_CASES_BYTES, CaseResults
from events.message import as_fields, read, write
from events.vocabulary import Integrity, Outcome
from functions.aws.payloads import PayloadMissingError
from functions.judging.completed_event import judge_event_body
from functions.judging.kind import requested_again
from functions.judging.model import Plan
from functions.judging.score import score
from functions.judging.views import counts, outcomes_of
from functions.submissions.complete.completed_event import submission_event
from functions.submissions.model import INLINE_OUTPUT_MAX_BYTES, Completion

if TYPE_CHECKING:
    from collections.abc import Iterable

    from events.judged import CaseResult, Compilation, JudgeCompleted, JudgeProgress
    from events.requested import JudgeRequested
    from functions.aws.payloads import Payloads
    from functions.event_log.model import Event
    from functions.judging.progress_store import ProgressStore
    from functions.submissions.model import Submission


@dataclass(frozen=True, slots=True)
class JudgedRuns:
    """Judge runs. `public_base_url` has no trailing slash."""

    payloads: Payloads
    progress: ProgressStore
    public_base_url: str

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
        return Completion(
            result={},
            integrity=Integrity.COMPLETE.value,
            judged=counts(scored),
            has_judge_error=any(case.outcome is Outcome.JUDGE_ERROR for case in cases),
            compilation=_stored_compilation(message.compile),
            cases=inline,
            cases_key=key,
            case_keys=tuple(_object_keys(cases)),
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
        """Keep finished cases for polls, unless the judge run is final."""
        self.progress.add(message)

    def requested_again(self, row: Submission, code: bytes, requested_at: str, files: bytes | None) -> JudgeRequested:
        """Return the message for another execution."""
        return requested_again(row, code, requested_at, files)

    def event(self, final: Submission) -> Event:
        """Return the event of a final judge run."""
        return submission_event(final, judge_event_body(final, self.results(final), self.public_base_url))

    def results(self, final: Submission) -> tuple[CaseResult, ...]:
        """Return the results of a final judge run; none after a failure of the platform, and of deleted objects."""
        text = final.cases
        if final.cases_key is not None:
            try:
                text = self.payloads.get_cases(final.submission_id, final.cases_key)
            except PayloadMissingError:
                text = None
        return () if text is None else read(text, CaseResults, MAX_CASES_BYTES).cases

    def _cases_of(self, message: JudgeCompleted) -> tuple[CaseResult, ...]:
        if message.cases_key is None:
            return message.cases or ()
        try:
            return message.read_cases(self.payloads.get_cases(message.submission_id, message.cases_key))
        except PayloadMissingError:
            raise MessageInvalidError("cases_key", "there is no such object") from None

    def _store_cases(self, message: JudgeCompleted, cases: tuple[CaseResult, ...]) -> tuple[bytes | None, str | None]:
        """Return the results for the row, or the key of the object that has them."""
        if message.cases_key is not None:
            return None, message.cases_key
        text = write(CaseResults(cases=cases))
        if len(text) <= INLINE_OUTPUT_MAX_BYTES:
            return text, None
        return None, self.payloads.put_output(message.submission_id, message.execution_id, "cases", text)


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
