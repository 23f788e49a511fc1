"""Purge a disabled project: delete its submissions, endpoints, checks and events, a limited time for each call."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from functions.checks.runs.store import RunStore
from functions.checks.settings.store import CheckStore, QuietStore
from functions.checks.status_api import StatusPageStore
from functions.errors import ConflictError, NotFoundError
from functions.files.use import StoredFiles
from functions.operations.views import Purged, Redriven

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sqs import SQSClient

    from functions.operations.deployment import OperationDeployment
    from functions.settings import Settings
    from functions.webhooks.endpoints.model import Endpoint


# Move dead letters back to their queue.
#
# The sweeper settles dead letters by itself, and tries the remaining ones again every few minutes. After the repair, a
# redrive gives it back to the normal consumer at once.

QUEUE_NAMES = ("interactive", "batch", "network", "completions", "deliveries", "checks")
"""Names of the queues that have dead letters, in paths and logs."""
WORK_SECS = 10.0
_MOST_PER_CALL = 10


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """One dead-letter queue and the queue that its messages came from."""

    dead_url: str
    queue_url: str


def dead_letters(settings: Settings, queue: str) -> DeadLetters:
    """Return the dead-letter queue of one of QUEUE_NAMES."""
    return DeadLetters(getattr(settings, f"{queue}_dead_letters_url"), getattr(settings, f"{queue}_queue_url"))


@dataclass(frozen=True, slots=True)
class Redrive:
    """Moves messages. Each is sent before it is deleted, so a crash doubles one and loses none."""

    client: SQSClient
    monotonic: Callable[[], float] = time.monotonic

    def move(self, letters: DeadLetters) -> Redriven:
        """Move visible messages until none is left, for about WORK_SECS. Raises the errors of SQS."""
        until, moved = self.monotonic() + WORK_SECS, 0
        while self.monotonic() < until and (found := self._receive(letters.dead_url)):
            for message in found:
                self._send(letters.queue_url, message)
                self.client.delete_message(QueueUrl=letters.dead_url, ReceiptHandle=message["ReceiptHandle"])
                moved += 1
        return Redriven(moved, self._count(letters.dead_url))

    def _receive(self, url: str) -> list[Any]:
        answer = self.client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_MOST_PER_CALL,
            WaitTimeSeconds=0,
            MessageSystemAttributeNames=["MessageGroupId"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    def _send(self, url: str, message: Any) -> None:
        group = message.get("Attributes", {}).get("MessageGroupId")
        more: Any = {} if group is None else {"MessageGroupId": group}
        attributes = message.get("MessageAttributes", {})
        self.client.send_message(QueueUrl=url, MessageBody=message["Body"], MessageAttributes=attributes, **more)

    def _count(self, url: str) -> int:
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)


_PAGE = 100


@dataclass(frozen=True, slots=True)
class Purge:
    """Deletes with the same use cases as the project's own requests, and also the history of checks."""

    deployment: OperationDeployment
    monotonic: Callable[[], float] = time.monotonic

    def purge(self, project_id: str) -> Purged:
        """Delete for about WORK_SECS. Repeating the call is safe, and continues."""
        purged, until = Purged(), self.monotonic() + WORK_SECS
        purged.endpoints = sum(
            self._delete_endpoint(project_id, one) for one in self.deployment.endpoints.list_all(project_id)
        )
        self._delete_checks(project_id, purged, until)  # first, so that no further run is submitted
        while self.monotonic() < until and (deleted := self.deployment.deliveries.delete_others(project_id)):
            purged.events += deleted
        self._delete_problems(project_id, purged, until)
        self._delete_files(project_id, purged, until)
        self._delete_submissions(project_id, purged, until)
        return purged

    def _delete_checks(self, project_id: str, purged: Purged, until: float) -> None:
        self.deployment[StatusPageStore].purge(project_id)
        self.deployment[QuietStore].delete(project_id)
        checks, runs = self.deployment[CheckStore], self.deployment[RunStore]
        for check in checks.list_all(project_id):
            while self.monotonic() < until and (deleted := runs.delete_some(project_id, check.check_id)):
                purged.check_runs += deleted
            if self.monotonic() >= until:
                return
            if checks.delete(check):
                purged.checks += 1
                purged.check_runs += runs.delete_some(project_id, check.check_id)  # written meanwhile
            else:
                purged.changed += 1

    def _delete_problems(self, project_id: str, purged: Purged, until: float) -> None:
        while self.monotonic() < until and (rows := self.deployment.problems.page(project_id, _PAGE, None).rows):
            for problem in rows:
                if self.monotonic() >= until:
                    return
                try:
                    self.deployment.problem_removal.delete(problem)
                    purged.problems += 1
                except ConflictError:
                    purged.changed += 1

    def _delete_files(self, project_id: str, purged: Purged, until: float) -> None:
        """Delete stored files, whatever holds them: checks and problems are gone, and runs still have their bytes."""
        while self.monotonic() < until and (rows := self.deployment.files.page(project_id, _PAGE, None).rows):
            for file in rows:
                if self.monotonic() >= until:
                    return
                if self.deployment.files.holders(project_id, file.sha256):  # runs of a problem note no use of its files
                    file = replace(file, used_at_ms=self.deployment.clock())  # noqa: PLW2901 - the same file
                if self.deployment[StoredFiles].retire(file):
                    purged.files += 1
                else:
                    purged.changed += 1

    def _delete_submissions(self, project_id: str, purged: Purged, until: float) -> None:
        after: str | None = None
        while self.monotonic() < until:
            page = self.deployment.submission_list.page(project_id, limit=_PAGE, after=after)
            for listed in page.rows:
                if self.monotonic() >= until:
                    return
                if self._delete_submission(listed.submission_id):
                    purged.submissions += 1
                else:
                    purged.running += 1
            after = page.next_created_key
            if after is None:
                # The index follows the table by about a second: an empty read is the proof that nothing is left.
                purged.complete = not (
                    purged.submissions or purged.running or purged.changed or purged.files or purged.problems
                )
                return

    def _delete_endpoint(self, project_id: str, endpoint: Endpoint) -> bool:
        due_at_ms = self.deployment.endpoints.delete(project_id, endpoint.endpoint_id, ordered=endpoint.ordered)
        return due_at_ms is not None  # the sweeper cancels its paused deliveries

    def _delete_submission(self, submission_id: str) -> bool:
        """Delete a submission, unless it is gone. False while it runs."""
        row = self.deployment.submissions.get(submission_id)
        if row is None:
            return True
        try:
            with suppress(NotFoundError):  # deleted between our two calls
                self.deployment.deletion.delete(row)
        except ConflictError:
            return False
        return True
