"""A run in flight, as the quota item stores it. The entry exists before the submission's row."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from functions.clock import from_rfc3339

_KEY_HEX_DIGITS = 32
_MOST_CANDIDATES = 4
LEAKED_AFTER_MS = 60_000
"""An entry of this age without a row belongs to a process that died: no request lasts longer than 30 s."""
OVERTAKEN_AFTER_MS = 5_000
"""A request with the same Idempotency-Key waits this long for the first one to write its row."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """One entry. `key`: the start of the Idempotency-Key's hash; empty without a key."""

    since_ms: int
    submission_id: str
    key: str = ""

    @property
    def text(self) -> str:
        """The text in the table. It can be rebuilt from the submission's row, so any process can remove the entry."""
        return ".".join(filter(None, (str(self.since_ms), self.submission_id, self.key)))


def in_flight_entry(created_at: str, submission_id: str, idempotency_pk: str | None) -> InFlight:
    """Return the entry of a submission."""
    key = (idempotency_pk or "").rpartition("#")[2][:_KEY_HEX_DIGITS]
    return InFlight(from_rfc3339(created_at), submission_id, key)


@dataclass(frozen=True, slots=True)
class QuotaClaim:
    """One run, charged to a project's quota of a profile. `shard`: its name; None for a quota with one shard.

    `day_units`: the runs that it counts as in the limit of a day; always one in the other limits.
    """

    project_id: str
    profile: str
    entry: InFlight
    shard: str | None = None
    day_units: int = 1


def shard_name(number: int, shards: int) -> str | None:
    """Return the name of one of several shards. Another number of shards means other names, so counts start anew."""
    return f"{number}/{shards}" if shards > 1 else None


def candidate_shards(entry: InFlight, shards: int) -> tuple[int, ...]:
    """Return the shards that may count a run, the first choice first.

    A run with an Idempotency-Key has one, so that a repeat meets the first request there.
    """
    first = crc32((entry.key or entry.submission_id).encode()) % shards
    return tuple((first + number) % shards for number in range(1 if entry.key else min(_MOST_CANDIDATES, shards)))


def read_entry(text: str) -> InFlight:
    """Parse the text of an entry."""
    since_ms, submission_id, *key = text.split(".")
    return InFlight(int(since_ms), submission_id, *key)
