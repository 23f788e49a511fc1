"""Claim deliveries that may be sent now. Park, pause or cancel the others."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from functions.aws.dynamodb.table import tries
from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.failpoint import reach
from functions.webhooks.deliveries.hints import DeliveryHints, Hint
from functions.webhooks.deliveries.model import MAX_HINT_DELAY_MS, PARKED_MS, RUN_ENDPOINT_ID, Delivery, DeliveryState
from functions.webhooks.sending.lanes import (
    Lane,
    LaneStore,
    OrderedQueue,
    run_lane_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from functions.webhooks.deliveries.replay import ReplayStore
    from functions.webhooks.sending.leases import ClaimedDelivery, DeliverySnapshot, Leases, Parking, Snapshots
    from functions.webhooks.sending.slots import LaneWaker, TakenSlot


# Read a delivery with its endpoint, lane and send slots.


# Read the delivery that a sender may claim next: the hinted one, an older one, or the next one in order.

_MOST = 5
"""Parked deliveries of a lane that one call looks at."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Reads deliveries with their endpoint, lane and slots."""

    snapshots: Snapshots
    parking: Parking
    lanes: LaneStore
    queue: OrderedQueue
    replays: ReplayStore
    clock: Clock = now_ms

    def read_claimable(self, hint: Hint) -> DeliverySnapshot | None:
        """Read a delivery with its endpoint, lane and slots; None if it cannot be claimed now."""
        return self._claimable(self._read(hint))

    def read_next(self, hint: Hint) -> DeliverySnapshot | None:
        """Like `read_claimable`. For an ordered endpoint, return the next delivery in order; the hinted one waits.

        A paused one is due again, because its endpoint is enabled. A replay has no place in the order.
        """
        snapshot = self._read(hint)
        if snapshot is None or not snapshot.lane.is_ordered or snapshot.is_off:
            return self._claimable(snapshot)
        first = self.queue.first(snapshot.lane)
        is_first = first is not None and first.event_id == snapshot.delivery.event_id
        if not is_first and (waits := self._claimable(snapshot)) is not None:
            if not self.queue.has(waits.delivery):
                return waits
            if first is not None:
                self.parking.wait_in_order(waits)
                reach("webhook.after_wait")
        if first is None:
            return None
        is_paused = first.state is DeliveryState.PAUSED
        if is_paused:
            self.replays.recover(first, self.clock())
            reach("webhook.after_resume")
        upcoming: DeliverySnapshot | None = snapshot
        if is_paused or not is_first:
            upcoming = self._read(Hint(first.event_id, first.endpoint_id, hint.project_id, hint.host))
        return self._claimable(None if upcoming is None else replace(upcoming, is_next=True, lane=snapshot.lane))

    def following(self, done: Delivery, lane: Lane) -> Iterator[DeliverySnapshot]:
        """Yield claimable deliveries of a lane, for a sender that is done with one of them and keeps its slot."""
        for event_id, endpoint_id in self._names(done, lane):
            snapshot = self.read_next(Hint(event_id, endpoint_id, lane.project_id, lane.host))
            if snapshot is not None and snapshot.lane.ref == lane.ref and snapshot.lane.host == lane.host:
                yield snapshot

    def _names(self, done: Delivery, lane: Lane) -> Iterator[tuple[str, str]]:
        if lane.is_ordered:
            yield done.event_id, done.endpoint_id  # leads to the next one (`read_next`)
        yield from self.lanes.oldest(lane, _MOST)

    def older(self, snapshot: DeliverySnapshot) -> DeliverySnapshot | None:
        """Return a delivery of the same lane that has waited longer; None if there is none."""
        for event_id, endpoint_id in self.lanes.oldest(snapshot.lane, _MOST, snapshot.delivery.next_at_ms):
            if (event_id, endpoint_id) == (snapshot.delivery.event_id, snapshot.delivery.endpoint_id):
                return None
            older = self.read_claimable(Hint(event_id, endpoint_id, snapshot.slots.project_id, snapshot.lane.host))
            if older is not None and older.lane.ref == snapshot.lane.ref and older.delivery.lane_at_ms is not None:
                return older
        return None

    def _read(self, hint: Hint) -> DeliverySnapshot | None:
        """Read a delivery with its endpoint, lane and slots; None if it is gone or another project's."""
        lane = hint.endpoint_id if hint.endpoint_id != RUN_ENDPOINT_ID else run_lane_name(hint.host)
        snapshot = self.snapshots.read(hint.event_id, hint.endpoint_id, hint.project_id, lane)
        return snapshot if snapshot is not None and snapshot.delivery.project_id == hint.project_id else None

    def _claimable(self, snapshot: DeliverySnapshot | None) -> DeliverySnapshot | None:
        return snapshot if snapshot is not None and snapshot.delivery.is_claimable(self.clock()) else None


SEND_MS = 20_000
"""Time that a send needs from its slot: 15 s, and the writes before and after."""

_TRIES = 6


@dataclass(frozen=True, slots=True)
class Claimer:
    """Claims deliveries for senders."""

    candidates: Candidates
    leases: Leases
    parking: Parking
    hints: DeliveryHints
    lane_waker: LaneWaker
    clock: Clock = now_ms
    sleep: Callable[[float], None] = time.sleep

    def claim(self, hint: Hint, owner: str) -> ClaimedDelivery | None:
        """Claim the hinted delivery, or an older one of its lane; None if nothing can be sent now."""
        for _ in tries(_TRIES, self.sleep):
            snapshot = self.candidates.read_next(hint)
            if snapshot is None:
                return None
            claimed, is_settled = self._settle(snapshot, owner, hint)
            if is_settled:
                return None if claimed is None else replace(claimed, body=_bytes_of(claimed.delivery, hint))
            # Another sender just changed one of the rows: read them again.
        self._defer(hint)
        return None

    def claim_next(self, claimed: ClaimedDelivery, owner: str, until_ms: int) -> ClaimedDelivery | None:
        """Claim the lane's oldest parked delivery for the slot of `claimed`; None if the slot must be freed.

        `until_ms`: no send may start later.
        """
        slot = claimed.slot
        if slot is None or self.clock() > min(until_ms, slot.until_ms - SEND_MS):
            return None
        for snapshot in self.candidates.following(claimed.delivery, slot.lane):
            if snapshot.lane.is_open:  # its probe is due later, and another sender may get it
                return None
            if snapshot.is_orphan:
                self.parking.cancel(snapshot.delivery)
            elif snapshot.is_off:
                self.parking.pause(snapshot)
            elif (following := self.leases.claim_for(slot, snapshot, owner)) is not None:
                return following
        return None

    def release(self, slot: TakenSlot) -> None:
        """Free a slot and pass it on to a parked delivery."""
        slots = self.leases.release(slot)
        reach("webhook.after_release")
        self.lane_waker.pass_on(slots, slot.lane)

    def _settle(self, snapshot: DeliverySnapshot, owner: str, hint: Hint) -> tuple[ClaimedDelivery | None, bool]:
        """Claim, park, pause or cancel. Return the claim if any, and False if the rows have changed since."""
        if snapshot.is_orphan:
            return None, self.parking.cancel(snapshot.delivery)
        if snapshot.is_off:
            return None, self.parking.pause(snapshot)
        if not self._has_free_slot(snapshot):
            return self._wait(snapshot, owner, hint)
        may_be_older = snapshot.lane.waiting_ms is not None and not snapshot.lane.is_ordered
        if may_be_older and (older := self.candidates.older(snapshot)) is not None:
            if not self.parking.park(snapshot):
                return None, False
            # The older one was read later. Its claim counts the slots again.
            snapshot = older
            if not self._has_free_slot(snapshot):
                return None, True  # both wait, and the sender that took the slot will see them
        claimed = self.leases.claim(snapshot, owner, self.lane_waker.project_slots)
        return claimed, claimed is not None

    def _has_free_slot(self, snapshot: DeliverySnapshot) -> bool:
        return snapshot.slots.count_free(snapshot.lane, self.lane_waker.project_slots, self.clock()) > 0

    def _wait(self, snapshot: DeliverySnapshot, owner: str, hint: Hint) -> tuple[ClaimedDelivery | None, bool]:
        now = self.clock()
        if snapshot.lane.is_open and now - snapshot.delivery.next_at_ms >= PARKED_MS:
            claimed = self.leases.claim_for(None, snapshot, owner)
            return claimed, claimed is not None
        if snapshot.is_next and snapshot.slots.has_sender(snapshot.lane, now):
            return None, self.parking.wait_in_order(snapshot)  # that sender goes on with this one
        next_free_ms = snapshot.slots.next_free_ms(snapshot.lane, now)
        if snapshot.lane.is_marked(now) or next_free_ms is None:
            return None, self.parking.park(snapshot)
        # No sender passes on a resting slot or the probe of an open circuit breaker. So the first delivery gets a hint.
        at_ms = min(max(next_free_ms, now), now + MAX_HINT_DELAY_MS)
        if not self.parking.park(snapshot, at_ms):
            return None, False
        reach("webhook.after_park")
        self.hints.send(Hint.of(snapshot.delivery, _bytes_of(snapshot.delivery, hint)), delay_ms=at_ms - now)
        return None, True

    def _defer(self, hint: Hint) -> None:
        """Send the hint again in a second, because other senders keep changing the rows."""
        if self.candidates.read_claimable(hint) is not None:
            self.hints.send(hint.without_new, delay_ms=MS_PER_SEC)


def _bytes_of(delivery: Delivery, hint: Hint) -> bytes:
    """Return the hint's bytes if they are those of the delivery, which may be an older one of the same lane."""
    is_same = bool(hint.body) and hashlib.sha256(hint.body).digest() == delivery.body_digest
    return hint.body if is_same else b""
