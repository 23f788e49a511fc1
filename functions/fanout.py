"""Step 2 of the webhook specification: from a final submission to its event, its delivery and a hint.

Every write is idempotent, so whoever finds `fanout=PENDING` (record, a repeated message, the sweeper) runs it again.
A submission without a webhook target gets no event row: nobody would read it.
"""

from dataclasses import dataclass

from functions.core.clock import Clock, now_ms, to_rfc3339
from functions.core.delivery import RUN_ENDPOINT_ID, Delivery, DeliveryState, Event
from functions.core.event_body import EVENT_SCHEMA, completed_body
from functions.core.failpoint import reach
from functions.core.result_view import result_body, result_path
from functions.core.submission import EVENT_COMPLETED, Submission, event_id_for
from functions.payloads import PayloadMissing, Payloads
from functions.queues import Queues
from functions.store.deliveries import DeliveryStore
from functions.store.submissions import SubmissionStore


@dataclass(frozen=True, slots=True)
class FanOut:
    """Parts that a fan-out needs. `public_base_url` has no slash at its end."""

    submissions: SubmissionStore
    deliveries: DeliveryStore
    queues: Queues
    payloads: Payloads
    deliveries_queue_url: str
    public_base_url: str
    clock: Clock = now_ms

    def fan_out(self, submission: Submission) -> None:
        """Write what a final submission owes its own webhook URL, then mark it done; repeats change nothing."""
        if submission.webhook_url is not None:
            self._owe_own_target(submission, submission.webhook_url)
        self.submissions.finish_fanout(submission.submission_id)

    def _owe_own_target(self, submission: Submission, url: str) -> None:
        event_id = submission.event_id or event_id_for(submission.submission_id, EVENT_COMPLETED)
        # The bytes come first: a delivery without its event would be dropped as cancelled.
        self.deliveries.put_event(
            Event(
                event_id=event_id,
                type=EVENT_COMPLETED,
                schema=EVENT_SCHEMA,
                project_id=submission.project_id,
                submission_id=submission.submission_id,
                body=self._body(submission),
            )
        )
        reach("fanout.after_event")
        now = self.clock()
        self.deliveries.put_delivery(
            Delivery(
                event_id=event_id,
                endpoint_id=RUN_ENDPOINT_ID,
                webhook_id=event_id,
                project_id=submission.project_id,
                submission_id=submission.submission_id,
                url=url,
                secret=submission.webhook_secret or "",
                state=DeliveryState.PENDING,
                attempt=0,
                next_at_ms=now,
                created_at=to_rfc3339(now),
            )
        )
        reach("fanout.after_delivery")
        self.queues.send_delivery_hint(
            self.deliveries_queue_url, event_id, RUN_ENDPOINT_ID, submission.project_id, delay_secs=0
        )
        reach("fanout.after_hint")

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
        except PayloadMissing:  # deleted or expired meanwhile; the verdict is still owed
            return b""
