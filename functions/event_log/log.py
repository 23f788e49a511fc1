"""The event log of a project: entries in one order, the same for every consumer.

    transaction of an event ──▶ new entry, without a position ──order──▶ page of the log, positions 1, 2, 3, …

An entry gets its position after its transaction has committed. So a transaction that commits late gets a late position,
and a consumer that has read up to a position never misses one below it. Polls do this work: see docs/adr/0015.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import EXISTS, ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import from_item, key, to_item
from functions.aws.dynamodb.retries import tries
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact
from functions.clock import MS_PER_SEC
from functions.event_log.model import LOG_MS, Head, Placed
from functions.event_log.rows import NEW_SHARDS, entry_values, new_pk, to_entry
from functions.failpoint import reach

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from functions.aws.dynamodb.items import Value
    from functions.event_log.model import Entry

MOST_ORDERED = 90
"""Entries that one transaction of at most 100 actions orders."""
_PAGE_PREFIX = "PAGE#"
_ORDER_TRIES = 8


def log_pk(project_id: str) -> str:
    """Return the partition of a project's log: head, pages and consumers."""
    return f"LOG#{project_id}"


def head_key(project_id: str) -> dict[str, Any]:
    """Return the key of the row with `Head` (`last`, `ordered_ms`). It never expires: no position comes twice."""
    return key(log_pk(project_id), "HEAD")


def page_sk(last_position: int) -> str:
    """Return the sort key of a page, by its last position."""
    return f"{_PAGE_PREFIX}{last_position:015d}"


class EventLog(Table):
    """Pages of the deliveries table, and the entries that have no position yet. All reads are consistent."""

    def head(self, project_id: str) -> Head:
        """Return the end of the log; position 0 for an empty one."""
        row = self._get(head_key(project_id)) or {}
        return Head(row.get("last", 0), row.get("ordered_ms", 0))

    def is_expired(self, head: Head) -> bool:
        """Whether the last page has expired, and so all pages."""
        return _is_expired(head.ordered_ms, self._clock())

    def order(self, project_id: str) -> Head:
        """Give the oldest new entries their positions, if there are any; return the end of the log.

        One transaction adds a page, moves the head and deletes the new entries. Of several that try, one wins, and the
        others look again.
        """
        for _ in tries(_ORDER_TRIES, self._sleep):
            entries = self._new_entries(project_id)
            # In this order: an entry that another poll has just ordered is below this head.
            head = self.head(project_id)
            if not entries:
                return head
            # The partitions were read one after the other: an entry in an early one may have come after its read, and
            # before a later entry that was seen. When two reads agree, each entry comes with all that precede it.
            again = self._new_entries(project_id, entries[-1][1].key)
            if again == entries:
                reach("order.after_read")
                after = self._append(project_id, head, entries)
                reach("order.after_write")
                if after is not None:
                    return after
        return self.head(project_id)

    def read(self, project_id: str, after: int, limit: int) -> list[Placed]:
        """Return at most `limit` entries that follow a position, without a gap, except for those that have expired."""
        now = self._clock()
        entries: list[Placed] = []
        for page in self._pages(project_id, after, limit, now):
            placed = _placed(page)
            is_gap = placed[0].position > (entries[-1].position if entries else after) + 1
            # A transaction may be visible in part, for milliseconds: a page without the page before it.
            if is_gap and (entries or not _is_expired(page["previous_ms"], now)):
                break
            entries += [one for one in placed if one.position > after]
            if len(entries) >= limit:
                break
        return entries[:limit]

    def _append(self, project_id: str, head: Head, entries: Sequence[tuple[Any, Entry]]) -> Head | None:
        """Write a page; None if another poll was faster, or the rows were busy."""
        now = self._clock()
        after = Head(head.last + len(entries), now)
        page: dict[str, Value | None] = {
            "pk": log_pk(project_id),
            "sk": page_sk(after.last),
            "entries": [{"key": entry.key, **entry_values(entry)} for _, entry in entries],
            "previous_ms": head.ordered_ms,
            "ttl": (now + LOG_MS) // MS_PER_SEC,
        }
        move = ConditionalUpdate(
            {"last": after.last, "ordered_ms": now},
            "attribute_not_exists(#last) OR #last = :seen",
            {"seen": head.last},
        )
        # The condition on each entry: while another order commits, a read may show its head without its deletions.
        actions = {
            "head": move.action(self.table_name, head_key(project_id)),
            "page": put(self.table_name, to_item(page)),
            "new entries": [delete(self.table_name, at, EXISTS) for at, _ in entries],
        }
        return after if transact(self._client, actions) is None else None

    def _pages(self, project_id: str, after: int, limit: int, now_ms: int) -> Iterator[dict[str, Any]]:
        """Yield the pages that have not expired, from the one with the entry after that position."""
        values: dict[str, Value | None] = {
            ":pk": log_pk(project_id),
            ":first": page_sk(after + 1),
            ":end": f"{_PAGE_PREFIX}~",
            ":now": now_ms // MS_PER_SEC,
        }
        pages = self._client.get_paginator("query").paginate(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :end",
            FilterExpression="#ttl > :now",
            ExpressionAttributeNames={"#ttl": "ttl"},
            ExpressionAttributeValues=to_item(values),
            ConsistentRead=True,
            PaginationConfig={"PageSize": limit},  # each page has an entry at least
        )
        return (from_item(item) for page in pages for item in page["Items"])

    def _new_entries(self, project_id: str, last: str = "~") -> Sequence[tuple[Any, Entry]]:
        """Return the oldest new entries up to a key, with the keys of their rows, by time and id."""
        entries: list[tuple[Any, Entry]] = []
        for shard in range(NEW_SHARDS):
            pk = new_pk(project_id, shard)
            answer = self._client.query(
                TableName=self.table_name,
                KeyConditionExpression="pk = :pk AND sk <= :last",
                ExpressionAttributeValues=to_item({":pk": pk, ":last": last}),
                ConsistentRead=True,
                Limit=MOST_ORDERED,
            )
            rows = [from_item(item) for item in answer["Items"]]
            entries += [(key(pk, row["sk"]), to_entry(row["sk"], row)) for row in rows]
        return sorted(entries, key=lambda pair: pair[1].key)[:MOST_ORDERED]


def _is_expired(ordered_ms: int, now_ms: int) -> bool:
    """Whether a page that was ordered then is over its `ttl`."""
    return (ordered_ms + LOG_MS) // MS_PER_SEC <= now_ms // MS_PER_SEC


def _placed(page: Mapping[str, Any]) -> list[Placed]:
    last = int(page["sk"].removeprefix(_PAGE_PREFIX))
    first = last - len(page["entries"]) + 1
    return [Placed(first + n, to_entry(values["key"], values)) for n, values in enumerate(page["entries"])]
