"""Send slots: limits of a project's concurrent sends, in total, per host and per lane.

A slot is a lease. A sender takes a slot, sends deliveries of one lane one after another, and frees it. A slot may have
to rest after a send. This limits bytes per second to a host, and requests per second to an endpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from functions.clock import MS_PER_SEC
from functions.webhooks.endpoints.model import DEFAULT_CONCURRENCY
from functions.webhooks.sending.lanes.lane import FRESH_MS, max_concurrent_sends

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.lanes.lane import Lane

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
        """Whether a sender of this lane holds a slot."""
        return any(slot.lane == lane.name and not slot.is_resting for slot in self.live(now_ms).values())

    def live(self, now_ms: int) -> dict[str, Slot]:
        """Return the slots that are not free now."""
        return {slot_id: slot for slot_id, slot in self.taken.items() if slot.until_ms > now_ms}

    def expired(self, now_ms: int) -> dict[str, Slot]:
        """Return the slots that are still in the row although they are free."""
        return {slot_id: slot for slot_id, slot in self.taken.items() if slot.until_ms <= now_ms}

    def is_marked(self, now_ms: int) -> bool:
        """Whether the waiting mark is fresh."""
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
