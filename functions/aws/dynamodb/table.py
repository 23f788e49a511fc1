"""The base of the stores: one DynamoDB table, with a clock and the pauses between tries."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from functions.clock import Clock, now_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient


class Table:
    """A table. `clock` gives epoch milliseconds; `sleep` pauses for seconds."""

    def __init__(
        self,
        table_name: str,
        client: DynamoDBClient,
        clock: Clock = now_ms,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.table_name = table_name
        self._client = client
        self._clock = clock
        self._sleep = sleep
