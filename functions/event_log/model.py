"""Events, their entries in lists and in the event log, and the consumers of the log."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

TTL_MS = 24 * 86_400_000
"""Rows are kept this long: replay window (14 days) plus the longest schedule, nine delays of up to 24 h each."""
LOG_MS = 14 * 86_400_000
"""Retention of the event log."""
MAX_CONSUMERS = 20
"""Limit for a project. One query reads them all."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event with the immutable bytes that every attempt signs and sends.

    `submission_id`, `correlation_id` and `traceparent` (the client's trace) are "" without a run.
    """

    event_id: str
    type: str
    project_id: str
    body: bytes = field(repr=False)
    submission_id: str = ""
    correlation_id: str = ""
    traceparent: str = ""

    @property
    def digest(self) -> bytes:
        """SHA-256 of the bytes. Each delivery row has it, so that a hint with other bytes is never sent."""
        return hashlib.sha256(self.body).digest()


class Delivered(Protocol):
    """The ids of an event, as each of its deliveries has them."""

    @property
    def project_id(self) -> str:
        """The project of the event."""

    @property
    def event_id(self) -> str:
        """Its id."""

    @property
    def event_type(self) -> str:
        """Its type."""

    @property
    def submission_id(self) -> str:
        """Its submission; "" without one."""


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


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the log: the last position, and when it was given. No entry: 0, 0.

    `ordering_until_ms`: the end of the lease of the poll that orders a backlog; 0 without one.
    """

    last: int
    ordered_ms: int
    ordering_until_ms: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry and its position in the log."""

    position: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Consumer:
    """A consumer. It has handled all entries up to `position`. It expires the log's retention after `polled_ms`."""

    name: str
    position: int
    created_at: str
    polled_ms: int
