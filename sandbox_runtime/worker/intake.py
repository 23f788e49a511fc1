"""Pollers: take permits, receive as many messages, hand them to the slots."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from sandbox_runtime.transport import MOST_PER_RECEIVE, Backoff, Received, Transport, TransportError
from sandbox_runtime.worker.capacity import Capacity, Priority

# A waiting batch poll holds a permit that a burst of interactive work may want: it must be short.
BATCH_WAIT_SECS = 1

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lane:
    """One queue and how long a poll of it may wait."""

    priority: Priority
    queue_url: str
    wait_secs: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """A received message with the permit that it runs on."""

    received: Received
    priority: Priority


def lanes(interactive_url: str, batch_url: str, *, slots: int, wait_secs: int) -> tuple[tuple[Lane, ...], ...]:
    """One tuple of lanes for each poller thread.

    With one slot there is one poller that asks in turn, interactive first, for a single permit cannot wait
    on two queues.
    """
    batch_wait_secs = min(BATCH_WAIT_SECS, wait_secs)
    if slots == 1:
        interactive = Lane(Priority.INTERACTIVE, interactive_url, batch_wait_secs)
        return ((interactive, Lane(Priority.BATCH, batch_url, 0)),)
    interactive = Lane(Priority.INTERACTIVE, interactive_url, wait_secs)
    return ((interactive,), (Lane(Priority.BATCH, batch_url, batch_wait_secs),))


class Poller:
    """Polls its lanes in turn until `stopping`. Survives any failure of the queue."""

    def __init__(
        self,
        poller_lanes: tuple[Lane, ...],
        transport: Transport,
        capacity: Capacity,
        assign: Callable[[Assignment], None],
        stopping: Event,
    ) -> None:
        self._lanes = poller_lanes
        self._transport = transport
        self._capacity = capacity
        self._assign = assign
        self._stopping = stopping
        self._backoff = Backoff()
        self._has_backlog: dict[Priority, bool] = {}

    def run(self) -> None:
        """Poll until the worker stops."""
        while not self._stopping.is_set():
            for lane in self._lanes:
                self._poll(lane)

    def _poll(self, lane: Lane) -> None:
        # Long polls hold one permit, so that the other queue may use the rest; after a find, take all that is there.
        greedy = self._has_backlog.get(lane.priority, False)
        permits = self._capacity.acquire(lane.priority, MOST_PER_RECEIVE if greedy else 1)
        if permits == 0:
            return
        found: list[Received] = []
        try:
            found = self._transport.receive(lane.queue_url, permits, 0 if greedy else lane.wait_secs)
            self._backoff.reset()
        except TransportError as error:
            self._pause(lane, error)
        finally:
            self._capacity.release(lane.priority, permits - len(found))
        self._has_backlog[lane.priority] = bool(found)
        for received in found:
            self._assign(Assignment(received, lane.priority))

    def _pause(self, lane: Lane, error: TransportError) -> None:
        delay_secs = self._backoff.next_delay_secs()
        _LOG.warning(
            "queue not reachable",
            extra={"priority": lane.priority, "step": error.operation, "code": error.code, "delay_secs": delay_secs},
        )
        self._stopping.wait(delay_secs)
