"""The ends of a project's runs by hour, verdict and duration, for an overview.

Each process counts, and adds to the row of the hour now and then. So counts are a little late, and a process that dies
loses those of at most EVERY_MS.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import Value, key
from functions.aws.dynamodb.table import Table, read_rows
from functions.clock import MS_PER_SEC, Clock, from_rfc3339, now_ms
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.submissions.model import Submission

HOUR_MS = 3_600_000
HOURS = 25
"""The hour that runs, and the 24 before it."""
EVERY_MS = 10_000
"""A process writes the row of a project once in this time: at the first end, and with all others when it is over."""
_KEPT_SECS = 3 * 86_400
_MOST_PROJECTS = 10_000
BOUNDS_MS = (50, 100, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 20_000, 60_000, 300_000)
"""Upper bounds of the buckets of durations, from acceptance to end. The last bucket has none."""

type Later = Callable[[float, Callable[[], None]], None]
"""Calls a function after so many seconds."""


def _in_thread(secs: float, act: Callable[[], None]) -> None:
    timer = threading.Timer(secs, act)
    timer.daemon = True
    timer.start()


def _bucket(final: Submission) -> int:
    took_ms = from_rfc3339(final.completed_at or final.created_at) - from_rfc3339(final.created_at)
    return next((number for number, bound in enumerate(BOUNDS_MS) if took_ms <= bound), len(BOUNDS_MS))


def _row_key(project_id: str, hour: int) -> dict[str, Any]:
    return key(f"COUNTS#{project_id}", f"HOUR#{hour}")


class RunCounts(Table):
    """Rows of the quotas table, one for each project and hour: verdicts and buckets, and how often each came."""

    table_setting = "quotas_table"

    def __init__(
        self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms, later: Later | None = None
    ) -> None:
        super().__init__(table_name, client, clock)
        self._later = later or _in_thread
        self._lock = threading.Lock()
        self._unwritten: dict[str, Counter[tuple[int, str]]] = {}
        self._lately = TtlCache[str, bool](EVERY_MS, _MOST_PROJECTS, clock)

    def add(self, final: Submission) -> None:
        """Count an end. An error of the table loses counts."""
        project_id, hour = final.project_id, self._clock() // HOUR_MS
        names = (f"verdict_{final.verdict or 'judged'}", f"bucket_{_bucket(final)}")
        with self._lock:
            is_first = project_id not in self._unwritten
            self._unwritten.setdefault(project_id, Counter()).update((hour, name) for name in names)
            was_lately = self._lately.get(project_id)
            if not was_lately:
                self._lately.keep(project_id, True)
        if not was_lately:
            self._write(project_id)
        elif is_first:  # a frozen process of Lambda calls late: then the next end writes
            self._later(EVERY_MS / MS_PER_SEC, lambda: self._write(project_id))

    def hours(self, project_id: str) -> list[tuple[int, Mapping[str, int]]]:
        """Return the beginning of each of the last HOURS in epoch milliseconds, oldest first, and its counts."""
        last = self._clock() // HOUR_MS
        hours = range(last - HOURS + 1, last + 1)
        rows = read_rows(self._client, self.table_name, [_row_key(project_id, hour) for hour in hours])
        found = {row["sk"]: row for row in rows}
        return [(hour * HOUR_MS, found.get(f"HOUR#{hour}", {})) for hour in hours]

    def _write(self, project_id: str) -> None:
        with self._lock:
            counted = self._unwritten.pop(project_id, Counter())
        with suppress(ClientError, BotoCoreError):
            for hour in {hour for hour, _ in counted}:
                more: dict[str, Value] = {name: count for (of, name), count in counted.items() if of == hour}
                added = tuple(f"#{name} = if_not_exists(#{name}, :zero) + :{name}" for name in more)
                ttl = hour * HOUR_MS // MS_PER_SEC + _KEPT_SECS
                update = ConditionalUpdate({"ttl": ttl}, "", {"zero": 0, **more}, computed=added)
                self._update_unread(update, _row_key(project_id, hour))
