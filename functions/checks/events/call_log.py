"""The last calls of a check, with their outcomes. Rows of their own, for a week, in the checks table.

A run writes its call in its own transaction. Of all other outcomes a process writes at most MOST_A_MINUTE of a check:
a flood of forged calls costs reads, and a bounded number of writes. Refused calls have sort keys of their own, so that
they hide no genuine call.
"""

from __future__ import annotations

import itertools
import secrets
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.conditional import put
from functions.aws.dynamodb.items import from_item, to_item
from functions.aws.dynamodb.row_codec import read, write
from functions.aws.dynamodb.table import Table
from functions.checks import keys
from functions.checks.events.logged_call import CallOutcome, LoggedCall
from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.telemetry import warn
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_lambda_powertools import Logger
    from mypy_boto3_dynamodb import DynamoDBClient

SHOWN = 20
"""Of genuine calls, and of refused ones."""
MOST_A_MINUTE = 10
KEPT_SECS = 7 * 86_400
_MINUTE_MS = 60_000
_MOST_CHECKS = 10_000
_GENUINE, _REFUSED = "GENUINE#", "REFUSED#"


class CallLog(Table):
    """Rows of calls, by check and time."""

    def __init__(self, table_name: str, client: DynamoDBClient, log: Logger, clock: Clock = now_ms) -> None:
        super().__init__(table_name, client, clock)
        self._log = log
        self._counts: TtlCache[tuple[str, CallOutcome], Iterator[int]] = TtlCache(_MINUTE_MS, _MOST_CHECKS, clock)

    def action(self, check_id: str, call: LoggedCall) -> Any:
        """Return the action that writes a call, for the transaction of its run."""
        return put(self.table_name, self._item(check_id, call))

    def note(self, check_id: str, call: LoggedCall) -> None:
        """Write a call that starts no run, unless this process has written many. A failure changes no answer."""
        if next(self._counts.get_or_load((check_id, call.outcome), itertools.count)) >= MOST_A_MINUTE:
            return
        try:
            self._client.put_item(TableName=self.table_name, Item=self._item(check_id, call))
        except (ClientError, BotoCoreError) as error:
            warn(self._log, "Call not noted in the log of its check", {"check_id": check_id}, error)

    def latest(self, check_id: str) -> list[LoggedCall]:
        """Return the last genuine and the last refused calls, newest first."""
        found = [*self._newest(check_id, _GENUINE), *self._newest(check_id, _REFUSED)]
        return sorted(found, key=lambda call: call.at, reverse=True)

    def _newest(self, check_id: str, prefix: str) -> list[LoggedCall]:
        answer = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item({":pk": keys.calls_pk(check_id), ":prefix": prefix}),
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=SHOWN,
        )
        return [read(LoggedCall, from_item(item)) for item in answer["Items"]]

    def _item(self, check_id: str, call: LoggedCall) -> Any:
        prefix = _REFUSED if call.outcome is CallOutcome.REFUSED else _GENUINE
        sk = f"{prefix}{call.at}#{secrets.token_hex(4)}"
        ttl = self._clock() // MS_PER_SEC + KEPT_SECS
        return to_item({**write(call), "pk": keys.calls_pk(check_id), "sk": sk, "ttl": ttl})
