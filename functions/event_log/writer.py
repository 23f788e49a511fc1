"""Write replays, tests and samples to the event log. Other events get there in the transaction that stores them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ABSENT, put
from functions.aws.dynamodb.items import from_item, to_item
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.clock import MS_PER_SEC
from functions.event_log.model import TTL_MS, Reason
from functions.event_log.rows import count_key, event_row, new_row, replay_row

if TYPE_CHECKING:
    from functions.event_log.model import Delivered, Event


class LogWriter(Table):
    """Adds entries to the log of a project that has a consumer; for other projects it writes nothing."""

    def is_on(self, project_id: str) -> bool:
        """Whether the project keeps a log now."""
        answer = self._client.get_item(
            TableName=self.table_name,
            Key=count_key(project_id),
            ConsistentRead=True,
            ProjectionExpression="log_until_ms",
        )
        return self._clock() < int(from_item(answer.get("Item") or {}).get("log_until_ms", 0))

    def add_test(self, event: Event) -> bool:
        """Store an event that only the log gets, with its bytes; False without a log. Raises RowsContendedError."""
        if not self.is_on(event.project_id):
            return False
        now = self._clock()
        rows = (event_row(event, (now + TTL_MS) // MS_PER_SEC), new_row(event, now, Reason.TEST))
        transact_or_raise(self._client, {"event": [put(self.table_name, to_item(row), ABSENT) for row in rows]})
        return True

    def replay_actions(self, delivery: Delivered) -> list[Any]:
        """Return the action that adds the event of a replayed delivery again, for the replay's transaction."""
        return [self.replay_action(delivery)] if self.is_on(delivery.project_id) else []

    def replay_action(self, delivery: Delivered) -> Any:
        """Return that action for a project whose log is on."""
        return put(self.table_name, to_item(replay_row(delivery, self._clock())))
