"""Deleted endpoints: cancel their open deliveries, a limited number at a time.

The transaction that deletes an endpoint writes a deletion row that is due at once. The request cancels some deliveries,
and the sweeper does the rest. The sweeper checks again after GRACE_MS: a completion that read the endpoint
before its deletion may have written another delivery. A delivery that is being sent ends by itself: it is delivered, or
cancelled instead of retried.
"""

from __future__ import annotations

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import from_item, to_item
from functions.aws.dynamodb.table import Table
from functions.clock import to_rfc3339
from functions.failpoint import reach
from functions.webhooks.deliveries import rows
from functions.webhooks.deliveries.model import OPEN
from functions.webhooks.deliveries.store import cancelling
from functions.webhooks.endpoints.store import deletion_key

TAKEN_MS = 30_000
GRACE_MS = 900_000
"""Longer than any completion takes and any index lags."""
_ITEMS_PER_QUERY = 100
_DUE = ("due_shard", "due_at_ms")
_CANCEL = cancelling(OPEN)


class Deletions(Table):
    """Cancels the open deliveries of deleted endpoints."""

    def cancel_open(self, project_id: str, endpoint_id: str, seen_due_at_ms: int, work_ms: int) -> bool:
        """Cancel pages for about `work_ms`; False for a stale entry of the due index."""
        # Moving the due key takes the row: a second worker fails here, and after a crash the row is due again.
        key, now = deletion_key(project_id, endpoint_id), self._clock()
        taken_until_ms = now + TAKEN_MS
        row = self._take(key, seen_due_at_ms, taken_until_ms)
        if row is None:
            return False
        reach("deletion.after_take")
        read_to: str | None = row["read_to"]
        while read_to is not None and self._clock() < now + work_ms:
            read_to = self._cancel_page(project_id, endpoint_id, read_to)
            reach("deletion.after_page")
        second_check_ms = row["deleted_at_ms"] + GRACE_MS
        mine = {"mine": taken_until_ms}
        if read_to is not None:
            done = ConditionalUpdate({"read_to": read_to}, "#due_at_ms = :mine", mine)
        elif now < second_check_ms:
            again = to_rfc3339(row["deleted_at_ms"] - GRACE_MS)
            done = ConditionalUpdate({"read_to": again, "due_at_ms": second_check_ms}, "#due_at_ms = :mine", mine)
        else:
            done = ConditionalUpdate({}, "#due_at_ms = :mine", mine, _DUE)
        self._update_unread(done, key)
        return True

    def _cancel_page(self, project_id: str, endpoint_id: str, read_to: str) -> str | None:
        """Cancel one page of open deliveries, oldest first; return the new `read_to`, None at the end."""
        answer = self._client.query(
            TableName=self.table_name,
            IndexName="by_endpoint",
            KeyConditionExpression="endpoint_ref = :owner AND created_key > :after",
            ExpressionAttributeValues=to_item(
                {":owner": rows.endpoint_ref(project_id, endpoint_id), ":after": read_to or "0"}
            ),
            Limit=_ITEMS_PER_QUERY,
        )
        for item in answer["Items"]:
            delivery = rows.to_delivery(from_item(item))
            if delivery.state in OPEN:
                self._update_unread(_CANCEL, rows.delivery_key(delivery.event_id, endpoint_id))
        last = answer.get("LastEvaluatedKey")
        return str(last["created_key"]["S"]) if last else None
