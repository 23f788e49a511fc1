"""Claimable deliveries that are not sent now: parked, paused, cancelled, or waiting behind another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import check
from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import Refusal, transact
from functions.webhooks.deliveries.model import PARKED_MS, DeliveryState, due_at
from functions.webhooks.deliveries.rows import delivery_key
from functions.webhooks.endpoints.rows import endpoint_key
from functions.webhooks.sending.claim.claimable import DUE, LEASE, WAITING, change_claimable
from functions.webhooks.sending.lanes.lane_rows import lane_key
from functions.webhooks.sending.lanes.lane_store import mark_lane
from functions.webhooks.sending.limits import slot_rows

if TYPE_CHECKING:
    from functions.aws.dynamodb.items import Value
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.sending.claim.snapshots import DeliverySnapshot

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
                "slots": slot_rows.mark(snapshot.slots, now).action(self.table_name, slot_rows.slots_key(project_id)),
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
