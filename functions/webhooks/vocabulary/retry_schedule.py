"""Retry schedule of a deployment, with jitter and Retry-After."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

JITTER = 0.2
MAX_DELAY_SECS = 86_400


@dataclass(frozen=True, slots=True)
class Schedule:
    """Delays in seconds, one entry per attempt. Raises ValueError unless the first entry is 0.

    The first must be 0 because a new delivery is due at once: its writer does not know the schedule.
    """

    delays_secs: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.delays_secs[:1] != (0,) or min(self.delays_secs) < 0:
            raise ValueError("the retry schedule must begin with 0 and hold no negative delay")

    @property
    def max_attempts(self) -> int:
        """Attempts before a delivery is exhausted."""
        return len(self.delays_secs)

    def delay_ms(self, attempts_made: int, retry_after_secs: int | None, random: float) -> int | None:
        """Return the milliseconds until the next attempt; None at the end of the schedule.

        `random` in [0, 1) spreads the delay by ±20 %. Retry-After can only lengthen it, up to 24 h.
        """
        if attempts_made >= self.max_attempts:
            return None
        scheduled_secs = self.delays_secs[attempts_made] * (1 - JITTER + 2 * JITTER * random)
        asked_secs = min(retry_after_secs or 0, MAX_DELAY_SECS)
        return int(max(scheduled_secs, asked_secs) * 1000)


def parse_retry_after(header: str | None, now_ms: int) -> int | None:
    """Parse Retry-After, a number or an HTTP date, into seconds; None if absent, invalid or past."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return min(int(text[:10]), MAX_DELAY_SECS)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    secs = int((at - datetime.fromtimestamp(now_ms / 1000, UTC)).total_seconds())
    return min(secs, MAX_DELAY_SECS) if secs > 0 else None
