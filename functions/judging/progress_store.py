"""Finished cases of judge runs that are not final: one item for each progress message, for a day.

They have no outputs and no messages of checkers, so a deleted judge run leaves nothing of its program behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.judged import CaseResult, CaseResults
from events.message import MAX_MESSAGE_BYTES, read, write
from functions.aws.dynamodb.conditional import ConditionalUpdate, check, put
from functions.aws.dynamodb.items import key, to_item
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact
from functions.clock import MS_PER_SEC, from_rfc3339
from functions.submissions.model import RUN_GRACE_SECS, Status
from functions.submissions.store import submission_key, submission_pk

if TYPE_CHECKING:
    from events.judged import JudgeProgress
    from functions.aws.dynamodb.items import Value
    from functions.submissions.model import Submission

KEPT_SECS = 86_400
LONG_MS = RUN_GRACE_SECS * MS_PER_SEC
"""From this age on, progress moves the due time of a judge run. No judge run is due earlier."""


class ProgressStore(Table):
    """Progress items in the submissions table."""

    def add(self, message: JudgeProgress) -> None:
        """Keep the cases of a message, unless its judge run is final or gone. A lost one costs a poll some cases."""
        pk = submission_pk(message.submission_id)
        cases = tuple(case.changed(checker_message=None, team_message=None) for case in message.cases)
        item: dict[str, Value] = {
            "pk": pk,
            "sk": f"{_prefix(message.execution_id)}{message.sent_at}",
            "cases": write(CaseResults(cases=cases)).decode(),
            "ttl": self._clock() // MS_PER_SEC + KEPT_SECS,
        }
        at, condition = submission_key(message.submission_id), "#status IN (:pending, :running)"
        values: dict[str, Value] = {"pending": Status.PENDING.value, "running": Status.RUNNING.value}
        is_open = check(self.table_name, at, condition, values)
        if _is_long(message):  # also move its due time: a runner is still at work
            due = ("#due_at_ms = #run_budget_ms + :now",)
            update = ConditionalUpdate({}, condition, {**values, "now": self._clock()}, computed=due)
            is_open = update.action(self.table_name, at)
        transact(self._client, {"row": is_open, "progress": put(self.table_name, to_item(item))})

    def cases(self, row: Submission) -> tuple[CaseResult, ...]:
        """Return the finished cases of a judge run's current execution, by index."""
        known: dict[int, CaseResult] = {}
        for item in self._list(submission_pk(row.submission_id), _prefix(row.execution_id)):
            known |= {case.index: case for case in read(item["cases"], CaseResults, MAX_MESSAGE_BYTES).cases}
        return tuple(known[index] for index in sorted(known))

    def delete(self, submission_id: str) -> None:
        """Delete the progress of all executions of a judge run."""
        for item in self._list(submission_pk(submission_id), _PREFIX):
            self._client.delete_item(TableName=self.table_name, Key=key(item["pk"], item["sk"]))


_PREFIX = "PROGRESS#"


def _is_long(message: JudgeProgress) -> bool:
    """Tell whether a judge run comes near its due time: it may wait for its slot between two cases."""
    return from_rfc3339(message.sent_at) - from_rfc3339(message.started_at) >= LONG_MS


def _prefix(execution_id: str) -> str:
    return f"{_PREFIX}{execution_id}#"
