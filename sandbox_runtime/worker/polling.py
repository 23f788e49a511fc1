"""Poll the queues for executions. The share policy decides when each one starts."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from sandbox_runtime.metrics import Metrics
from sandbox_runtime.retry import Backoff
from sandbox_runtime.transport import Received, Transport, TransportError
from sandbox_runtime.worker.capacity import PEEK_PERIOD_SECS, Capacity
from sandbox_runtime.worker.reporting import Reporting
from sandbox_runtime.worker.slot_share import Priority

# An interactive run may take the free slot during a batch poll, so that poll is short.
BATCH_WAIT_SECS = 1

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PolledQueue:
    """One queue, and how long a poll of it may wait."""

    priority: Priority
    queue_url: str
    wait_secs: int


def polled_queues(
    interactive_url: str, batch_url: str, *, slots: int, wait_secs: int
) -> tuple[tuple[PolledQueue, ...], ...]:
    """Assign the queues to poller threads: one tuple for each thread.

    With one slot, one thread polls both in turn, interactive first. Two threads would both receive a message for it.
    """
    batch_wait_secs = min(BATCH_WAIT_SECS, wait_secs)
    if slots == 1:
        interactive = PolledQueue(Priority.INTERACTIVE, interactive_url, batch_wait_secs)
        return ((interactive, PolledQueue(Priority.BATCH, batch_url, 0)),)
    interactive = PolledQueue(Priority.INTERACTIVE, interactive_url, wait_secs)
    return ((interactive,), (PolledQueue(Priority.BATCH, batch_url, batch_wait_secs),))


class Poller:
    """Poll queues in turn until `stopping` is set, and give each message to `accept`. Retries when a queue fails."""

    def __init__(
        self,
        queues: tuple[PolledQueue, ...],
        transport: Transport,
        capacity: Capacity,
        accept: Callable[[Received, Priority], None],
        stopping: Event,
        reporting: Reporting,
        metrics: Metrics,
    ) -> None:
        self._queues = queues
        self._transport = transport
        self._capacity = capacity
        self._accept = accept
        self._stopping = stopping
        self._reporting = reporting
        self._metrics = metrics
        self._backoff = Backoff()

    def run(self) -> None:
        """Poll until the worker stops."""
        while not self._stopping.is_set():
            if not self._reporting.wait(PEEK_PERIOD_SECS):
                continue  # each receive would cost its submission one of its attempts
            for queue in self._queues:
                self._poll(queue)

    def _poll(self, queue: PolledQueue) -> None:
        poll = self._capacity.begin_poll(queue.priority)
        if poll is None:
            return
        try:
            for received in self._receive(queue, poll.most, queue.wait_secs if poll.may_wait else 0):
                self._accept(received, queue.priority)
        finally:
            self._capacity.end_poll()

    def _receive(self, queue: PolledQueue, most: int, wait_secs: int) -> list[Received]:
        try:
            found = self._transport.receive(queue.queue_url, most, wait_secs)
        except TransportError as error:
            self._pause(queue, error)
            return []
        self._backoff.reset()
        return found

    def _pause(self, queue: PolledQueue, error: TransportError) -> None:
        self._metrics.count_receive_error(queue.priority.name.lower())
        delay_secs = self._backoff.next_delay_secs()
        _LOG.warning(
            "queue not reachable",
            extra={"priority": queue.priority, "step": error.operation, "code": error.code, "delay_secs": delay_secs},
        )
        self._stopping.wait(delay_secs)
