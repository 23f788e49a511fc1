"""Wake lanes: send hints to parked deliveries when a slot becomes free, a circuit breaker closes, or the sweeper runs.

One write takes a delivery out of its lane before its hint is sent. So a delivery has at most one hint.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom

from functions.clock import Clock, now_ms
from functions.failpoint import reach
from functions.webhooks.deliveries.due import DueLane
from functions.webhooks.deliveries.hints import DeliveryHints, Hint
from functions.webhooks.deliveries.model import MAX_HINT_DELAY_MS, Delivery, DeliveryState
from functions.webhooks.sending.lanes.lane import Lane
from functions.webhooks.sending.lanes.lane_store import LaneStore
from functions.webhooks.sending.lanes.ordered_queue import OrderedQueue
from functions.webhooks.sending.limits.slot_store import SlotStore
from functions.webhooks.sending.limits.slots import Slots

MAX_HINTS = 10


@dataclass(frozen=True, slots=True)
class LaneWaker:
    """Sends hints to parked deliveries. `project_slots`: slots of one project. `random` in [0, 1) picks a lane."""

    lanes: LaneStore
    slots: SlotStore
    queue: OrderedQueue
    hints: DeliveryHints
    project_slots: int
    clock: Clock = now_ms
    random: Callable[[], float] = SystemRandom().random

    def pass_on(self, slots: Slots, by: Lane) -> None:
        """Pass a slot that a sender of lane `by` freed to one parked delivery of any lane with a free slot."""
        if by.is_ordered:
            self.wake(by, slots, 1)
        if slots.waiting_ms is None:
            return
        lanes, are_all = self.lanes.marked(slots.project_id)
        self._plan_probe([lane for lane in lanes if lane.name == by.name], slots)
        for lane in sorted(lanes, key=lambda _: self.random()):
            if self.wake(lane, slots, 1):
                return
        if are_all and not lanes:
            self.slots.clear_mark(slots)

    def wake(self, lane: Lane, slots: Slots, most: int = MAX_HINTS) -> int:
        """Send hints for the oldest deliveries of a lane, one per free slot; return their number."""
        free = slots.count_free(lane, self.project_slots, self.clock())
        first = self.queue.first(lane) if free and lane.is_ordered else None
        if first is not None:
            return self._hint_first(lane, first)
        return self._hint(lane, min(free, most), 0) if free else 0

    def wake_with_slots(self, lane: Lane) -> None:
        """Read the project's slots, then `wake`."""
        self.wake(lane, self.slots.read(lane.project_id))

    def wake_due(self, due: DueLane, due_at_ms: int) -> None:
        """Move the due key of a lane that is due, then wake it; do nothing for a stale entry."""
        lane = self.lanes.push_back(due, due_at_ms)
        if lane is not None:
            reach("sweep.after_take")
            self.wake_with_slots(lane)

    def _plan_probe(self, lanes: list[Lane], slots: Slots) -> None:
        """Send the probe's hint if the circuit breaker is open and no other sender of the lane is left to do it."""
        now = self.clock()
        for lane in lanes:
            if lane.is_open and lane.probe_at_ms > now and not slots.has_sender(lane, now):
                self._hint(lane, 1, min(lane.probe_at_ms - now, MAX_HINT_DELAY_MS))

    def _hint_first(self, lane: Lane, first: Delivery) -> int:
        """Send a hint for the first delivery of an ordered lane, unless it is under way or has a hint of its own."""
        if first.state is DeliveryState.PAUSED:
            if self.lanes.is_disabled(lane):
                self.lanes.clear(lane)  # the request that enables the endpoint marks it again
                return 0
        elif not first.is_claimable(self.clock()):
            return 0
        self.hints.send(Hint.of(first))
        return 1

    def _hint(self, lane: Lane, most: int, delay_ms: int) -> int:
        hinted_for_ms = self.clock() + delay_ms
        oldest = self.lanes.oldest(lane, most)
        if not oldest:
            self.lanes.clear(lane)
        taken = [self.lanes.take_out(event_id, endpoint_id, hinted_for_ms) for event_id, endpoint_id in oldest]
        hinted = [delivery for delivery in taken if delivery is not None]
        reach("waking.after_take_out")
        if delay_ms:
            for delivery in hinted:
                self.hints.send(Hint.of(delivery), delay_ms=delay_ms)
        else:
            self.hints.send_all([Hint.of(delivery) for delivery in hinted])
        return len(hinted)
