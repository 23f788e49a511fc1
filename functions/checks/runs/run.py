"""A run of a check: a row of its history, and the words of its life.

Each scheduled time of a check becomes exactly one run, in the transaction that moves the check to its next time:

    queued ──accepted as a submission──▶ running ──▶ passed | flaky | failed | error
       ▲──────── retry, with a pause ───────┘           missed and skipped runs never start; their rows say why
"""

import re
import uuid
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Any

from functions.aws.dynamodb.row_codec import IN_KEY, JSON, OMIT_DEFAULT
from functions.checks.evaluation import AssertionResult
from functions.checks.settings.store import HISTORY_DAYS, Check
from functions.clock import MS_PER_SEC, to_rfc3339

_SECS_PER_DAY = 86_400
_NAMESPACE = uuid.UUID("b5a1f6c0-0a0d-4a0f-9d55-7a1c3e0b9e21")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?", re.ASCII)


class RunStatus(StrEnum):
    """Every status of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    PASSED = "passed"
    FLAKY = "flaky"
    FAILED = "failed"
    ERROR = "error"
    MISSED = "missed"
    SKIPPED = "skipped"
    SUPERSEDED = "superseded"


FINAL_STATUSES = frozenset(RunStatus) - {RunStatus.QUEUED, RunStatus.RUNNING}


class RunKind(StrEnum):
    """The reason of a run."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit. `repository`: owner/name."""

    repository: str
    sha: str


def commit_of(event_type: str, document: Any) -> Commit | None:
    """Return the commit of a GitHub `push` or `pull_request.…`; None for other events, and for a deleted branch.

    Owner, name and hash become parts of a URL, so only their strict forms are taken.
    https://docs.github.com/en/webhooks/webhook-events-and-payloads
    """
    match event_type.partition(".")[0], document:
        case "push", {"repository": {"full_name": str(repository)}, "after": str(sha)}:
            pass
        case "pull_request", {
            "repository": {"full_name": str(repository)},
            "pull_request": {"head": {"sha": str(sha)}},
        }:
            pass
        case _:
            return None
    if not _REPOSITORY.fullmatch(repository) or not _SHA.fullmatch(sha) or not sha.strip("0"):
        return None
    return Commit(repository, sha)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCall:
    """The signed call that started a run. Its body is the program's input: here, or in the bucket; neither at the end.

    `event_type`: such as `push`; empty if the sender gives none. `scheme`: how it was signed.
    """

    scheme: str
    event_id: str
    event_type: str
    body: bytes | None = field(default=None, repr=False)
    body_key: str | None = None

    def without_body(self) -> "SignedCall":
        return replace(self, body=None, body_key=None)


@dataclass(frozen=True, slots=True)
class RunGroup:
    """The group of a run. `name`: that of its row; `key`: its value, for people, empty without one.

    `from_ms`: when it left the group, or will if no call follows; 0 while it waits for the end of another run.
    """

    name: str
    key: str
    from_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a check: a row of its history.

    `due_at_ms`: when the next step is due; None in the end. `events`: stored until they are published, as pairs of
    type and body. `results`: the assertions. `attempt` counts from 0; `earlier_failed`: one before
    did not hold its assertions. `chain`: how many runs of other checks led to it. `ping`: the number of a ping with a
    body. `quiet_until_ms`: when the state that it left is told, if that was not sent by then.
    `event`: the data of its event in JSON. `call`: the signed call, whose body is not parsed.
    `superseded_by`: the run of a later call of its group.
    """

    run_id: str
    check_id: str
    project_id: str
    kind: RunKind
    status: RunStatus
    scheduled_ms: int
    ttl: int
    affects_state: bool = True
    attempt: int = 0
    earlier_failed: bool = False
    reason: str = ""
    event: str | None = field(default=None, repr=False)
    call: SignedCall | None = None
    chain: int = 0
    commit: Annotated[Commit | None, OMIT_DEFAULT] = None
    group: RunGroup | None = None
    superseded_by: str | None = None
    ping: int | None = None
    quiet_until_ms: int | None = None
    due_at_ms: int | None = None
    submission_id: str | None = None
    verdict: str | None = None
    wall_time_secs: Annotated[float | None, IN_KEY] = None
    started_at: str | None = None
    completed_at: str | None = None
    results: Annotated[tuple[AssertionResult, ...], JSON, OMIT_DEFAULT] = ()
    events: Annotated[tuple[tuple[str, bytes], ...], OMIT_DEFAULT] = field(default=(), repr=False)

    @property
    def position(self) -> str:
        """Its place in the history; the newest is the greatest."""
        return f"{to_rfc3339(self.scheduled_ms)}#{self.run_id}"

    @property
    def is_waiting(self) -> bool:
        """Whether it waits in its group."""
        return self.status is RunStatus.QUEUED and self.due_at_ms is None

    @property
    def is_withheld(self) -> bool:
        """Whether its events are published, but a quiet time withholds the state that it left."""
        return self.quiet_until_ms is not None and not self.events

    @property
    def is_settled(self) -> bool:
        """Whether it is final, and the check's state and events follow it."""
        return self.due_at_ms is None

    @property
    def log_ids(self) -> dict[str, Any]:
        return {"check_id": self.check_id, "check_run_id": self.run_id, "project_id": self.project_id}


def new_run(check: Check, kind: RunKind, scheduled_ms: int, now: int, run_id: str) -> Run:
    """Return a run that is due now."""
    return Run(
        run_id=run_id,
        check_id=check.check_id,
        project_id=check.project_id,
        kind=kind,
        status=RunStatus.QUEUED,
        scheduled_ms=scheduled_ms,
        ttl=now // MS_PER_SEC + HISTORY_DAYS * _SECS_PER_DAY,
        due_at_ms=now,
    )


def scheduled_run_id(check_id: str, scheduled_ms: int) -> str:
    """Return the id of the run of a scheduled time, always the same."""
    return str(uuid.uuid5(_NAMESPACE, f"{check_id}:{scheduled_ms}"))


def event_id_of(run_id: str, event_type: str) -> str:
    """Return the id of a run's event, always the same."""
    return str(uuid.uuid5(_NAMESPACE, f"{run_id}:{event_type}"))
