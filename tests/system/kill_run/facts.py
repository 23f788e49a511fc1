"""The facts that a kill run collects. Times are seconds since the epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from signal import SIGKILL, Signals
from typing import Any

from tests.system.kill_run.history import History
from tests.system.kill_run.plan import Job, Victim


@dataclass(frozen=True, slots=True)
class Kill:
    """One signal for a process. `failpoint`: the step at which the process killed itself."""

    victim: Victim
    at: float
    failpoint: str | None = None
    signal: Signals = SIGKILL


@dataclass(slots=True)
class Generation:
    """The life of one process of the functions. `ended_at` None: it was stopped at the end of the kill run."""

    launched_at: float
    ended_at: float | None = None
    log: str = ""


@dataclass(frozen=True, slots=True)
class Reception:
    """One request that a target got. `status` None: the connection was closed without an answer.

    `problem`: why its signature is invalid.
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
    """The answer to one client, and its time. `answer`: the result of a synchronous request."""

    job: Job
    submission_id: str | None
    at: float
    answer: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts that the judge needs.

    `rows`: job's key by submission id, of every row in the table. `results`: what the API shows, by submission id.
    `deliveries`: state by (event id, target). `targets`: whether an endpoint subscribed to events of runs, by id;
    the target `run` is the URL of the run itself. `ordered`: endpoints that get one delivery at a time.
    `held`: submissions in flight in their project's quota. `alerts`: ids of events without a submission.
    `log`: of all launchers.
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
    history: History
    problems: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()
    alerts: frozenset[str] = frozenset()
    ordered: frozenset[str] = frozenset()
    log: str = ""
