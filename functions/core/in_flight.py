"""A run that is not final, as its project's quota knows it: from its acceptance on, before its row is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.core.clock import from_rfc3339

if TYPE_CHECKING:
    from functions.core.submission import Submission

_KEY_HEX_DIGITS = 32
LEAKED_AFTER_MS = 60_000
"""An entry of this age without a row was left by a process that died: no call lives longer than 30 s."""
OVERTAKEN_AFTER_MS = 2_000
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


def entry_of(submission: Submission) -> InFlight:
    """Return the entry of a submission."""
    key = (submission.idempotency_pk or "").rpartition("#")[2][:_KEY_HEX_DIGITS]
    return InFlight(from_rfc3339(submission.created_at), submission.submission_id, key)


def read_entry(text: str) -> InFlight:
    """Return the entry of its text."""
    since_ms, submission_id, *key = text.split(".")
    return InFlight(int(since_ms), submission_id, *key)
