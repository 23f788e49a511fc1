"""The rows of a project that an export moves, beside its own: endpoints, consumers of the event log, and checks.

Results, deliveries, the event log and the history of checks stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

_OF_CHECKS: Final = ("SOURCE#", "GOOD#", "SLUG#", "CHECKS", "QUIET", "STATUS", "CHECK#")
"""In this order: a check is due as soon as its row is there."""
_NOT_MOVED: Final = {"busy_until_ms", "open_run_id"}
"""Attributes about work that went on when the row was read: the lock of a call, and a run that stays behind."""

type Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MovedRows:
    """Reads the rows of projects. `pk`: the partition key that a project has in each of the tables."""

    dynamodb: DynamoDBClient
    deliveries_table: str
    checks_table: str

    def of_deliveries(self, pk: str) -> Iterator[Item]:
        """Yield the endpoints of a project, the row with their number, and its consumers at the start of a new log."""
        for prefix in ("ENDPOINT#", "ENDPOINTS"):
            yield from self._query(self.deliveries_table, pk, prefix)
        for consumer in self._query(self.deliveries_table, f"LOG#{pk.removeprefix('PROJECT#')}", "CONSUMER#"):
            yield {**consumer, "position": {"N": "0"}}

    def of_checks(self, pk: str) -> Iterator[Item]:
        """Yield the checks of a project with secrets, badges and triggers, its quiet times and its status page."""
        rows = [row for prefix in _OF_CHECKS for row in self._query(self.checks_table, pk, prefix)]
        triggers = self._query(self.checks_table, f"TRIGGERS#{pk.removeprefix('PROJECT#')}", "")
        for key in (key for row in rows for key in _keys_of_tokens(row)):
            found = self.dynamodb.get_item(TableName=self.checks_table, Key=key, ConsistentRead=True).get("Item")
            yield from [] if found is None else [found]
        yield from triggers
        yield from rows

    def _query(self, table: str, pk: str, prefix: str) -> Iterator[Item]:
        condition = "pk = :pk AND begins_with(sk, :sk)" if prefix else "pk = :pk"
        values = {":pk": {"S": pk}} | ({":sk": {"S": prefix}} if prefix else {})
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=table, KeyConditionExpression=condition, ExpressionAttributeValues=values, ConsistentRead=True
        )
        for item in (item for page in pages for item in page["Items"]):
            if prefix.endswith("#") or not prefix or item["sk"]["S"] == prefix:
                yield {name: value for name, value in item.items() if name not in _NOT_MOVED}


def _keys_of_tokens(row: Item) -> Iterator[dict[str, Any]]:
    """Yield the keys of the rows by which others find a check or a status page."""
    sk = row["sk"]["S"]
    if sk.startswith("CHECK#"):
        yield {"pk": {"S": f"HOOK#{sk.removeprefix('CHECK#')}"}, "sk": {"S": "HOOK"}}
        yield {"pk": {"S": f"BADGE#{row['badge_token']['S']}"}, "sk": {"S": "BADGE"}}
        if "ping_hash" in row:
            yield {"pk": {"S": f"PING#{row['ping_hash']['S']}"}, "sk": {"S": "PING"}}
    if sk == "STATUS":
        yield {"pk": {"S": f"STATUS#{row['token']['S']}"}, "sk": {"S": "STATUS"}}
