"""Record the last use of a key, to the minute. A failure never fails the request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.dynamodb.items import is_condition_failure, to_item
from functions.aws.dynamodb.table import Table
from functions.clock import to_rfc3339
from functions.projects.rows import key_key
from functions.telemetry import logger
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.clock import Clock

USE_NOTED_MS = 60_000
"""A key's last use is written at most this often, by all functions together."""
_MOST_TRIED = 1_000


class KeyUse(Table):
    """Writes `last_used_at` of keys."""

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock) -> None:
        super().__init__(table_name, client, clock)
        self._tried = TtlCache[str, bool](USE_NOTED_MS, _MOST_TRIED, clock)

    def note(self, key_digest: str, last_used_at: str | None, now_ms: int) -> None:
        """Write `now_ms` as the key's last use if the known one is older than a minute. Never raises."""
        minute_ago = to_rfc3339(now_ms - USE_NOTED_MS)
        if last_used_at is not None and last_used_at > minute_ago:
            return
        # Once a minute even after a failure: a failing table must not slow every request down.
        if self._tried.get(key_digest):
            return
        self._tried.keep(key_digest, True)
        try:
            # IAM allows exactly these attributes and no returned values (template.yaml).
            self._client.update_item(
                TableName=self.table_name,
                Key=key_key(key_digest),
                UpdateExpression="SET last_used_at = :now",
                # A key deleted meanwhile must not come back as a row without a project.
                ConditionExpression="attribute_exists(pk) AND "
                "(attribute_not_exists(last_used_at) OR last_used_at <= :minute_ago)",
                ExpressionAttributeValues=to_item({":now": to_rfc3339(now_ms), ":minute_ago": minute_ago}),
            )
        except (BotoCoreError, ClientError) as error:
            if not (isinstance(error, ClientError) and is_condition_failure(error)):
                logger("keys").warning("Last use of a key not recorded", error_type=type(error).__name__)
