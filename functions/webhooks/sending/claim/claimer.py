"""Claim deliveries that may be sent now. Park, pause or cancel the others."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from functions.aws.dynamodb.retries import tries
from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.failpoint import reach
from functions.webhooks.deliveries.hints import DeliveryHints, Hint
from functions.webhooks.deliveries.model import MAX_HINT_DELAY_MS, PARKED_MS, Delivery
from functions.webhooks.sending.claim.candidates import Candidates
from functions.webhooks.sending.claim.leases import ClaimedDelivery, Leases
from functions.webhooks.sending.claim.parking import Parking
from functions.webhooks.sending.claim.snapshots import DeliverySnapshot
from functions.webhooks.sending.limits.lane_waker import LaneWaker
from functions.webhooks.sending.limits.slots import TakenSlot

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
