"""Delete what belongs to a disabled project, and move dead letters back, a limited time for each call."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any, TypedDict

from pydantic import Field

from functions.checks.runs.store import RunStore
from functions.checks.settings.store import CheckStore, QuietStore
from functions.checks.status_api import StatusPageStore
from functions.env import Env
from functions.errors import ConflictError, NotFoundError
from functions.files.aliases import FileAliases
from functions.files.store import FileStore
from functions.files.use import StoredFiles
from functions.judging.problem_store import ProblemStore, StoredProblems
from functions.project_secrets.store import SecretStore
from functions.submissions.results.list_store import SubmissionList
from functions.submissions.results.results import Deletion
from functions.submissions.store import SubmissionStore
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.endpoints.store import EndpointStore

# Move dead letters back to their queue.
#
# The sweeper settles dead letters by itself, and tries the remaining ones again every few minutes. After the repair, a
# redrive gives it back to the normal consumer at once.

QUEUE_NAMES = ("interactive", "batch", "network", "completions", "deliveries", "checks")
"""Names of the queues that have dead letters, in paths and logs."""
WORK_SECS = 10.0
_MOST_PER_CALL = 10


class RedrivenBody(TypedDict):
    """The result of a redrive."""

    queue: str
    moved: int
    left: Annotated[
        int, Field(description="Dead letters that are still there; the sweeper may hold some for six minutes.")
    ]


class Redrive:
    """Moves messages. Each is sent before it is deleted, so a crash doubles one and loses none."""

    def __init__(self, env: Env, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = env.settings
        self._client = env.sqs
        self._monotonic = monotonic

    def move(self, queue: str) -> RedrivenBody:
        """Move visible messages of one of QUEUE_NAMES until none is left, for about WORK_SECS. Raises errors of SQS."""
        dead_url, queue_url = (getattr(self._settings, f"{queue}_{url}") for url in ("dead_letters_url", "queue_url"))
        until, moved = self._monotonic() + WORK_SECS, 0
        while self._monotonic() < until and (found := self._receive(dead_url)):
            for message in found:
                self._send(queue_url, message)
                self._client.delete_message(QueueUrl=dead_url, ReceiptHandle=message["ReceiptHandle"])
                moved += 1
        return {"queue": queue, "moved": moved, "left": self._count(dead_url)}

    def _receive(self, url: str) -> list[Any]:
        answer = self._client.receive_message(
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
        self._client.send_message(QueueUrl=url, MessageBody=message["Body"], MessageAttributes=attributes, **more)

    def _count(self, url: str) -> int:
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)


# Purge a disabled project: with the same use cases as the project's own requests, and also the history of checks.

_PAGE = 100


class PurgedBody(TypedDict):
    """The result of a purge."""

    project_id: str
    submissions_deleted: int
    endpoints_deleted: int
    checks_deleted: int
    check_runs_deleted: int
    problems_deleted: int
    files_deleted: int
    events_deleted: Annotated[int, Field(description="Events without a submission, such as those of checks.")]
    submissions_running: Annotated[int, Field(description="They can be deleted when they have ended.")]
    complete: Annotated[bool, Field(description="Nothing was left. Else repeat the call.")]


class Purge:
    """One call, which deletes for about WORK_SECS. Repeating it is safe, and continues."""

    def __init__(self, env: Env, project_id: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._env = env
        self._project_id = project_id
        self._monotonic = monotonic
        self._until = monotonic() + WORK_SECS
        self._changed = 0
        """Checks, problems and files that are still there, because another process changed them meanwhile."""
        self.done: PurgedBody = {
            "project_id": project_id,
            "submissions_deleted": 0,
            "endpoints_deleted": 0,
            "checks_deleted": 0,
            "check_runs_deleted": 0,
            "problems_deleted": 0,
            "files_deleted": 0,
            "events_deleted": 0,
            "submissions_running": 0,
            "complete": False,
        }

    def run(self) -> PurgedBody:
        """Delete, and return what was done."""
        self._delete_endpoints()
        secrets = self._env[SecretStore]
        for secret in secrets.list_all(self._project_id):
            secrets.delete(self._project_id, secret.name, [])
        self._delete_checks()  # first, so that no further run is submitted
        deliveries = self._env[DeliveryStore]
        while self._has_time and (deleted := deliveries.delete_others(self._project_id)):
            self.done["events_deleted"] += deleted
        self._delete_problems()
        self._delete_files()
        self._delete_submissions()
        return self.done

    @property
    def _has_time(self) -> bool:
        return self._monotonic() < self._until

    def _delete_endpoints(self) -> None:
        endpoints = self._env[EndpointStore]
        for one in endpoints.list_all(self._project_id):
            if endpoints.delete(self._project_id, one.endpoint_id, ordered=one.ordered) is not None:
                self.done["endpoints_deleted"] += 1  # the sweeper cancels its paused deliveries

    def _delete_checks(self) -> None:
        self._env[StatusPageStore].purge(self._project_id)
        self._env[QuietStore].delete(self._project_id)
        checks, runs = self._env[CheckStore], self._env[RunStore]
        for check in checks.list_all(self._project_id):
            while self._has_time and (deleted := runs.delete_some(self._project_id, check.check_id)):
                self.done["check_runs_deleted"] += deleted
            if not self._has_time:
                return
            if checks.delete(check):
                self.done["checks_deleted"] += 1
                # Those that were written meanwhile.
                self.done["check_runs_deleted"] += runs.delete_some(self._project_id, check.check_id)
            else:
                self._changed += 1

    def _delete_problems(self) -> None:
        problems, removal = self._env[ProblemStore], self._env[StoredProblems]
        while self._has_time and (rows := problems.page(self._project_id, _PAGE, None).rows):
            for problem in rows:
                if not self._has_time:
                    return
                try:
                    removal.delete(problem)
                    self.done["problems_deleted"] += 1
                except ConflictError:
                    self._changed += 1

    def _delete_files(self) -> None:
        """Delete stored files, whatever holds them: checks and problems are gone, and runs still have their bytes."""
        files, aliases = self._env[FileStore], self._env[FileAliases]
        while self._has_time and aliases.delete_some(self._project_id):
            pass
        while self._has_time and (rows := files.page(self._project_id, _PAGE, None).rows):
            for file in rows:
                if not self._has_time:
                    return
                if files.holders(self._project_id, file.sha256):  # runs of a problem note no use of its files
                    file = replace(file, used_at_ms=self._env.clock())  # noqa: PLW2901 - the same file
                if self._env[StoredFiles].retire(file):
                    self.done["files_deleted"] += 1
                else:
                    self._changed += 1

    def _delete_submissions(self) -> None:
        after: str | None = None
        while self._has_time:
            page = self._env[SubmissionList].page(self._project_id, limit=_PAGE, after=after)
            for listed in page.rows:
                if not self._has_time:
                    return
                if self._delete_submission(listed.submission_id):
                    self.done["submissions_deleted"] += 1
                else:
                    self.done["submissions_running"] += 1
            after = page.next_created_key
            if after is None:
                # The index follows the table by about a second: an empty read is the proof that nothing is left.
                done = self.done
                found = done["submissions_deleted"] + done["submissions_running"] + done["files_deleted"]
                done["complete"] = not (found or done["problems_deleted"] or self._changed)
                return

    def _delete_submission(self, submission_id: str) -> bool:
        """Delete a submission, unless it is gone. False while it runs."""
        row = self._env[SubmissionStore].get(submission_id)
        if row is None:
            return True
        try:
            with suppress(NotFoundError):  # deleted between our two calls
                self._env[Deletion].delete(row)
        except ConflictError:
            return False
        return True
