"""Record an attempt and its consequences in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate, put
from functions.aws.dynamodb.items import Value, to_item
from functions.aws.dynamodb.retries import tries
from functions.aws.dynamodb.row_codec import write
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import RowsContendedError, transact
from functions.clock import MS_PER_SEC
from functions.event_log.model import TTL_MS
from functions.webhooks.deliveries.exhausted_store import count_exhausted
from functions.webhooks.deliveries.model import (
    DeliveryState,
    Transition,
    adjust_for_endpoint,
    due_at,
)
from functions.webhooks.deliveries.rows import attempt_row, delivery_key, new_attempt
from functions.webhooks.endpoints.rows import endpoint_key, to_endpoint
from functions.webhooks.sending.attempt.attempted_endpoint import endpoint_actions, endpoint_after
from functions.webhooks.sending.lanes.lane_store import lane_actions
from functions.webhooks.sending.limits import slot_rows
from functions.webhooks.vocabulary.event_types import ALERT_EVENTS

if TYPE_CHECKING:
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.claim.leases import ClaimedDelivery
    from functions.webhooks.vocabulary.reply import Reply

MAX_TRIES = 6


@dataclass(frozen=True, slots=True)
class Recorded:
    """Result of a record. `endpoint`: the endpoint with its new health; None if it was not written or for a run.

    `is_newly_disabled`: this attempt disabled the endpoint.
    `is_slot_free`: the slot was freed too. Otherwise we still hold it, because deliveries of the project wait.
    """

    transition: Transition
    endpoint: Endpoint | None = None
    is_newly_disabled: bool = False
    is_slot_free: bool = False


class Attempts(Table):
    """Records attempts, and changes delivery, endpoint, lane and slot with them."""

    def record(
        self, held: ClaimedDelivery, reply: Reply, planned: Transition, rest_until_ms: int = 0
    ) -> Recorded | None:
        """Write attempt, delivery, endpoint, lane and slot in one transaction; None if the lease is no longer ours.

        `planned` is the transition for the reply alone; a disabled endpoint may stop the retries. The slot is freed
        unless deliveries wait for it. The last try writes attempt and delivery only, because other senders may keep
        changing the other rows; the slot then expires. Raises RowsContendedError.
        """
        seen, frees = held.endpoint, held.slot is not None and not held.others_wait
        for tried in tries(MAX_TRIES, self._sleep):
            is_last = tried + 1 == MAX_TRIES
            now = self._clock()
            after = endpoint_after(seen, held.delivery, reply, now)
            transition = planned if held.endpoint is None or is_last else adjust_for_endpoint(planned, after)
            actions = self._of_delivery(held.delivery, reply, transition)
            if not is_last:
                actions |= {
                    "endpoint": endpoint_actions(self.table_name, seen, after, held.delivery, reply, now),
                    "lane": lane_actions(self.table_name, held.lane, seen, reply, now),
                    "slot": self._of_slot(held, rest_until_ms) if frees else [],
                }
            refusal = transact(self._client, actions)
            if refusal is None:
                if is_last:
                    return Recorded(transition)
                is_newly_disabled = seen is not None and after is not None and seen.enabled and not after.enabled
                return Recorded(transition, after, is_newly_disabled, frees)
            if "delivery" in refusal.failed:
                return None
            if "slot" in refusal.failed:  # others wait for it
                frees = False
            elif held.endpoint is not None and refusal.failed:
                row = self._get(endpoint_key(held.endpoint.project_id, held.endpoint.endpoint_id))
                seen = to_endpoint(row) if row is not None else None
        raise RowsContendedError

    def _of_delivery(self, delivery: Delivery, reply: Reply, transition: Transition) -> dict[str, Any]:
        sets: dict[str, Value] = {"state": transition.state.value, "attempt": delivery.attempt + 1}
        removes: tuple[str, ...] = ("lease_until_ms", "lease_owner")
        if transition.next_at_ms is None:
            removes += ("due_shard", "due_at_ms", "secret_box")
        else:
            due_at_ms = due_at(transition.next_at_ms, self._clock())
            sets |= {"next_at_ms": transition.next_at_ms, "due_at_ms": due_at_ms}
        condition = "#state = :sending AND #lease_owner = :me"
        values: dict[str, Value] = {"sending": DeliveryState.SENDING.value, "me": delivery.lease_owner or ""}
        now = self._clock()
        attempt = new_attempt(delivery, reply, now)
        actions: dict[str, Any] = {}
        if delivery.attempt == 0 and transition.next_at_ms is None:
            # Nearly every delivery ends like this, so it costs no row of its own.
            sets["only_attempt"] = write(attempt)
        else:
            row = attempt_row(delivery, attempt, (now + TTL_MS) // MS_PER_SEC)
            actions["attempt"] = put(self.table_name, to_item(row))
        if transition.state is DeliveryState.EXHAUSTED and delivery.event_type not in ALERT_EVENTS:
            actions["exhausted"] = count_exhausted(self.table_name, delivery, now)
        update = ConditionalUpdate(sets, condition, values, removes)
        key = delivery_key(delivery.event_id, delivery.endpoint_id)
        return {"delivery": update.action(self.table_name, key), **actions}

    def _of_slot(self, held: ClaimedDelivery, rest_until_ms: int) -> list[Any]:
        if held.slot is None:
            return []
        update = slot_rows.free(held.slot, rest_until_ms, self._clock()).only_if(slot_rows.NOBODY_WAITS)
        return [update.action(self.table_name, slot_rows.slots_key(held.slot.project_id))]
