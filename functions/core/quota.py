"""How much a project may run: per minute, per day and at the same time, for each profile on its own."""

from dataclasses import dataclass

from functions.core.languages import Profile


@dataclass(frozen=True, slots=True)
class Quota:
    """Submissions in a fixed window of a minute and of a day (UTC), and runs that are not final."""

    per_minute: int
    per_day: int
    in_flight: int


DEFAULT_QUOTAS = {Profile.JUDGE.value: Quota(60, 1_000, 10), Profile.AGENT.value: Quota(1, 20, 10)}
"""HTTP contract, section 5."""
