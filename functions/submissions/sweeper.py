"""Handle due rows: send lost submissions again, and complete deliveries and deletions.

The sweeper takes a row by moving its due time, on condition that it still has the due time of the index. So concurrent
sweeps handle a row once, and a row whose handling fails or crashes is due again later.

A pending submission is late PENDING_REDRIVE_SECS after its message was sent. It is sent again if that message is lost:
no message waits in the queue, or a run of the same project and queue that was accepted later has begun. In a queue that
others keep busy, nothing tells whether the only message of a project is lost. So each sweep also sends the first late
submission of each project and queue again.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import batched
from typing import TYPE_CHECKING

from events.files import read_files
from events.variables import Environment
from events.vocabulary import Cause
from functions.aws.dynamodb.items import from_item, to_item
from functions.aws.dynamodb.table import DUE_SHARDS, read_rows
from functions.aws.payloads import PayloadMissingError, Payloads
from functions.clock import MS_PER_SEC, from_rfc3339, to_rfc3339
from functions.failpoint import reach
from functions.ids import new_id
from functions.submissions.completion import Completer
from functions.submissions.model import NOT_RUN, PENDING_MAX_MS, Kind, Status, Submission
from functions.submissions.queues import Queues, requested_again
from functions.submissions.store import LIST_SHARDS, SubmissionStore, list_shard, repeat_budget_ms, submission_key
from functions.submissions.transforms import with_transform
from functions.webhooks.alerts import Alerts
from functions.webhooks.deliveries.model import HINTED_MS, RUN_ENDPOINT_ID
from functions.webhooks.deliveries.publication import DeliveryHints, Hint
from functions.webhooks.deliveries.store import (
    DeliveryStore,
    DueDeletion,
    DueDelivery,
    DueEndpoint,
    DueExhausted,
    DueRow,
)
from functions.webhooks.sealed_secrets import SecretBoxes, UnsealError
from functions.webhooks.sending.slots import LaneWaker

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools import Logger
    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.env import Env

# Due rows in the order of a sweep: oldest first; in a large backlog, projects take turns.
#
# The index does not contain the project, so a large backlog costs one more read of each row.

PAGE_PER_SHARD = 25
BACKLOG_PER_SHARD = 15_000
"""Entries that a sweep reads of one shard if its first page is full; 240,000 in all."""
FAIR_FROM = 500
"""Projects take turns from this many rows on. A sweep handles fewer in a second or two."""
_READERS = 8
_KEYS_PER_CALL = 100


@dataclass(frozen=True, slots=True)
class DueSubmission:
    """One entry of the submissions' due index."""

    submission_id: str
    due_at_ms: int


type Entry = DueSubmission | DueRow


class Backlog:
    """The two due indexes."""

    def __init__(self, env: Env) -> None:
        self.submissions = env[SubmissionStore]
        self.deliveries = env[DeliveryStore]

    def read(self, now_ms: int, seen: set[Entry]) -> list[Entry]:
        """Return due entries that are not in `seen`, in the order of the sweep."""
        fresh = [entry for entry in self._entries(now_ms) if entry not in seen]
        if len(fresh) < FAIR_FROM:
            return sorted(fresh, key=lambda entry: entry.due_at_ms)
        return round_robin(sorted(fresh, key=lambda entry: entry.due_at_ms), self._projects(fresh))

    def _entries(self, now_ms: int) -> Iterator[Entry]:
        for shard in DUE_SHARDS:
            page = self.submissions.due(shard, now_ms, PAGE_PER_SHARD)
            if len(page) == PAGE_PER_SHARD:
                page = self.submissions.due(shard, now_ms, BACKLOG_PER_SHARD)
            yield from (DueSubmission(*due) for due in page)
        for shard in DUE_SHARDS:
            entries = self.deliveries.due(shard, now_ms, PAGE_PER_SHARD)
            if len(entries) == PAGE_PER_SHARD:
                entries = self.deliveries.due(shard, now_ms, BACKLOG_PER_SHARD)
            yield from entries

    def _projects(self, entries: list[Entry]) -> Mapping[Entry, str]:
        """Return the project of each entry, without rows deleted meanwhile."""
        projects: dict[Entry, str] = {}
        deliveries, submissions = [], []
        for entry in entries:
            if isinstance(entry, DueDelivery):
                deliveries.append(entry)
            elif isinstance(entry, DueSubmission):
                submissions.append(entry)
            else:
                projects[entry] = entry.project_id
        with ThreadPoolExecutor(_READERS) as pool:
            for some in pool.map(self._of_deliveries, batched(deliveries, _KEYS_PER_CALL)):
                projects |= some
            for others in pool.map(self._of_submissions, batched(submissions, _KEYS_PER_CALL)):
                projects |= others
        return projects

    def _of_deliveries(self, entries: tuple[DueDelivery, ...]) -> dict[Entry, str]:
        by_key = {(entry.event_id, entry.endpoint_id): entry for entry in entries}
        return {by_key[key]: project_id for key, project_id in self.deliveries.projects_of(list(by_key)).items()}

    def _of_submissions(self, entries: tuple[DueSubmission, ...]) -> dict[Entry, str]:
        by_id = {entry.submission_id: entry for entry in entries}
        return {by_id[row_id]: project_id for row_id, project_id in self.submissions.projects_of(list(by_id)).items()}


def round_robin[Row: Hashable](entries: Iterable[Row], projects: Mapping[Row, str]) -> list[Row]:
    """Return the first entry of each project, then the second of each, and so on."""
    counts: Counter[str] = Counter()
    turns: list[tuple[int, Row]] = []
    for entry in entries:
        project_id = projects.get(entry, "")
        turns.append((counts[project_id], entry))
        counts[project_id] += 1
    return [entry for _, entry in sorted(turns, key=lambda turn: turn[0])]


# Runs that have begun although they were accepted later: a message that they have overtaken is lost.
#
# SQS roughly keeps the order of a project's messages. A wrong guess costs one more message, and its run changes
# nothing.

_ENTRIES_PER_SHARD = 25
"""200 runs in all: those that were accepted right after a lost one begin soon after its turn."""


class BegunRuns:
    """What one sweep knows of begun runs. It reads the index `by_project_shard`. Safe for threads."""

    def __init__(self, table_name: str, client: DynamoDBClient) -> None:
        self._table = table_name
        self._client = client
        self._newest: dict[tuple[str, str], str] = {}
        self._none_after: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def has_later(self, project_id: str, priority: str, sent_at: str) -> bool:
        """Whether a run of this project and queue that was accepted after `sent_at` has begun."""
        queue = (project_id, priority)
        with self._lock:
            if sent_at < self._newest.get(queue, ""):
                return True
            # Runs begin in order: where none of the next ones has begun, later ones have not either.
            if queue in self._none_after and sent_at >= self._none_after[queue]:
                return False
            newest = self._read(project_id, priority, sent_at)
            if newest is None:
                self._none_after[queue] = sent_at
            else:
                self._newest[queue] = newest
            return newest is not None

    def _read(self, project_id: str, priority: str, sent_at: str) -> str | None:
        """Return when the newest begun run among the next ones was accepted; None if none has begun."""
        begun = [
            entry["submission_id"]
            for number in range(LIST_SHARDS)
            for entry in self._begun(list_shard(project_id, number), sent_at)
        ]
        keys = [submission_key(submission_id) for submission_id in begun]
        rows = read_rows(self._client, self._table, keys, ("created_at", "priority"))
        return max((row["created_at"] for row in rows if row["priority"] == priority), default=None)

    def _begun(self, shard: str, sent_at: str) -> list[dict[str, str]]:
        answer = self._client.query(
            TableName=self._table,
            IndexName="by_project_shard",
            KeyConditionExpression="list_shard = :shard AND list_key > :after",
            FilterExpression="attribute_exists(started_at)",
            ExpressionAttributeValues=to_item({":shard": shard, ":after": f"{sent_at}#~"}),
            Limit=_ENTRIES_PER_SHARD,
        )
        return [from_item(item) for item in answer["Items"]]


# Due rows of webhooks: deliveries without a hint, alerts, deletions of endpoints, and lanes.

TAKEN_MS = 30_000
"""Longer than the handling of a row takes, and shorter than the time between two sweeps: each looks at a row again."""
DELETION_MS = 500  # of a sweep, for each deleted endpoint


class DueWebhooks:
    """Handles due rows of webhooks."""

    def __init__(self, env: Env) -> None:
        self.deliveries = env[DeliveryStore]
        self.hints = env[DeliveryHints]
        self.alerts = env[Alerts]
        self.lane_waker = env[LaneWaker]
        self.clock = env.clock

    def handle(self, due: DueRow, record_age: Callable[[int], None]) -> None:
        """Handle one row if its due time is still that of the index. `record_age` takes the delay of a late one."""
        now = self.clock()
        if isinstance(due, DueDelivery):
            self._send_hint(due, now, record_age)
        elif isinstance(due, DueEndpoint):
            if self.alerts.check_endpoint(due, now + TAKEN_MS):
                record_age(now - due.due_at_ms)
        elif isinstance(due, DueExhausted):
            if self.alerts.publish_exhausted(due, now + TAKEN_MS):
                record_age(now - due.due_at_ms)
        elif isinstance(due, DueDeletion):
            if self.deliveries.cancel_open(due.project_id, due.endpoint_id, due.due_at_ms, DELETION_MS):
                record_age(self.clock() - due.due_at_ms)
        else:
            self.lane_waker.wake_due(due, now + TAKEN_MS)

    def _send_hint(self, due: DueDelivery, now: int, record_age: Callable[[int], None]) -> None:
        row = self.deliveries.push_back(due, now + HINTED_MS)
        if row is None:
            return
        if row.lane_at_ms is None:  # a parked delivery is not late: no send slot was free
            record_age(now - row.due_since_ms)
        reach("sweep.after_take")
        self.hints.send(Hint.of(row))


_RERUN_NAMESPACE = uuid.UUID("3f6a1c52-8d27-4b7e-9d15-6a0c41d2e7b9")


class Sweep:
    """One sweep, on one thread or several. It forgets its observations of queues and projects at its end.

    `oldest_due_age_ms`: the largest delay of the rows handled so far.
    """

    def __init__(self, env: Env) -> None:
        self._env = env
        self._completer = env[Completer]
        self._submissions = env[SubmissionStore]
        self._webhooks = env[DueWebhooks]
        self._queues = env[Queues]
        self._begun = BegunRuns(env.settings.submissions_table, env.dynamodb)
        self._pending_redrive_ms = env.settings.pending_redrive_secs * MS_PER_SEC
        self._clock = env.clock
        self._waiting: dict[str, int] = {}
        self._seen_late: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self.oldest_due_age_ms = 0

    def entries(self) -> Iterator[Entry]:
        """Yield all due rows, in the order of `Backlog`; read again until there are no new ones."""
        backlog = Backlog(self._env)
        seen: set[Entry] = set()
        while fresh := backlog.read(self._clock(), seen):
            seen.update(fresh)
            for entry in fresh:
                yield entry
                reach("sweep.mid_page")

    def handle(self, entry: Entry) -> None:
        if isinstance(entry, DueSubmission):
            self._handle_submission(entry)
        else:
            self._webhooks.handle(entry, self._record_age)

    def _handle_submission(self, due: DueSubmission) -> None:
        now = self._clock()
        taken_until_ms = now + min(TAKEN_MS, self._pending_redrive_ms)
        row = self._submissions.take(due.submission_id, taken_until_ms, due.due_at_ms)
        if row is None:
            return
        self._record_age(now - due.due_at_ms)
        reach("sweep.after_take")
        if row.cancelled_at is not None:
            self._completer.end_cancelled(row)
        elif row.status is Status.PENDING:
            self._handle_pending(row, now, taken_until_ms)
        else:
            self._handle_running(row, now, taken_until_ms)

    def _handle_pending(self, row: Submission, now: int, taken_until_ms: int) -> None:
        if now - from_rfc3339(row.created_at) > PENDING_MAX_MS:
            self._completer.fail(row.submission_id, Cause.IE_NOT_RUN, NOT_RUN)
        elif self._is_lost(row):
            self._send_again(row, new_id(), now + self._pending_redrive_ms, taken_until_ms)

    def _is_lost(self, row: Submission) -> bool:
        if self._is_empty(row.priority) or (row.asked_directly and row.redrives == 0):
            return True  # a direct run never had a message
        return self._is_first_late(row) or self._begun.has_later(row.project_id, row.priority, row.sent_at)

    def _handle_running(self, row: Submission, now: int, taken_until_ms: int) -> None:
        rerun_id = str(uuid.uuid5(_RERUN_NAMESPACE, row.submission_id))
        if row.execution_id == rerun_id:
            self._completer.fail(
                row.submission_id, Cause.IE_SUPERVISOR_FAILURE, "the run did not come to an end, twice"
            )
        else:
            self._is_empty(row.priority)  # read before the send
            self._send_again(row, rerun_id, now + repeat_budget_ms(row), taken_until_ms)

    def _send_again(self, row: Submission, execution_id: str, due_at_ms: int, taken_until_ms: int) -> None:
        try:
            whole = self._with_input(row)
        except (PayloadMissingError, UnsealError):
            self._completer.fail(row.submission_id, Cause.IE_NOT_RUN, "the input of the submission is gone")
            return
        if not self._submissions.redrive(row.submission_id, execution_id, due_at_ms, taken_until_ms):
            return  # it has started, ended or been deleted meanwhile
        reach("sweep.after_redrive")
        repeated, at = replace(whole, execution_id=execution_id), to_rfc3339(self._clock())
        self._queues.send_execution(requested_again(repeated, at), row.correlation_id)

    def _with_input(self, row: Submission) -> Submission:
        """Return a row with its whole program. Raises PayloadMissingError, UnsealError, ClientError."""
        if row.kind is Kind.TRANSFORM:
            return with_transform(self._env, row)
        if row.input_key is not None:
            code, stdin, files = self._env[Payloads].get_input(row.submission_id)
            row = replace(row, code=code, stdin=stdin, files=read_files(files))
        if row.environment_box is not None:
            text = self._env[SecretBoxes].open(row.environment_box, row.project_id, RUN_ENDPOINT_ID, "environment")
            row = replace(row, environment=Environment.parse(text))
        return row

    def _is_empty(self, priority: str) -> bool:
        """Whether no message waited before this sweep sent any, because messages are usually lost together."""
        if priority not in self._waiting:
            self._waiting[priority] = self._queues.waiting(priority)
        return self._waiting[priority] == 0

    def _is_first_late(self, row: Submission) -> bool:
        """Whether this sweep has seen no other late submission of the row's project and queue."""
        queue = (row.project_id, row.priority)
        with self._lock:
            is_first = queue not in self._seen_late
            self._seen_late.add(queue)
        return is_first

    def _record_age(self, age_ms: int) -> None:
        with self._lock:
            self.oldest_due_age_ms = max(self.oldest_due_age_ms, age_ms)


# One sweep on several threads: a large backlog gets more of them.

ALONE_ROWS = 100
"""Rows that one thread handles before HELPERS more threads start."""
HELPERS = 7
RESERVE_MS = 20_000
"""No row is begun in this last part of an invocation, so that its calls end in time."""


class SharedSweep:
    """The entries of one sweep. `remaining_ms`: of the invocation."""

    def __init__(self, sweep: Sweep, remaining_ms: Callable[[], int], log: Logger) -> None:
        self._sweep = sweep
        self._remaining_ms = remaining_ms
        self._log = log
        self._entries = sweep.entries()
        self._lock = threading.Lock()
        self._is_over = False
        self.handled = 0
        self.failed = 0

    def run(self) -> None:
        self._handle(ALONE_ROWS)
        if not self._is_over:
            with ThreadPoolExecutor(HELPERS) as pool:
                helpers = [pool.submit(self._handle) for _ in range(HELPERS)]
                self._handle()
            for helper in helpers:
                helper.result()

    def _handle(self, most: int | None = None) -> None:
        """Handle entries one after the other, at most `most` if it is not None."""
        while (most is None or self.handled < most) and (entry := self._next()) is not None:
            try:
                self._sweep.handle(entry)
            except Exception:  # noqa: BLE001 - one broken row must not stop the others; it is due again in a minute
                with self._lock:
                    self.failed += 1
                ids = {"submission_id": entry.submission_id} if isinstance(entry, DueSubmission) else {}
                self._log.exception("Due row not handled; it is due again in a minute", row=str(entry), extra=ids)

    def _next(self) -> Entry | None:
        with self._lock:
            if self._is_over or self._remaining_ms() < RESERVE_MS:
                self._is_over = True
                return None
            entry = next(self._entries, None)
            self._is_over = entry is None
            self.handled += entry is not None
            return entry
