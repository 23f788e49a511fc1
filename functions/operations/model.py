"""Results of redrives and purges."""

from dataclasses import dataclass


@dataclass(slots=True)
class Purged:
    """The result of one call. `complete`: nothing was left. `running`: submissions that cannot be deleted yet.

    `changed`: checks, problems and files that are still there, because another process changed them meanwhile.
    `events`: those without a submission, which may show the output of a check.
    """

    submissions: int = 0
    endpoints: int = 0
    checks: int = 0
    check_runs: int = 0
    problems: int = 0
    files: int = 0
    events: int = 0
    running: int = 0
    changed: int = 0
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Redriven:
    """Messages that were moved, and those that are left: visible ones, and those that the sweeper holds now."""

    moved: int
    left: int
