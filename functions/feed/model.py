"""Polls of consumers, and the filters of the list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.event_log.model import Reason

if TYPE_CHECKING:
    from functions.event_log.model import Entry, Event, Placed


@dataclass(frozen=True, slots=True)
class EventFilters:
    """Filters and order of the list. `is_undelivered`: only events with a delivery that is not delivered."""

    types: frozenset[str] | None = None
    since_ms: int | None = None
    submission_id: str | None = None
    is_undelivered: bool = False
    ascending: bool = False

    def want(self, event_type: str) -> bool:
        """Whether the list has events of this type."""
        return self.types is None or event_type in self.types


@dataclass(frozen=True, slots=True)
class PollRequest:
    """A poll of a consumer. `position`: all up to it was handled; None: continue after the committed position.

    `from_start`: a new consumer begins at the oldest event. `types` None: all. `reasons`: other entries to include.
    """

    consumer: str
    position: int | None = None
    from_start: bool = False
    limit: int = 50
    types: frozenset[str] | None = None
    reasons: frozenset[Reason] = frozenset()
    wait_secs: float = 0

    def accepts(self, entry: Entry) -> bool:
        """Whether the consumer gets an entry."""
        if entry.reason is not Reason.EVENT and entry.reason not in self.reasons:
            return False
        return self.types is None or entry.type in self.types


@dataclass(frozen=True, slots=True)
class Polled:
    """Events, in order, and the position up to which the log was read. `missed`: entries that expired unread."""

    events: tuple[tuple[Placed, Event], ...]
    position: int
    missed: int = 0
