"""The fan-out of a final submission: its event, its deliveries, their hints and the bus.

Every write is idempotent. `record` and the sweeper repeat the fan-out while the row has `fanout=PENDING`.
"""

from dataclasses import dataclass

from functions.aws.payloads import PayloadMissingError, Payloads
from functions.failpoint import reach
from functions.http.paths import result_path
from functions.projects.quota_store import QuotaStore
from functions.submissions.completed_event import completed_body, completed_event
from functions.submissions.model import Submission
from functions.submissions.store import SubmissionStore
from functions.submissions.views import result_body
from functions.webhooks.publish import Outbox, RunTarget


@dataclass(frozen=True, slots=True)
class FanOut:
    """Makes fan-outs. `public_base_url` has no trailing slash."""

    outbox: Outbox
    submissions: SubmissionStore
    payloads: Payloads
    public_base_url: str
    quotas: QuotaStore

    def fan_out(self, submission: Submission) -> None:
        """Release the quota, publish the event, then mark the fan-out as done. Repeating the call is safe."""
        # First, because a client with its result may start the next run immediately.
        self.quotas.release(submission.quota_claim)
        reach("fanout.after_release")
        own = None
        if submission.webhook_url is not None:
            own = RunTarget(
                submission.webhook_url, submission.webhook_secret_box or b"", submission.webhook_secret or ""
            )
        self.outbox.publish(completed_event(submission, self._body(submission)), own)
        reach("fanout.before_done")
        self.submissions.finish_fanout(submission.submission_id)

    def _body(self, submission: Submission) -> bytes:
        return completed_body(
            lambda stdout, stderr: result_body(submission, stdout, stderr),
            stdout=self._stream(submission, submission.stdout, submission.stdout_key),
            stderr=self._stream(submission, submission.stderr, submission.stderr_key),
            result_url=self.public_base_url + result_path(submission.submission_id),
        )

    def _stream(self, submission: Submission, inline: bytes | None, key: str | None) -> bytes:
        if key is None:
            return inline or b""
        try:
            return self.payloads.get_output(submission.submission_id, key)
        except PayloadMissingError:  # deleted or expired meanwhile; targets still get the verdict
            return b""
