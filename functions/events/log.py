"""The event log of a project: entries in one order, the same for every consumer.

    transaction of an event ──▶ new entry, without a position ──order──▶ page of the log, positions 1, 2, 3, …

An entry gets its position after its transaction has committed. So a transaction that commits late gets a late position,
and a consumer that has read up to a position never misses one below it. Polls do this work: see docs/adr/0015.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import from_item, key, to_item
from functions.aws.dynamodb.retries import tries
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact
from functions.clock import MS_PER_SEC
from functions.events.model import Placed
from functions.failpoint import reach
from functions.webhooks.log_rows import LOG_MS, NEW_SHARDS, entry_values, new_pk, to_entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.aws.dynamodb.items import Value
    from functions.webhooks.log_entry import Entry

MOST_ORDERED = 90
"""Entries that one transaction of at most 100 actions orders."""
_PAGE_PREFIX = "PAGE#"
_GAP_TRIES = 4


def log_pk(project_id: str) -> str:
    """Return the partition of a project's log: head, pages and consumers."""
    return f"LOG#{project_id}"


def head_key(project_id: str) -> dict[str, Any]:
    """Return the key of the row with the last position (`last`). It never expires, so that no position comes twice."""
    return key(log_pk(project_id), "HEAD")


def page_sk(last_position: int) -> str:
    """Return the sort key of a page, by its last position."""
    return f"{_PAGE_PREFIX}{last_position:015d}"


class EventLog(Table):
    """Pages of the deliveries table, and the entries that have no position yet. All reads are consistent."""

    def last_position(self, project_id: str) -> int:
        """Return the last position given; 0 for an empty log."""
        found = self._client.get_item(TableName=self.table_name, Key=head_key(project_id), ConsistentRead=True)
        return int(from_item(found.get("Item") or {}).get("last", 0))

    def order(self, project_id: str) -> bool:
        """Give the oldest new entries their positions; False if there was none.

        One transaction adds a page, moves the head and deletes the new entries. Of several that try, one wins.
        """
        last = self.last_position(project_id)
        entries = self._new_entries(project_id)
        if not entries:
            return False
        reach("order.after_read")
        now = self._clock()
        page: dict[str, Value | None] = {
            "pk": log_pk(project_id),
            "sk": page_sk(last + len(entries)),
            "entries": [{"key": entry.key, **entry_values(entry)} for _, entry in entries],
            "ttl": (now + LOG_MS) // MS_PER_SEC,
        }
        head = ConditionalUpdate(
            {"last": last + len(entries)}, "attribute_not_exists(#last) OR #last = :seen", {"seen": last}
        )
        # The condition on each entry: while another order commits, a read may show its head without its deletions.
        deletions = [
            {"Delete": {"TableName": self.table_name, "Key": at, "ConditionExpression": "attribute_exists(pk)"}}
            for at, _ in entries
        ]
        put = {"Put": {"TableName": self.table_name, "Item": to_item(page)}}
        transact(self._client, [head.action(self.table_name, head_key(project_id)), put, *deletions])
        reach("order.after_write")
        return True

    def read(self, project_id: str, after: int, limit: int) -> list[Placed]:
        """Return at most `limit` entries that follow a position. It may skip expired ones."""
        for _ in tries(_GAP_TRIES, self._sleep):
            found = self._read(project_id, after, limit)
            # A page may be visible before the page before it, for milliseconds. A gap that stays has expired.
            if not found or found[0].position == after + 1:
                break
        first = found[0].position if found else 0
        return [placed for placed, position in zip(found, count(first), strict=False) if placed.position == position]

    def _read(self, project_id: str, after: int, limit: int) -> list[Placed]:
        found: list[Placed] = []
        request: dict[str, Any] = {
            "TableName": self.table_name,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :end",
            "FilterExpression": "#ttl > :now",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": to_item(
                {
                    ":pk": log_pk(project_id),
                    ":first": page_sk(after + 1),
                    ":end": f"{_PAGE_PREFIX}~",
                    ":now": self._clock() // MS_PER_SEC,
                }
            ),
            "ConsistentRead": True,
            "Limit": limit,  # each page has an entry at least
        }
        while len(found) < limit:
            answer = self._client.query(**request)
            for item in answer["Items"]:
                found += [placed for placed in _placed(from_item(item)) if placed.position > after]
            if "LastEvaluatedKey" not in answer:
                break
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return found[:limit]

    def _new_entries(self, project_id: str) -> Sequence[tuple[Any, Entry]]:
        """Return the oldest new entries with their keys, by time and id."""
        found: list[tuple[Any, Entry]] = []
        for shard in range(NEW_SHARDS):
            pk = new_pk(project_id, shard)
            answer = self._client.query(
                TableName=self.table_name,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=to_item({":pk": pk}),
                ConsistentRead=True,
                Limit=MOST_ORDERED,
            )
            rows = [from_item(item) for item in answer["Items"]]
            found += [(key(pk, row["sk"]), to_entry(row["sk"], row)) for row in rows]
        return sorted(found, key=lambda pair: pair[1].key)[:MOST_ORDERED]


def _placed(page: Mapping[str, Any]) -> list[Placed]:
    last = int(page["sk"].removeprefix(_PAGE_PREFIX))
    first = last - len(page["entries"]) + 1
    return [Placed(first + n, to_entry(values["key"], values)) for n, values in enumerate(page["entries"])]
