"""Read a delivery with its endpoint, lane and send slots. Endpoints are cached for claims that read nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.batch import read_rows
from functions.aws.dynamodb.table import Table
from functions.clock import Clock, now_ms
from functions.ttl_cache import TtlCache
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID
from functions.webhooks.deliveries.rows import delivery_key, to_delivery
from functions.webhooks.endpoints.rows import endpoint_key, to_endpoint
from functions.webhooks.sending.lanes.lane import Lane, lane_name, max_concurrent_sends
from functions.webhooks.sending.lanes.lane_rows import lane_key, to_lane
from functions.webhooks.sending.limits.slot_rows import slots_key, to_slots
from functions.webhooks.target.hosts import host_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.aws.dynamodb.table import Row
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.limits.slots import Slots

ENDPOINT_FRESH_MS = 60_000
"""A claim checks that a cached endpoint is unchanged, so this bounds only how long it stays in memory."""
_MOST_ENDPOINTS = 1_000


@dataclass(frozen=True, slots=True)
class DeliverySnapshot:
    """A delivery with its endpoint, lane and slots. `endpoint` is None if deleted, or for a run's own URL.

    `is_next`: whether this is the next delivery of an ordered endpoint.
    """

    delivery: Delivery
    endpoint: Endpoint | None
    lane: Lane
    slots: Slots
    is_next: bool = False

    @property
    def is_orphan(self) -> bool:
        """Whether the endpoint of this delivery was deleted."""
        return self.endpoint is None and self.delivery.endpoint_id != RUN_ENDPOINT_ID


class Snapshots(Table):
    """Reads of the deliveries table, all consistent."""

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms) -> None:
        super().__init__(table_name, client, clock)
        self._endpoints = TtlCache[tuple[str, str], "Endpoint"](ENDPOINT_FRESH_MS, _MOST_ENDPOINTS, clock)

    def read(self, event_id: str, endpoint_id: str, project_id: str, lane: str) -> DeliverySnapshot | None:
        """Read a delivery with endpoint, lane and slots; None if it is gone.

        `lane`: expected name of its lane. A wrong name costs a second request.
        """
        delivery_at, endpoint_at = delivery_key(event_id, endpoint_id), endpoint_key(project_id, endpoint_id)
        slots_at, lane_at = slots_key(project_id), lane_key(project_id, lane)
        found = self._read([delivery_at, slots_at, lane_at, *[endpoint_at] * (endpoint_id != RUN_ENDPOINT_ID)])
        row, endpoint_row = found.get(_name(delivery_at)), found.get(_name(endpoint_at))
        if row is None:
            return None
        delivery, endpoint = to_delivery(row), to_endpoint(endpoint_row) if endpoint_row else None
        if endpoint is None:
            self._endpoints.drop((project_id, endpoint_id))
        else:
            self.keep(endpoint)
        host = host_of(delivery.url if endpoint is None else endpoint.url)
        name = lane_name(delivery, host)
        if name != lane:
            lane_at = lane_key(project_id, name)
            found |= self._read([lane_at])
        known = found.get(_name(lane_at))
        seen_lane = to_lane(known) if known else Lane(project_id, name, host)
        slots = to_slots(project_id, found.get(_name(slots_at), {}))
        is_ordered = endpoint is not None and endpoint.ordered
        lane_now = replace(seen_lane, host=host, most=max_concurrent_sends(endpoint), is_ordered=is_ordered)
        return DeliverySnapshot(delivery, endpoint, lane_now, slots)

    def cached_endpoint(self, project_id: str, endpoint_id: str) -> Endpoint | None:
        """Return an endpoint as this process read it last; None if it did not, or not lately."""
        return self._endpoints.get((project_id, endpoint_id))

    def keep(self, endpoint: Endpoint) -> None:
        """Keep an endpoint that we read or wrote."""
        self._endpoints.keep((endpoint.project_id, endpoint.endpoint_id), endpoint)

    def _read(self, keys: list[Any]) -> dict[tuple[str, str], Row]:
        return {(row["pk"], row["sk"]): row for row in read_rows(self._client, self.table_name, keys)}


def _name(key: Mapping[str, Any]) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]
