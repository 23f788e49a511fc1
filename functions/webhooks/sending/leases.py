"""Leases: the right to send a delivery, together with a send slot of its project.

One transaction takes both and checks that the endpoint is enabled. Both expire after 60 s. A sender that holds a slot
uses it for more deliveries of the same lane.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.transaction import transact
from functions.clock import MS_PER_SEC, Clock, now_ms
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
from functions.webhooks.endpoints.rows import endpoint_key, to_endpoint
from functions.webhooks.sending.lane import Lane, host_of, lane_name, max_concurrent_sends
from functions.webhooks.sending.lane_rows import (
    LANE_TTL_SECS,
    lane_key,
    slot_name,
    slot_value,
    slots_key,
    to_lane,
    to_slots,
)
from functions.webhooks.sending.lane_store import mark_lane
from functions.webhooks.sending.slots import SLOT_MS, Slot, Slots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.aws.dynamodb.items import Value
    from functions.webhooks.endpoints.model import Endpoint

_DUE = ("due_shard", "due_at_ms")
_LEASE = ("lease_until_ms", "lease_owner")
_WAITING = ("lane_ref", "lane_at_ms")
_CLAIMABLE = (  # as Delivery.is_claimable
    "((#state = :pending AND #next_at_ms <= :soon) OR (#state = :retrying AND #next_at_ms <= :now)"
    " OR (#state = :sending AND #lease_until_ms <= :now))"
)


@dataclass(frozen=True, slots=True)
class DeliverySnapshot:
    """A delivery with its endpoint, lane and slots. `endpoint` is None if deleted, or for a run's own URL."""

    delivery: Delivery
    endpoint: Endpoint | None
    lane: Lane
    slots: Slots

    @property
    def is_orphan(self) -> bool:
        """Whether the endpoint of this delivery was deleted."""
        return self.endpoint is None and self.delivery.endpoint_id != RUN_ENDPOINT_ID


@dataclass(frozen=True, slots=True)
class HeldSlot:
    """A send slot that we hold until `until_ms`."""

    number: int
    until_ms: int
    lane: Lane
    project_id: str


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery whose lease we hold. `slot` None: do not send it, only record a failed attempt.

    `others_wait`: other deliveries of this project wait for a slot.
    """

    delivery: Delivery
    endpoint: Endpoint | None
    lane: Lane
    slot: HeldSlot | None
    began_ms: int
    others_wait: bool = False


class Leases:
    """Takes and frees leases of deliveries and send slots of projects."""

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms) -> None:
        self._table = table_name
        self._client = client
        self._clock = clock

    def read(self, event_id: str, endpoint_id: str, project_id: str, lane: str) -> DeliverySnapshot | None:
        """Read a delivery with endpoint, lane and slots, consistently; None if it is gone.

        `lane`: expected name of its lane. A wrong name costs a second request.
        """
        delivery_at, endpoint_at = delivery_key(event_id, endpoint_id), endpoint_key(project_id, endpoint_id)
        slots_at, lane_at = slots_key(project_id), lane_key(project_id, lane)
        items = self._read([delivery_at, slots_at, lane_at, *[endpoint_at] * (endpoint_id != RUN_ENDPOINT_ID)])
        found, row = items.get(_name(delivery_at)), items.get(_name(endpoint_at))
        if found is None:
            return None
        delivery, endpoint = to_delivery(found), to_endpoint(row) if row else None
        host = host_of(delivery.url if endpoint is None else endpoint.url)
        name = lane_name(delivery, host)
        if name != lane:
            lane_at = lane_key(project_id, name)
            items |= self._read([lane_at])
        known = items.get(_name(lane_at))
        at_rest = Lane(project_id, name, host)
        seen_lane = to_lane(known) if known else at_rest
        slots = to_slots(project_id, items.get(_name(slots_at), {}))
        return DeliverySnapshot(
            delivery, endpoint, replace(seen_lane, host=host, most=max_concurrent_sends(endpoint)), slots
        )

    def claim(self, seen: DeliverySnapshot, owner: str, number: int) -> ClaimedDelivery | None:
        """Claim a delivery and one slot of its project; None if a row has changed since `read`."""
        slot = HeldSlot(number, self._clock() + SLOT_MS, seen.lane, seen.slots.project_id)
        return self._claim(seen, owner, slot, [self._take(seen.slots, slot)])

    def claim_next(self, seen: DeliverySnapshot, owner: str, slot: HeldSlot) -> ClaimedDelivery | None:
        """Claim another delivery for a slot that we hold; None if a row has changed since `read`."""
        return self._claim(seen, owner, slot, [])

    def claim_unsent(self, seen: DeliverySnapshot, owner: str) -> ClaimedDelivery | None:
        """Claim a delivery without a slot, to record a failed attempt."""
        return self._claim(seen, owner, None, [])

    def pause(self, seen: DeliverySnapshot) -> bool:
        """Pause a claimable delivery of a disabled endpoint; False if either has changed."""
        pause = self._change(seen.delivery, {"state": DeliveryState.PAUSED.value}, (*_LEASE, *_DUE, *_WAITING))
        return not transact(self._client, [pause, self._endpoint_is(seen, enabled=False)])

    def cancel(self, delivery: Delivery) -> bool:
        """Cancel a claimable delivery of a deleted endpoint; False if it has changed."""
        cancel = self._change(delivery, {"state": DeliveryState.CANCELLED.value}, (*_LEASE, *_DUE, *_WAITING))
        return not transact(self._client, [cancel])

    def park(self, seen: DeliverySnapshot, hinted_for_ms: int | None = None) -> bool:
        """Park a delivery until a slot is free; False if a slot or the delivery has changed since.

        It waits in its lane without a hint, or outside with a hint at `hinted_for_ms`. The same transaction marks lane
        and project, so that a sender that frees a slot sees the mark.
        """
        now, delivery = self._clock(), seen.delivery
        state = DeliveryState.RETRYING if delivery.scheduled_attempts else DeliveryState.PENDING
        sets: dict[str, Value] = {"state": state.value, "due_shard": due_shard(delivery.event_id)}
        if hinted_for_ms is None:
            lane_at_ms = min(delivery.next_at_ms, now)
            sets |= {"lane_ref": seen.lane.ref, "lane_at_ms": lane_at_ms, "due_at_ms": now + PARKED_MS}
        else:
            sets["due_at_ms"] = due_at(hinted_for_ms, now)
        removes = _LEASE if hinted_for_ms is None else (*_LEASE, *_WAITING)
        actions = [self._change(delivery, sets, removes)]
        if not (seen.lane.is_marked(now) and seen.slots.is_marked(now)):
            mark = ConditionalUpdate({"waiting_ms": now}, *_version_is(seen.slots))
            actions += [
                mark_lane(seen.lane, now).action(self._table, lane_key(seen.slots.project_id, seen.lane.name)),
                mark.action(self._table, slots_key(seen.slots.project_id)),
            ]
        return not transact(self._client, actions)

    def cancel_claimed(self, held: ClaimedDelivery) -> bool:
        """Cancel a claimed delivery whose event is gone; False if the lease is no longer ours."""
        delivery = held.delivery
        cancel = ConditionalUpdate(
            {"state": DeliveryState.CANCELLED.value},
            "#state = :sending AND #lease_owner = :me",
            {"sending": DeliveryState.SENDING.value, "me": delivery.lease_owner or ""},
            (*_LEASE, *_DUE, "secret", "secret_box"),
        )
        return cancel.is_applied(self._client, self._table, delivery_key(delivery.event_id, delivery.endpoint_id))

    def release(self, slot: HeldSlot, rest_until_ms: int = 0) -> Slots | None:
        """Free a slot, at `rest_until_ms` if that is later; return the new slots, None if it was not ours."""
        update = release(slot, rest_until_ms, self._clock())
        item = update.apply(self._client, self._table, slots_key(slot.project_id))
        return to_slots(slot.project_id, item) if item is not None else None

    def _claim(
        self, seen: DeliverySnapshot, owner: str, slot: HeldSlot | None, actions: list[Any]
    ) -> ClaimedDelivery | None:
        now, delivery = self._clock(), seen.delivery
        until_ms = now + LEASE_MS
        sets: dict[str, Value] = {
            "state": DeliveryState.SENDING.value,
            "lease_until_ms": until_ms,
            "lease_owner": owner,
            "due_shard": due_shard(delivery.event_id),
            "due_at_ms": until_ms,
        }
        actions = [self._change(delivery, sets, _WAITING), *actions]
        if seen.endpoint is not None:
            actions.append(self._endpoint_is(seen, enabled=True))
        if transact(self._client, actions):
            return None
        ours = replace(delivery, state=DeliveryState.SENDING, lease_until_ms=until_ms, lease_owner=owner)
        others_wait = seen.slots.waiting_ms is not None
        return ClaimedDelivery(replace(ours, lane_at_ms=None), seen.endpoint, seen.lane, slot, now, others_wait)

    def _take(self, slots: Slots, slot: HeldSlot) -> Any:
        value = slot_value(Slot(slot.until_ms, slot.lane.name, slot.lane.host))
        condition, values = _version_is(slots)
        update = ConditionalUpdate(
            {
                slot_name(slot.number): value,
                "version": slots.version + 1,
                "ttl": self._clock() // MS_PER_SEC + LANE_TTL_SECS,
            },
            condition,
            values,
        )
        return update.action(self._table, slots_key(slots.project_id))

    def _endpoint_is(self, seen: DeliverySnapshot, *, enabled: bool) -> Any:
        return {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": endpoint_key(seen.slots.project_id, seen.delivery.endpoint_id),
                "ConditionExpression": "enabled = :enabled",
                "ExpressionAttributeValues": {":enabled": {"BOOL": enabled}},
            }
        }

    def _change(self, delivery: Delivery, sets: dict[str, Value], removes: tuple[str, ...]) -> Any:
        """Change a claimable row that has had no attempt since it was read."""
        now = self._clock()
        states = (DeliveryState.PENDING, DeliveryState.RETRYING, DeliveryState.SENDING)
        values: dict[str, Value] = {state.value: state.value for state in states}
        update = ConditionalUpdate(
            sets,
            f"{_CLAIMABLE} AND #attempt = :seen_attempt",
            {**values, "now": now, "soon": now + SKEW_MS, "seen_attempt": delivery.attempt},
            removes,
        )
        return update.action(self._table, delivery_key(delivery.event_id, delivery.endpoint_id))

    def _read(self, keys: list[Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
        answer = self._client.batch_get_item(RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}})
        found = answer["Responses"].get(self._table, [])
        left = answer.get("UnprocessedKeys", {}).get(self._table)
        for key in left["Keys"] if left else ():
            # The table throttles. A batch reports this here and does not raise.
            item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
            found = [*found, item] if item else found
        return {_name(item): item for item in found}


def release(slot: HeldSlot, rest_until_ms: int, now_ms: int, condition: str = "") -> ConditionalUpdate:
    """Build the update that frees a slot we still hold. `condition`: an additional condition on the slots row."""
    name = slot_name(slot.number)
    ours = f"#{name}.#until = :ours AND #{name}.#resting = :no"
    values: dict[str, Value] = {"ours": slot.until_ms, "no": False, "one": 1}
    is_ours = f"{ours} AND {condition}" if condition else ours
    count = "#version = #version + :one"
    if rest_until_ms <= now_ms:
        return ConditionalUpdate({}, is_ours, values, (name,), (count,))
    rest = slot_value(Slot(rest_until_ms, slot.lane.name, slot.lane.host, is_resting=True))
    return ConditionalUpdate({name: rest}, is_ours, values, computed=(count,))


def _version_is(slots: Slots) -> tuple[str, dict[str, Value]]:
    if not slots.version:
        return "attribute_not_exists(#version)", {}
    return "#version = :version_seen", {"version_seen": slots.version}


def _name(key: Mapping[str, Any]) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]
