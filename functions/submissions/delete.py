"""Deleting a submission: its code, input and output are gone when the answer is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.errors import ConflictError, NotFoundError
from functions.submissions.model import Status

if TYPE_CHECKING:
    from functions.aws.payloads import Payloads
    from functions.projects.quota_store import QuotaStore
    from functions.submissions.model import Submission
    from functions.submissions.store import SubmissionStore
    from functions.webhooks.deliveries.store import DeliveryStore

_RUNNING = "The run is under way. Delete it when it is finished."


@dataclass(frozen=True, slots=True)
class Removal:
    """The parts that a deletion needs."""

    store: SubmissionStore
    deliveries: DeliveryStore
    quotas: QuotaStore
    payloads: Payloads

    def remove(self, row: Submission) -> None:
        """Remove everything that belongs to it. Raises ConflictError, NotFoundError."""
        if row.status is Status.RUNNING:
            raise ConflictError(_RUNNING)
        if row.is_final:
            # Nothing changes a final row, so the row goes last: whoever repeats a broken deletion still finds it.
            self.deliveries.cancel_event(row.event_id or row.submission_id)
            self.payloads.delete_all(row.object_keys)
            self.store.delete(row)
            self.quotas.release(row.quota_claim)  # its fan-out has done that, if it came so far
            return
        # A pending one may start at any moment, and then it must stay whole: the row goes first.
        if not self.store.delete(row):
            if self.store.get(row.submission_id) is None:
                raise NotFoundError("There is no such submission.")
            raise ConflictError(_RUNNING)
        self.quotas.release(row.quota_claim)
        self.payloads.delete_all(row.object_keys)
