"""The queue of an ordered endpoint: a small row for each of its deliveries that is not final, oldest first.

The transaction that stores an event puts the row. A consistent query finds the oldest, which the index `waiting` could
miss. Rows of final deliveries are removed here when the next delivery is looked for, so no other module uses them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.aws.dynamodb.items import from_item, key, to_item
from functions.aws.dynamodb.table import Table
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.deliveries.rows import delivery_key, queue_pk, queue_sk, to_delivery

if TYPE_CHECKING:
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.sending.lanes.lane import Lane

_LIVE = frozenset({DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.RETRYING, DeliveryState.PAUSED})
_ITEMS_PER_QUERY = 10


class OrderedQueue(Table):
    """Queues of ordered endpoints, in the deliveries table. All reads are consistent."""

    def has(self, delivery: Delivery) -> bool:
        """Whether the delivery has a place. One that was replayed after its end has none."""
        return self._get(key(queue_pk(delivery.project_id, delivery.endpoint_id), queue_sk(delivery))) is not None

    def first(self, lane: Lane) -> Delivery | None:
        """Return the next delivery in order: the one that was begun last, until it is final; then the oldest."""
        begun = None if lane.current is None else self._delivery(lane.current, lane.name)
        if begun is not None and begun.state in _LIVE:
            return begun
        pages = self._client.get_paginator("query").paginate(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": queue_pk(lane.project_id, lane.name)}),
            ConsistentRead=True,
            PaginationConfig={"PageSize": _ITEMS_PER_QUERY},
        )
        for item in (item for page in pages for item in page["Items"]):
            delivery = self._delivery(from_item(item)["sk"].partition("#")[2], lane.name)
            if delivery is not None and delivery.state in _LIVE:
                return delivery
            # A query may show a part of a transaction: then the delivery is not there yet, and keeps its place.
            if delivery is not None:
                self._client.delete_item(TableName=self.table_name, Key={"pk": item["pk"], "sk": item["sk"]})
        return None

    def _delivery(self, event_id: str, endpoint_id: str) -> Delivery | None:
        row = self._get(delivery_key(event_id, endpoint_id))
        return to_delivery(row) if row is not None else None
