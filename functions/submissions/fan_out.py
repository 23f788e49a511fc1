"""Finish final rows of an older revision, which wrote the webhooks of a run after its final state.

Every write is idempotent. The sweeper repeats this while a row has `fanout=PENDING`.
"""

from dataclasses import dataclass

from functions.aws.payloads import Payloads
from functions.failpoint import reach
from functions.projects.quota_store import QuotaStore
from functions.submissions.completed_event import completed_event, render_event
from functions.submissions.model import Submission
from functions.submissions.store import SubmissionStore
from functions.webhooks.publish import Outbox, RunTarget


@dataclass(frozen=True, slots=True)
class OlderFanOut:
    """Finishes older rows. `public_base_url` has no trailing slash."""

    outbox: Outbox
    submissions: SubmissionStore
    payloads: Payloads
    public_base_url: str
    quotas: QuotaStore

    def finish(self, submission: Submission) -> None:
        """Release the quota, write and hint the webhooks, then mark the row. The stream tells the bus of the mark."""
        self.quotas.release(submission.quota_claim)
        own = None
        if submission.webhook_url is not None:
            own = RunTarget(
                submission.webhook_url, submission.webhook_secret_box or b"", submission.webhook_secret or ""
            )
        body = render_event(submission, self.payloads, self.public_base_url)
        self.outbox.publish(completed_event(submission, body), own)
        reach("fanout.before_done")
        self.submissions.finish_fanout(submission.submission_id)
