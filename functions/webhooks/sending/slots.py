"""Send slots: limits of a project's concurrent sends, in total, per host and per lane.

A slot is a lease. A sender takes a slot, sends deliveries of one lane one after another, and frees it. A slot may have
to rest after a send. This limits bytes per second to a host, and requests per second to an endpoint.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from random import SystemRandom
from typing import Any

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import Value, key
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC
from functions.env import Env
from functions.failpoint import reach
from functions.webhooks.deliveries.model import MAX_HINT_DELAY_MS, Delivery, DeliveryState
from functions.webhooks.deliveries.publication import DeliveryHints, Hint
from functions.webhooks.deliveries.store import DueLane
from functions.webhooks.endpoints.model import DEFAULT_CONCURRENCY, Endpoint
from functions.webhooks.endpoints.store import endpoint_pk
from functions.webhooks.sending.lanes import (
    FRESH_MS,
    LANE_TTL_SECS,
    Lane,
    LaneStore,
    max_concurrent_sends,
)

SLOT_MS = 60_000
"""The lease of a slot expires after this time, for example if its sender crashed."""
HOST_SLOTS = 20
"""Limit of concurrent sends of a project to one host."""
SLOT_BYTES_PER_SEC = 256 * 1024
"""Rate limit of a slot. A host gets at most HOST_SLOTS times as much: 5 MiB/s."""
PROJECT_SHARE = 4
"""A project may use 1/PROJECT_SHARE of all senders, so that its slow targets do not delay other projects."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot that is not free. `is_resting`: no sender holds it, and it becomes free at `until_ms`."""

    until_ms: int
    lane: str
    host: str
    is_resting: bool = False


@dataclass(frozen=True, slots=True)
class TakenSlot:
    """A send slot that this sender has until `until_ms`."""

    slot_id: str
    until_ms: int
    lane: Lane
    project_id: str


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots row of a project: slots by id. `version` changes when a slot is taken or freed.

    `waiting_ms`: last time that a delivery of any lane was parked; None if none waits.
    """

    project_id: str
    version: int = 0
    waiting_ms: int | None = None
    taken: Mapping[str, Slot] = field(default_factory=dict)

    def count_free(self, lane: Lane, project_limit: int, now_ms: int) -> int:
        """Return how many slots senders of `lane` may take now."""
        if lane.is_open and now_ms < lane.probe_at_ms:
            return 0
        live = self.live(now_ms)
        of_lane = sum(slot.lane == lane.name for slot in live.values())
        of_project = shared_slots(project_limit) - len(live)
        if not of_lane:
            of_project = max(of_project, min(1, project_limit - len(live)))
        left = min(lane.limit - of_lane, HOST_SLOTS - sum(slot.host == lane.host for slot in live.values()), of_project)
        return max(left, 0)

    def next_free_ms(self, lane: Lane, now_ms: int) -> int | None:
        """Return when a slot becomes free without a sender to pass it on; None if a sender will."""
        if lane.is_open and now_ms < lane.probe_at_ms:
            return lane.probe_at_ms
        return min((slot.until_ms for slot in self.live(now_ms).values() if slot.is_resting), default=None)

    def has_sender(self, lane: Lane, now_ms: int) -> bool:
        return any(slot.lane == lane.name and not slot.is_resting for slot in self.live(now_ms).values())

    def live(self, now_ms: int) -> dict[str, Slot]:
        return {slot_id: slot for slot_id, slot in self.taken.items() if slot.until_ms > now_ms}

    def expired(self, now_ms: int) -> dict[str, Slot]:
        """Return the slots that are still in the row although they are free."""
        return {slot_id: slot for slot_id, slot in self.taken.items() if slot.until_ms <= now_ms}

    def is_marked(self, now_ms: int) -> bool:
        return self.waiting_ms is not None and now_ms - self.waiting_ms < FRESH_MS


def project_slots(senders: int) -> int:
    """Return the slots of one project, a share of all `senders`."""
    return max(1, senders // PROJECT_SHARE)


def shared_slots(project_limit: int) -> int:
    """Return how many slots of a project all lanes share. Only a lane without a slot may take one of the others.

    So two targets that hang do not hold up the other targets of their project until their circuit breakers open. One
    target can always use its own limit: a project with few slots shares all of them.
    """
    shared = project_limit - project_limit // 4
    return shared if shared >= DEFAULT_CONCURRENCY else project_limit


def spacing_ms(endpoint: Endpoint | None, body_bytes: int) -> int:
    """Return the least time between the starts of two sends in one slot."""
    by_bytes = body_bytes * MS_PER_SEC // SLOT_BYTES_PER_SEC
    if endpoint is None or not endpoint.max_per_second:
        return by_bytes
    return max(by_bytes, MS_PER_SEC // (endpoint.max_per_second // max_concurrent_sends(endpoint)))


# The row of a project's send slots, and the updates that take and free a slot.
#
# held_<id>                  one slot: its lane, its host, and the end of its lease
# all, lane_<h>, host_<h>    sets of slot ids: of the project, of one lane, of one host. <h> is a hash of the name.
# waiting_ms                 last time that a delivery was parked; absent if none waits
# version                    changes when a slot is taken or freed
#
# The sets let a condition count slots: `size(#all) < :limit`. So a sender takes a slot without reading the row, and an
# update that frees a slot needs no condition. An empty set vanishes from the row. A slot whose lease has expired stays
# in the sets until a sender that finds no free slot removes it.

_HELD = "held_"
_HASH_CHARS = 16
_MOST_REMOVED = 25
"""An expression has at most 4 KiB, and each slot with its lane and host takes 134 bytes of it."""
NOBODY_WAITS = "attribute_not_exists(#waiting_ms)"
_COUNT = "#version = if_not_exists(#version, :zero) + :one"


def slots_key(project_id: str) -> dict[str, Any]:
    """Return the key of a project's slots row."""
    return key(endpoint_pk(project_id), "SEND_SLOTS")


def to_slots(project_id: str, row: Mapping[str, Any]) -> Slots:
    """Convert a slots row; {} if there is none."""
    taken = {
        name.removeprefix(_HELD): Slot(slot["until"], slot["lane"], slot["host"], slot["resting"])
        for name, slot in row.items()
        if name.startswith(_HELD)
    }
    return Slots(project_id, row.get("version", 0), row.get("waiting_ms"), taken)


def take(slot: TakenSlot, project_limit: int, now_ms: int) -> ConditionalUpdate:
    """Build the update that takes a slot if project, host and lane have a free one. See `shared_slots`."""
    lane = slot.lane
    limits = {"all": project_limit, "lane": lane.limit, "host": HOST_SLOTS}
    conditions = [f"(attribute_not_exists(#{name}) OR size(#{name}) < :most_{name})" for name in limits]
    conditions.append("(attribute_not_exists(#lane) OR size(#all) < :shared)")
    values: dict[str, Value] = {f"most_{name}": most for name, most in limits.items()}
    values["shared"] = shared_slots(project_limit)
    return ConditionalUpdate(
        {"slot": _value(slot, slot.until_ms, is_resting=False), "ttl": _ttl(now_ms)},
        " AND ".join(conditions),
        values | {"zero": 0, "one": 1},
        computed=(_COUNT,),
        adds=dict.fromkeys(limits, frozenset({slot.slot_id})),
        names=_names(slot),
    )


def free(slot: TakenSlot, rest_until_ms: int, now_ms: int) -> ConditionalUpdate:
    """Build the update that frees our slot, at `rest_until_ms` if that is later. Repeating it is safe."""
    values: dict[str, Value] = {"zero": 0, "one": 1}
    if rest_until_ms > now_ms:
        rest: dict[str, Value] = {"slot": _value(slot, rest_until_ms, is_resting=True), "ttl": _ttl(now_ms)}
        return ConditionalUpdate(rest, "attribute_exists(#slot)", values, computed=(_COUNT,), names=_names(slot))
    members = dict.fromkeys(("all", "lane", "host"), frozenset({slot.slot_id}))
    return ConditionalUpdate(
        {"ttl": _ttl(now_ms)}, "", values, ("slot",), (_COUNT,), deletes=members, names=_names(slot)
    )


def remove_expired(slots: Slots, now_ms: int) -> ConditionalUpdate | None:
    """Build the update that removes expired slots, at most _MOST_REMOVED; None if there are none.

    Repeating it is safe.
    """
    members: defaultdict[str, set[str]] = defaultdict(set)
    expired = dict(islice(slots.expired(now_ms).items(), _MOST_REMOVED))
    for slot_id, slot in expired.items():
        for name in ("all", _of_lane(slot.lane), _of_host(slot.host)):
            members[name].add(slot_id)
    if not expired:
        return None
    return ConditionalUpdate(
        {"ttl": _ttl(now_ms)},
        "",
        {"zero": 0, "one": 1},
        tuple(_HELD + slot_id for slot_id in expired),
        (_COUNT,),
        deletes={name: frozenset(ids) for name, ids in members.items()},
    )


def mark(slots: Slots, now_ms: int) -> ConditionalUpdate:
    """Build the update that marks a project with a parked delivery, if no slot was taken or freed since the read."""
    if not slots.version:
        return ConditionalUpdate({"waiting_ms": now_ms, "ttl": _ttl(now_ms)}, "attribute_not_exists(#version)", {})
    sets: dict[str, Value] = {"waiting_ms": now_ms, "ttl": _ttl(now_ms)}
    return ConditionalUpdate(sets, "#version = :read_version", {"read_version": slots.version})


def _value(slot: TakenSlot, until_ms: int, *, is_resting: bool) -> Mapping[str, Value]:
    return {"until": until_ms, "lane": slot.lane.name, "host": slot.lane.host, "resting": is_resting}


def _names(slot: TakenSlot) -> Mapping[str, str]:
    return {"slot": _HELD + slot.slot_id, "lane": _of_lane(slot.lane.name), "host": _of_host(slot.lane.host)}


def _of_lane(name: str) -> str:
    return f"lane_{_hash(name)}"


def _of_host(host: str) -> str:
    return f"host_{_hash(host)}"


def _hash(name: str) -> str:
    """Return a short hash: a name of 255 characters in each set name would fill the row."""
    return hashlib.sha256(name.encode()).hexdigest()[:_HASH_CHARS]


def _ttl(now_ms: int) -> int:
    return now_ms // MS_PER_SEC + LANE_TTL_SECS


class SlotStore(Table):
    """Slots rows of the deliveries table."""

    table_setting = "deliveries_table"

    def read(self, project_id: str) -> Slots:
        return to_slots(project_id, self._get(slots_key(project_id)) or {})

    def clear_mark(self, slots: Slots) -> None:
        """Clear the waiting mark of a project without marked lanes."""
        update = ConditionalUpdate({}, "#waiting_ms = :read", {"read": slots.waiting_ms or 0}, ("waiting_ms",))
        self._update_unread(update, slots_key(slots.project_id))


# Wake lanes: send hints to parked deliveries when a slot becomes free, a circuit breaker closes, or the sweeper runs.
#
# One write takes a delivery out of its lane before its hint is sent. So a delivery has at most one hint.

MAX_HINTS = 10


class LaneWaker:
    """Sends hints to parked deliveries. `project_slots`: slots of one project. `random` in [0, 1) picks a lane."""

    def __init__(self, env: Env) -> None:
        self.lanes, self.slots, self.hints = env[LaneStore], env[SlotStore], env[DeliveryHints]
        self.project_slots = project_slots(env.settings.webhook_senders)
        self.clock = env.clock
        self.random: Callable[[], float] = SystemRandom().random

    def pass_on(self, slots: Slots, by: Lane) -> None:
        """Pass a slot that a sender of lane `by` freed to one parked delivery of any lane with a free slot."""
        if by.is_ordered:
            self.wake(by, slots, 1)
        if slots.waiting_ms is None:
            return
        lanes, are_all = self.lanes.marked(slots.project_id)
        self._plan_probe([lane for lane in lanes if lane.name == by.name], slots)
        for lane in sorted(lanes, key=lambda _: self.random()):
            if self.wake(lane, slots, 1):
                return
        if are_all and not lanes:
            self.slots.clear_mark(slots)

    def wake(self, lane: Lane, slots: Slots, most: int = MAX_HINTS) -> int:
        """Send hints for the oldest deliveries of a lane, one per free slot; return their number."""
        free = slots.count_free(lane, self.project_slots, self.clock())
        first = self.lanes.first(lane) if free and lane.is_ordered else None
        if first is not None:
            return self._hint_first(lane, first)
        return self._hint(lane, min(free, most), 0) if free else 0

    def wake_with_slots(self, lane: Lane) -> None:
        """Read the project's slots, then `wake`."""
        self.wake(lane, self.slots.read(lane.project_id))

    def wake_due(self, due: DueLane, due_at_ms: int) -> None:
        """Move the due key of a lane that is due, then wake it; do nothing for a stale entry."""
        lane = self.lanes.push_back(due, due_at_ms)
        if lane is not None:
            reach("sweep.after_take")
            self.wake_with_slots(lane)

    def _plan_probe(self, lanes: list[Lane], slots: Slots) -> None:
        """Send the probe's hint if the circuit breaker is open and no other sender of the lane is left to do it."""
        now = self.clock()
        for lane in lanes:
            if lane.is_open and lane.probe_at_ms > now and not slots.has_sender(lane, now):
                self._hint(lane, 1, min(lane.probe_at_ms - now, MAX_HINT_DELAY_MS))

    def _hint_first(self, lane: Lane, first: Delivery) -> int:
        """Send a hint for the first delivery of an ordered lane, unless it is under way or has a hint of its own."""
        if first.state is DeliveryState.PAUSED:
            if self.lanes.is_disabled(lane):
                self.lanes.clear(lane)  # the request that enables the endpoint marks it again
                return 0
        elif not first.is_claimable(self.clock()):
            return 0
        self.hints.send(Hint.of(first))
        return 1

    def _hint(self, lane: Lane, most: int, delay_ms: int) -> int:
        hinted_for_ms = self.clock() + delay_ms
        oldest = self.lanes.oldest(lane, most)
        if not oldest:
            self.lanes.clear(lane)
        taken = [self.lanes.take_out(event_id, endpoint_id, hinted_for_ms) for event_id, endpoint_id in oldest]
        hinted = [delivery for delivery in taken if delivery is not None]
        reach("waking.after_take_out")
        if delay_ms:
            for delivery in hinted:
                self.hints.send(Hint.of(delivery), delay_ms=delay_ms)
        else:
            self.hints.send_all([Hint.of(delivery) for delivery in hinted])
        return len(hinted)
