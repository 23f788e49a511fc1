"""Read a delivery with its endpoint, lane and send slots."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.batch import read_rows
from functions.aws.dynamodb.table import Table
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID
from functions.webhooks.deliveries.rows import delivery_key, to_delivery
from functions.webhooks.endpoints.rows import endpoint_key, to_endpoint
from functions.webhooks.sending.lanes.lane import lane_name, max_concurrent_sends, run_lane_name
from functions.webhooks.sending.lanes.lane_rows import lane_key, to_lane
from functions.webhooks.sending.limits.slot_rows import slots_key, to_slots
from functions.webhooks.target.hosts import host_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.aws.dynamodb.table import Row
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.lanes.lane import Lane
    from functions.webhooks.sending.limits.slots import Slots


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

    @property
    def is_off(self) -> bool:
        """Whether the endpoint is disabled."""
        return self.endpoint is not None and not self.endpoint.enabled


class Snapshots(Table):
    """Reads of the deliveries table, all consistent."""

    def read(self, event_id: str, endpoint_id: str, project_id: str, lane: str) -> DeliverySnapshot | None:
        """Read a delivery with endpoint, lane and slots; None if it is gone.

        `lane`: expected name of its lane. A wrong name costs a second request.
        """
        delivery_at, endpoint_at = delivery_key(event_id, endpoint_id), endpoint_key(project_id, endpoint_id)
        slots_at, lane_at = slots_key(project_id), lane_key(project_id, lane)
        rows = self._read([delivery_at, slots_at, lane_at, *[endpoint_at] * (endpoint_id != RUN_ENDPOINT_ID)])
        row, endpoint_row = rows.get(_name(delivery_at)), rows.get(_name(endpoint_at))
        if row is None:
            return None
        delivery, endpoint = to_delivery(row), to_endpoint(endpoint_row) if endpoint_row else None
        host = host_of(delivery.url if endpoint is None else endpoint.url)
        name = lane_name(delivery, host)
        if name != lane:
            lane_at = lane_key(project_id, name)
            rows |= self._read([lane_at])
        slots = to_slots(project_id, rows.get(_name(slots_at), {}))
        return DeliverySnapshot(delivery, endpoint, self._lane(lane_at, rows, endpoint, host), slots)

    def read_target(self, project_id: str, endpoint_id: str, host: str) -> tuple[Endpoint | None, Lane]:
        """Read an endpoint, None if it is deleted, and its lane; or the lane of runs that send to `host`."""
        is_run = endpoint_id == RUN_ENDPOINT_ID
        endpoint_at = endpoint_key(project_id, endpoint_id)
        lane_at = lane_key(project_id, run_lane_name(host) if is_run else endpoint_id)
        rows = self._read([lane_at] if is_run else [lane_at, endpoint_at])
        endpoint = to_endpoint(row) if (row := rows.get(_name(endpoint_at))) else None
        return endpoint, self._lane(lane_at, rows, endpoint, host if endpoint is None else host_of(endpoint.url))

    def _lane(
        self, lane_at: Mapping[str, Any], rows: Mapping[tuple[str, str], Row], endpoint: Endpoint | None, host: str
    ) -> Lane:
        pk, sk = _name(lane_at)
        lane = to_lane(rows.get((pk, sk), {"pk": pk, "sk": sk}))
        is_ordered = endpoint is not None and endpoint.ordered
        return replace(lane, host=host, most=max_concurrent_sends(endpoint), is_ordered=is_ordered)

    def _read(self, keys: list[Any]) -> dict[tuple[str, str], Row]:
        return {(row["pk"], row["sk"]): row for row in read_rows(self._client, self.table_name, keys)}


def _name(key: Mapping[str, Any]) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]
