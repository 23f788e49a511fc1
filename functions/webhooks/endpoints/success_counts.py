"""Successful attempts at endpoints: counted in the process, and added to the endpoints' rows now and then.

They serve rates and alerts. A process that dies loses the counts of at most EVERY_MS.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.conditional import EXISTS, ConditionalUpdate
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.ttl_cache import TtlCache
from functions.webhooks.endpoints.rows import endpoint_key, to_endpoint
from functions.webhooks.endpoints.traffic_rows import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.webhooks.endpoints.model import Endpoint

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
    """Counts of this process. Threads may share them."""

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
