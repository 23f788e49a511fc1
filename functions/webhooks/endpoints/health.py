"""The health of endpoints in their rows: due for a check after a failure, changed by the sweeper, then published.

A check takes the row by moving its due key. One write changes the health and notes the event to publish.
So after a crash the row is due, and the next check publishes the event before it looks at the health again.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.conditional import EXISTS, ConditionalUpdate
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC, Clock, now_ms, to_rfc3339
from functions.ttl_cache import TtlCache
from functions.webhooks.endpoints.model import NEVER
from functions.webhooks.endpoints.store import HEALTH_CHANGE, count, endpoint_key, to_endpoint
from functions.webhooks.vocabulary import EVENT_DEGRADED, EVENT_RECOVERED

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.aws.dynamodb.items import Value
    from functions.webhooks.endpoints.model import Endpoint, HealthChange


CHECK_AGAIN_MS = 300_000
"""A degraded endpoint is checked so often, because successes make no row due."""
_DUE = ("due_shard", "due_at_ms")


class HealthStore(Table):
    """Health of endpoint rows. `taken_until_ms`: the due key of our take; the row changes only if it still has it."""

    table_setting = "deliveries_table"

    def take(self, project_id: str, endpoint_id: str, seen_due_at_ms: int, taken_until_ms: int) -> Endpoint | None:
        """Take a due row for a check; None for a stale entry."""
        row = self._take(endpoint_key(project_id, endpoint_id), seen_due_at_ms, taken_until_ms)
        return None if row is None else to_endpoint(row)

    def change(self, endpoint: Endpoint, *, is_degraded: bool, taken_until_ms: int) -> Endpoint | None:
        """Write that an endpoint is degraded or has recovered, with the event that this owes; None if it changed."""
        at = to_rfc3339(self._clock())
        change = (EVENT_DEGRADED, at, at) if is_degraded else (EVENT_RECOVERED, at, endpoint.degraded_at or at)
        sets: dict[str, Value] = dict(zip(HEALTH_CHANGE, change, strict=True))
        condition = "#due_at_ms = :taken AND #updated_at = :seen_at"
        values: dict[str, Value] = {"taken": taken_until_ms, "seen_at": endpoint.updated_at}
        if is_degraded:
            update = ConditionalUpdate({**sets, "degraded_at": at}, condition, values)
        else:
            update = ConditionalUpdate(sets, condition, values, ("degraded_at",))
        row = self._update(update, endpoint_key(endpoint.project_id, endpoint.endpoint_id))
        return None if row is None else to_endpoint(row)

    def finish_event(self, endpoint: Endpoint, change: HealthChange) -> None:
        """Note that the event of a change is published, unless the endpoint has changed again."""
        update = ConditionalUpdate({}, "#untold_at = :at", {"at": change.at}, HEALTH_CHANGE)
        self._update_unread(update, endpoint_key(endpoint.project_id, endpoint.endpoint_id))

    def finish_disabled_event(self, endpoint: Endpoint) -> None:
        """Clear the due key after `endpoint.disabled`, unless the endpoint was disabled again or owes another event."""
        condition = "attribute_not_exists(#disabled_at)"
        values: dict[str, Value] = {}
        if endpoint.disabled_at is not None:
            condition += " OR #disabled_at = :seen"
            values["seen"] = endpoint.disabled_at
        update = ConditionalUpdate(
            {},
            f"attribute_exists(#pk) AND attribute_not_exists(#untold_type) AND ({condition})",
            values,
            _DUE,
        )
        self._update_unread(update, endpoint_key(endpoint.project_id, endpoint.endpoint_id))

    def finish_check(self, endpoint: Endpoint, taken_until_ms: int) -> None:
        """Plan the next check of a degraded endpoint. Others are due no more, unless they have failed again."""
        condition = "#due_at_ms = :taken"
        values: dict[str, Value] = {"taken": taken_until_ms}
        if endpoint.degraded_at is not None:
            update = ConditionalUpdate({"due_at_ms": self._clock() + CHECK_AGAIN_MS}, condition, values)
        elif endpoint.traffic.hour.period == NEVER:
            update = ConditionalUpdate({}, f"{condition} AND attribute_not_exists(#hour)", values, _DUE)
        else:
            hour = endpoint.traffic.hour
            values |= {"hour": hour.period, "failures": hour.failures}
            condition += " AND #hour = :hour AND #hour_failures = :failures"
            update = ConditionalUpdate({}, condition, values, _DUE)
        self._update_unread(update, endpoint_key(endpoint.project_id, endpoint.endpoint_id))


EVERY_MS = 10_000
"""A process writes the row of an endpoint once in this time: at the first success, and with all others at its end."""
_MOST_ENDPOINTS = 10_000
_TRIES = 3

type Later = Callable[[float, Callable[[], None]], None]
"""Calls a function after so many seconds."""


def _in_thread(secs: float, act: Callable[[], None]) -> None:
    timer = threading.Timer(secs, act)
    timer.daemon = True
    timer.start()


class SuccessCounts(Table):
    """Successes that this process counts for rates and alerts, and adds to the endpoints' rows now and then.

    Threads may share them. A process that dies loses the counts of at most EVERY_MS.
    """

    def __init__(
        self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms, later: Later = _in_thread
    ) -> None:
        super().__init__(table_name, client, clock)
        self._later = later
        self._lock = threading.Lock()
        self._unwritten: Counter[tuple[str, str]] = Counter()
        self._lately = TtlCache[tuple[str, str], bool](EVERY_MS, _MOST_ENDPOINTS, clock)

    def add(self, endpoint: Endpoint) -> None:
        """Count one success of an endpoint, as the sender read it. An error of the table loses counts."""
        name = (endpoint.project_id, endpoint.endpoint_id)
        with self._lock:
            self._unwritten[name] += 1
            is_first, was_lately = self._unwritten[name] == 1, self._lately.get(name)
            if not was_lately:
                self._lately.keep(name, True)
        if not was_lately:
            self._write(endpoint)
        elif is_first:  # a frozen process of Lambda calls late: then the next success writes
            self._later(EVERY_MS / MS_PER_SEC, lambda: self._write(endpoint))

    def _write(self, endpoint: Endpoint) -> None:
        key, traffic = endpoint_key(endpoint.project_id, endpoint.endpoint_id), endpoint.traffic
        with self._lock:
            successes = self._unwritten.pop((endpoint.project_id, endpoint.endpoint_id), 0)
        with suppress(ClientError, BotoCoreError):
            for _ in range(_TRIES if successes else 0):
                update = count(ConditionalUpdate({}, EXISTS, {}), traffic, self._clock(), {"attempts": successes})
                if self._update_unread(update, key) or (row := self._get(key)) is None:
                    return
                traffic = to_endpoint(row).traffic  # another process has begun a new hour
