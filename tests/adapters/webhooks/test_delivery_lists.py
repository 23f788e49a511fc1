"""Lists of a project's deliveries: eight partitions and the rows of earlier builds, merged in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.aws.dynamodb.items import to_item
from functions.ids import new_id
from functions.webhooks.deliveries import store
from functions.webhooks.deliveries.model import Delivery, DeliveryState
from functions.webhooks.deliveries.views import DeliveryFilters
from tests.submission_factory import START_MS

if TYPE_CHECKING:
    from tests.adapters.pipeline import Pipeline

COUNT = 30


@pytest.fixture
def deliveries(pipeline: Pipeline) -> list[Delivery]:
    """Deliveries, oldest first; every third row is of an earlier build, and every second one failed."""
    return [put(pipeline, number) for number in range(COUNT)]


def put(pipeline: Pipeline, number: int) -> Delivery:
    delivery = Delivery(
        event_id=new_id(),
        endpoint_id="e1",
        project_id="dev",
        submission_id="",
        state=DeliveryState.EXHAUSTED if number % 2 else DeliveryState.DELIVERED,
        attempt=1,
        next_at_ms=START_MS,
        created_at=f"2026-11-24T12:00:{number:02d}.000Z",
    )
    row = store.delivery_row(delivery, START_MS // 1_000 + 86_400)
    if number % 3 == 0:
        row |= {"project_id": "dev", "list_shard": None}
    pipeline.aws.client("dynamodb").put_item(TableName=pipeline.deliveries.table_name, Item=to_item(row))
    return delivery


def ids(deliveries: Any) -> list[str]:
    return [delivery.event_id for delivery in deliveries]


def test_pages_of_a_project_have_all_its_deliveries_newest_first(
    pipeline: Pipeline, deliveries: list[Delivery]
) -> None:
    listed: list[Delivery] = []
    after: str | None = None
    while after is not None or not listed:
        page = pipeline.listing.page("dev", DeliveryFilters(), limit=7, after=after)
        listed += page.rows
        after = page.next_created_key
    assert ids(listed) == ids(reversed(deliveries))
    assert {delivery.project_id for delivery in listed} == {"dev"}


def test_a_filter_by_state_and_time_holds_for_both_kinds_of_rows(
    pipeline: Pipeline, deliveries: list[Delivery]
) -> None:
    filters = DeliveryFilters(state=DeliveryState.EXHAUSTED, since_ms=START_MS)
    page = pipeline.listing.page("dev", filters, limit=100)
    assert ids(page.rows) == [each.event_id for each in reversed(deliveries) if each.state is DeliveryState.EXHAUSTED]


def test_undelivered_ones_are_listed_oldest_first(pipeline: Pipeline, deliveries: list[Delivery]) -> None:
    page = pipeline.listing.undelivered("dev", limit=100, after=None, since_ms=None, ascending=True)
    assert ids(page.rows) == [each.event_id for each in deliveries if each.state is DeliveryState.EXHAUSTED]


def test_an_endpoint_and_another_project_are_listed_by_themselves(
    pipeline: Pipeline, deliveries: list[Delivery]
) -> None:
    page = pipeline.listing.page("dev", DeliveryFilters(endpoint_id="e1"), limit=100)
    assert ids(page.rows) == ids(reversed(deliveries))
    assert pipeline.listing.page("other", DeliveryFilters(), limit=100).rows == ()
