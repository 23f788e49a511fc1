"""Pollers receive messages and pass them on; the share policy decides when each one starts."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from sandbox_runtime.transport import Backoff, Received, Transport, TransportError
from sandbox_runtime.worker.capacity import Capacity
from sandbox_runtime.worker.slot_share import Priority

# Interactive work may take the slots during a batch poll, so the poll is short.
BATCH_WAIT_SECS = 1

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lane:
    """One queue and how long a poll of it may wait."""

    priority: Priority
    queue_url: str
    wait_secs: int


def lanes(interactive_url: str, batch_url: str, *, slots: int, wait_secs: int) -> tuple[tuple[Lane, ...], ...]:
    """One tuple of lanes for each poller thread.

    With one slot there is one poller that asks in turn, interactive first, so that it receives no message for a slot
    that the other queue's message has taken.
    """
    batch_wait_secs = min(BATCH_WAIT_SECS, wait_secs)
    if slots == 1:
        interactive = Lane(Priority.INTERACTIVE, interactive_url, batch_wait_secs)
        return ((interactive, Lane(Priority.BATCH, batch_url, 0)),)
    interactive = Lane(Priority.INTERACTIVE, interactive_url, wait_secs)
    return ((interactive,), (Lane(Priority.BATCH, batch_url, batch_wait_secs),))


class Poller:
    """Polls its lanes in turn until `stopping`. Survives any failure of the queue. `accept` gets each message."""

    def __init__(
        self,
        poller_lanes: tuple[Lane, ...],
        transport: Transport,
        capacity: Capacity,
        accept: Callable[[Received, Priority], None],
        stopping: Event,
    ) -> None:
        self._lanes = poller_lanes
        self._transport = transport
        self._capacity = capacity
        self._accept = accept
        self._stopping = stopping
        self._backoff = Backoff()

    def run(self) -> None:
        """Poll until the worker stops."""
        while not self._stopping.is_set():
            for lane in self._lanes:
                self._poll(lane)

    def _poll(self, lane: Lane) -> None:
        poll = self._capacity.begin_poll(lane.priority)
        if poll is None:
            return
        try:
            for received in self._receive(lane, poll.most, lane.wait_secs if poll.may_wait else 0):
                self._accept(received, lane.priority)
        finally:
            self._capacity.end_poll()

    def _receive(self, lane: Lane, most: int, wait_secs: int) -> list[Received]:
        try:
            found = self._transport.receive(lane.queue_url, most, wait_secs)
        except TransportError as error:
            self._pause(lane, error)
            return []
        self._backoff.reset()
        return found

    def _pause(self, lane: Lane, error: TransportError) -> None:
        delay_secs = self._backoff.next_delay_secs()
        _LOG.warning(
            "queue not reachable",
            extra={"priority": lane.priority, "step": error.operation, "code": error.code, "delay_secs": delay_secs},
        )
        self._stopping.wait(delay_secs)
