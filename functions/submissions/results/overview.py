"""The hours of a project: how its runs ended, waited and took, and how often its checks and deliveries failed.

Each process counts, and adds to the row of the hour now and then. So counts are a little late, and a process that dies
loses those that it has not added. Lambda stops a process between its invocations, so there it adds at the end of one:
what it counted in the EVERY_MS before its last invocation ended is missing.
"""

import os
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Self, TypedDict

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import Value, key
from functions.aws.dynamodb.table import Table, read_rows
from functions.clock import MS_PER_SEC, Clock, from_rfc3339, now_ms, to_rfc3339
from functions.env import Env
from functions.http.openapi.bodies import Count, Time
from functions.submissions.model import Submission

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HOUR_MS = 3_600_000
HOURS = 25
"""The hour that runs, and the 24 before it."""
EVERY_MS = 10_000
"""A process writes the rows of the projects that it counted once in this time."""
_KEPT_SECS = 3 * 86_400
BOUNDS_MS = (50, 100, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 20_000, 60_000, 300_000)
"""Upper bounds of the buckets of durations, from acceptance to end. The last bucket has none."""

type Later = Callable[[float, Callable[[], None]], None]
"""Calls a function after so many seconds."""


def _in_thread(secs: float, act: Callable[[], None]) -> None:
    timer = threading.Timer(secs, act)
    timer.daemon = True
    timer.start()


def _row_key(project_id: str, hour: int) -> dict[str, Any]:
    return key(f"COUNTS#{project_id}", f"HOUR#{hour}")


class RunCounts(Table):
    """Rows of the quotas table, one for each project and hour: names, and their numbers."""

    table_setting = "quotas_table"

    def __init__(
        self, table_name: str, client: "DynamoDBClient", clock: Clock = now_ms, later: Later | None = None
    ) -> None:
        """`later`: None in a process that stops between its invocations. At their ends it calls `write_due`."""
        super().__init__(table_name, client, clock)
        self._later = later
        self._lock = threading.Lock()
        self._unwritten: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        self._written_ms = 0

    @classmethod
    def from_env(cls, env: Env) -> Self:
        later = None if "AWS_LAMBDA_FUNCTION_NAME" in os.environ else _in_thread
        return cls(env.settings.quotas_table, env.dynamodb, env.clock, later)

    def add(self, final: Submission) -> None:
        """Count the end of a run."""
        created_ms = from_rfc3339(final.created_at)
        took_ms = from_rfc3339(final.completed_at or final.created_at) - created_ms
        bucket = next((number for number, bound in enumerate(BOUNDS_MS) if took_ms <= bound), len(BOUNDS_MS))
        counts = {f"verdict_{final.verdict or 'judged'}": 1, f"bucket_{bucket}": 1}
        if final.started_at is not None:
            counts |= {"started": 1, "waited_ms": max(0, from_rfc3339(final.started_at) - created_ms)}
        self.count(final.project_id, counts)

    def count(self, project_id: str, counts: Mapping[str, int]) -> None:
        """Add to the numbers of this hour. An error of the table loses them."""
        hour = self._clock() // HOUR_MS
        with self._lock:
            is_first = not self._unwritten
            self._unwritten[project_id, hour].update(counts)
        if is_first and self._later is not None:
            self._later(EVERY_MS / MS_PER_SEC, self._write)

    def write_due(self) -> None:
        """At the end of an invocation: add what a process without timers has counted, once in EVERY_MS."""
        is_due = not 0 <= self._clock() - self._written_ms < EVERY_MS
        if self._later is None and self._unwritten and is_due:
            self._write()

    def hours(self, project_id: str) -> list[tuple[int, Mapping[str, int]]]:
        """Return the beginning of each of the last HOURS in epoch milliseconds, oldest first, and its counts."""
        last = self._clock() // HOUR_MS
        hours = range(last - HOURS + 1, last + 1)
        rows = read_rows(self._client, self.table_name, [_row_key(project_id, hour) for hour in hours])
        found = {row["sk"]: row for row in rows}
        return [(hour * HOUR_MS, found.get(f"HOUR#{hour}", {})) for hour in hours]

    def _write(self) -> None:
        with self._lock:
            counted, self._unwritten = self._unwritten, defaultdict(Counter)
            self._written_ms = self._clock()
        for (project_id, hour), counts in counted.items():
            more: dict[str, Value] = dict(counts)
            added = tuple(f"#{name} = if_not_exists(#{name}, :zero) + :{name}" for name in more)
            ttl = hour * HOUR_MS // MS_PER_SEC + _KEPT_SECS
            update = ConditionalUpdate({"ttl": ttl}, "", {"zero": 0, **more}, computed=added)
            with suppress(ClientError, BotoCoreError):
                self._update_unread(update, _row_key(project_id, hour))


# What a client sees of them.


class HourBody(TypedDict):
    """One hour of UTC."""

    at: Time
    verdicts: Annotated[dict[str, int], Field(description="Verdict -> runs; `judged` counts judge runs.")]
    p95_ms: Annotated[int | None, Field(description="As of all hours.")]
    wait_ms: Annotated[int | None, Field(description="Mean time from acceptance to start; null without a start.")]
    failed_checks: Annotated[Count, Field(description="Runs of checks that did not pass.")]
    failed_attempts: Annotated[Count, Field(description="Attempts of webhooks that failed.")]


class Overview(TypedDict):
    """The project by hour, and the queues of the service. Counts come ten seconds late, or a little more."""

    hours: Annotated[list[HourBody], Field(description="25, the oldest first; the last one is not over.")]
    verdicts: Annotated[dict[str, int], Field(description="Of all these hours.")]
    p95_ms: Annotated[
        int | None,
        Field(
            description="95 of 100 runs took no longer from acceptance to end, up to the next of some bounds; null "
            "without runs, or over five minutes."
        ),
    ]
    queued: Annotated[Count, Field(description="Runs of all projects that wait or run, as SQS estimates.")]


def _verdicts(counts: Mapping[str, int]) -> dict[str, int]:
    return {
        name.removeprefix("verdict_"): int(count)
        for name, count in sorted(counts.items())
        if name.startswith("verdict_")
    }


def _p95_ms(counts: Mapping[str, int]) -> int | None:
    buckets = [counts.get(f"bucket_{number}", 0) for number in range(len(BOUNDS_MS) + 1)]
    rank, seen = -(-sum(buckets) * 95 // 100), 0
    for bound, count in zip(BOUNDS_MS, buckets, strict=False):
        seen += count
        if rank and seen >= rank:
            return bound
    return None


def _hour(at_ms: int, counts: Mapping[str, int]) -> HourBody:
    started = int(counts.get("started", 0))
    return {
        "at": to_rfc3339(at_ms),
        "verdicts": _verdicts(counts),
        "p95_ms": _p95_ms(counts),
        "wait_ms": int(counts.get("waited_ms", 0)) // started if started else None,
        "failed_checks": int(counts.get("failed_checks", 0)),
        "failed_attempts": int(counts.get("failed_attempts", 0)),
    }


def overview(hours: Sequence[tuple[int, Mapping[str, int]]], queued: int) -> Overview:
    """Return the answer. `hours`: the beginning of each in epoch milliseconds, and its counts."""
    whole = Counter[str]()
    for _, counts in hours:
        whole.update({name: count for name, count in counts.items() if name.startswith(("verdict_", "bucket_"))})
    return {
        "hours": [_hour(at, counts) for at, counts in hours],
        "verdicts": _verdicts(whole),
        "p95_ms": _p95_ms(whole),
        "queued": queued,
    }
