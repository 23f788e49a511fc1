"""Conditional updates of a delivery's row that may be claimed now."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate, check
from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.table import Table, read_rows
from functions.aws.dynamodb.transaction import Refusal, transact
from functions.webhooks.deliveries.model import (
    LEASE_MS,
    PARKED_MS,
    RUN_ENDPOINT_ID,
    SKEW_MS,
    Delivery,
    DeliveryState,
    due_at,
)
from functions.webhooks.deliveries.rows import delivery_key, to_delivery
from functions.webhooks.deliveries.store import cancelling
from functions.webhooks.endpoints.store import endpoint_key, to_endpoint
from functions.webhooks.sending import slots
from functions.webhooks.sending.lanes import (
    lane_key,
    lane_name,
    mark_lane,
    max_concurrent_sends,
    note_current,
    run_lane_name,
    to_lane,
)
from functions.webhooks.sending.slots import SLOT_MS, Slots, TakenSlot, slots_key, to_slots
from functions.webhooks.webhook_url import host_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.aws.dynamodb.items import Value
    from functions.aws.dynamodb.table import Row
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.lanes import Lane
    from functions.webhooks.vocabulary import Reply


# Read a delivery with its endpoint, lane and send slots.


@dataclass(frozen=True, slots=True)
class DeliverySnapshot:
    """A delivery with its endpoint, lane and slots. `endpoint` is None if deleted, or for a run's own URL.

    `is_next`: whether this is the next delivery of an ordered endpoint.
    """

    delivery: Delivery
    endpoint: Endpoint | None
    lane: Lane
    slots: Slots
    is_next: bool = False

    @property
    def is_orphan(self) -> bool:
        """Whether the endpoint of this delivery was deleted."""
        return self.endpoint is None and self.delivery.endpoint_id != RUN_ENDPOINT_ID

    @property
    def is_off(self) -> bool:
        """Whether the endpoint is disabled."""
        return self.endpoint is not None and not self.endpoint.enabled


class Snapshots(Table):
    """Reads of the deliveries table, all consistent."""

    table_setting = "deliveries_table"

    def read(self, event_id: str, endpoint_id: str, project_id: str, lane: str) -> DeliverySnapshot | None:
        """Read a delivery with endpoint, lane and slots; None if it is gone.

        `lane`: expected name of its lane. A wrong name costs a second request.
        """
        delivery_at, endpoint_at = delivery_key(event_id, endpoint_id), endpoint_key(project_id, endpoint_id)
        slots_at, lane_at = slots_key(project_id), lane_key(project_id, lane)
        rows = self._read([delivery_at, slots_at, lane_at, *[endpoint_at] * (endpoint_id != RUN_ENDPOINT_ID)])
        row, endpoint_row = rows.get(_name(delivery_at)), rows.get(_name(endpoint_at))
        if row is None:
            return None
        delivery, endpoint = to_delivery(row), to_endpoint(endpoint_row) if endpoint_row else None
        host = host_of(delivery.url if endpoint is None else endpoint.url)
        name = lane_name(delivery, host)
        if name != lane:
            lane_at = lane_key(project_id, name)
            rows |= self._read([lane_at])
        slots = to_slots(project_id, rows.get(_name(slots_at), {}))
        return DeliverySnapshot(delivery, endpoint, self._lane(lane_at, rows, endpoint, host), slots)

    def read_target(self, project_id: str, endpoint_id: str, host: str) -> tuple[Endpoint | None, Lane]:
        """Read an endpoint, None if it is deleted, and its lane; or the lane of runs that send to `host`."""
        is_run = endpoint_id == RUN_ENDPOINT_ID
        endpoint_at = endpoint_key(project_id, endpoint_id)
        lane_at = lane_key(project_id, run_lane_name(host) if is_run else endpoint_id)
        rows = self._read([lane_at] if is_run else [lane_at, endpoint_at])
        endpoint = to_endpoint(row) if (row := rows.get(_name(endpoint_at))) else None
        return endpoint, self._lane(lane_at, rows, endpoint, host if endpoint is None else host_of(endpoint.url))

    def _lane(
        self, lane_at: Mapping[str, Any], rows: Mapping[tuple[str, str], Row], endpoint: Endpoint | None, host: str
    ) -> Lane:
        pk, sk = _name(lane_at)
        lane = to_lane(rows.get((pk, sk), {"pk": pk, "sk": sk}))
        is_ordered = endpoint is not None and endpoint.ordered
        return replace(lane, host=host, most=max_concurrent_sends(endpoint), is_ordered=is_ordered)

    def _read(self, keys: list[Any]) -> dict[tuple[str, str], Row]:
        return {(row["pk"], row["sk"]): row for row in read_rows(self._client, self.table_name, keys)}


def _name(key: Mapping[str, Any]) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


DUE = ("due_shard", "due_at_ms")
LEASE = ("lease_until_ms", "lease_owner")
WAITING = ("lane_ref", "lane_at_ms")
_IS_CLAIMABLE = (  # as Delivery.is_claimable
    "((#state = :pending AND #next_at_ms <= :soon) OR (#state = :retrying AND #next_at_ms <= :now)"
    " OR (#state = :sending AND #lease_until_ms <= :now))"
)
_IS_UNCHANGED = "#attempt = :read_attempt AND #next_at_ms = :read_next_at_ms"
_STATES: dict[str, Value] = {
    state.value: state.value for state in (DeliveryState.PENDING, DeliveryState.RETRYING, DeliveryState.SENDING)
}


def change_claimable(
    delivery: Delivery, now_ms: int, sets: Mapping[str, Value], removes: tuple[str, ...]
) -> ConditionalUpdate:
    """Build the update of a claimable row that has had no attempt and no replay since it was read."""
    read = {"read_attempt": delivery.attempt, "read_next_at_ms": delivery.next_at_ms}
    values = {**_STATES, "now": now_ms, "soon": now_ms + SKEW_MS, **read}
    return ConditionalUpdate(sets, f"{_IS_CLAIMABLE} AND {_IS_UNCHANGED}", values, removes)


# Leases: the right to send a delivery, together with a send slot of its project.
#
# One transaction takes both and checks that the delivery is as the sender read it. Both leases expire after 60 s. A
# sender that has a slot uses it for more deliveries of the same lane.


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
        if (remove := slots.remove_expired(snapshot.slots, self._clock())) is not None:
            # Otherwise they would count.
            self._update_unread(remove, slots.slots_key(snapshot.slots.project_id))
        lane = snapshot.lane
        slot = TakenSlot(secrets.token_hex(6), self._clock() + SLOT_MS, lane, lane.project_id)
        take = slots.take(slot, project_slots, self._clock())
        taking = take.action(self.table_name, slots.slots_key(slot.project_id))
        return self.claim_for(slot, snapshot, owner, {"slot": taking})

    def cancel_claimed(self, claimed: ClaimedDelivery) -> bool:
        """Cancel a claimed delivery whose event is gone; False if another sender has the lease."""
        delivery = claimed.delivery
        cancel = cancelling((DeliveryState.SENDING,)).only_if("#lease_owner = :me", {"me": delivery.lease_owner or ""})
        return self._update_unread(cancel, delivery_key(delivery.event_id, delivery.endpoint_id))

    def release(self, slot: TakenSlot, rest_until_ms: int = 0) -> Slots:
        """Free a slot, at `rest_until_ms` if that is later; return the new slots. Repeating the call is safe."""
        update = slots.free(slot, rest_until_ms, self._clock())
        row = self._update(update, slots.slots_key(slot.project_id))
        return slots.to_slots(slot.project_id, row or {})

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


# Claimable deliveries that are not sent now: parked, paused, cancelled, or waiting behind another one.

CONTENDED_TRIES = 4
"""Tries of a transaction whose rows other senders change at the same time."""


class Parking(Table):
    """Changes claimable deliveries that no sender sends now. Each change checks that the row is as it was read."""

    def pause(self, snapshot: DeliverySnapshot) -> bool:
        """Pause a claimable delivery of a disabled endpoint; False if either has changed."""
        pause = self._change(snapshot.delivery, {"state": DeliveryState.PAUSED.value}, (*LEASE, *DUE, *WAITING))
        key = endpoint_key(snapshot.slots.project_id, snapshot.delivery.endpoint_id)
        is_off = check(self.table_name, key, "#enabled = :enabled", {"enabled": False})
        return self._transact({"delivery": pause, "endpoint": is_off}) is None

    def cancel(self, delivery: Delivery) -> bool:
        """Cancel a claimable delivery of a deleted endpoint; False if it has changed."""
        cancel = self._change(delivery, {"state": DeliveryState.CANCELLED.value}, (*LEASE, *DUE, *WAITING))
        return self._transact({"delivery": cancel}) is None

    def park(self, snapshot: DeliverySnapshot, hinted_for_ms: int | None = None) -> bool:
        """Park a delivery until a slot is free; False if a slot or the delivery has changed since.

        It waits in its lane without a hint, or outside with a hint at `hinted_for_ms`. The same transaction marks lane
        and project, so that a sender that frees a slot sees the mark.
        """
        now, delivery = self._clock(), snapshot.delivery
        state = DeliveryState.RETRYING if delivery.scheduled_attempts else DeliveryState.PENDING
        sets: dict[str, Value] = {"state": state.value, "due_shard": due_shard(delivery.event_id)}
        if hinted_for_ms is None:
            lane_at_ms = min(delivery.next_at_ms, now)
            sets |= {"lane_ref": snapshot.lane.ref, "lane_at_ms": lane_at_ms, "due_at_ms": now + PARKED_MS}
        else:
            sets["due_at_ms"] = due_at(hinted_for_ms, now)
        removes = LEASE if hinted_for_ms is None else (*LEASE, *WAITING)
        actions = {"delivery": self._change(delivery, sets, removes)}
        if not (snapshot.lane.is_marked(now) and snapshot.slots.is_marked(now)):
            project_id = snapshot.slots.project_id
            actions |= {
                "lane": mark_lane(snapshot.lane, now).action(self.table_name, lane_key(project_id, snapshot.lane.name)),
                "slots": slots.mark(snapshot.slots, now).action(self.table_name, slots.slots_key(project_id)),
            }
        return self._transact(actions) is None

    def wait_in_order(self, snapshot: DeliverySnapshot) -> bool:
        """Let a delivery of an ordered endpoint wait without a hint; False if it has changed.

        The lane is marked, but not the project: its other endpoints need not look for waiting deliveries.
        """
        now, lane = self._clock(), snapshot.lane
        actions = {"delivery": self._change(snapshot.delivery, {"due_at_ms": now + PARKED_MS}, ())}
        if not lane.is_marked(now):
            actions["lane"] = mark_lane(lane, now).action(self.table_name, lane_key(lane.project_id, lane.name))
        return self._transact(actions) is None

    def _transact(self, actions: dict[str, Any]) -> Refusal | None:
        return transact(self._client, actions, CONTENDED_TRIES, self._sleep)

    def _change(self, delivery: Delivery, sets: dict[str, Value], removes: tuple[str, ...]) -> Any:
        update = change_claimable(delivery, self._clock(), sets, removes)
        return update.action(self.table_name, delivery_key(delivery.event_id, delivery.endpoint_id))
