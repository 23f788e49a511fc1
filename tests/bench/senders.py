"""`python -m tests.bench.senders`: how long webhooks of other projects wait when a target begins to hang or to be slow.

The senders are invocations of `deliver` on AWS: one hint each, no shared memory. There is no chance in the simulation.
"""

import heapq
import sys
from collections import deque
from dataclasses import dataclass, field
from math import inf

SENDERS = 100
OTHERS = 9
OTHERS_RATE = 1.0
"""Events a second of each other project. With more, some senders are always theirs, and they wait less."""
RATES = (20, 50, 100, 200, 500)
HANGS, FIVE_SECS = inf, 5.0
QUICK_SECS = 0.1
SLOW_SECS = 1.0
CACHE_SECS = 2.0
GUARDED_WAIT_SECS = 15.0
LANE_SENDS, PARK_SECS = 10, 0.05
"""Concurrent sends of a guarded lane, and the time to park a delivery beyond them."""
FAULT_AT_SEC, END_SEC = 10.0, 60.0
DAY_SECS = 86_400
_NOISY = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """How long an unguarded send waits for its answer, and how long a slow one guards its lane."""

    wait_secs: float
    guard_secs: int


LONG = Choice(15, 600)
SHORT = Choice(3, DAY_SECS)
CHOICES = (LONG, SHORT)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`longest_wait_secs`, `late_share`: of other projects' webhooks. `most_taken`: unguarded sends at once."""

    longest_wait_secs: float
    late_share: float
    most_taken: int


@dataclass(slots=True)
class _State:
    choice: Choice
    needs_secs: float
    guarded_at: float = inf
    read_at: list[float] = field(default_factory=lambda: [-inf] * SENDERS)
    waiting: dict[int, deque[float]] = field(default_factory=dict)
    busy: dict[int, int] = field(default_factory=dict)
    unguarded: int = 0
    guarded: int = 0

    def send(self, sender: int, now: float) -> tuple[float, str]:
        """Return how long the sender is busy with a hint of the burst, and with what."""
        if now - self.read_at[sender] > CACHE_SECS:
            self.read_at[sender] = now
        takes_secs = QUICK_SECS if now < FAULT_AT_SEC else self.needs_secs
        if self.guarded_at > self.read_at[sender]:
            if takes_secs > SLOW_SECS:
                self.guarded_at = min(self.guarded_at, now + SLOW_SECS)
            return min(takes_secs, self.choice.wait_secs), "unguarded"
        if self.guarded < LANE_SENDS:
            return min(takes_secs, GUARDED_WAIT_SECS), "guarded"
        return PARK_SECS, "parked"


def simulate(choice: Choice, needs_secs: float, rate: float) -> Outcome:
    """Simulate a burst to one target that needs `needs_secs` from FAULT_AT_SEC on, beside OTHERS quiet projects.

    The fair queue gives a free sender the oldest hint of the project with the fewest hints in flight. A guarded lane
    keeps its senders until the end, and its circuit breaker never opens: both are worse than reality.
    """
    state = _State(choice, needs_secs)
    hints = sorted(_arrivals(rate), reverse=True)
    free, ends, waits = deque(range(SENDERS)), list[tuple[float, int, int, str]](), list[float]()
    most_taken = 0
    while hints or ends:
        now = min(hints[-1][0] if hints else inf, ends[0][0] if ends else inf)
        if now > END_SEC:
            break
        while ends and ends[0][0] <= now:
            _, sender, project, kind = heapq.heappop(ends)
            free.append(sender)
            state.busy[project] -= 1
            state.unguarded -= kind == "unguarded"
            state.guarded -= kind == "guarded"
        while hints and hints[-1][0] <= now:
            at, project = hints.pop()
            state.waiting.setdefault(project, deque()).append(at)
        while free and (projects := [project for project, queue in state.waiting.items() if queue]):
            project = min(projects, key=lambda project: (state.busy.get(project, 0), state.waiting[project][0]))
            at, sender = state.waiting[project].popleft(), free.popleft()
            takes_secs, kind = state.send(sender, now) if project == _NOISY else (QUICK_SECS, "other")
            if project != _NOISY:
                waits.append(now - at)
            state.busy[project] = state.busy.get(project, 0) + 1
            state.unguarded += kind == "unguarded"
            state.guarded += kind == "guarded"
            most_taken = max(most_taken, state.unguarded)
            heapq.heappush(ends, (now + takes_secs, sender, project, kind))
    return Outcome(max(waits), sum(wait > QUICK_SECS for wait in waits) / len(waits), most_taken)


def _arrivals(rate: float) -> list[tuple[float, int]]:
    """Return time and project of each hint."""
    burst = [(number / rate, _NOISY) for number in range(int(END_SEC * rate))]
    quiet = [
        ((number + project / (OTHERS + 1)) / OTHERS_RATE, project)
        for project in range(1, OTHERS + 1)
        for number in range(int(END_SEC * OTHERS_RATE))
    ]
    return burst + quiet


def table() -> str:
    """Return one line for each burst and choice."""
    head = f"{'others wait':>13}{'late':>7}"
    lines = [f"{'a burst to a target that':<26}{'events/s':>9}{'wait':>7}{'guard':>11}{'taken':>7}{head}"]
    for name, needs_secs in (("begins to hang", HANGS), ("begins to need 5 s", FIVE_SECS)):
        for rate in RATES:
            for choice in CHOICES:
                found = simulate(choice, needs_secs, rate)
                guard = f"{choice.guard_secs // 60:,} min"
                lines.append(
                    f"{name:<26}{rate:>9}{choice.wait_secs:>5.0f} s{guard:>11}"
                    f"{found.most_taken:>7}{found.longest_wait_secs:>11.1f} s{found.late_share:>6.1%}"
                )
    return "\n".join(lines)


def main() -> int:
    """Print the table, and how often a target that stays slow can delay others."""
    print(table())  # noqa: T201 - the command's output
    for choice in CHOICES:
        print(f"guard of {choice.guard_secs} s: at most {DAY_SECS // choice.guard_secs} times a day")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
