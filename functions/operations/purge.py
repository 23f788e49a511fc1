"""Purge a disabled project: delete its submissions, endpoints and checks, a limited time for each call."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.checks.store import CheckStore
    from functions.submissions.delete import Deletion
    from functions.submissions.list_store import SubmissionList
    from functions.webhooks.endpoints.changes import EndpointChanges
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.endpoints.store import EndpointStore

WORK_SECS = 10.0
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Purged:
    """The result of one call. `complete`: nothing was left. `running`: submissions that cannot be deleted yet."""

    submissions: int
    endpoints: int
    checks: int
    running: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Purge:
    """Deletes with the same use cases as the project's own requests."""

    listing: SubmissionList
    deletion: Deletion
    endpoints: EndpointStore
    changes: EndpointChanges
    checks: CheckStore
    monotonic: Callable[[], float] = time.monotonic

    def purge(self, project_id: str) -> Purged:
        """Delete for about WORK_SECS. Repeating the call is safe, and continues."""
        until = self.monotonic() + WORK_SECS
        endpoints = [one for one in self.endpoints.list_all(project_id) if self._delete_endpoint(project_id, one)]
        checks = 0
        for check in self.checks.list_all(project_id):
            if self.monotonic() >= until:
                return Purged(0, len(endpoints), checks, 0, complete=False)
            checks += self.checks.delete(check)  # first, so that no further run is submitted
        deleted = running = 0
        after: str | None = None
        while self.monotonic() < until:
            page = self.listing.page(project_id, limit=_PAGE, after=after)
            for listed in page.rows:
                if self.monotonic() >= until:
                    return Purged(deleted, len(endpoints), checks, running, complete=False)
                if self._delete_submission(listed.submission_id):
                    deleted += 1
                else:
                    running += 1
            after = page.next_created_key
            if after is None:
                # The index follows the table by about a second: an empty read is the proof that nothing is left.
                return Purged(deleted, len(endpoints), checks, running, complete=not (deleted or running))
        return Purged(deleted, len(endpoints), checks, running, complete=False)

    def _delete_endpoint(self, project_id: str, endpoint: Endpoint) -> bool:
        due_at_ms = self.changes.delete(project_id, endpoint.endpoint_id, ordered=endpoint.ordered)
        return due_at_ms is not None  # the sweeper cancels its paused deliveries

    def _delete_submission(self, submission_id: str) -> bool:
        """Delete a submission, unless it is gone. False while it runs."""
        row = self.deletion.store.get(submission_id)
        if row is None:
            return True
        try:
            with suppress(NotFoundError):  # deleted between our two calls
                self.deletion.delete(row)
        except ConflictError:
            return False
        return True
