"""Claim deliveries that may be sent now. Park, pause or cancel the others."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from functions.aws.dynamodb.retries import tries
from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.failpoint import reach
from functions.webhooks.deliveries.hints import DeliveryHints, Hint
from functions.webhooks.deliveries.model import (
    FIRST_HINTED_MS,
    MAX_HINT_DELAY_MS,
    PARKED_MS,
    RUN_ENDPOINT_ID,
    Delivery,
)
from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.sending.claim.candidates import Candidates
from functions.webhooks.sending.claim.leases import ClaimedDelivery, Leases
from functions.webhooks.sending.claim.parking import Parking
from functions.webhooks.sending.claim.snapshots import DeliverySnapshot, Snapshots
from functions.webhooks.sending.lanes.lane import Lane, lane_name, max_concurrent_sends
from functions.webhooks.sending.limits.lane_waker import LaneWaker
from functions.webhooks.sending.limits.slots import HeldSlot
from functions.webhooks.target.hosts import host_of

SEND_MS = 20_000
"""Time that a send needs from its slot: 15 s, and the writes before and after."""

_TRIES = 6


@dataclass(frozen=True, slots=True)
class Claimer:
    """Claims deliveries for senders."""

    snapshots: Snapshots
    candidates: Candidates
    leases: Leases
    parking: Parking
    hints: DeliveryHints
    lane_waker: LaneWaker
    clock: Clock = now_ms
    sleep: Callable[[float], None] = time.sleep

    def claim(self, hint: Hint, owner: str) -> ClaimedDelivery | None:
        """Claim the hinted delivery, or an older one of its lane; None if nothing can be sent now."""
        claimed = self._claim_unread(hint, owner)
        if claimed is not None:
            return claimed
        for _ in tries(_TRIES, self.sleep):
            seen = self.candidates.read_next(hint)
            if seen is None:
                return None
            held, is_settled = self._settle(seen, owner, hint)
            if is_settled:
                return None if held is None else replace(held, body=_bytes_of(held.delivery, hint))
            # Another sender just changed one of the rows: read them again.
        self._defer(hint)
        return None

    def claim_next(self, held: ClaimedDelivery, owner: str, until_ms: int) -> ClaimedDelivery | None:
        """Claim the lane's oldest parked delivery for the slot that we hold; None if the slot must be freed.

        `until_ms`: no send may start later.
        """
        slot = held.slot
        if slot is None or self.clock() > min(until_ms, slot.until_ms - SEND_MS):
            return None
        for seen in self.candidates.following(held.delivery, slot.lane):
            if seen.lane.is_open:  # its probe is due later, and another sender may get it
                return None
            if seen.is_orphan:
                self.parking.cancel(seen.delivery)
            elif seen.endpoint is not None and not seen.endpoint.enabled:
                self.parking.pause(seen)
            elif (claimed := self.leases.claim_next(seen, owner, slot)) is not None:
                return self._keep_new_hour(claimed, seen.endpoint)
        return None

    def release(self, slot: HeldSlot) -> None:
        """Free a slot and pass it on to a parked delivery."""
        slots = self.leases.release(slot)
        reach("webhook.after_release")
        self.lane_waker.pass_on(slots, slot.lane)

    def cancel(self, held: ClaimedDelivery) -> None:
        """Cancel a claimed delivery whose event is gone, if the lease is still ours."""
        self.leases.cancel_claimed(held)

    def keep(self, endpoint: Endpoint) -> None:
        """Keep an endpoint that we wrote, for later claims."""
        self.snapshots.keep(endpoint)

    def wake(self, lane: Lane) -> None:
        """Send hints to parked deliveries of a lane whose circuit breaker has just closed."""
        self.lane_waker.wake_with_slots(lane)

    def _claim_unread(self, hint: Hint, owner: str) -> ClaimedDelivery | None:
        """Claim the delivery as the hint describes it, without a read; None if a row differs or a slot is missing."""
        delivery, endpoint = hint.delivery, None
        if delivery is None or not delivery.is_claimable(self.clock()):
            return None
        if delivery.attempt == 0:
            # If it has been parked meanwhile, the claim fails.
            delivery = replace(delivery, due_at_ms=delivery.next_at_ms + FIRST_HINTED_MS)
        if delivery.endpoint_id != RUN_ENDPOINT_ID:
            endpoint = self.snapshots.cached_endpoint(delivery.project_id, delivery.endpoint_id)
            if endpoint is None or not endpoint.enabled or endpoint.ordered:
                return None
        host = host_of(delivery.url if endpoint is None else endpoint.url)
        lane = Lane(delivery.project_id, lane_name(delivery, host), host, max_concurrent_sends(endpoint))
        if hint.body:
            # Of the very bytes: the claim fails unless the row has the same digest.
            delivery = replace(delivery, body_digest=hashlib.sha256(hint.body).digest())
        claimed = self.leases.claim_unread(delivery, endpoint, lane, owner, self.lane_waker.project_slots)
        return None if claimed is None else replace(self._keep_new_hour(claimed, endpoint), body=hint.body)

    def _settle(self, seen: DeliverySnapshot, owner: str, hint: Hint) -> tuple[ClaimedDelivery | None, bool]:
        """Claim, park, pause or cancel. Return the claim if any, and False if the rows have changed since."""
        if seen.is_orphan:
            return None, self.parking.cancel(seen.delivery)
        if seen.endpoint is not None and not seen.endpoint.enabled:
            return None, self.parking.pause(seen)
        if not self._has_free_slot(seen):
            return self._wait(seen, owner, hint)
        may_be_older = seen.lane.waiting_ms is not None and not seen.lane.is_ordered
        if may_be_older and (older := self.candidates.older(seen)) is not None:
            if not self.parking.park(seen):
                return None, False
            # `older` was read after `seen`. Its claim counts the slots again.
            seen = older
            if not self._has_free_slot(seen):
                return None, True  # both wait, and the sender that took the slot will see them
        held = self.leases.claim(seen, owner, self.lane_waker.project_slots)
        return (None, False) if held is None else (self._keep_new_hour(held, seen.endpoint), True)

    def _keep_new_hour(self, held: ClaimedDelivery, before: Endpoint | None) -> ClaimedDelivery:
        """Keep the endpoint of a claim that began an hour of its counters: the next claim relies on the hour."""
        if held.endpoint is not None and before is not None and held.endpoint.traffic != before.traffic:
            self.keep(held.endpoint)
        return held

    def _has_free_slot(self, seen: DeliverySnapshot) -> bool:
        return seen.slots.count_free(seen.lane, self.lane_waker.project_slots, self.clock()) > 0

    def _wait(self, seen: DeliverySnapshot, owner: str, hint: Hint) -> tuple[ClaimedDelivery | None, bool]:
        now = self.clock()
        if seen.lane.is_open and now - seen.delivery.next_at_ms >= PARKED_MS:
            held = self.leases.claim_unsent(seen, owner)
            return held, held is not None
        if seen.is_next and seen.slots.has_sender(seen.lane, now):
            return None, self.parking.wait_in_order(seen)  # that sender goes on with this one
        next_free_ms = seen.slots.next_free_ms(seen.lane, now)
        if seen.lane.is_marked(now) or next_free_ms is None:
            return None, self.parking.park(seen)
        # No sender passes on a resting slot or the probe of an open circuit breaker. So the first delivery gets a hint.
        at_ms = min(max(next_free_ms, now), now + MAX_HINT_DELAY_MS)
        if not self.parking.park(seen, at_ms):
            return None, False
        reach("webhook.after_park")
        self.hints.send(Hint.with_copy(seen.delivery, _bytes_of(seen.delivery, hint)), delay_ms=at_ms - now)
        return None, True

    def _defer(self, hint: Hint) -> None:
        """Send the hint again in a second, because other senders keep changing the rows."""
        seen = self.candidates.read_claimable(hint)
        if seen is not None:
            self.hints.send(Hint.with_copy(seen.delivery, _bytes_of(seen.delivery, hint)), delay_ms=MS_PER_SEC)


def _bytes_of(delivery: Delivery, hint: Hint) -> bytes:
    """Return the hint's bytes if they are those of the delivery, which may be an older one of the same lane."""
    is_same = bool(hint.body) and hashlib.sha256(hint.body).digest() == delivery.body_digest
    return hint.body if is_same else b""
