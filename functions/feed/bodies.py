"""Read the bytes of events: from their own rows, or made again from final submissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.webhooks.vocabulary import SUBMISSION_EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from functions.event_log.model import Entry, Event
    from functions.submissions.model import Submission
    from functions.submissions.store import SubmissionStore
    from functions.webhooks.deliveries.store import DeliveryStore


@dataclass(frozen=True, slots=True)
class EventBodies:
    """Reads events. `event_of` makes that of a final submission.

    A project without a target has no event rows; its submissions hold all that the events say.
    """

    deliveries: DeliveryStore
    submissions: SubmissionStore
    event_of: Callable[[Submission], Event]
    clock: Clock = now_ms

    def stored(self, entries: Iterable[Entry]) -> dict[str, Event | None]:
        """Return the events that have rows of their own, by id; None for those of deleted submissions."""
        return self.deliveries.get_events(list({entry.event_id for entry in entries}))

    def all(self, project_id: str, entries: Iterable[Entry]) -> dict[str, Event]:
        """Return the project's events, by id. Those of deleted or expired submissions are missing."""
        wanted = {entry.event_id: entry for entry in entries}
        found = self.deliveries.get_events(list(wanted))
        events = {
            event_id: event for event_id, event in found.items() if event is not None and event.project_id == project_id
        }
        rendered = [
            event_id for event_id, entry in wanted.items() if event_id not in found and entry.type in SUBMISSION_EVENTS
        ]
        for row in self.submissions.get_all(rendered).values() if rendered else ():
            if row.is_final and row.project_id == project_id and row.ttl * MS_PER_SEC > self.clock():
                events[row.submission_id] = self.event_of(row)
        return events
