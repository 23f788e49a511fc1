"""Claims: a sender takes the lease of a delivery that may be sent now. Others are parked, paused or cancelled.

A lease is the right to send a delivery, together with a send slot of its project. One transaction takes both and checks
that the delivery is as the sender read it. Both leases expire after 60 s. A sender that has a slot uses it for more
deliveries of the same lane.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from functions.aws.dynamodb.conditional import ConditionalUpdate, check
from functions.aws.dynamodb.items import Value
from functions.aws.dynamodb.table import Row, Table, due_shard, read_rows, tries
from functions.aws.dynamodb.transaction import Refusal, transact
from functions.clock import MS_PER_SEC
from functions.env import Env
from functions.failpoint import reach
from functions.webhooks.deliveries.model import (
    FIRST_HINTED_MS,
    LEASE_MS,
    MAX_HINT_DELAY_MS,
    PARKED_MS,
    RUN_ENDPOINT_ID,
    SKEW_MS,
    Delivery,
    DeliveryState,
    due_at,
    first_state,
)
from functions.webhooks.deliveries.publication import DeliveryHints, Hint, note_open
from functions.webhooks.deliveries.replay import ReplayStore
from functions.webhooks.deliveries.store import DUE, LEASE, WAITING, cancelling, delivery_key, to_delivery
from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.endpoints.store import endpoint_key, to_endpoint
from functions.webhooks.sending import slots
from functions.webhooks.sending.attempts import ClaimedDelivery
from functions.webhooks.sending.lanes import (
    Lane,
    LaneStore,
    lane_key,
    lane_name,
    mark_lane,
    max_concurrent_sends,
    note_current,
    run_lane_name,
    to_lane,
)
from functions.webhooks.sending.slots import SLOT_MS, LaneWaker, Slots, TakenSlot, slots_key, to_slots
from functions.webhooks.webhook_url import host_of


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
        return self.endpoint is not None and not self.endpoint.enabled


_IS_CLAIMABLE = (  # as Delivery.is_claimable
    "((#state = :pending AND #next_at_ms <= :soon) OR (#state = :retrying AND #next_at_ms <= :now)"
    " OR (#state = :sending AND #lease_until_ms <= :now))"
)
_IS_UNCHANGED = "#attempt = :read_attempt AND #next_at_ms = :read_next_at_ms"
_STATES: dict[str, Value] = {
    state.value: state.value for state in (DeliveryState.PENDING, DeliveryState.RETRYING, DeliveryState.SENDING)
}


CONTENDED_TRIES = 4
"""Tries of a transaction whose rows other senders change at the same time."""


class Leases(Table):
    """Reads deliveries with their targets, and takes and frees leases and send slots. All reads are consistent.

    Each change checks that the rows are as they were read.
    """

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

    def claim(self, snapshot: DeliverySnapshot, owner: str, project_slots: int) -> ClaimedDelivery | None:
        """Claim a delivery and one of the project's `project_slots`; None if a row has changed since it was read."""
        if (remove := slots.remove_expired(snapshot.slots, self._clock())) is not None:
            # Otherwise they would count.
            self._update_unread(remove, slots_key(snapshot.slots.project_id))
        lane = snapshot.lane
        slot = TakenSlot(secrets.token_hex(6), self._clock() + SLOT_MS, lane, lane.project_id)
        take = slots.take(slot, project_slots, self._clock())
        taking = take.action(self.table_name, slots_key(slot.project_id))
        return self.claim_for(slot, snapshot, owner, {"slot": taking})

    def cancel_claimed(self, claimed: ClaimedDelivery) -> bool:
        """Cancel a claimed delivery whose event is gone; False if another sender has the lease."""
        delivery = claimed.delivery
        cancel = cancelling((DeliveryState.SENDING,)).only_if("#lease_owner = :me", {"me": delivery.lease_owner or ""})
        return self._update_unread(cancel, delivery_key(delivery.event_id, delivery.endpoint_id))

    def release(self, slot: TakenSlot, rest_until_ms: int = 0) -> Slots:
        """Free a slot, at `rest_until_ms` if that is later; return the new slots. Repeating the call is safe."""
        update = slots.free(slot, rest_until_ms, self._clock())
        row = self._update(update, slots_key(slot.project_id))
        return to_slots(slot.project_id, row or {})

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
        actions = {**(taking or {}), "delivery": self._change(snapshot.delivery, sets, WAITING)}
        if snapshot.is_next:
            note = note_current(lane, claimed.event_id, self._clock())
            actions["lane"] = note.action(self.table_name, lane_key(lane.project_id, lane.name))
        if transact(self._client, actions, CONTENDED_TRIES, self._sleep) is not None:
            return None
        others_wait = snapshot.slots.waiting_ms is not None or lane.is_ordered
        return ClaimedDelivery(claimed, snapshot.endpoint, lane, self._clock(), slot, others_wait)

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

    def wait_for_transform(self, delivery: Delivery) -> bool:
        """Let a claimable delivery wait for the transform of its endpoint; False if it has changed."""
        now = self._clock()
        sets: dict[str, Value] = {
            "state": DeliveryState.TRANSFORMING.value,
            "transforms": delivery.transforms + 1,
            "next_at_ms": now,
            "due_at_ms": now + FIRST_HINTED_MS,
            "due_shard": due_shard(delivery.event_id),
        }
        return self._transact({"delivery": self._change(delivery, sets, (*LEASE, *WAITING))}) is None

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
                "slots": slots.mark(snapshot.slots, now).action(self.table_name, slots_key(project_id)),
            }
        if self._transact(actions) is not None:
            return False
        if snapshot.lane.is_open and snapshot.endpoint is not None and not snapshot.lane.is_ordered:
            note_open(snapshot.lane.ref, now, snapshot.lane.probe_at_ms)
        return True

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

    def _change(self, delivery: Delivery, sets: Mapping[str, Value], removes: tuple[str, ...]) -> Any:
        """Return the update of a claimable row that has had no attempt and no replay since it was read."""
        now = self._clock()
        read = {"read_attempt": delivery.attempt, "read_next_at_ms": delivery.next_at_ms}
        values = {**_STATES, "now": now, "soon": now + SKEW_MS, **read}
        update = ConditionalUpdate(sets, f"{_IS_CLAIMABLE} AND {_IS_UNCHANGED}", values, removes)
        return update.action(self.table_name, delivery_key(delivery.event_id, delivery.endpoint_id))


def _name(key: Mapping[str, Any]) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


SEND_MS = 20_000
"""Time that a send needs from its slot: 15 s, and the writes before and after."""
_TRIES = 6
_MOST = 5
"""Parked deliveries of a lane that one call looks at."""


class Claimer:
    """Claims deliveries for senders: the hinted one, an older one, or the next one in order."""

    def __init__(self, env: Env) -> None:
        self.leases, self.lanes, self.lane_waker = env[Leases], env[LaneStore], env[LaneWaker]
        self.hints, self.replays = env[DeliveryHints], env[ReplayStore]
        self.clock = env.clock
        self.sleep: Callable[[float], None] = time.sleep

    def claim(self, hint: Hint, owner: str) -> ClaimedDelivery | None:
        """Claim the hinted delivery, or an older one of its lane; None if nothing can be sent now."""
        for _ in tries(_TRIES, self.sleep):
            snapshot = self.read_next(hint)
            if snapshot is None:
                return None
            claimed, is_settled = self._settle(snapshot, owner, hint)
            if is_settled:
                return None if claimed is None else replace(claimed, body=hint.body_of(claimed.delivery))
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
        for snapshot in self.following(claimed.delivery, slot.lane):
            if snapshot.lane.is_open:  # its probe is due later, and another sender may get it
                return None
            if self._set_aside(snapshot) is not None:
                continue
            if (following := self.leases.claim_for(slot, snapshot, owner)) is not None:
                return following
        return None

    def release(self, slot: TakenSlot) -> None:
        """Free a slot and pass it on to a parked delivery."""
        slots = self.leases.release(slot)
        reach("webhook.after_release")
        self.lane_waker.pass_on(slots, slot.lane)

    def _settle(self, snapshot: DeliverySnapshot, owner: str, hint: Hint) -> tuple[ClaimedDelivery | None, bool]:
        """Claim, park, pause or cancel. Return the claim if any, and False if the rows have changed since."""
        if (is_aside := self._set_aside(snapshot)) is not None:
            return None, is_aside
        if not self._has_free_slot(snapshot):
            return self._wait(snapshot, owner, hint)
        may_be_older = snapshot.lane.waiting_ms is not None and not snapshot.lane.is_ordered
        if may_be_older and (older := self.older(snapshot)) is not None:
            if not self.leases.park(snapshot):
                return None, False
            # The older one was read later. Its claim counts the slots again.
            snapshot = older
            if not self._has_free_slot(snapshot):
                return None, True  # both wait, and the sender that took the slot will see them
        claimed = self.leases.claim(snapshot, owner, self.lane_waker.project_slots)
        return claimed, claimed is not None

    def _set_aside(self, snapshot: DeliverySnapshot) -> bool | None:
        """Cancel, pause or transform a delivery that must not be sent; False if it has changed. None if it may be."""
        if snapshot.is_orphan:
            return self.leases.cancel(snapshot.delivery)
        if snapshot.is_off:
            return self.leases.pause(snapshot)
        if first_state(snapshot.delivery, snapshot.endpoint) is DeliveryState.PENDING:
            return None
        # The endpoint got its transform after the delivery was written.
        is_written = self.leases.wait_for_transform(snapshot.delivery)
        if is_written:
            self.hints.send(Hint.of(replace(snapshot.delivery, state=DeliveryState.TRANSFORMING)))
        return is_written

    def _has_free_slot(self, snapshot: DeliverySnapshot) -> bool:
        return snapshot.slots.count_free(snapshot.lane, self.lane_waker.project_slots, self.clock()) > 0

    def _wait(self, snapshot: DeliverySnapshot, owner: str, hint: Hint) -> tuple[ClaimedDelivery | None, bool]:
        now = self.clock()
        if snapshot.lane.is_open and now - snapshot.delivery.next_at_ms >= PARKED_MS:
            claimed = self.leases.claim_for(None, snapshot, owner)
            return claimed, claimed is not None
        if snapshot.is_next and snapshot.slots.has_sender(snapshot.lane, now):
            return None, self.leases.wait_in_order(snapshot)  # that sender goes on with this one
        next_free_ms = snapshot.slots.next_free_ms(snapshot.lane, now)
        if snapshot.lane.is_marked(now) or next_free_ms is None:
            return None, self.leases.park(snapshot)
        # No sender passes on a resting slot or the probe of an open circuit breaker. So the first delivery gets a hint.
        at_ms = min(max(next_free_ms, now), now + MAX_HINT_DELAY_MS)
        if not self.leases.park(snapshot, at_ms):
            return None, False
        reach("webhook.after_park")
        self.hints.send(Hint.of(snapshot.delivery, hint.body_of(snapshot.delivery)), delay_ms=at_ms - now)
        return None, True

    def _defer(self, hint: Hint) -> None:
        """Send the hint again in a second, because other senders keep changing the rows."""
        if self.read_claimable(hint) is not None:
            self.hints.send(hint.without_new, delay_ms=MS_PER_SEC)

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
        first = self.lanes.first(snapshot.lane)
        is_first = first is not None and first.event_id == snapshot.delivery.event_id
        if not is_first and (waits := self._claimable(snapshot)) is not None:
            if not self.lanes.has_place(waits.delivery):
                return waits
            if first is not None:
                self.leases.wait_in_order(waits)
                reach("webhook.after_wait")
        if first is None:
            return None
        is_paused = first.state is DeliveryState.PAUSED
        if is_paused:
            self.replays.recover(first, self.clock(), endpoint=snapshot.endpoint)
            reach("webhook.after_resume")
            if first_state(first, snapshot.endpoint) is DeliveryState.TRANSFORMING:
                self.hints.send(Hint.of(replace(first, state=DeliveryState.TRANSFORMING)))
                return None
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
            if older is None or older.lane.ref != snapshot.lane.ref or older.delivery.lane_at_ms is None:
                continue
            if self._set_aside(older) is None:
                return older
        return None

    def _read(self, hint: Hint) -> DeliverySnapshot | None:
        """Read a delivery with its endpoint, lane and slots; None if it is gone or another project's."""
        lane = hint.endpoint_id if hint.endpoint_id != RUN_ENDPOINT_ID else run_lane_name(hint.host)
        snapshot = self.leases.read(hint.event_id, hint.endpoint_id, hint.project_id, lane)
        return snapshot if snapshot is not None and snapshot.delivery.project_id == hint.project_id else None

    def _claimable(self, snapshot: DeliverySnapshot | None) -> DeliverySnapshot | None:
        return snapshot if snapshot is not None and snapshot.delivery.is_claimable(self.clock()) else None
