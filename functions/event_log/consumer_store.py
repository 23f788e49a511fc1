"""Consumers of the event log: names with a committed position.

While a project has a consumer, the transactions of its events also write entries of the log. The first poll switches
that on, the deletion of the last consumer switches it off, and it ends LOG_MS after the last poll anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from functions.aws.dynamodb.conditional import ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import key, to_item
from functions.aws.dynamodb.table import Table, tries
from functions.aws.dynamodb.transaction import RowsContendedError, transact
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.event_log.log import head_key, log_pk
from functions.event_log.model import LOG_MS, MAX_CONSUMERS, Consumer
from functions.event_log.rows import count_key
from functions.failpoint import reach
from functions.ids import new_id
from functions.projects.quota_store import renew_endpoints_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.clock import Clock
    from functions.env import Env

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
        """Make the store of an entry point."""
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
