"""The log of a check's calls: the last ones with their outcomes, in rows of their own, for a week.

A run writes its call in its own transaction. Of all other outcomes a process writes at most MOST_A_MINUTE of a check: a
flood of forged calls costs reads, and a bounded number of writes. Refused calls have sort keys of their own, so that
they hide no genuine call.
"""

import itertools
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.conditional import put
from functions.aws.dynamodb.items import from_item, key, to_item
from functions.aws.dynamodb.row_codec import IN_KEY, read, write
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import RowsContendedError
from functions.checks import keys
from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.env import Env
from functions.telemetry import warn
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from mypy_boto3_dynamodb import DynamoDBClient

SHOWN = 20
"""Of genuine calls, and of refused ones."""
MOST_A_MINUTE = 10
KEPT_SECS = 7 * 86_400
_MINUTE_MS = 60_000
_MOST_CHECKS = 10_000
_GENUINE, _REFUSED = "GENUINE#", "REFUSED#"
_CALL_ID = re.compile(r"[0-9TZ_.-]{20,30}~[0-9a-f]{8}", re.ASCII)
"""The end of its sort key, without colons: some clients encode them in a path, and gateways differ there."""


class CallOutcome(StrEnum):
    """What became of a call."""

    RAN = "ran"
    REPEATED = "repeated"
    IGNORED = "ignored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedCall:
    """One call. `at`: RFC 3339; of one that ran, the time of its run.

    A call that is not genuine has neither id nor type: anybody may have chosen them. `call_id`: its name in the log.
    `body`: what its program got, if that is small. A larger one is in the bucket, as the input of its submission.
    `body_key`: the object with the body of an ignored call.
    """

    at: str
    outcome: CallOutcome
    reason: str = ""
    event_id: str = ""
    event_type: str = ""
    run_id: str | None = None
    size_bytes: int = 0
    body: bytes | None = field(default=None, repr=False)
    body_key: str | None = None
    call_id: Annotated[str, IN_KEY] = ""


class CallLog(Table):
    """Rows of calls, by check and time."""

    table_setting = "checks_table"

    def __init__(self, table_name: str, client: "DynamoDBClient", log: "Logger", clock: Clock = now_ms) -> None:
        super().__init__(table_name, client, clock)
        self._log = log
        self._counts: TtlCache[tuple[str, CallOutcome], Iterator[int]] = TtlCache(_MINUTE_MS, _MOST_CHECKS, clock)

    @classmethod
    def from_env(cls, env: Env) -> "CallLog":
        return cls(env.settings.checks_table, env.dynamodb, env.log, env.clock)

    def action(self, check_id: str, call: LoggedCall) -> Any:
        """Return the action that writes a call, for the transaction of its run."""
        return put(self.table_name, self._item(check_id, call))

    def note(self, check_id: str, call: LoggedCall, keep: Callable[[], str | None] = lambda: None) -> None:
        """Write a call that starts no run, unless this process has written many. A failure changes no answer.

        `keep`: stores its body, and returns the object's key.
        """
        if next(self._counts.get_or_load((check_id, call.outcome), itertools.count)) >= MOST_A_MINUTE:
            return
        try:
            call = replace(call, body_key=keep())
            self._client.put_item(TableName=self.table_name, Item=self._item(check_id, call))
        except (ClientError, BotoCoreError, RowsContendedError) as error:
            warn(self._log, "Call not noted in the log of its check", {"check_id": check_id}, error)

    def latest(self, check_id: str) -> list[LoggedCall]:
        """Return the last genuine and the last refused calls, newest first."""
        found = [*self._newest(check_id, _GENUINE), *self._newest(check_id, _REFUSED)]
        return sorted(found, key=lambda call: call.at, reverse=True)

    def genuine(self, check_id: str, call_id: str) -> LoggedCall | None:
        """Return a genuine call; None if there is none."""
        sk = _GENUINE + call_id.replace("_", ":")
        row = self._get(key(keys.calls_pk(check_id), sk)) if _CALL_ID.fullmatch(call_id) else None
        return None if row is None else _call(row)

    def _newest(self, check_id: str, prefix: str) -> list[LoggedCall]:
        answer = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item({":pk": keys.calls_pk(check_id), ":prefix": prefix}),
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=SHOWN,
        )
        return [_call(from_item(item)) for item in answer["Items"]]

    def _item(self, check_id: str, call: LoggedCall) -> Any:
        prefix = _REFUSED if call.outcome is CallOutcome.REFUSED else _GENUINE
        sk = f"{prefix}{call.at}~{secrets.token_hex(4)}"
        ttl = self._clock() // MS_PER_SEC + KEPT_SECS
        return to_item({**write(call), "pk": keys.calls_pk(check_id), "sk": sk, "ttl": ttl})


def _call(row: Mapping[str, Any]) -> LoggedCall:
    return read(LoggedCall, {**row, "call_id": row["sk"].partition("#")[2].replace(":", "_")})
