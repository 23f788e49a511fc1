"""Record an attempt and its consequences in one transaction; a success of a healthy target in one update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate, put
from functions.aws.dynamodb.items import Value, to_item
from functions.aws.dynamodb.retries import tries
from functions.aws.dynamodb.row_codec import write
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import Refusal, RowsContendedError, transact
from functions.webhooks.deliveries.exhausted_store import count_exhausted
from functions.webhooks.deliveries.model import (
    DeliveryState,
    Transition,
    adjust_for_endpoint,
    due_at,
)
from functions.webhooks.deliveries.rows import attempt_row, delivery_key, new_attempt
from functions.webhooks.endpoints.rows import endpoint_key, to_endpoint
from functions.webhooks.sending.attempt.attempted_endpoint import endpoint_actions
from functions.webhooks.sending.claim.claimable import DUE, LEASE, WAITING
from functions.webhooks.sending.lanes.lane_store import lane_actions
from functions.webhooks.sending.limits import slot_rows
from functions.webhooks.vocabulary.event_types import ALERT_EVENTS

if TYPE_CHECKING:
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.claim.leases import SentDelivery
    from functions.webhooks.sending.limits.slots import TakenSlot
    from functions.webhooks.vocabulary.reply import Reply

MAX_TRIES = 6


@dataclass(frozen=True, slots=True)
class Recorded:
    """Result of a record. `endpoint`: the endpoint with its new health; None if it was not written or for a run.

    `is_slot_free`: the slot was freed too. Otherwise the sender still has it, because deliveries of the project wait.
    """

    transition: Transition
    endpoint: Endpoint | None = None
    is_slot_free: bool = False


class Attempts(Table):
    """Records attempts, and changes delivery, endpoint, lane and slot with them."""

    def record(self, sent: SentDelivery, planned: Transition, rest_until_ms: int = 0) -> Recorded | None:
        """Write attempt, delivery, endpoint, lane and slot; None if another sender may record, or it was cancelled.

        `planned` is the transition for the reply alone; a disabled endpoint may stop the retries. The slot is freed
        unless deliveries wait for it. The last try writes attempt and delivery only, because other senders may keep
        changing the other rows; the slot then expires. Raises RowsContendedError.
        """
        before, slot = sent.endpoint, None if sent.others_wait else sent.slot
        for tried in tries(MAX_TRIES, self._sleep):
            is_last = tried + 1 == MAX_TRIES
            now = self._clock()
            after = None if before is None else before.after_reply(sent.reply, now)
            transition = planned if sent.endpoint is None or is_last else adjust_for_endpoint(planned, after)
            actions = self._of_delivery(sent.delivery, sent.reply, transition)
            if not is_last:
                actions |= {
                    "endpoint": endpoint_actions(self.table_name, before, after, sent.delivery, sent.reply, now),
                    "lane": lane_actions(self.table_name, sent.lane, before, sent.reply, now),
                    "slot": [] if slot is None else self._of_slot(slot, rest_until_ms),
                }
            refusal = self._write(actions)
            if refusal is None:
                return Recorded(transition) if is_last else Recorded(transition, after, slot is not None)
            if "delivery" in refusal.failed:
                return None
            if "slot" in refusal.failed:  # others wait for it
                slot = None
            elif sent.endpoint is not None and refusal.failed:
                row = self._get(endpoint_key(sent.endpoint.project_id, sent.endpoint.endpoint_id))
                before = to_endpoint(row) if row is not None else None
        raise RowsContendedError

    def _write(self, actions: dict[str, Any]) -> Refusal | None:
        """Write all actions. The row of the delivery alone needs no transaction, which costs twice as much."""
        if any(group for name, group in actions.items() if name != "delivery"):
            return transact(self._client, actions)
        written, _ = self._try_update(**actions["delivery"]["Update"])
        return Refusal(frozenset({"delivery"}), frozenset()) if written is None else None

    def _of_delivery(self, delivery: Delivery, reply: Reply, transition: Transition) -> dict[str, Any]:
        now = self._clock()
        sets: dict[str, Value] = {"state": transition.state.value, "attempt": delivery.attempt + 1}
        removes: tuple[str, ...] = (*LEASE, *WAITING)
        if transition.next_at_ms is None:
            removes += (*DUE, "secret_box")
        else:
            sets |= {"next_at_ms": transition.next_at_ms, "due_at_ms": due_at(transition.next_at_ms, now)}
        attempt = new_attempt(delivery, reply, now)
        actions: dict[str, Any] = {}
        if delivery.attempt == 0 and transition.next_at_ms is None:
            # Nearly every delivery ends like this, so it costs no row of its own.
            sets["only_attempt"] = write(attempt)
        else:
            actions["attempt"] = put(self.table_name, to_item(attempt_row(delivery, attempt, now)))
        if transition.state is DeliveryState.EXHAUSTED and delivery.event_type not in ALERT_EVENTS:
            actions["exhausted"] = count_exhausted(self.table_name, delivery, now)
        condition = "#state = :read_state AND #attempt = :read_attempt"
        values: dict[str, Value] = {"read_state": delivery.state.value, "read_attempt": delivery.attempt}
        update = ConditionalUpdate(sets, condition, values, removes)
        if delivery.lease_owner is not None:  # else the first attempt was unguarded
            update = update.only_if("#lease_owner = :me", {"me": delivery.lease_owner})
        key = delivery_key(delivery.event_id, delivery.endpoint_id)
        return {"delivery": update.action(self.table_name, key), **actions}

    def _of_slot(self, slot: TakenSlot, rest_until_ms: int) -> Any:
        update = slot_rows.free(slot, rest_until_ms, self._clock()).only_if(slot_rows.NOBODY_WAITS)
        return update.action(self.table_name, slot_rows.slots_key(slot.project_id))
