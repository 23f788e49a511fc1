"""Leases: the right to send a delivery, together with a send slot of its project.

One transaction takes both and checks that the delivery is as the sender read it. Both leases expire after 60 s. A
sender that has a slot uses it for more deliveries of the same lane.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact
from functions.webhooks.deliveries.model import LEASE_MS, Delivery, DeliveryState
from functions.webhooks.deliveries.rows import delivery_key
from functions.webhooks.deliveries.store import cancelling
from functions.webhooks.sending.claim.claimable import WAITING, change_claimable
from functions.webhooks.sending.claim.parking import CONTENDED_TRIES
from functions.webhooks.sending.lanes.lane_rows import lane_key
from functions.webhooks.sending.lanes.lane_store import note_current
from functions.webhooks.sending.limits import slot_rows
from functions.webhooks.sending.limits.slots import SLOT_MS, Slots, TakenSlot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.aws.dynamodb.items import Value
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.claim.snapshots import DeliverySnapshot
    from functions.webhooks.sending.lanes.lane import Lane
    from functions.webhooks.vocabulary.reply import Reply


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery with the lease of this sender. `slot` None: do not send it, only record a failed attempt.

    `others_wait`: other deliveries of this project wait for a slot. `body`: the event's bytes; b"" if not known yet.
    """

    delivery: Delivery
    endpoint: Endpoint | None
    lane: Lane
    slot: TakenSlot | None
    began_ms: int
    others_wait: bool = False
    body: bytes = field(default=b"", repr=False)

    def sent(self, reply: Reply) -> SentDelivery:
        """Return the delivery after its send."""
        return SentDelivery(self.delivery, self.endpoint, self.lane, reply, self.began_ms, self.slot, self.others_wait)


@dataclass(frozen=True, slots=True)
class SentDelivery:
    """A delivery with the reply of its send. An unguarded one has no slot, and its delivery no lease.

    `endpoint`: as it was read about `read_at_ms`; None for a run's own URL.
    """

    delivery: Delivery
    endpoint: Endpoint | None
    lane: Lane
    reply: Reply
    read_at_ms: int
    slot: TakenSlot | None = None
    others_wait: bool = False


class Leases(Table):
    """Takes and frees leases of deliveries and send slots of projects."""

    def claim(self, snapshot: DeliverySnapshot, owner: str, project_slots: int) -> ClaimedDelivery | None:
        """Claim a delivery and one of the project's `project_slots`; None if a row has changed since it was read."""
        if (remove := slot_rows.remove_expired(snapshot.slots, self._clock())) is not None:
            # Otherwise they would count.
            self._update_unread(remove, slot_rows.slots_key(snapshot.slots.project_id))
        lane = snapshot.lane
        slot = TakenSlot(secrets.token_hex(6), self._clock() + SLOT_MS, lane, lane.project_id)
        take = slot_rows.take(slot, project_slots, self._clock())
        taking = take.action(self.table_name, slot_rows.slots_key(slot.project_id))
        return self.claim_for(slot, snapshot, owner, {"slot": taking})

    def cancel_claimed(self, claimed: ClaimedDelivery) -> bool:
        """Cancel a claimed delivery whose event is gone; False if another sender has the lease."""
        delivery = claimed.delivery
        cancel = cancelling((DeliveryState.SENDING,)).only_if("#lease_owner = :me", {"me": delivery.lease_owner or ""})
        return self._update_unread(cancel, delivery_key(delivery.event_id, delivery.endpoint_id))

    def release(self, slot: TakenSlot, rest_until_ms: int = 0) -> Slots:
        """Free a slot, at `rest_until_ms` if that is later; return the new slots. Repeating the call is safe."""
        update = slot_rows.free(slot, rest_until_ms, self._clock())
        row = self._update(update, slot_rows.slots_key(slot.project_id))
        return slot_rows.to_slots(slot.project_id, row or {})

    def claim_for(
        self, slot: TakenSlot | None, snapshot: DeliverySnapshot, owner: str, taking: Mapping[str, Any] | None = None
    ) -> ClaimedDelivery | None:
        """Claim a delivery for a slot of this sender, or without one to record a failed attempt; None as `claim`."""
        lane, until_ms = snapshot.lane, self._clock() + LEASE_MS
        claimed = replace(
            snapshot.delivery,
            state=DeliveryState.SENDING,
            lease_until_ms=until_ms,
            lease_owner=owner,
            lane_at_ms=None,
            due_at_ms=until_ms,
        )
        sets: dict[str, Value] = {
            "state": DeliveryState.SENDING.value,
            "lease_owner": owner,
            "lease_until_ms": until_ms,
            "due_shard": due_shard(claimed.event_id),
            "due_at_ms": until_ms,
        }
        update = change_claimable(snapshot.delivery, self._clock(), sets, WAITING)
        actions = dict(taking or {})
        actions["delivery"] = update.action(self.table_name, delivery_key(claimed.event_id, claimed.endpoint_id))
        if snapshot.is_next:
            note = note_current(lane, claimed.event_id, self._clock())
            actions["lane"] = note.action(self.table_name, lane_key(lane.project_id, lane.name))
        if transact(self._client, actions, CONTENDED_TRIES, self._sleep) is not None:
            return None
        others_wait = snapshot.slots.waiting_ms is not None or lane.is_ordered
        return ClaimedDelivery(claimed, snapshot.endpoint, lane, slot, self._clock(), others_wait)
