"""Pollers: receive what can be run, hand it to the slots."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from sandbox_runtime.transport import MOST_PER_RECEIVE, Backoff, Received, Transport, TransportError
from sandbox_runtime.worker.capacity import Capacity, Priority
from sandbox_runtime.worker.visibility import VisibilityKeeper

# What a batch poll brings may find the slots taken by then: it must be short.
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
    """Polls its lanes in turn until `stopping`. Survives any failure of the queue.

    `assign` gets each message together with a permit; `give_back` one for which there will be none.
    """

    def __init__(
        self,
        poller_lanes: tuple[Lane, ...],
        transport: Transport,
        capacity: Capacity,
        keeper: VisibilityKeeper,
        assign: Callable[[Received], None],
        give_back: Callable[[Received], None],
        stopping: Event,
    ) -> None:
        self._lanes = poller_lanes
        self._transport = transport
        self._capacity = capacity
        self._keeper = keeper
        self._assign = assign
        self._give_back = give_back
        self._stopping = stopping
        self._backoff = Backoff()
        self._has_backlog: dict[Priority, bool] = {}

    def run(self) -> None:
        """Poll until the worker stops."""
        while not self._stopping.is_set():
            for lane in self._lanes:
                self._poll(lane)

    def _poll(self, lane: Lane) -> None:
        # After a find take all that is there. That poll is quick, so it may hold the permits of what it will bring.
        if self._has_backlog.get(lane.priority, False):
            self._drain_backlog(lane)
        elif self._capacity.begin_poll(lane.priority):
            try:
                self._wait_for_one(lane)
            finally:
                self._capacity.end_poll()

    def _drain_backlog(self, lane: Lane) -> None:
        permits = self._capacity.acquire(lane.priority, MOST_PER_RECEIVE)
        found: list[Received] = []
        try:
            if permits:
                found = self._receive(lane, permits, 0)
        finally:
            self._capacity.release(permits - len(found))
        for received in found:
            self._assign(received)

    def _wait_for_one(self, lane: Lane) -> None:
        for received in self._receive(lane, 1, lane.wait_secs):
            if not self._capacity.acquire(lane.priority, 1, wait_secs=0) and not self._wait_for_slot(lane, received):
                self._give_back(received)
            else:
                self._assign(received)

    def _wait_for_slot(self, lane: Lane, received: Received) -> bool:
        """A direct run took the slot: this one is ours until the next is free. False: the worker stops."""
        self._keeper.hold(received)
        try:
            return self._capacity.acquire(lane.priority, 1) > 0
        finally:
            self._keeper.drop(received)

    def _receive(self, lane: Lane, most: int, wait_secs: int) -> list[Received]:
        found: list[Received] = []
        try:
            found = self._transport.receive(lane.queue_url, most, wait_secs)
            self._backoff.reset()
        except TransportError as error:
            self._pause(lane, error)
        self._has_backlog[lane.priority] = bool(found)
        return found

    def _pause(self, lane: Lane, error: TransportError) -> None:
        delay_secs = self._backoff.next_delay_secs()
        _LOG.warning(
            "queue not reachable",
            extra={"priority": lane.priority, "step": error.operation, "code": error.code, "delay_secs": delay_secs},
        )
        self._stopping.wait(delay_secs)
