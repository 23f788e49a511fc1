"""Poll the queues for executions. The share policy decides when each one starts."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from sandbox_runtime.metrics import Metrics
from sandbox_runtime.retry import Backoff
from sandbox_runtime.transport import Received, Transport, TransportError
from sandbox_runtime.worker.reporting.queue_health import QueueHealth
from sandbox_runtime.worker.slots.capacity import PEEK_PERIOD_SECS, Capacity
from sandbox_runtime.worker.slots.fair_share import Priority

# An interactive run may take the free slot during a batch poll, so that poll is short.
BATCH_WAIT_SECS = 1

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PolledQueue:
    """One queue, and how long a poll of it may wait."""

    priority: Priority
    queue_url: str
    wait_secs: int


class Poller:
    """Poll a queue until `stopping` is set, and give each message to `accept`. Retries when the queue fails.

    `accept` also gets whether a slot was free when the poll began.
    """

    def __init__(
        self,
        queue: PolledQueue,
        transport: Transport,
        capacity: Capacity,
        accept: Callable[[Received, Priority, bool], None],
        stopping: Event,
        health: QueueHealth,
        metrics: Metrics,
    ) -> None:
        self._queue = queue
        self._transport = transport
        self._capacity = capacity
        self._accept = accept
        self._stopping = stopping
        self._health = health
        self._metrics = metrics
        self._backoff = Backoff()

    def run(self) -> None:
        """Poll until the worker stops."""
        while not self._stopping.is_set():
            # Without the reports, each receive would cost its submission one of its attempts.
            if self._health.wait(PEEK_PERIOD_SECS):
                self._poll()

    def _poll(self) -> None:
        priority = self._queue.priority
        poll = self._capacity.begin_poll(priority)
        if poll is None:
            return
        try:
            for received in self._receive(poll.most, self._queue.wait_secs if poll.may_wait else 0):
                self._accept(received, priority, poll.may_wait)
        finally:
            self._capacity.end_poll()

    def _receive(self, most: int, wait_secs: int) -> list[Received]:
        try:
            found = self._transport.receive(self._queue.queue_url, most, wait_secs)
        except TransportError as error:
            self._pause(error)
            return []
        self._backoff.reset()
        return found

    def _pause(self, error: TransportError) -> None:
        priority = self._queue.priority
        self._metrics.count_receive_error(priority.name.lower())
        delay_secs = self._backoff.next_delay_secs()
        _LOG.warning(
            "queue not reachable",
            extra={"priority": priority, "step": error.operation, "code": error.code, "delay_secs": delay_secs},
        )
        self._stopping.wait(delay_secs)
