"""The states of a check, and the messages that their changes cause. Pure: no clock, no table.

    new ──pass──▶ up ◀──pass── flaky ◀──pass after a failed try── any
                  │ N of the last M runs failed
                  ▼
               failing ──fewer than N of M──▶ up | flaky      late: a run did not start in time
    error: the platform failed, which says nothing about the program      paused: by request

A run is one scheduled time with all its retries. History is written in every case.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

from functions.aws.dynamodb.row_codec import OMIT_DEFAULT
from functions.checks.schedule import MINUTE_MS, Schedule
from functions.webhooks.vocabulary import DOWN_STATES


@dataclass(frozen=True, slots=True)
class QuietTime:
    """The given minutes after each time of a cron schedule."""

    schedule: Schedule
    minutes: int

    def end_ms(self, now_ms: int) -> int | None:
        """Return when the stretch that lasts now ends, or the earliest of several; None if none lasts."""
        length_ms = self.minutes * MINUTE_MS
        started_ms = self.schedule.next_time(now_ms - length_ms, 0)
        return None if started_ms is None or started_ms > now_ms else started_ms + length_ms


def quiet_until(times: Iterable[QuietTime], now_ms: int) -> int | None:
    """Return when to look again whether it is quiet; None if it is not quiet now."""
    ends = (time.end_ms(now_ms) for time in times)
    return max((end for end in ends if end is not None), default=None)


MAX_RETRIES = 3
MAX_OF_RUNS = 10
MOST_OBSERVED = 10
"""Stretches of time that a standing keeps. An older one counts as time without data."""
_HOUR_MS = 3_600_000


class State(StrEnum):
    """The state of a check."""

    NEW = "new"
    UP = "up"
    FAILING = "failing"
    LATE = "late"
    FLAKY = "flaky"
    ERROR = "error"
    PAUSED = "paused"


DOWN = frozenset(State(name) for name in DOWN_STATES)
"""States of an outage. Leaving them for `up` or `flaky` is a recovery."""
UNKNOWN = frozenset({State.NEW, State.PAUSED})
"""States without data: no run has ended since the check was made or paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a check turns results into states. `failures_needed` of the last `of_runs` runs must fail for `failing`."""

    failures_needed: int = 1
    of_runs: int = 1
    retries: int = 0
    remind_hours: int = 0
    muted_until_ms: int | None = None
    quiet: tuple[QuietTime, ...] = ()

    def is_muted(self, now_ms: int) -> bool:
        return self.muted_until_ms is not None and now_ms < self.muted_until_ms

    def quiet_until_ms(self, now_ms: int) -> int | None:
        """Return when to look again whether it is quiet; None if changes of the state are sent now."""
        return quiet_until(self.quiet, now_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """One finished try of a run; `attempt` 0 is the first.

    `earlier_failed`: an earlier try of the same run failed by its assertions, not by a platform fault.
    """

    passed: bool
    is_platform_fault: bool
    attempt: int
    earlier_failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """State of a check between runs.

    `recent`: for each of the last M runs the time of its failure, 0 if it passed; newest last. `bad_since_ms`: start of
    the outage that lasts. `outage_ms`: length of the last outage. `told`: the state that the last message gave.
    `observed`: the latest stretches of time with data, oldest first: start, and end or 0 while it lasts. None before
    the first run that counts, and in a row of a version without this field.
    """

    state: State = State.NEW
    since_ms: int = 0
    recent: tuple[int, ...] = ()
    bad_since_ms: int | None = None
    outage_ms: int | None = None
    told: State = State.NEW
    told_ms: int = 0
    observed: Annotated[tuple[tuple[int, int], ...], OMIT_DEFAULT] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A stretch of time in which a check was down. `state`: the last one of them."""

    since_ms: int
    until_ms: int
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A message to send. `was`: the state of the message before. `outage_ms`: for a recovery, its length."""

    was: State
    state: State
    is_reminder: bool
    outage_ms: int | None
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The next standing. `retry`: run the program again before anything is decided."""

    standing: Standing
    retry: bool = False
    announce: Announcement | None = None


def settle(standing: Standing, rules: Rules, finished: Finished, now_ms: int) -> Step:
    """Take in a finished try. A paused check keeps its state."""
    if standing.state is State.PAUSED:
        return Step(standing=standing)
    if not finished.passed and finished.attempt < rules.retries:
        return Step(standing=standing, retry=True)
    if finished.is_platform_fault:
        return _enter(standing, rules, State.ERROR, now_ms)
    recent = (*standing.recent, 0 if finished.passed else now_ms)[-rules.of_runs :]
    state = _state_after(standing.state, rules, recent, finished)
    return _enter(replace(standing, recent=recent), rules, state, now_ms)


def settle_missed(standing: Standing, rules: Rules, now_ms: int) -> Step:
    """Take in a run that did not start in time. `failing` and `error` stay: they say more."""
    if standing.state is State.PAUSED:
        return Step(standing=standing)
    state = standing.state if standing.state in {State.FAILING, State.ERROR} else State.LATE
    return _enter(standing, rules, state, now_ms)


def pause(standing: Standing, rules: Rules, now_ms: int) -> Step:
    """Pause the check. This ends an open outage, because its real end will not be observed."""
    forgotten = replace(standing, recent=(), bad_since_ms=None, outage_ms=None)
    return _enter(forgotten, rules, State.PAUSED, now_ms)


def resume(standing: Standing, now_ms: int) -> Step:
    """Resume a paused check. It is `new` until a run finishes."""
    if standing.state is not State.PAUSED:
        return Step(standing=standing)
    return Step(
        standing=Standing(since_ms=now_ms, told=standing.told, told_ms=standing.told_ms, observed=standing.observed)
    )


def tell(standing: Standing, rules: Rules, now_ms: int) -> Step:
    """Announce the state after a quiet time, if the last message gave another one. A paused check announces nothing."""
    is_told = standing.told is standing.state or standing.state is State.PAUSED
    return Step(standing=standing) if is_told else _announce(standing, rules, now_ms)


def ended_outage(before: Standing, after: Standing) -> Outage | None:
    """Return the outage that a change of the standing ends; None if it ends none."""
    since_ms = before.bad_since_ms
    if since_ms is None or after.bad_since_ms is not None:
        return None
    return Outage(since_ms=since_ms, until_ms=after.since_ms, state=before.state)


def _state_after(before: State, rules: Rules, recent: tuple[int, ...], finished: Finished) -> State:
    if sum(map(bool, recent)) >= rules.failures_needed:
        return State.FAILING
    if finished.passed:
        return State.FLAKY if finished.earlier_failed else State.UP
    # Too few failures. The program did run, so the check is neither late nor in error any more.
    return State.FLAKY if before in DOWN else before


def _enter(standing: Standing, rules: Rules, state: State, now_ms: int) -> Step:
    """Enter a state, or stay in it, and decide whether a message is sent."""
    entered = standing if state is standing.state else replace(standing, state=state, since_ms=now_ms)
    if state in DOWN and standing.bad_since_ms is None:
        failures = filter(None, standing.recent) if state is State.FAILING else ()
        entered = replace(entered, bad_since_ms=next(iter(failures), now_ms))
    if state not in DOWN and standing.bad_since_ms is not None:
        entered = replace(entered, bad_since_ms=None, outage_ms=now_ms - standing.bad_since_ms)
    entered = replace(entered, observed=_observed(standing.state, entered, now_ms))
    return _announce(entered, rules, now_ms)


def _observed(before: State, entered: Standing, now_ms: int) -> tuple[tuple[int, int], ...]:
    """Return the stretches with data: one begins with the first run that counts, and ends with a pause."""
    stretches = entered.observed
    if before in UNKNOWN and entered.state not in UNKNOWN:
        since_ms = now_ms if entered.bad_since_ms is None else entered.bad_since_ms  # that of the first failure
        return (*stretches, (since_ms, 0))[-MOST_OBSERVED:]
    if entered.state is State.PAUSED and stretches and stretches[-1][1] == 0:
        return (*stretches[:-1], (stretches[-1][0], now_ms))
    return stretches


def _announce(standing: Standing, rules: Rules, now_ms: int) -> Step:
    """Announce the state if the last message gave another one, or if a reminder is due."""
    was, state = standing.told, standing.state
    is_reminder = was is state
    is_silent = rules.is_muted(now_ms) or rules.quiet_until_ms(now_ms) is not None
    if is_silent or (is_reminder and not _is_reminder_due(standing, rules, now_ms)):
        return Step(standing=standing)
    told = replace(standing, told=state, told_ms=now_ms)
    if was is State.NEW and state is State.UP:  # the first pass is not announced
        return Step(standing=told)
    recovered = was in DOWN and state in {State.UP, State.FLAKY}
    announcement = Announcement(
        was=was,
        state=state,
        is_reminder=is_reminder,
        outage_ms=standing.outage_ms if recovered else None,
        since_ms=standing.since_ms if standing.bad_since_ms is None else standing.bad_since_ms,
    )
    return Step(standing=told, announce=announcement)


def _is_reminder_due(standing: Standing, rules: Rules, now_ms: int) -> bool:
    is_wanted = rules.remind_hours > 0 and standing.state in DOWN
    return is_wanted and now_ms - standing.told_ms >= rules.remind_hours * _HOUR_MS
