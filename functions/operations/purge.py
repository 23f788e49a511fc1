"""Purge a disabled project: delete its submissions, endpoints, checks and events, a limited time for each call."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from functions.errors import ConflictError, NotFoundError
from functions.operations.model import Purged

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.operations.deployment import OperationDeployment
    from functions.webhooks.endpoints.model import Endpoint

WORK_SECS = 10.0
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
        self.deployment.status_pages.purge(project_id)
        self.deployment.quiet_times.delete(project_id)
        checks, runs = self.deployment.checks, self.deployment.check_runs
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
                if self.deployment.file_removal.retire(file):
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
        due_at_ms = self.deployment.endpoint_changes.delete(project_id, endpoint.endpoint_id, ordered=endpoint.ordered)
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
