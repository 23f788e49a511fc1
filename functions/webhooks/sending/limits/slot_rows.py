"""The row of a project's send slots, and the updates that take and free a slot.

held_<id>                  one slot: its lane, its host, and the end of its lease
all, lane_<h>, host_<h>    sets of slot ids: of the project, of one lane, of one host. <h> is a hash of the name.
waiting_ms                 last time that a delivery was parked; absent if none waits
version                    changes when a slot is taken or freed

The sets let a condition count slots: `size(#all) < :limit`. So a sender takes a slot without reading the row, and an
update that frees a slot needs no condition. An empty set vanishes from the row. A slot whose lease has expired stays in
the sets until a sender that finds no free slot removes it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import key
from functions.clock import MS_PER_SEC
from functions.webhooks.endpoints.rows import endpoint_pk
from functions.webhooks.sending.lanes.lane_rows import LANE_TTL_SECS
from functions.webhooks.sending.limits.slots import HOST_SLOTS, Slot, Slots, TakenSlot, shared_slots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.aws.dynamodb.items import Value

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
