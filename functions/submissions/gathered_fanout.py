"""What a direct run still owes when it has ended: its place in the quota, and a fan-out that others are done with.

The place is let go of beside the commit. The fan-out of a run that only the bus hears of is left to
`submissions.gathering`: the row is due, and `record` is reminded of all that are, twice a second at most and a second
later.
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

REMIND_EVERY_MS = 500
"""A row is seen in the index a moment after it was written: the delay of a reminder is twice this."""
_FRESH_MS = 3_000
_MAX_PROJECTS = 10_000
_THREADS = 16


@dataclass(slots=True)
class GatheredFanOut:
    """Parts that it needs; one for all threads of a process.

    Threads that race here send one reminder too many or ask once more, and nothing else.
    """

    endpoints: EndpointStore
    quotas: QuotaStore
    queues: Queues
    completions_queue_url: str
    log: Logger
    clock: Clock = now_ms
    threads: Executor = field(default_factory=lambda: ThreadPoolExecutor(_THREADS, "release"))
    _reminded_ms: int = 0
    _endpoints: dict[str, tuple[int, bool]] = field(default_factory=dict)

    def suits(self, submission: Submission, completion: Completion) -> bool:
        """Tell whether most likely nobody but the bus hears of it. A mistake costs a second and nothing else."""
        if submission.webhook_url is not None or completion.stdout_key is not None or completion.stderr_key is not None:
            return False
        try:
            return not self._has_endpoints(submission.project_id)
        except (ClientError, BotoCoreError) as error:
            warn(self.log, "Endpoints not read; `record` asks for them", submission.submission_id, error)
            return False

    def release(self, submission: Submission) -> Callable[[], None]:
        """Let go of its place, on another thread; call the result to wait for that."""
        return self.threads.submit(self._release, submission).result

    def remind(self, submission: Submission) -> None:
        """Have `record` fan out what is due in a second, unless it was told a moment ago."""
        now = self.clock()
        if 0 <= now - self._reminded_ms < REMIND_EVERY_MS:
            return
        self._reminded_ms = now
        try:
            self.queues.send_fanouts_due(self.completions_queue_url)
        except (ClientError, BotoCoreError) as error:
            self._reminded_ms = 0
            warn(self.log, "No reminder sent; the sweeper will find what is due", submission.submission_id, error)

    def _has_endpoints(self, project_id: str) -> bool:
        """Return what is a few seconds old at most."""
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
            warn(self.log, "Place in the quota not let go of; the fan-out does", submission.submission_id, error)
