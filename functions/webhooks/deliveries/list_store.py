"""Queries of deliveries: pages of a project, recoverable deliveries of an endpoint, attempts of one delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.items import Value, from_item, to_item
from functions.aws.dynamodb.page import Page, bounds, cut, query_page
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.webhooks.deliveries import rows
from functions.webhooks.deliveries.model import Delivery, DeliveryState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from functions.webhooks.deliveries.views import DeliveryFilters

RECOVERABLE = (DeliveryState.EXHAUSTED, DeliveryState.PAUSED, DeliveryState.BLOCKED)

ATTEMPTS_SHOWN = 100
"""Replays add attempts, and a response must stay below 6 MB."""

_ITEMS_PER_QUERY = 500


class DeliveryList(Table):
    """Reads the indexes `by_project` and `by_endpoint`. They lag behind the table by about a second."""

    def page(
        self, project_id: str, filters: DeliveryFilters, *, limit: int, after: str | None = None
    ) -> Page[Delivery]:
        """Return at most `limit` deliveries, newest first, that follow the `created_key` in `after`.

        The deliveries have no URL and no secret. A page of a rare state may be short, see `query_page`.
        """
        if filters.submission_id is not None:
            return self._of_submission(project_id, filters, limit, after)
        request = self._request(project_id, filters.endpoint_id, filters.state)
        if filters.since_ms is not None:
            since = to_rfc3339(filters.since_ms)
            if after is not None and after < since:  # a cursor of a list with an earlier `since`
                return Page((), None)
            request["KeyConditionExpression"] += " AND created_key >= :since"
            request["ExpressionAttributeValues"] |= to_item({":since": since})
        start = _start_key(request["ExpressionAttributeValues"][":owner"]["S"], request["IndexName"], after)
        if filters.state is None:
            request["Limit"] = limit + 1  # nearly every entry matches
        if start is not None:
            request["ExclusiveStartKey"] = start
        return query_page(self._client, request, limit, rows.to_delivery, rows.created_key)

    def undelivered(
        self, project_id: str, *, limit: int, after: str | None, since_ms: int | None, ascending: bool
    ) -> Page[Delivery]:
        """Return a page of deliveries that are neither delivered nor cancelled, created since `since_ms`.

        `after`: a `created_key`, or its part up to the event: then no further delivery of that event follows. A full
        page ends with such a part, so that no event is on two pages.
        """
        request = self._request(project_id, None, None)
        done = (DeliveryState.DELIVERED.value, DeliveryState.CANCELLED.value)
        end = after
        if after is not None and "." not in after.rpartition("#")[2]:  # only the event: its deliveries have one time
            end = after + (".~" if ascending else ".")
        since = None if since_ms is None else to_rfc3339(since_ms)
        first, last = bounds(end, since, ascending=ascending)
        request["KeyConditionExpression"] += " AND created_key BETWEEN :first AND :last"
        request["FilterExpression"] += " AND NOT #state IN (:delivered, :cancelled)"
        request["ExpressionAttributeNames"]["#state"] = "state"
        request["ExpressionAttributeValues"] |= to_item(
            {":first": first, ":last": last} | {f":{state}": state for state in done}
        )
        request["ScanIndexForward"] = ascending
        page = query_page(self._client, request, limit, rows.to_delivery, rows.created_key)
        if page.rows and page.next_created_key == rows.created_key(page.rows[-1]):
            return Page(page.rows, page.next_created_key.rpartition(".")[0])
        return page

    def recoverable(self, project_id: str, endpoint_id: str, since_ms: int) -> Iterator[tuple[list[Delivery], str]]:
        """Yield pages of an endpoint's recoverable deliveries created since `since_ms`, oldest first.

        Pages may be empty. Each comes with the time up to which the index was read; "" for the last page.
        """
        request = self._request(project_id, endpoint_id, None)
        states: dict[str, Value | None] = {f":{state}": state.value for state in RECOVERABLE}
        request["KeyConditionExpression"] += " AND created_key >= :since"
        request["FilterExpression"] += f" AND #state IN ({', '.join(states)})"
        request["ExpressionAttributeNames"]["#state"] = "state"
        request["ExpressionAttributeValues"] |= to_item({":since": to_rfc3339(since_ms), **states})
        request["ScanIndexForward"] = True
        while True:
            answer = self._client.query(**request)
            last = answer.get("LastEvaluatedKey")
            read_to = last["created_key"]["S"].partition("#")[0] if last else ""
            yield [rows.to_delivery(from_item(item)) for item in answer["Items"]], read_to
            if not last:
                return
            request["ExclusiveStartKey"] = last

    def last_attempts(self, delivery: Delivery) -> list[Mapping[str, Any]]:
        """Return the last ATTEMPTS_SHOWN attempts of a delivery, oldest first, in the shape of `attempt_values`."""
        prefix = f"ATTEMPT#{delivery.endpoint_id}#"
        found = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item({":pk": f"EVENT#{delivery.event_id}", ":prefix": prefix}),
            ScanIndexForward=False,
            Limit=ATTEMPTS_SHOWN,
            ConsistentRead=True,
        )
        attempts = [from_item(item) for item in reversed(found["Items"])]
        first = [] if delivery.only_attempt is None else [delivery.only_attempt]
        return [*first, *attempts][-ATTEMPTS_SHOWN:]

    def _of_submission(
        self, project_id: str, filters: DeliveryFilters, limit: int, after: str | None
    ) -> Page[Delivery]:
        """Read all deliveries of one event. They are few and share a partition, so the read can be consistent."""
        now_secs = self._clock() // MS_PER_SEC
        found = self._list(f"EVENT#{filters.submission_id}", "DELIVERY#")
        all_deliveries = [
            rows.to_delivery(row) for row in found if row["project_id"] == project_id and row["ttl"] > now_secs
        ]
        matching = [
            delivery
            for delivery in sorted(all_deliveries, key=rows.created_key, reverse=True)
            if filters.endpoint_id in {None, delivery.endpoint_id}
            and filters.state in {None, delivery.state}
            and (filters.since_ms is None or rows.created_key(delivery) >= to_rfc3339(filters.since_ms))
            and (after is None or rows.created_key(delivery) < after)
        ]
        return cut(matching, limit, rows.created_key)

    def _request(self, project_id: str, endpoint_id: str | None, state: str | None) -> dict[str, Any]:
        owner = project_id if endpoint_id is None else rows.endpoint_ref(project_id, endpoint_id)
        names = {"#ttl": "ttl"}
        values: dict[str, Value | None] = {":owner": owner, ":now": self._clock() // MS_PER_SEC}
        condition = "#ttl > :now"
        if state is not None:
            names["#state"], values[":state"] = "state", state
            condition += " AND #state = :state"
        return {
            "TableName": self.table_name,
            "IndexName": "by_project" if endpoint_id is None else "by_endpoint",
            "KeyConditionExpression": f"{'project_id' if endpoint_id is None else 'endpoint_ref'} = :owner",
            "FilterExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": to_item(values),
            "ScanIndexForward": False,
            "Limit": _ITEMS_PER_QUERY,
        }


def _start_key(owner: str, index: str, after: str | None) -> dict[str, Any] | None:
    """Build the start key of an index. `owner` is the caller's own project, never a value from the cursor."""
    if after is None:
        return None
    event_id, _, endpoint_id = after.partition("#")[2].partition(".")
    partition = "project_id" if index == "by_project" else "endpoint_ref"
    return to_item({partition: owner, "created_key": after}) | rows.delivery_key(event_id, endpoint_id)
