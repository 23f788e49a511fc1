"""What sweeps: submissions, and the deliveries and alerts of webhooks."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.submissions.deployment import SubmissionDeployment

if TYPE_CHECKING:
    from functions.submissions.sweeper import DueWebhooks, Sweep


class SweepDeployment(SubmissionDeployment):
    """What sweeps: submissions, and the deliveries and alerts of webhooks."""

    @cached_property
    def due_webhooks(self) -> DueWebhooks:
        """Handles due rows of webhooks."""
        from functions.submissions.sweeper import DueWebhooks
        from functions.webhooks.alerts import Alerts
        from functions.webhooks.sending.slots import LaneWaker

        return DueWebhooks(self.deliveries, self.delivery_hints, self[Alerts], self[LaneWaker], self.clock)

    def new_sweep(self) -> Sweep:
        """Return a sweep. It forgets its observations of queues and projects at its end."""
        from functions.clock import MS_PER_SEC
        from functions.submissions.sweeper import BegunRuns, Sweep

        return Sweep(
            completer=self.completer,
            submissions=self.submissions,
            payloads=self.payloads,
            deliveries=self.deliveries,
            webhooks=self.due_webhooks,
            boxes=self.secret_boxes,
            queues=self.queues,
            begun=BegunRuns(self.settings.submissions_table, self.dynamodb),
            pending_redrive_ms=self.settings.pending_redrive_secs * MS_PER_SEC,
            clock=self.clock,
        )
