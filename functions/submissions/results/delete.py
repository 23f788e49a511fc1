"""Delete a submission: code, input and output are gone before the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.errors import ConflictError, NotFoundError
from functions.submissions.model import Status

if TYPE_CHECKING:
    from functions.aws.payloads import Payloads
    from functions.files.artifact_store import ArtifactStore
    from functions.projects.quota_store import QuotaStore
    from functions.submissions.model import Submission
    from functions.submissions.store import SubmissionStore
    from functions.webhooks.deliveries.store import DeliveryStore

_RUNNING = "The run is under way. Delete it when it is finished."


@dataclass(frozen=True, slots=True)
class Deletion:
    """Deletes submissions."""

    store: SubmissionStore
    deliveries: DeliveryStore
    quotas: QuotaStore
    payloads: Payloads
    artifacts: ArtifactStore

    def delete(self, row: Submission) -> None:
        """Delete a submission with all its data. Raises ConflictError, NotFoundError, UnavailableError."""
        if row.status is Status.RUNNING:
            raise ConflictError(_RUNNING)
        if row.is_final:
            # A final row never changes. We delete it last, so that a repeat after a crash still finds it.
            self.deliveries.cancel_event(row.submission_id)
            hashes = [artifact["sha256"] for artifact in row.stored_artifacts]
            self.artifacts.remove(row.project_id, row.submission_id, hashes)
            self.payloads.delete_all(row.object_keys)
            self.store.delete(row)
            self.quotas.release(row.quota_claim)  # usually the final write has already done this
            return
        # A pending run may start at any time and then needs its input, so we delete the row first.
        if not self.store.delete(row):
            if self.store.get(row.submission_id) is None:
                raise NotFoundError("There is no such submission.")
            raise ConflictError(_RUNNING)
        self.payloads.mark_over(row.submission_id)
        self.quotas.release(row.quota_claim)
        self.payloads.delete_all(row.object_keys)
