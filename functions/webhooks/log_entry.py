"""An event in a list or in the event log, without its bytes."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why an event is in the log."""

    EVENT = "event"
    REPLAY = "replay"  # a client replayed or recovered one of its deliveries
    TEST = "test"  # a test send or a sample; nothing happened


@dataclass(frozen=True, slots=True)
class Entry:
    """One event in a list or in the log. `at`: RFC 3339, when the row was written. `submission_id` "": no run."""

    event_id: str
    type: str
    submission_id: str
    at: str
    reason: Reason = Reason.EVENT

    @property
    def key(self) -> str:
        """Sort key: by time, then by id. A replay does not replace the event itself."""
        return f"{self.at}#{self.event_id}" + ("#replay" if self.reason is Reason.REPLAY else "")
