"""The event log: entries get their positions and are read, and consumers with a committed position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from functions.aws.dynamodb.conditional import EXISTS, ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import from_item, key, to_item
from functions.aws.dynamodb.table import Table, tries
from functions.aws.dynamodb.transaction import RowsContendedError, transact
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.event_log.model import LOG_MS, MAX_CONSUMERS, Consumer, Head, Placed
from functions.event_log.rows import NEW_SHARDS, count_key, entry_values, new_pk, to_entry
from functions.failpoint import reach
from functions.ids import new_id
from functions.projects.quota_store import renew_endpoints_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.aws.dynamodb.items import Value
    from functions.clock import Clock
    from functions.env import Env
    from functions.event_log.model import Entry

# The event log of a project: entries in one order, the same for every consumer.
#
# transaction of an event ──▶ new entry, without a position ──order──▶ page of the log, positions 1, 2, 3, …
#
# An entry gets its position after its transaction has committed. So a transaction that commits late gets a late
# position, and a consumer that has read up to a position never misses one below it. Polls do this work: see
# docs/adr/0015.

MOST_ORDERED = 90
"""Entries that one transaction of at most 100 actions orders."""
MOST_READ = 225
"""New entries that one read of a partition returns."""
LEASE_MS = 3_000
"""A poll that orders a backlog has a lease for so long, which each of its transactions renews."""
_ORDERING_MS = 1_000
"""A poll orders a backlog for so long. Then it reads, and the next poll at the end of the log goes on."""
_PAGE_PREFIX = "PAGE#"
_ORDER_TRIES = 3


def log_pk(project_id: str) -> str:
    """Return the partition of a project's log: head, pages and consumers."""
    return f"LOG#{project_id}"


def head_key(project_id: str) -> dict[str, Any]:
    """Return the key of the row with `Head`. It never expires: no position comes twice."""
    return key(log_pk(project_id), "HEAD")


def page_sk(last_position: int) -> str:
    """Return the sort key of a page, by its last position."""
    return f"{_PAGE_PREFIX}{last_position:015d}"


class EventLog(Table):
    """Pages of the deliveries table, and the entries that have no position yet. All reads are consistent."""

    table_setting = "deliveries_table"

    def head(self, project_id: str) -> Head:
        """Return the end of the log; position 0 for an empty one."""
        row = self._get(head_key(project_id)) or {}
        return Head(row.get("last", 0), row.get("ordered_ms", 0), row.get("ordering_until_ms", 0))

    def is_expired(self, head: Head) -> bool:
        """Whether the last page has expired, and so all pages."""
        return _is_expired(head.ordered_ms, self._clock())

    def is_leased(self, head: Head) -> bool:
        """Whether a poll orders a backlog now. A lease that is longer than any comes from a clock that runs ahead."""
        return 0 < head.ordering_until_ms - self._clock() <= LEASE_MS

    def order(self, project_id: str) -> Head | None:
        """Give new entries their positions, if there are any; return the end of the log.

        None: another poll orders them, or was faster. Read its pages, or look again after a random pause.
        """
        entries, are_many = self._new_entries(project_id)
        # In this order: an entry that another poll has just ordered is below this head.
        head = self.head(project_id)
        if entries and self.is_leased(head):
            return None
        if not are_many:
            return self._order_read(project_id, head, entries)
        if not self._lease(project_id):
            return None
        after = self._order_backlog(project_id)
        self._update_unread(ConditionalUpdate({}, "", {}, ("ordering_until_ms",)), head_key(project_id))
        return after

    def _lease(self, project_id: str) -> bool:
        """Lease the order of a backlog. It saves work only: the conditions of the transactions keep the order."""
        now = self._clock()
        condition = (
            "attribute_not_exists(#ordering_until_ms) OR #ordering_until_ms <= :now OR #ordering_until_ms > :latest"
        )
        values = {"now": now, "latest": now + LEASE_MS}
        lease = ConditionalUpdate({"ordering_until_ms": now + LEASE_MS}, condition, values)
        return self._update_unread(lease, head_key(project_id))

    def _order_backlog(self, project_id: str) -> Head | None:
        until_ms, failures = self._clock() + _ORDERING_MS, 0
        while True:
            entries, are_many = self._new_entries(project_id)
            after = self._order_read(project_id, self.head(project_id), entries, is_leased=True)
            failures += after is None
            if failures == _ORDER_TRIES or (after is not None and not are_many) or self._clock() >= until_ms:
                return after

    def _order_read(
        self, project_id: str, head: Head, entries: Sequence[tuple[Any, Entry]], *, is_leased: bool = False
    ) -> Head | None:
        """Order entries that were read before the head; return the end of the log, None if another poll was faster.

        Each transaction adds a page, moves the head and deletes its entries. Of several that try, one wins.
        """
        if not entries:
            return head
        # The partitions were read one after the other: an entry in an early one may have come after its read, and
        # before a later entry that was seen. When two reads agree, each entry comes with all that precede it.
        if self._new_entries(project_id, entries[-1][1].key)[0] != entries:
            return None
        reach("order.after_read")
        for first in range(0, len(entries), MOST_ORDERED):
            after = self._append(project_id, head, entries[first : first + MOST_ORDERED], is_leased=is_leased)
            reach("order.after_write")
            if after is None:
                return None
            head = after
        return head

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

    def _append(
        self, project_id: str, head: Head, entries: Sequence[tuple[Any, Entry]], *, is_leased: bool
    ) -> Head | None:
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
            {"last": after.last, "ordered_ms": now, **({"ordering_until_ms": now + LEASE_MS} if is_leased else {})},
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
        # Pages of a backlog are whole, and a few are enough. Others have an entry at least.
        most, more = limit // MOST_ORDERED + 1, dict[str, Any]()
        while True:
            answer = self._client.query(
                TableName=self.table_name,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :end",
                FilterExpression="#ttl > :now",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues=to_item(values),
                ConsistentRead=True,
                Limit=most,
                **more,
            )
            yield from map(from_item, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            most, more = min(4 * most, limit), {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _new_entries(self, project_id: str, last: str = "~") -> tuple[Sequence[tuple[Any, Entry]], bool]:
        """Return the oldest new entries up to a key by time and id, with keys of their rows; and whether many exist.

        After the last entry of a partition whose read was full, others may follow that come before those of the rest.
        """
        entries: list[tuple[Any, Entry]] = []
        complete_to = "~"
        for shard in range(NEW_SHARDS):
            pk = new_pk(project_id, shard)
            answer = self._client.query(
                TableName=self.table_name,
                KeyConditionExpression="pk = :pk AND sk <= :last",
                ExpressionAttributeValues=to_item({":pk": pk, ":last": last}),
                ConsistentRead=True,
                Limit=MOST_READ,
            )
            rows = [from_item(item) for item in answer["Items"]]
            entries += [(key(pk, row["sk"]), to_entry(row["sk"], row)) for row in rows]
            if "LastEvaluatedKey" in answer:
                complete_to = min(complete_to, rows[-1]["sk"])
        oldest = sorted((pair for pair in entries if pair[1].key <= complete_to), key=lambda pair: pair[1].key)
        return oldest, complete_to != "~" or len(oldest) > MOST_ORDERED


def _is_expired(ordered_ms: int, now_ms: int) -> bool:
    """Whether a page that was ordered then is over its `ttl`."""
    return (ordered_ms + LOG_MS) // MS_PER_SEC <= now_ms // MS_PER_SEC


def _placed(page: Mapping[str, Any]) -> list[Placed]:
    last = int(page["sk"].removeprefix(_PAGE_PREFIX))
    first = last - len(page["entries"]) + 1
    return [Placed(first + n, to_entry(values["key"], values)) for n, values in enumerate(page["entries"])]


# Consumers of the event log: names with a committed position.
#
# While a project has a consumer, the transactions of its events also write entries of the log. The first poll
# switches that on, the deletion of the last consumer switches it off, and it ends LOG_MS after the last poll anyway.

NOTED_MS = 3_600_000
"""A poll is noted at most so often."""
_LONGER_MS = 86_400_000
"""The log goes on for so much longer than the consumers that read it."""
_PREFIX = "CONSUMER#"


class ConsumerLimitError(Exception):
    """The project already has MAX_CONSUMERS consumers."""


class ConsumerStore(Table):
    """Consumer rows of the deliveries table."""

    def __init__(self, table_name: str, quotas_table: str, client: DynamoDBClient, clock: Clock) -> None:
        super().__init__(table_name, client, clock)
        self._quotas_table = quotas_table

    @classmethod
    def from_env(cls, env: Env) -> Self:
        return cls(env.settings.deliveries_table, env.settings.quotas_table, env.dynamodb, env.clock)

    def get(self, project_id: str, name: str) -> Consumer | None:
        """Read one consumer; None if it never polled, was deleted, or has expired."""
        row = self._get(_key(project_id, name))
        return self._alive(row) if row is not None else None

    def list_all(self, project_id: str) -> list[Consumer]:
        """Return the project's consumers, by name."""
        rows = map(self._alive, self._list(log_pk(project_id), _PREFIX))
        return [row for row in rows if row is not None]

    def create(self, project_id: str, name: str, position: int) -> Consumer:
        """Create a consumer, and switch the log on; return the one that another call created meanwhile.

        Raises ConsumerLimitError, RowsContendedError.
        """
        for _ in tries():
            version = self._version(project_id)
            others = self.list_all(project_id)
            existing = next((one for one in others if one.name == name), None)
            if existing is not None:
                return existing
            if len(others) >= MAX_CONSUMERS:
                raise ConsumerLimitError
            now = self._clock()
            made = Consumer(name, position, to_rfc3339(now), now)
            new = put(self.table_name, to_item(_row(project_id, made)))
            if self._write(project_id, version, new, self._log_until(project_id, now)):
                reach("consumer.after_create")
                return made
        raise RowsContendedError

    def delete(self, project_id: str, name: str) -> bool:
        """Delete a consumer, and switch the log off with the last one; False if there is none.

        Raises RowsContendedError.
        """
        for _ in tries():
            version = self._version(project_id)
            others = self.list_all(project_id)
            if name not in {one.name for one in others}:
                return False
            gone = delete(self.table_name, _key(project_id, name))
            off = [] if len(others) > 1 else [self._log_off(project_id)]
            if self._write(project_id, version, gone, *off):
                return True
        raise RowsContendedError

    def commit(self, project_id: str, consumer: Consumer, position: int) -> Consumer:
        """Move a consumer forward, never back. Returns it as it is then."""
        now = self._clock()
        if position <= consumer.position and now - consumer.polled_ms < NOTED_MS:
            return consumer
        after = Consumer(consumer.name, max(position, consumer.position), consumer.created_at, now)
        update = ConditionalUpdate(
            {"position": after.position, "polled_ms": now, "ttl": _expiry(now)},
            "attribute_exists(#pk) AND #position <= :position",
            {},
        )
        if not self._update_unread(update, _key(project_id, consumer.name)):
            # Another process of this consumer was faster, or the consumer was deleted.
            return self.get(project_id, consumer.name) or after
        if now - consumer.polled_ms >= NOTED_MS:
            longer = self._log_until(project_id, now)["Update"]
            self._client.update_item(**longer)
        return after

    def _write(self, project_id: str, version: str | None, *actions: Any) -> bool:
        """Write if no consumer was created or deleted since `version` was read. Renews the version of subscribers."""
        condition = "attribute_not_exists(#consumers_version)" if version is None else "#consumers_version = :seen"
        values = {} if version is None else {"seen": version}
        head = ConditionalUpdate({"consumers_version": new_id()}, condition, values)
        renew = renew_endpoints_version(self._quotas_table, project_id, self._clock())
        written = {"head": head.action(self.table_name, head_key(project_id)), "consumer": actions, "version": renew}
        return transact(self._client, written) is None

    def _version(self, project_id: str) -> str | None:
        version: str | None = (self._get(head_key(project_id)) or {}).get("consumers_version")
        return version

    def _log_until(self, project_id: str, now_ms: int) -> Any:
        update = ConditionalUpdate({"log_until_ms": now_ms + LOG_MS + _LONGER_MS}, "", {})
        return update.action(self.table_name, count_key(project_id))

    def _log_off(self, project_id: str) -> Any:
        return ConditionalUpdate({}, "", {}, ("log_until_ms",)).action(self.table_name, count_key(project_id))

    def _alive(self, row: Mapping[str, Any]) -> Consumer | None:
        if row["ttl"] * MS_PER_SEC <= self._clock():
            return None
        return Consumer(row["sk"].removeprefix(_PREFIX), row["position"], row["created_at"], row["polled_ms"])


def _key(project_id: str, name: str) -> dict[str, Any]:
    return key(log_pk(project_id), _PREFIX + name)


def _row(project_id: str, consumer: Consumer) -> dict[str, Any]:
    return {
        "pk": log_pk(project_id),
        "sk": _PREFIX + consumer.name,
        "position": consumer.position,
        "created_at": consumer.created_at,
        "polled_ms": consumer.polled_ms,
        "ttl": _expiry(consumer.polled_ms),
    }


def _expiry(polled_ms: int) -> int:
    return (polled_ms + LOG_MS) // MS_PER_SEC
