"""`python -m tests.bench.fleet`: how the fleet of runners follows its load, and why its policy has these numbers."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from tests.bench.fleet_model import Fault, Fleet, Load, Policy, Second, simulate, unguarded

FLEET = Fleet(floor=3, ceiling=60, slots=4, run_secs=0.5)
"""Hosts with four CPUs, and programs of half a second."""
RATE = 20.0
GROWTHS = ((25, 50, 100), (50, 100, 200), (100, 200, 400))
AGES = ((5, 20, 60), (10, 30, 90), (30, 60, 120))
COOLDOWNS_SECS = (60, 180, 300)
SHRINKS = ((10, 10), (10, 25), (5, 25))
"""Idle minutes, and the share in per cent that then goes."""
ON_TIME_SECS = 10
_MOST_LATE_MINUTES = 12.5

SCENARIOS: Mapping[str, Load] = {
    "steady": Load(lambda _: RATE, 3600),
    "burst: ten times the load for 20 minutes": Load(lambda sec: RATE * (10 if 600 <= sec < 1800 else 1), 7200),
    "growth: ten times the load within an hour": Load(lambda sec: RATE * (1 + 9 * min(1.0, sec / 3600)), 5400),
    "one runner is stuck": Load(lambda _: RATE, 3600, Fault("stuck", 600, 1 / 5)),
    "a zone is lost": Load(lambda _: RATE * 4, 3600, Fault("lost", 600, 1 / 3)),
    "half of the runners are lost at once": Load(lambda _: RATE * 4, 3600, Fault("lost", 600, 1 / 2)),
}


@dataclass(frozen=True, slots=True)
class Summary:
    """One scenario. `late_minutes`: time in which the oldest waiting submission was older than ON_TIME_SECS."""

    oldest_secs: int
    late_minutes: float
    most_runners: int
    runner_hours: float
    needed_hours: float


def summarise(fleet: Fleet, load: Load, seconds: list[Second]) -> Summary:
    """Condense a simulation. `needed_hours`: runners that are always busy and never too few."""
    needed = sum(load.rate(second.sec) for second in seconds) / fleet.each
    return Summary(
        oldest_secs=max(second.age_secs for second in seconds),
        late_minutes=sum(second.age_secs > ON_TIME_SECS for second in seconds) / 60,
        most_runners=max(second.runners for second in seconds),
        runner_hours=sum(second.desired for second in seconds) / 3600,
        needed_hours=needed / 3600,
    )


def run(policy: Policy, load: Load) -> Summary:
    """Simulate one scenario."""
    return summarise(FLEET, load, list(simulate(FLEET, policy, load)))


def candidates() -> Iterator[Policy]:
    """All policies that are compared."""
    for growth, ages, cooldown_secs, (minutes, percent) in product(GROWTHS, AGES, COOLDOWNS_SECS, SHRINKS):
        yield Policy(
            tuple(zip(ages, growth, strict=True)), cooldown_secs, shrink_minutes=minutes, shrink_percent=percent
        )


def runner_hours(policy: Policy) -> float | None:
    """Return the runner hours of all scenarios; None if the policy is late for too long in one of them."""
    hours = 0.0
    for load in sorted(SCENARIOS.values(), key=lambda load: -load.secs):  # the burst, where most policies are late
        found = run(policy, load)
        if found.late_minutes > _MOST_LATE_MINUTES:
            return None
        hours += found.runner_hours
    return hours


def choose() -> Policy:
    """Return the policy with the fewest runner hours among those that end each lateness soon enough."""
    fitting = [(hours, policy) for policy in candidates() if (hours := runner_hours(policy)) is not None]
    return min(fitting, key=lambda pair: pair[0])[1]


CHOSEN = Policy(steps=((30, 100), (60, 200), (120, 400)), cooldown_secs=300, shrink_minutes=5, shrink_percent=25)
"""The result of `choose`, as in infra/runner_fleet.yaml."""


def table(policy: Policy) -> str:
    """Return one line for each scenario."""
    head = f"{'scenario':<44}{'oldest':>8}{'late':>10}{'runners':>9}{'hours':>8}{'needed':>8}"
    lines = [head]
    for name, load in SCENARIOS.items():
        found = run(policy, load)
        lines.append(
            f"{name:<44}{found.oldest_secs:>6} s{found.late_minutes:>6.1f} min{found.most_runners:>9}"
            f"{found.runner_hours:>8.1f}{found.needed_hours:>8.1f}"
        )
    return "\n".join(lines)


def main() -> int:
    """Print the chosen policy, its table, and what the guard saves."""
    chosen = choose()
    print(f"chosen of {len(list(candidates()))} policies: {chosen}")  # noqa: T201 - the command's output
    print(table(chosen))  # noqa: T201
    print("\nthe same without the guard (an age counts although nothing waits):")  # noqa: T201
    print(table(unguarded(chosen)))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
