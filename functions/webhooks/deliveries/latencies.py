"""Latencies of an endpoint's deliveries, read from their rows: a sample, so that no send writes more for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.batch import read_rows
from functions.aws.dynamodb.items import from_item, to_item
from functions.aws.dynamodb.table import Table
from functions.clock import from_rfc3339, to_rfc3339
from functions.percentile import percentile
from functions.webhooks.deliveries import rows
from functions.webhooks.endpoints.traffic import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.webhooks.deliveries.views import EndpointLatency, LatencyWindow

SAMPLE = 100
"""Deliveries that are read, the newest ones. One BatchGetItem reads so many."""
_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Latency:
    """The first attempt of a delivery, which succeeded."""

    at_ms: int
    latency_ms: int


class Latencies(Table):
    """Reads the index `by_endpoint`, which lags by about a second, and then the deliveries."""

    def of(self, project_id: str, endpoint_id: str) -> list[Latency]:
        """Return the latencies of the last day's newest SAMPLE deliveries that their first attempt delivered."""
        since = to_rfc3339(self._clock() - DAY_MS)
        answer = self._client.query(
            TableName=self.table_name,
            IndexName="by_endpoint",
            KeyConditionExpression="endpoint_ref = :owner AND created_key >= :since",
            ExpressionAttributeValues=to_item({":owner": rows.endpoint_ref(project_id, endpoint_id), ":since": since}),
            ScanIndexForward=False,
            Limit=SAMPLE,
        )
        keys = [rows.delivery_key(*rows.ids_of(from_item(item))) for item in answer["Items"]]
        deliveries = read_rows(self._client, self.table_name, keys, ("only_attempt",))
        return [latency for row in deliveries if (latency := _latency(row.get("only_attempt"))) is not None]


def latency_body(latencies: Sequence[Latency], now_ms: int) -> EndpointLatency:
    """Return p50 and p95 of the last hour and of the last day."""
    return {"last_hour": _window(latencies, now_ms - HOUR_MS), "last_day": _window(latencies, now_ms - DAY_MS)}


def _window(latencies: Sequence[Latency], since_ms: int) -> LatencyWindow:
    ordered = sorted(latency.latency_ms for latency in latencies if latency.at_ms >= since_ms)
    return {"p50_ms": percentile(ordered, 50), "p95_ms": percentile(ordered, 95), "deliveries": len(ordered)}


def _latency(attempt: Any) -> Latency | None:
    if attempt is None or attempt.get("status_code") not in _OK:
        return None
    return Latency(from_rfc3339(attempt["at"]), attempt["latency_ms"])
