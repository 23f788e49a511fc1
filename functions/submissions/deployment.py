"""The stores of submissions."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.webhooks.deployment import WebhookDeployment

if TYPE_CHECKING:
    from functions.submissions.results.delete import Deletion
    from functions.submissions.results.list_store import SubmissionList
    from functions.submissions.store import SubmissionStore


class SubmissionDeployment(WebhookDeployment):
    """The stores of submissions."""

    @cached_property
    def submissions(self) -> SubmissionStore:
        """Submissions."""
        from functions.submissions.store import SubmissionStore

        return SubmissionStore(self.settings.submissions_table, self.dynamodb, self.clock)

    @cached_property
    def submission_list(self) -> SubmissionList:
        """Lists of submissions."""
        from functions.submissions.results.list_store import SubmissionList

        return SubmissionList(self.settings.submissions_table, self.dynamodb, self.clock)

    @cached_property
    def deletion(self) -> Deletion:
        """Deletes a submission with all that belongs to it."""
        from functions.submissions.results.delete import Deletion

        return Deletion(self.submissions, self.deliveries, self.quotas, self.payloads)
