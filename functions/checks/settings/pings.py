"""Pings of a heartbeat: what each says, and how many of them count. Pure."""

import hashlib
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

MINUTE_MS = 60_000
MOST_IN_A_MINUTE = 10
"""Pings of a heartbeat that count. Each is one transaction and one row of the history."""
KEPT_BODIES = 100
BODY_MAX_BYTES = 10_240
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
_EXIT_CODE = re.compile(r"[0-9]{1,3}", re.ASCII)
_LAST_EXIT_CODE = 255


class SignalKind(StrEnum):
    """What a ping says about its job."""

    START = "start"
    SUCCESS = "success"
    FAIL = "fail"


class Signal(NamedTuple):
    """What a ping says, and why."""

    kind: SignalKind
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pings:
    """The pings of a heartbeat that counted. `number`: of the latest. `in_minute`: how many came in `minute`.

    `ended_ms`: the latest end of the job; 0 before the first. `started_ms`: its start, while it is going on.
    """

    number: int = 0
    minute: int = 0
    in_minute: int = 0
    ended_ms: int = 0
    started_ms: int | None = None

    def counted(self, now_ms: int) -> "Pings | None":
        """Return them with one more; None if as many as may count have come in this minute."""
        minute = now_ms // MINUTE_MS
        in_minute = self.in_minute + 1 if minute == self.minute else 1
        if in_minute > MOST_IN_A_MINUTE:
            return None
        return replace(self, number=self.number + 1, minute=minute, in_minute=in_minute)


def signal_of(word: str) -> Signal | None:
    """Return what the last part of a ping's path says: `start`, `fail`, or an exit code; empty: success."""
    if word == SignalKind.START:
        return Signal(SignalKind.START)
    if word == SignalKind.FAIL:
        return Signal(SignalKind.FAIL, "the job reported a failure")
    if word == "" or (_EXIT_CODE.fullmatch(word) and int(word) == 0):
        return Signal(SignalKind.SUCCESS)
    if _EXIT_CODE.fullmatch(word) and int(word) <= _LAST_EXIT_CODE:
        return Signal(SignalKind.FAIL, f"the job ended with exit code {int(word)}")
    return None


def token_hash(token: str) -> str | None:
    """Return the hash of a token, which is all that we keep of it; None for a text that is no token."""
    return hashlib.sha256(token.encode()).hexdigest() if _TOKEN.fullmatch(token) else None
