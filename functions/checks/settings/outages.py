"""Outages that are over, as rows: for the status page and the history of a check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import put
from functions.aws.dynamodb.items import from_item, to_item
from functions.aws.dynamodb.table import Table
from functions.checks import keys
from functions.checks.settings.model import HISTORY_DAYS, MOST_OUTAGES
from functions.checks.state import Outage, State, ended_outage
from functions.clock import MS_PER_SEC, to_rfc3339

if TYPE_CHECKING:
    from functions.checks.settings.model import Check

_TTL_SECS = HISTORY_DAYS * 86_400


def outage_actions(table_name: str, before: Check, after: Check) -> list[Any]:
    """Return the action that writes an outage which this change of a check ends; none if it ends none."""
    outage = ended_outage(before.standing, after.standing)
    if outage is None:
        return []
    values = {
        "until_ms": outage.until_ms,
        "since_ms": outage.since_ms,
        "state": outage.state.value,
        "ttl": outage.until_ms // MS_PER_SEC + _TTL_SECS,
    }
    row_key = keys.outage_key(before.project_id, before.check_id, to_rfc3339(outage.since_ms))
    return [put(table_name, {**row_key, **to_item(values)})]


class OutageStore(Table):
    """Reads outages."""

    def of(self, check: Check, now_ms: int) -> list[Outage]:
        """Return the outage that lasts, with `now_ms` as its end, and before it the latest ones that are over."""
        latest, standing = self.latest(check), check.standing
        if standing.bad_since_ms is None:
            return latest
        return [Outage(since_ms=standing.bad_since_ms, until_ms=now_ms, state=standing.state), *latest]

    def latest(self, check: Check) -> list[Outage]:
        """Return the latest outages of a check that are over, newest first, at most 100."""
        items = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": keys.outages_pk(check.project_id, check.check_id)}),
            ScanIndexForward=False,
            Limit=MOST_OUTAGES,
        )["Items"]
        rows = [from_item(item) for item in items]
        return [
            Outage(since_ms=row["since_ms"], until_ms=row["until_ms"], state=State(row["state"]))
            for row in rows
            if row["ttl"] > self._clock() // MS_PER_SEC
        ]
