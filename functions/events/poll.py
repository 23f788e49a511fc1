"""One poll of a consumer: commit a position, then return the entries that follow it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.errors import ConflictError
from functions.events.bodies import EventBodies, within_answer
from functions.events.consumers import ConsumerLimitError, ConsumerStore
from functions.events.model import MAX_CONSUMERS, Polled

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.events.log import EventLog
    from functions.events.model import Consumer, Placed, PollRequest

_SCANNED = 200
"""Entries that one read of a filtered poll looks at."""
_WORK_SECS = 8.0
"""A poll looks for an entry that its filter accepts for so long, besides its wait."""
_FIRST_STEP_SECS = 0.05
_LONGEST_STEP_SECS = 1.0
_ORDERS = 100
"""Before a consumer starts at the end, so many transactions order what was there."""
_AHEAD = (
    "The cursor is ahead of this project's event log, so it is not one of this service, or the service was restored "
    "from a backup. Poll without a cursor, and handle repeated events."
)
_TOO_MANY = f"A project has at most {MAX_CONSUMERS} consumers. Delete one: DELETE /api/event-consumers/{{name}}."


@dataclass(frozen=True, slots=True)
class Poll:
    """Polls of consumers. `longest_wait_secs`: what this deployment allows."""

    log: EventLog
    consumers: ConsumerStore
    bodies: EventBodies
    longest_wait_secs: float
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic

    def poll(self, project_id: str, request: PollRequest) -> Polled:
        """Commit, then read; wait if there is nothing. Raises ConflictError, RowsContendedError.

        A consumer that dies before its next poll gets the same entries again.
        """
        if request.position is not None and request.position > self.log.last_position(project_id):
            raise ConflictError(_AHEAD)
        consumer = self.consumers.get(project_id, request.consumer)
        if consumer is None:
            consumer = self._create(project_id, request)
        elif request.position is not None and request.position < consumer.position:
            # Another process of this consumer is ahead. Its commit stays, and this one reads on from its own place.
            return self._read(project_id, request, request.position)
        after = consumer.position if request.position is None else request.position
        self.consumers.commit(project_id, consumer, after)
        return self._read(project_id, request, after)

    def _create(self, project_id: str, request: PollRequest) -> Consumer:
        try:
            return self.consumers.create(project_id, request.consumer, self._start(project_id, request))
        except ConsumerLimitError:
            raise ConflictError(_TOO_MANY) from None

    def _start(self, project_id: str, request: PollRequest) -> int:
        if request.position is not None:  # it has expired, and its process has not
            return request.position
        for _ in range(_ORDERS):
            if not self.log.order(project_id):
                break
        if not request.from_start:
            return self.log.last_position(project_id)
        oldest = self.log.read(project_id, 0, 1)
        return oldest[0].position - 1 if oldest else self.log.last_position(project_id)

    def _read(self, project_id: str, request: PollRequest, after: int) -> Polled:
        start, missed = self.monotonic(), 0
        step, position = _FIRST_STEP_SECS, after
        scanned = request.limit if request.types is None else max(request.limit, _SCANNED)
        while True:
            placed = self.log.read(project_id, position, scanned)
            if placed:
                missed += placed[0].position - position - 1
                polled = self._accepted(project_id, request, placed, missed)
                if polled.events or self.monotonic() - start > _WORK_SECS:
                    return polled
                position = polled.position
            elif not self.log.order(project_id):
                left = min(request.wait_secs, self.longest_wait_secs) - (self.monotonic() - start)
                if left <= 0:
                    return Polled((), position, missed)
                self.sleep(min(step, left))
                step = min(step * 1.5, _LONGEST_STEP_SECS)

    def _accepted(self, project_id: str, request: PollRequest, placed: list[Placed], missed: int) -> Polled:
        """Return the accepted ones of these entries, up to the limits of an answer."""
        wanted = [one for one in placed if request.accepts(one.entry)][: request.limit]
        is_cut = len(wanted) == request.limit
        known = self.bodies.stored(project_id, [one.entry for one in wanted]) if wanted else {}
        events = [(one, known[one.entry.event_id]) for one in wanted if one.entry.event_id in known]
        count = within_answer(event for _, event in events)
        if count < len(events):
            return Polled(tuple(events[:count]), events[count - 1][0].position, missed)
        last = wanted[-1] if is_cut else placed[-1]
        return Polled(tuple(events), last.position, missed)
