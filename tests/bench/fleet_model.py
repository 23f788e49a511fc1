"""Simulate the runners: queue, metrics, scaling policy, hosts that start and vanish. There is no chance in it.

One step is one second. Submissions of a second arrive together, and runs take their mean time, so a runner serves
`slots / run_secs` submissions a second. That is enough for ages of minutes, and too coarse for milliseconds.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import ceil, floor
from typing import Literal, NamedTuple

METRIC_PERIOD_SECS = 60  # SQS and Auto Scaling publish each minute
METRIC_DELAY_SECS = 60  # and a value is there a minute later
PLACEMENT_SECS = 60  # ECS publishes the need for hosts each minute
BOOT_SECS = 75  # a host: EC2, the agent, the image of 0.5 GB compressed
START_SECS = 15  # a runner: probes, trial programs, slots, first heartbeat
VISIBILITY_SECS = 60  # a lost runner's messages come back
UNHEALTHY_SECS = 90  # three heartbeats and two health checks


@dataclass(frozen=True, slots=True)
class Policy:
    """When the fleet grows and shrinks.

    `steps`: age of the oldest submission in seconds, and the growth in per cent from there on, ascending.
    `is_guarded`: the age counts only while more submissions wait than there are slots.
    `shrink_below`: share of busy slots, for `shrink_minutes` in a row; then `shrink_percent` go.
    """

    steps: tuple[tuple[int, int], ...]
    cooldown_secs: int
    is_guarded: bool = True
    shrink_below: float = 0.4
    shrink_minutes: int = 10
    shrink_percent: int = 10


@dataclass(frozen=True, slots=True)
class Fault:
    """At `at_sec` a share of the runners gets `stuck` (holds its runs, takes no other) or is `lost` with its host."""

    kind: Literal["stuck", "lost"]
    at_sec: int
    share: float


@dataclass(frozen=True, slots=True)
class Load:
    """The load of a fleet. `rate`: submissions a second at a second."""

    rate: Callable[[int], float]
    secs: int
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """Limits of a fleet, and what its runners can do."""

    floor: int
    ceiling: int
    slots: int
    run_secs: float

    @property
    def each(self) -> float:
        """Submissions that one runner serves in a second."""
        return self.slots / self.run_secs


class Second(NamedTuple):
    """The state at the end of one second. `age_secs`: of the oldest waiting submission. `runners`: that take work."""

    sec: int
    waiting: float
    age_secs: int
    runners: int
    desired: int


@dataclass(frozen=True, slots=True)
class _Minute:
    sec: int
    age_secs: int
    waiting: float
    busy: float
    runners: int


@dataclass(slots=True)
class _State:
    runners: int
    desired: int
    queue: deque[tuple[int, float]] = field(default_factory=deque)
    waiting: float = 0.0  # the counts of `queue` together
    starting: list[int] = field(default_factory=list)  # the second in which each one takes work
    held: list[tuple[int, int, float]] = field(default_factory=list)  # arrival, return, count of hidden messages
    minutes: list[_Minute] = field(default_factory=list)
    grown_at: int | None = None
    grown_from: int = 0
    shrunk_at: int = 0


def simulate(fleet: Fleet, policy: Policy, load: Load) -> Iterator[Second]:
    """Yield each second. The fleet starts at its floor, and with what the first second's load needs."""
    begin = _clamp(fleet, ceil(load.rate(0) / fleet.each / 0.6))
    state = _State(begin, begin)
    for sec in range(load.secs):
        _inject(fleet, state, load.fault, sec)
        if state.starting:
            state.runners += sum(at <= sec for at in state.starting)
            state.starting = [at for at in state.starting if at > sec]
        if state.held:
            _return_held(state, sec)
        state.queue.append((sec, load.rate(sec)))
        state.waiting += load.rate(sec)
        capacity = state.runners * fleet.each
        left = _serve(state, capacity)
        if sec % METRIC_PERIOD_SECS == 0:
            state.minutes.append(_measure(state, sec, 1 - left / capacity if capacity else 1.0))
            _scale(fleet, policy, state, sec)
        yield Second(sec, state.waiting, _age(state, sec), state.runners, state.desired)


def _serve(state: _State, capacity: float) -> float:
    """Take the oldest submissions. Returns the capacity that is left."""
    while state.queue and capacity > 0:
        arrived, count = state.queue[0]
        taken = min(count, capacity)
        capacity -= taken
        state.waiting -= taken
        if taken < count:
            state.queue[0] = (arrived, count - taken)
        else:
            state.queue.popleft()
    return capacity


def _inject(fleet: Fleet, state: _State, fault: Fault | None, sec: int) -> None:
    if fault is None or sec != fault.at_sec:
        return
    count = max(1, round(state.runners * fault.share))
    state.runners -= count
    # Either way its messages return when nobody extends them, and another runner starts in its place.
    gone_secs = UNHEALTHY_SECS if fault.kind == "stuck" else 0
    state.held.append((sec, sec + gone_secs + VISIBILITY_SECS, float(count * fleet.slots)))
    # A stuck runner's host stays: only the task is replaced. A lost one's host is replaced too.
    again_secs = gone_secs + START_SECS + (0 if fault.kind == "stuck" else PLACEMENT_SECS + BOOT_SECS)
    state.starting += [sec + again_secs] * count


def _return_held(state: _State, sec: int) -> None:
    for arrived, at, count in state.held:
        if at == sec:
            state.queue.appendleft((arrived, count))
            state.waiting += count
    state.held = [item for item in state.held if item[1] > sec]


def _measure(state: _State, sec: int, busy: float) -> _Minute:
    # SQS's age counts messages in flight too, so the age of a stuck runner's messages grows.
    oldest = min([_arrival(state, sec), *(arrived for arrived, _, _ in state.held)])
    return _Minute(sec, sec - oldest, state.waiting, busy, state.runners)


def _scale(fleet: Fleet, policy: Policy, state: _State, sec: int) -> None:
    seen = [minute for minute in state.minutes if minute.sec <= sec - METRIC_DELAY_SECS]
    if not seen:
        return
    last = seen[-1]
    is_late = not policy.is_guarded or last.waiting > last.runners * fleet.slots
    percents = [percent for age_secs, percent in policy.steps if last.age_secs >= age_secs] if is_late else []
    if percents:
        _grow(fleet, policy, state, sec, percents[-1])
        return
    idle = seen[-policy.shrink_minutes :]
    is_idle = len(idle) == policy.shrink_minutes and all(minute.busy < policy.shrink_below for minute in idle)
    if is_idle and sec - state.shrunk_at >= METRIC_PERIOD_SECS * policy.shrink_minutes:
        state.shrunk_at = sec
        fewer = _clamp(fleet, state.desired - max(1, floor(state.desired * policy.shrink_percent / 100)))
        state.runners -= max(0, state.desired - fewer)
        state.desired = fewer


def _grow(fleet: Fleet, policy: Policy, state: _State, sec: int, percent: int) -> None:
    # Within the cooldown a larger step counts from the same capacity as the first one.
    if state.grown_at is None or sec - state.grown_at >= policy.cooldown_secs:
        state.grown_at, state.grown_from = sec, state.desired
    wanted = _clamp(fleet, state.grown_from + max(1, ceil(state.grown_from * percent / 100)))
    if wanted > state.desired:
        state.starting += [sec + PLACEMENT_SECS + BOOT_SECS + START_SECS] * (wanted - state.desired)
        state.desired = wanted


def _clamp(fleet: Fleet, count: int) -> int:
    return max(fleet.floor, min(fleet.ceiling, count))


def _arrival(state: _State, sec: int) -> int:
    return state.queue[0][0] if state.queue else sec


def _age(state: _State, sec: int) -> int:
    return sec - _arrival(state, sec)


def unguarded(policy: Policy) -> Policy:
    """Return the policy with every age counting."""
    return replace(policy, is_guarded=False)
