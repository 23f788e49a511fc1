"""Put the events of final submissions on the event bus, from the stream of the submissions table.

The stream holds keys only, so it never holds code or output, and a deleted submission is not announced. Lambda calls
again from the first failed record: an event may come twice, and none is lost while the stream keeps it (24 hours).
An event that no retry can help is skipped, because it would block all later ones for those 24 hours.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.Lambda.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.event_log.bus import TOO_LARGE
from functions.failpoint import reach
from functions.submissions.complete.final_state_transaction import OnFinal, do_nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from functions.event_log.bus import Bus
    from functions.event_log.model import Event
    from functions.submissions.model import Submission
    from functions.submissions.store import SubmissionStore


_NEVER_ACCEPTED = frozenset({"InvalidArgument", "MalformedDetail", TOO_LARGE})
"""Error codes that depend on the event alone. Others depend on the time or on permissions.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
"""


@dataclass(frozen=True, slots=True)
class Announced:
    """The result. `refused`, `skipped`: submission id to error code of events to repeat, and of events to give up."""

    count: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Announcer:
    """Announces submissions. `event` returns the event of a final one.

    `on_final` is called with each final one before the bus gets it, and again if the stream repeats it.
    """

    submissions: SubmissionStore
    bus: Bus
    event: Callable[[Submission], Event]
    on_final: OnFinal = do_nothing

    def announce(self, submission_ids: Sequence[str]) -> Announced:
        """Put the events of those that are final. Raises the errors of the table, the bucket and the bus."""
        rows = self.submissions.get_all(submission_ids)
        reach("announce.after_read")
        events: list[Event] = []
        skipped: dict[str, str] = {}
        for row in rows.values():
            if row.is_final:
                try:
                    self.on_final(row)
                    events.append(self.event(row))
                except (ClientError, BotoCoreError):
                    raise
                except Exception as error:  # noqa: BLE001 - a row that breaks our code breaks it at each retry
                    skipped[row.submission_id] = type(error).__name__
        codes = self.bus.publish_all(events)
        reach("announce.after_bus")
        not_put = {event.submission_id: codes[event.event_id] for event in events if event.event_id in codes}
        skipped |= {key: code for key, code in not_put.items() if code in _NEVER_ACCEPTED}
        refused = {key: code for key, code in not_put.items() if code not in _NEVER_ACCEPTED}
        return Announced(len(events) - len(not_put), refused, skipped)
