"""Runs in the checks table: due times get runs, and their end moves the check. Each step is one transaction at most."""

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

from functions.aws.dynamodb.conditional import ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import Key, Value, key, to_item
from functions.aws.dynamodb.row_codec import IN_KEY, JSON, OMIT_DEFAULT, read, write
from functions.aws.dynamodb.table import DUE_SHARDS, Page, Table, due_shard, query_page
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.checks import keys
from functions.checks.runs.evaluation import AssertionResult
from functions.checks.settings.store import (
    HISTORY_DAYS,
    NEXT_TIME,
    Check,
    check_action,
    outage_actions,
)
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.percentile import percentile

# A run of a check: a row of its history.
#
# Each scheduled time of a check becomes exactly one run, in the transaction that moves the check to its next time:
#
# queued ──accepted as a submission──▶ running ──▶ passed | flaky | failed | error ▲──────── retry, with a pause
# ───────┘ missed and skipped runs never start; their rows say why

_SECS_PER_DAY = 86_400
_NAMESPACE = uuid.UUID("b5a1f6c0-0a0d-4a0f-9d55-7a1c3e0b9e21")


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


class RunKind(StrEnum):
    """The reason of a run."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    EVENT = "event"


# The commit of a GitHub event. Owner, name and hash become parts of a URL, so only their strict forms are taken. Pure.
# https://docs.github.com/en/webhooks/webhook-events-and-payloads

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit. `repository`: owner/name."""

    repository: str
    sha: str


def commit_of(event_type: str, document: Any) -> Commit | None:
    """Return the commit of a `push` or a `pull_request.…`; None for other events, and for a deleted branch."""
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


FINAL_STATUSES = frozenset(RunStatus) - {RunStatus.QUEUED, RunStatus.RUNNING}


def scheduled_run_id(check_id: str, scheduled_ms: int) -> str:
    """Return the id of the run of a scheduled time, always the same."""
    return str(uuid.uuid5(_NAMESPACE, f"{check_id}:{scheduled_ms}"))


def event_id_of(run_id: str, event_type: str) -> str:
    """Return the id of a run's event, always the same."""
    return str(uuid.uuid5(_NAMESPACE, f"{run_id}:{event_type}"))


# Figures of a check's history: wall times and uptime.

type PointKind = Literal["passed", "failed", "flaky", "error", "missed", "skipped", "superseded"]

_DAY_MS = 86_400_000
_GOOD = ("passed", "flaky")


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """One row of the history."""

    at_ms: int
    kind: PointKind
    wall_time_secs: float | None = None


class Statistics(TypedDict):
    """Figures of the latest 1,000 runs of 30 days; null without data. Uptime: the share of runs that passed."""

    p50_wall_secs: float | None
    p95_wall_secs: float | None
    uptime_7d: float | None
    uptime_30d: float | None


def summarise(points: Iterable[HistoryPoint], now_ms: int) -> Statistics:
    """Return p50 and p95 of the wall time, and uptime as a share from 0 to 1; None without data.

    Uptime is the share of passed and flaky runs among those that ran. Platform faults, missed and skipped runs say
    nothing about the program, so they do not count.
    """
    kept = tuple(points)
    times = sorted(point.wall_time_secs for point in kept if point.wall_time_secs is not None)
    return {
        "p50_wall_secs": percentile(times, 50),
        "p95_wall_secs": percentile(times, 95),
        "uptime_7d": _uptime(kept, now_ms - 7 * _DAY_MS),
        "uptime_30d": _uptime(kept, now_ms - 30 * _DAY_MS),
    }


def _uptime(points: Sequence[HistoryPoint], since_ms: int) -> float | None:
    ran = [point.kind in _GOOD for point in points if point.at_ms >= since_ms and point.kind in (*_GOOD, "failed")]
    return round(sum(ran) / len(ran), 5) if ran else None


_MS = 1000
_DUE_PER_SHARD = 5_000
"""So many that the rows of other projects are read behind a large backlog of one."""

_MOST_DELETED = 100
"""Actions of one transaction."""


def run_item(run: Run) -> dict[str, Any]:
    """Return the item of a run."""
    return to_item(
        {
            **write(run),
            "pk": keys.runs_pk(run.project_id, run.check_id),
            "sk": run.position,
            "wall_time_ms": None if run.wall_time_secs is None else round(run.wall_time_secs * _MS),
            "due_shard": None if run.due_at_ms is None else due_shard(run.run_id),
        }
    )


def to_run(row: Mapping[str, Any]) -> Run:
    """Return the run of a row."""
    wall_time_ms = row.get("wall_time_ms")
    others: dict[str, Any] = {"wall_time_secs": None if wall_time_ms is None else wall_time_ms / _MS}
    if "superseded_by" in row:  # stored as skipped, which the minor version before knows
        others["status"] = RunStatus.SUPERSEDED.value
    return read(Run, {**row, **others})


class Due(NamedTuple):
    """A row that is due, of a check, a group or a run: its key and due time in the index."""

    pk: str
    sk: str
    due_at_ms: int

    @property
    def is_check(self) -> bool:
        return self.sk.startswith(keys.CHECK_PREFIX)

    @property
    def is_group(self) -> bool:
        return self.pk.startswith(keys.GROUPS)

    @property
    def project_id(self) -> str:
        """Its project, which is the second part of all kinds of partition keys."""
        return self.pk.split("#")[1]


class RunStore(Table):
    """Rows of runs, and the due index."""

    table_setting = "checks_table"

    def add_scheduled(self, before: Check, after: Check, runs: Iterable[Run]) -> bool:
        """Write the runs of due times, and move the check to its next time, in one transaction. At most 90 runs.

        False if another process did it, or the check has changed.
        """
        names = (*NEXT_TIME, "open_run_id", *(("anchor_ms",) if after.anchor_ms != before.anchor_ms else ()))
        move = check_action(self.table_name, before, after, names, ("version",))
        actions = {"check": move, "runs": [put(self.table_name, run_item(run)) for run in runs]}
        return transact_or_raise(self._client, actions) is None

    def add_run(self, run: Run) -> None:
        self._client.put_item(TableName=self.table_name, Item=run_item(run))

    def get_run(self, pk: str, sk: str) -> Run | None:
        row = self._get(key(pk, sk))
        return to_run(row) if row is not None else None

    def lease(self, run: Run, until_ms: int) -> Run | None:
        """Lease a run by moving its due time: until then no other process does its step. None if another was first."""
        row = self._take(_run_key(run), run.due_at_ms or 0, until_ms)
        return to_run(row) if row is not None else None

    def put_leased(self, run: Run, leased: Run, also: Sequence[Any] = ()) -> bool:
        """Replace the row of a leased run. False if its lease was lost. `also`: actions of the same transaction."""
        return transact_or_raise(self._client, {"run": self._replace_run(run, leased), "also": also}) is None

    def settle(
        self,
        leased: Run,
        run: Run,
        before: Check,
        after: Check,
        good_output: bytes | None,
        also: Sequence[Any] = (),
    ) -> bool:
        """Write the end of a run and the check's new standing, in one transaction. False if one of them has changed.

        `also`: actions of the same transaction.
        """
        after = replace(after, standing_version=before.standing_version + 1)
        moved = NEXT_TIME if after.next_slot_ms != before.next_slot_ms else ()
        names = ("standing", "last_run", "standing_version", *moved)
        removes = ("open_run_id",) if before.open_run_id == run.run_id else ()
        actions = {
            "check": check_action(self.table_name, before, after, names, ("standing_version",), removes),
            "run": self._replace_run(run, leased),
            "outage": outage_actions(self.table_name, before, after),
            "also": also,
        }
        if good_output is not None:
            item = {**keys.good_key(before.project_id, before.check_id), **to_item({"output": good_output})}
            actions["last good output"] = put(self.table_name, item)
        return transact_or_raise(self._client, actions) is None

    def last_good(self, check: Check) -> bytes | None:
        """Return the output of the last run that passed; None before the first."""
        row = self._get(keys.good_key(check.project_id, check.check_id))
        return None if row is None else bytes(row["output"])

    def finish_events(self, run: Run) -> None:
        """Note that the events of a final run are published."""
        removes = ("due_at_ms", "due_shard", "events")
        self._update_unread(ConditionalUpdate({}, "attribute_exists(#pk)", {}, removes), _run_key(run))

    def history(self, project_id: str, check_id: str, limit: int, after: str | None = None) -> Page[Run]:
        """Return a page of the runs of a check, newest first."""
        values: dict[str, Value | None] = {":pk": keys.runs_pk(project_id, check_id)}
        condition = "pk = :pk"
        if after is not None:
            condition, values[":after"] = "pk = :pk AND sk < :after", after
        request: dict[str, Any] = {
            "TableName": self.table_name,
            "KeyConditionExpression": condition,
            "FilterExpression": "#ttl > :now",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": to_item({**values, ":now": self._clock() // MS_PER_SEC}),
            "ScanIndexForward": False,
            "Limit": limit + 1,
        }
        return query_page(self._client, request, limit, to_run, lambda run: run.position, "sk")

    def since(self, project_id: str, check_id: str, since_ms: int, most: int) -> list[Run]:
        """Return the newest runs of a check since a time, at most `most`."""
        rows = self._query(
            most,
            KeyConditionExpression="pk = :pk AND sk >= :since",
            ExpressionAttributeValues=to_item(
                {":pk": keys.runs_pk(project_id, check_id), ":since": to_rfc3339(since_ms)}
            ),
            ScanIndexForward=False,
        )
        return [to_run(row) for row in rows]

    def delete_some(self, project_id: str, check_id: str) -> int:
        """Delete some runs of a check, then the bodies of its pings, its outages, its groups, and the log of its calls.

        Return how many rows, 0 if none is left. Raises RowsContendedError.
        """
        items: Sequence[Any] = ()
        of_check = [
            of(project_id, check_id) for of in (keys.runs_pk, keys.ping_bodies_pk, keys.outages_pk, keys.groups_pk)
        ]
        for pk in (*of_check, keys.calls_pk(check_id)):
            items = (
                items
                or self._client.query(
                    TableName=self.table_name,
                    KeyConditionExpression="pk = :pk",
                    ExpressionAttributeValues=to_item({":pk": pk}),
                    ConsistentRead=True,
                    Limit=_MOST_DELETED,
                )["Items"]
            )
        if items:
            deletions = [delete(self.table_name, {"pk": run["pk"], "sk": run["sk"]}) for run in items]
            transact_or_raise(self._client, {"runs": deletions})
        return len(items)

    def due(self, now_ms: int) -> Iterator[Due]:
        """Yield rows that are due, of each shard the oldest first."""
        for shard in DUE_SHARDS:
            for row in self._due(shard, now_ms, _DUE_PER_SHARD):
                yield Due(row["pk"], row["sk"], row["due_at_ms"])

    def _replace_run(self, run: Run, leased: Run) -> Any:
        values: dict[str, Value] = {"leased_until": leased.due_at_ms or 0}
        return put(self.table_name, run_item(run), "due_at_ms = :leased_until", values)


def _run_key(run: Run) -> Key:
    return keys.run_key(run.project_id, run.check_id, run.position)
