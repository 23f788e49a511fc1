"""Put the events of final submissions on the event bus, from the stream of the submissions table.

The stream holds keys only, so it never holds code or output, and a deleted submission is not announced. Lambda calls
again from the first failed record: an event may come twice, and none is lost while the stream keeps it (24 hours).
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.Lambda.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.failpoint import reach
from functions.submissions.completed_event import completed_event, render_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.aws.payloads import Payloads
    from functions.submissions.store import SubmissionStore
    from functions.webhooks.event_bus import Bus


@dataclass(frozen=True, slots=True)
class Announcer:
    """Announces submissions. `public_base_url` has no trailing slash."""

    submissions: SubmissionStore
    payloads: Payloads
    bus: Bus
    public_base_url: str

    def announce(self, submission_ids: Sequence[str]) -> dict[str, str]:
        """Put the events of those that are final. Return the error code of each refused one, by submission id.

        Raises the errors of the table, the bucket and the bus.
        """
        rows = self.submissions.get_all(submission_ids)
        reach("announce.after_read")
        events = [
            completed_event(row, render_event(row, self.payloads, self.public_base_url))
            for row in rows.values()
            if row.is_final
        ]
        refused = self.bus.publish_all(events)
        reach("announce.after_bus")
        return {event.submission_id: refused[event.event_id] for event in events if event.event_id in refused}
