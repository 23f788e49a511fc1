"""Leases: the right to send a delivery, together with a send slot of its project.

One transaction takes both and checks that delivery and endpoint are as the sender read them, and that the endpoint is
enabled. Both leases expire after 60 s. A sender that holds a slot uses it for more deliveries of the same lane.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate, check
from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import Refusal, transact
from functions.clock import Clock, now_ms
from functions.ttl_cache import TtlCache
from functions.webhooks.deliveries.model import LEASE_LEEWAY_MS, LEASE_MS, Delivery, DeliveryState
from functions.webhooks.deliveries.rows import delivery_key
from functions.webhooks.sending.claim.attempt_count import count_attempt
from functions.webhooks.sending.claim.claimable import DUE, LEASE, WAITING, change_claimable, only_if_same
from functions.webhooks.sending.claim.parking import CONTENDED_TRIES
from functions.webhooks.sending.lanes.lane_rows import lane_key
from functions.webhooks.sending.lanes.lane_store import note_current
from functions.webhooks.sending.limits import slot_rows
from functions.webhooks.sending.limits.slots import SLOT_MS, HeldSlot, Slots

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.aws.dynamodb.items import Value
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.claim.snapshots import DeliverySnapshot
    from functions.webhooks.sending.lanes.lane import Lane

CROWDED_MS = 1_000
_MOST_PROJECTS = 1_000


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery whose lease we hold. `slot` None: do not send it, only record a failed attempt.

    `others_wait`: other deliveries of this project wait for a slot. `body`: the event's bytes; b"" if not known yet.
    """

    delivery: Delivery
    endpoint: Endpoint | None
    lane: Lane
    slot: HeldSlot | None
    began_ms: int
    others_wait: bool = False
    body: bytes = field(default=b"", repr=False)


class Leases(Table):
    """Takes and frees leases of deliveries and send slots of projects. `project_slots`: limit of a project's slots."""

    def __init__(
        self,
        table_name: str,
        client: DynamoDBClient,
        clock: Clock = now_ms,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(table_name, client, clock, sleep)
        self._crowded = TtlCache[str, bool](CROWDED_MS, _MOST_PROJECTS, clock)

    def claim_unread(
        self, delivery: Delivery, endpoint: Endpoint | None, lane: Lane, owner: str, project_slots: int
    ) -> ClaimedDelivery | None:
        """Claim a delivery that a hint describes, and a slot, without a read; None if that is not possible.

        The claim fails unless delivery and endpoint are exactly as given, no delivery of the project waits, and the
        circuit breaker of the lane has counted no failure. After a failure for the slot or the lane, the project's
        claims for CROWDED_MS fail without a call.
        """
        if self._crowded.get(lane.project_id):
            return None
        slot = self._new_slot(lane)
        take = slot_rows.take(slot, project_slots, self._clock()).only_if(slot_rows.NOBODY_WAITS)
        claim, ours = self._lease(delivery, owner)
        actions = {"delivery": claim, "slot": take.action(self.table_name, slot_rows.slots_key(lane.project_id))}
        if endpoint is None or endpoint.failing is not None:
            actions["lane"] = self._check_lane(lane)
        # Else the lane has no failure (`Attempts`), and nothing waits in it if nothing of the project waits.
        if endpoint is not None:
            actions["endpoint"], endpoint = count_attempt(self.table_name, endpoint, delivery, self._clock())
        refusal = self._transact(actions)
        if refusal is None:
            return ClaimedDelivery(ours, endpoint, lane, slot, self._clock())
        if refusal.failed & {"slot", "lane"}:
            self._crowded.keep(lane.project_id, True)
        return None

    def claim(self, seen: DeliverySnapshot, owner: str, project_slots: int) -> ClaimedDelivery | None:
        """Claim a delivery and a slot of its project; None if a row has changed since `seen` was read."""
        if (remove := slot_rows.remove_expired(seen.slots, self._clock())) is not None:
            # Otherwise they would count.
            self._update_unread(remove, slot_rows.slots_key(seen.slots.project_id))
        slot = self._new_slot(seen.lane)
        take = slot_rows.take(slot, project_slots, self._clock())
        taking = take.action(self.table_name, slot_rows.slots_key(slot.project_id))
        return self._claim(seen, owner, slot, {"slot": taking})

    def claim_next(self, seen: DeliverySnapshot, owner: str, slot: HeldSlot) -> ClaimedDelivery | None:
        """Claim another delivery for a slot that we hold; None if a row has changed since `seen` was read."""
        return self._claim(seen, owner, slot, {})

    def claim_unsent(self, seen: DeliverySnapshot, owner: str) -> ClaimedDelivery | None:
        """Claim a delivery without a slot, to record a failed attempt."""
        return self._claim(seen, owner, None, {})

    def cancel_claimed(self, held: ClaimedDelivery) -> bool:
        """Cancel a claimed delivery whose event is gone; False if the lease is no longer ours."""
        delivery = held.delivery
        cancel = ConditionalUpdate(
            {"state": DeliveryState.CANCELLED.value},
            "#state = :sending AND #lease_owner = :me",
            {"sending": DeliveryState.SENDING.value, "me": delivery.lease_owner or ""},
            (*LEASE, *DUE, "secret_box"),
        )
        return self._update_unread(cancel, delivery_key(delivery.event_id, delivery.endpoint_id))

    def release(self, slot: HeldSlot, rest_until_ms: int = 0) -> Slots:
        """Free a slot, at `rest_until_ms` if that is later; return the new slots. Repeating the call is safe."""
        update = slot_rows.free(slot, rest_until_ms, self._clock())
        row = self._update(update, slot_rows.slots_key(slot.project_id))
        return slot_rows.to_slots(slot.project_id, row or {})

    def _transact(self, actions: dict[str, Any]) -> Refusal | None:
        return transact(self._client, actions, CONTENDED_TRIES, self._sleep)

    def _new_slot(self, lane: Lane) -> HeldSlot:
        return HeldSlot(secrets.token_hex(6), self._clock() + SLOT_MS, lane, lane.project_id)

    def _claim(
        self, seen: DeliverySnapshot, owner: str, slot: HeldSlot | None, taking: dict[str, Any]
    ) -> ClaimedDelivery | None:
        claim, ours = self._lease(seen.delivery, owner)
        actions = {"delivery": claim, **taking}
        endpoint = seen.endpoint
        if endpoint is not None:
            actions["endpoint"], endpoint = count_attempt(self.table_name, endpoint, seen.delivery, self._clock())
        if seen.is_next:
            note = note_current(seen.lane, seen.delivery.event_id, self._clock())
            actions["lane"] = note.action(self.table_name, lane_key(seen.lane.project_id, seen.lane.name))
        if self._transact(actions) is not None:
            return None
        others_wait = seen.slots.waiting_ms is not None or seen.lane.is_ordered
        return ClaimedDelivery(ours, endpoint, seen.lane, slot, self._clock(), others_wait)

    def _lease(self, delivery: Delivery, owner: str) -> tuple[Any, Delivery]:
        """Return the action that takes the lease of an unchanged delivery, and the delivery after it."""
        until_ms = self._clock() + LEASE_MS
        if delivery.due_at_ms is not None and abs(delivery.due_at_ms - until_ms) <= LEASE_LEEWAY_MS:
            until_ms = delivery.due_at_ms
        sets: dict[str, Value] = {
            "state": DeliveryState.SENDING.value,
            "lease_owner": owner,
            "lease_until_ms": until_ms,
        }
        is_due_then = delivery.due_at_ms == until_ms
        if not is_due_then:
            sets |= {"due_shard": due_shard(delivery.event_id), "due_at_ms": until_ms}
        ours = replace(
            delivery,
            state=DeliveryState.SENDING,
            lease_until_ms=until_ms,
            lease_owner=owner,
            lane_at_ms=None,
            due_at_ms=until_ms,
        )
        update = only_if_same(change_claimable(delivery, self._clock(), sets, WAITING), delivery)
        if is_due_then:
            update = update.only_if("#due_at_ms = :lease_until_ms")
        return update.action(self.table_name, delivery_key(delivery.event_id, delivery.endpoint_id)), ours

    def _check_lane(self, lane: Lane) -> Any:
        """Return the action that fails if the lane has a failure, or a waiting delivery."""
        condition = "attribute_not_exists(#failures) AND attribute_not_exists(#waiting_ms)"
        return check(self.table_name, lane_key(lane.project_id, lane.name), condition, {})
