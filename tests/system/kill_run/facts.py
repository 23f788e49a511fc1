"""What a kill run saw. Times are seconds since the epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.system.kill_run.plan import Job, Victim


@dataclass(frozen=True, slots=True)
class Kill:
    """One SIGKILL that hit. `failpoint`: the step at which a process killed itself."""

    victim: Victim
    at: float
    failpoint: str | None = None


@dataclass(slots=True)
class Generation:
    """One life of the process of the functions. `ended_at` None: it was stopped in the end, not killed."""

    launched_at: float
    ended_at: float | None = None
    log: str = ""


@dataclass(frozen=True, slots=True)
class Reception:
    """One request that a target got. `status` None: the connection was closed without an answer.

    `problem`: why its signature is not good.
    """

    target: str
    webhook_id: str
    received_at: float
    answered_at: float
    status: int | None
    body: bytes = field(repr=False)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One recorded attempt."""

    target: str
    event_id: str
    at: float
    status: int | None


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a client was told: `answer` is the result of one that waited for it."""

    job: Job
    submission_id: str | None
    answer: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is judged.

    `rows`: job's key by submission id, of every row in the table. `results`: what the API shows, by submission id.
    `deliveries`: state by (event id, target). `targets`: whether it wants an event of a run, by name of an endpoint;
    the target `run` is a run's own. `held`: submissions that hold a place of their project's quota. `alerts`: ids of
    events without a submission.
    """

    submitted: tuple[Submitted, ...]
    rows: Mapping[str, str]
    results: Mapping[str, Mapping[str, Any]]
    deliveries: Mapping[tuple[str, str], str]
    attempts: tuple[AttemptRow, ...]
    receptions: tuple[Reception, ...]
    targets: Mapping[str, bool]
    kills: tuple[Kill, ...]
    generations: tuple[Generation, ...]
    problems: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()
    alerts: frozenset[str] = frozenset()
