"""Work after a direct run: release its quota, and trigger a batch of fan-outs.

A run without a webhook of its own, in a project without endpoints, owes an event to the bus only. Such bus-only
fan-outs are announced in batches: `batched_fan_out` makes them in `record`. A message triggers it, at most twice a
second and with a delay of one second.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.clock import Clock, now_ms
from functions.telemetry import warn

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from aws_lambda_powertools import Logger

    from functions.projects.quota_store import QuotaStore
    from functions.submissions.model import Completion, Submission
    from functions.submissions.queues import Queues
    from functions.webhooks.endpoints.store import EndpointStore

TRIGGER_EVERY_MS = 500
"""The message is delayed by twice this time, because the index is updated shortly after the row."""
_FRESH_MS = 3_000
_MAX_PROJECTS = 10_000
_THREADS = 16


@dataclass(slots=True)
class BatchTrigger:
    """Releases quotas and triggers batches. All threads of a process share one instance.

    A race between threads at worst causes one more message or one more read.
    """

    endpoints: EndpointStore
    quotas: QuotaStore
    queues: Queues
    completions_queue_url: str
    log: Logger
    clock: Clock = now_ms
    threads: Executor = field(default_factory=lambda: ThreadPoolExecutor(_THREADS, "release"))
    _triggered_ms: int = 0
    _endpoints: dict[str, tuple[int, bool]] = field(default_factory=dict)

    def is_bus_only(self, submission: Submission, completion: Completion) -> bool:
        """Return whether the event probably goes to the bus only. A wrong answer costs at most a second's delay."""
        if submission.webhook_url is not None or completion.stdout_key is not None or completion.stderr_key is not None:
            return False
        try:
            return not self._has_endpoints(submission.project_id)
        except (ClientError, BotoCoreError) as error:
            warn(self.log, "Endpoints not read; record will read them", submission.submission_id, error)
            return False

    def release_quota(self, submission: Submission) -> Callable[[], None]:
        """Release the run from the quota on another thread. Call the returned function to wait for it."""
        return self.threads.submit(self._release, submission).result

    def trigger(self, submission: Submission) -> None:
        """Send the message that makes `record` run a batch in a second, unless one was just sent."""
        now = self.clock()
        if 0 <= now - self._triggered_ms < TRIGGER_EVERY_MS:
            return
        self._triggered_ms = now
        try:
            self.queues.send_fanouts_due(self.completions_queue_url)
        except (ClientError, BotoCoreError) as error:
            self._triggered_ms = 0
            warn(self.log, "Batch not triggered; the sweeper will make the fan-out", submission.submission_id, error)

    def _has_endpoints(self, project_id: str) -> bool:
        """Return whether the project has endpoints, as of at most _FRESH_MS ago."""
        now = self.clock()
        read_at_ms, has_endpoints = self._endpoints.get(project_id, (0, False))
        if not 0 <= now - read_at_ms < _FRESH_MS:
            has_endpoints = self.endpoints.has_any(project_id)
            if len(self._endpoints) >= _MAX_PROJECTS:
                self._endpoints.clear()
            self._endpoints[project_id] = now, has_endpoints
        return has_endpoints

    def _release(self, submission: Submission) -> None:
        try:
            self.quotas.release(submission.quota_claim)
        except (ClientError, BotoCoreError) as error:
            warn(self.log, "Quota not released; the fan-out will release it", submission.submission_id, error)
