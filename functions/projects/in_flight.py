"""A run that is not final, as its project's quota knows it. It begins before the submission's row exists."""

from __future__ import annotations

from dataclasses import dataclass

from functions.clock import from_rfc3339

_KEY_HEX_DIGITS = 32
LEAKED_AFTER_MS = 60_000
"""An entry of this age without a row was left by a process that died: no call lives longer than 30 s."""
OVERTAKEN_AFTER_MS = 5_000
"""A request with the same Idempotency-Key waits this long for the first one to write its row."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """One entry. `key` is a part of the Idempotency-Key's hash, empty without one."""

    since_ms: int
    submission_id: str
    key: str = ""

    @property
    def text(self) -> str:
        """As it lies in the table. The submission's row tells all of it, so that whoever ends the run finds it."""
        return ".".join(filter(None, (str(self.since_ms), self.submission_id, self.key)))


def in_flight_entry(created_at: str, submission_id: str, idempotency_pk: str | None) -> InFlight:
    """Return the entry of a submission."""
    key = (idempotency_pk or "").rpartition("#")[2][:_KEY_HEX_DIGITS]
    return InFlight(from_rfc3339(created_at), submission_id, key)


@dataclass(frozen=True, slots=True)
class QuotaClaim:
    """One run that counts against a project's quota of a profile."""

    project_id: str
    profile: str
    entry: InFlight


def read_entry(text: str) -> InFlight:
    """Return the entry of its text."""
    since_ms, submission_id, *key = text.split(".")
    return InFlight(int(since_ms), submission_id, *key)
