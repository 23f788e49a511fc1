"""A check: its settings, its state, and its next time. Pings of a heartbeat: what each says, and how many count."""

import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Self

from functions.aws.dynamodb.row_codec import IN_KEY, JSON, OMIT_DEFAULT
from functions.checks.schedule import MINUTE_MS, Schedule, in_zone, parse_schedule, spread_ms
from functions.checks.settings.check_settings import CheckSettings
from functions.checks.state import UNKNOWN, Outage, Rules, Standing, State
from functions.clock import from_rfc3339, to_rfc3339
from functions.ids import new_id

_BADGE_TOKEN_BYTES = 24
_DAY_MS = 86_400_000
MAX_CHECKS = 1_000
"""Checks of a project. One query of two or three pages reads them all."""
HISTORY_DAYS = 90
MOST_OUTAGES = 100
"""Outages that one answer has, without the one that lasts."""
MOST_IN_A_MINUTE = 10
"""Pings of a heartbeat that count. Each is one transaction and one row of the history."""
KEPT_BODIES = 100
BODY_MAX_BYTES = 10_240
_PING_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
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
    return hashlib.sha256(token.encode()).hexdigest() if _PING_TOKEN.fullmatch(token) else None


def whole_minute(ms: int) -> int:
    """Return the start of a minute: what a new schedule counts from."""
    return ms // MINUTE_MS * MINUTE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check, without its program. Times ending in `_at` are RFC 3339 texts.

    `next_slot_ms`: its next scheduled time, without the spread; None while paused or without a schedule.
    `anchor_ms`: where a rate counts from. `open_run_id`: the latest run that may still be going on.
    `ping_hash`: that of the token of its pings.
    In the row of its source: `env_boxes`, the sealed values of its variables, and `report_box`, the sealed token of its
    report.
    `version` changes with the settings, `standing_version` with the state.
    """

    check_id: str
    project_id: str
    settings: Annotated[CheckSettings, IN_KEY]
    created_at: str
    updated_at: str
    anchor_ms: int
    badge_token: str
    version: int = 0
    standing: Annotated[Standing, JSON] = field(default_factory=Standing)
    standing_version: int = 0
    next_slot_ms: int | None = None
    open_run_id: str | None = None
    last_run: Annotated[Mapping[str, Any] | None, JSON] = None
    ping_hash: str | None = None
    pings: Annotated[Pings, JSON, OMIT_DEFAULT] = field(default_factory=Pings)
    env_boxes: Annotated[Mapping[str, bytes], IN_KEY] = field(default_factory=dict, repr=False)
    report_box: Annotated[bytes, IN_KEY] = field(default=b"", repr=False)

    @classmethod
    def new(cls, project_id: str, settings: CheckSettings, now_ms: int) -> Self:
        """Return a check without its next time, and without a past."""
        return cls(
            check_id=new_id(),
            project_id=project_id,
            settings=settings,
            created_at=to_rfc3339(now_ms),
            updated_at=to_rfc3339(now_ms),
            anchor_ms=whole_minute(now_ms),
            badge_token=secrets.token_urlsafe(_BADGE_TOKEN_BYTES),
        )

    @property
    def is_paused(self) -> bool:
        """Whether its schedule rests."""
        return self.standing.state is State.PAUSED

    @property
    def spread_ms(self) -> int:
        """How much later than its scheduled times it runs."""
        return spread_ms(self.check_id, self.settings.spread_minutes or 0)

    @property
    def delay_ms(self) -> int:
        """How much later than its scheduled times it is due: the spread of a program, the grace of a heartbeat."""
        return self.settings.grace_minutes * MINUTE_MS if self.settings.is_heartbeat else self.spread_ms

    @property
    def due_at_ms(self) -> int | None:
        """When its next run is due, or a ping is late."""
        return None if self.next_slot_ms is None else self.next_slot_ms + self.delay_ms

    @property
    def rules(self) -> Rules:
        """The rules of its state."""
        return self.settings.rules

    def complete_since_ms(self, outages: Sequence[Outage], now_ms: int) -> int:
        """Return the time since when no outage is missing in those that `OutageStore.of` returned."""
        since_ms = max(from_rfc3339(self.created_at), now_ms - HISTORY_DAYS * _DAY_MS)
        return max(since_ms, outages[-1].since_ms) if len(outages) >= MOST_OUTAGES else since_ms

    def observed(self, outages: Sequence[Outage], now_ms: int) -> tuple[tuple[int, int], ...]:
        """Return the stretches of time with data in which these outages are complete, oldest first: start and end."""
        complete_ms, stretches = self.complete_since_ms(outages, now_ms), self.standing.observed
        if not stretches and self.standing.state not in UNKNOWN:  # a row of a version without the field
            stretches = ((0, 0),)
        ended = ((since_ms, until_ms or now_ms) for since_ms, until_ms in stretches)
        return tuple((max(since_ms, complete_ms), until_ms) for since_ms, until_ms in ended if until_ms > complete_ms)

    def times_after(self, ms: int) -> Iterator[int]:
        """Yield the times of its schedule; while it is failing also those of `faster_while_failing`."""
        settings = self.settings
        if settings.schedule is None:
            return
        schedules = [parse_schedule(settings.schedule, settings.timezone)]
        if settings.faster_while_failing is not None and self.standing.state is State.FAILING:
            schedules.append(parse_schedule(settings.faster_while_failing, settings.timezone))
        while (time := _first(schedules, ms, self.anchor_ms)) is not None:
            yield time
            ms = time

    def next_time_after(self, ms: int) -> int | None:
        """Return its first scheduled time after a moment; None without one."""
        return next(self.times_after(ms), None)

    def in_zone(self, ms: int) -> str:
        """Return a time in RFC 3339, with the offset of the check's zone."""
        return in_zone(ms, self.settings.timezone)

    @property
    def log_ids(self) -> dict[str, Any]:
        """The ids of every log line about this check."""
        return {"check_id": self.check_id, "project_id": self.project_id}


def _first(schedules: list[Schedule], ms: int, anchor_ms: int) -> int | None:
    times = (schedule.next_time(ms, anchor_ms) for schedule in schedules)
    return min((time for time in times if time is not None), default=None)
