"""Literal rows of version 0.1: they stay readable, and the same dataclass still writes them."""

from dataclasses import replace
from typing import Any
from zlib import crc32

import pytest

from functions.aws.dynamodb.items import from_item, to_item
from functions.aws.dynamodb.row_codec import changes
from functions.event_log.model import TTL_MS
from functions.webhooks.deliveries.model import Delivery, DeliveryState, RecordedAttempt
from functions.webhooks.deliveries.store import attempt_row, delivery_row, new_attempt, to_attempt, to_delivery
from functions.webhooks.endpoints.model import (
    BodyFormat,
    DisabledReason,
    Endpoint,
    FailureStreak,
    HealthChange,
    Payload,
    RunFilters,
    SubmissionKind,
)
from functions.webhooks.endpoints.store import endpoint_row, to_endpoint
from functions.webhooks.vocabulary import Counter, Reply, Traffic

type Row = dict[str, Any]

AT = "2026-11-24T12:00:00.000Z"
EVENT_ID = "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11"
ENDPOINT_ROW: Row = {
    "pk": "PROJECT#p1",
    "sk": "ENDPOINT#e1",
    "url": "https://hooks.example.com/",
    "description": "",
    "secret_box": b"box",
    "enabled": True,
    "created_at": AT,
    "updated_at": AT,
    "max_concurrency": 10,
    "max_per_second": 0,
    "api_version": "2026-11-27",
    "events": [],
    "header_names": [],
    "format": "event",
}
ENDPOINT = Endpoint(
    endpoint_id="e1",
    project_id="p1",
    url="https://hooks.example.com/",
    secret_box=b"box",
    created_at=AT,
    updated_at=AT,
    api_version="2026-11-27",
)
FULL_ENDPOINT_ROW: Row = ENDPOINT_ROW | {
    "description": "d",
    "headers_box": b"h",
    "routing_key_box": b"k",
    "previous_secret_box": b"old",
    "previous_until_ms": 7,
    "public_key": "whpk_x",
    "enabled": False,
    "disabled_at": AT,
    "degraded_at": AT,
    "max_concurrency": 4,
    "max_per_second": 5,
    "ordered": True,
    "events": ["submission.completed"],
    "header_names": ["x-team"],
    "disabled_reason": "gone",
    "failing_since_ms": 1,
    "failing_counted_ms": 2,
    "failing_spread": 3,
    "format": "slack",
    "kinds": ["judge", "check"],
    "filters": {"verdicts": ["AC"], "languages": ["python"], "metadata": {"a": "b"}},
    "payload": "thin",
    "timeout_secs": 7,
    "hour": 10,
    "hour_attempts": 1,
    "hour_failures": 2,
    "hour_attempts_before": 3,
    "hour_failures_before": 4,
    "day": 20,
    "day_attempts": 5,
    "day_failures": 6,
    "day_attempts_before": 7,
    "day_failures_before": 8,
}
FULL_ENDPOINT = replace(
    ENDPOINT,
    description="d",
    headers_box=b"h",
    routing_key_box=b"k",
    previous_secret_box=b"old",
    previous_until_ms=7,
    public_key="whpk_x",
    enabled=False,
    disabled_at=AT,
    degraded_at=AT,
    max_concurrency=4,
    max_per_second=5,
    ordered=True,
    events=("submission.completed",),
    headers={"x-team": "***"},
    routing_key="***",
    asymmetric=True,
    timeout_secs=7,
    disabled_reason=DisabledReason.GONE,
    failing=FailureStreak(1, 2, 3),
    format=BodyFormat.SLACK,
    kinds=(SubmissionKind.JUDGE, SubmissionKind.CHECK),
    filters=RunFilters(("AC",), ("python",), {"a": "b"}),
    payload=Payload.THIN,
    traffic=Traffic(Counter(10, 1, 2, 3, 4), Counter(20, 5, 6, 7, 8)),
)
DELIVERY_ROW: Row = {
    "pk": f"EVENT#{EVENT_ID}",
    "sk": "DELIVERY#e1",
    "webhook_id": EVENT_ID,
    "submission_id": EVENT_ID,
    "body_digest": b"sha",
    "correlation_id": "c",
    "state": "pending",
    "attempt": 0,
    "next_at_ms": 1_000,
    "created_at": AT,
    "created_key": f"{AT}#{EVENT_ID}.e1",
    "endpoint_ref": "p1#e1",
    "list_shard": f"p1#{crc32(f'{AT}#{EVENT_ID}.e1'.encode()) % 8}",
    "event_type": "submission.completed",
    "due_shard": "DUE#1",
    "due_at_ms": 61_000,
    "ttl": 99,
}
DELIVERY = Delivery(
    event_id=EVENT_ID,
    endpoint_id="e1",
    project_id="p1",
    submission_id=EVENT_ID,
    state=DeliveryState.PENDING,
    attempt=0,
    next_at_ms=1_000,
    created_at=AT,
    body_digest=b"sha",
    correlation_id="c",
    due_at_ms=61_000,
)
RUN_ROW: Row = DELIVERY_ROW | {
    "sk": "DELIVERY#run",
    "url": "https://r.example.com/",
    "secret_box": b"box",
    "traceparent": "00-a",
    "created_key": f"{AT}#{EVENT_ID}.run",
    "endpoint_ref": "p1#run",
    "list_shard": f"p1#{crc32(f'{AT}#{EVENT_ID}.run'.encode()) % 8}",
}
RUN = replace(DELIVERY, endpoint_id="run", url="https://r.example.com/", secret_box=b"box", traceparent="00-a")
PAUSED_ROW: Row = {name: value for name, value in DELIVERY_ROW.items() if not name.startswith("due_")} | {
    "state": "paused"
}
PAUSED = replace(DELIVERY, state=DeliveryState.PAUSED, due_at_ms=None)
ATTEMPT_ROW: Row = {
    "pk": f"EVENT#{EVENT_ID}",
    "sk": "ATTEMPT#e1#0001",
    "n": 1,
    "at": "1970-01-01T00:00:00.000Z",
    "latency_ms": 12,
    "status_code": 200,
    "head": b"ok",
    "address": "192.0.2.1",
    "ttl": 99,
}
ATTEMPT = RecordedAttempt(1, "1970-01-01T00:00:00.000Z", 12, 200, None, b"ok", "192.0.2.1")


def stored(row: Row) -> Row:
    return from_item(to_item(row))


@pytest.mark.parametrize(("row", "endpoint"), [(ENDPOINT_ROW, ENDPOINT), (FULL_ENDPOINT_ROW, FULL_ENDPOINT)])
def test_the_row_of_an_endpoint_stays_as_it_is(row: Row, endpoint: Endpoint) -> None:
    assert to_endpoint(row) == endpoint
    assert stored(endpoint_row(endpoint)) == row


def test_an_unpublished_change_of_health_is_read() -> None:
    row = ENDPOINT_ROW | {"untold_type": "endpoint.degraded", "untold_at": AT, "untold_degraded_at": AT}
    assert to_endpoint(row).unpublished_change == HealthChange("endpoint.degraded", AT, AT)


@pytest.mark.parametrize(("row", "delivery"), [(DELIVERY_ROW, DELIVERY), (RUN_ROW, RUN), (PAUSED_ROW, PAUSED)])
def test_the_row_of_a_delivery_stays_as_it_is(row: Row, delivery: Delivery) -> None:
    assert to_delivery(row) == delivery
    assert stored(delivery_row(delivery, 99)) == row


def test_a_row_that_names_its_project_is_read() -> None:
    """Earlier builds wrote such rows, which only the index `by_project` lists."""
    earlier = {name: value for name, value in DELIVERY_ROW.items() if name != "list_shard"} | {"project_id": "p1"}
    assert to_delivery(earlier) == DELIVERY


def test_a_claimed_and_a_final_delivery_are_read() -> None:
    claimed = DELIVERY_ROW | {"state": "sending", "lease_until_ms": 5, "lease_owner": "me", "attempts_before": 2}
    expected = replace(
        DELIVERY, state=DeliveryState.SENDING, lease_until_ms=5, lease_owner="me", attempts_before=2, lane_at_ms=None
    )
    assert to_delivery(claimed) == expected
    kept = {name: value for name, value in ATTEMPT_ROW.items() if name not in {"pk", "sk", "ttl"}}
    final = PAUSED_ROW | {"state": "delivered", "attempt": 1, "only_attempt": kept}
    assert to_delivery(final) == replace(PAUSED, state=DeliveryState.DELIVERED, attempt=1, only_attempt=ATTEMPT)


def test_the_row_of_an_attempt_stays_as_it_is() -> None:
    attempt = new_attempt(DELIVERY, Reply(12, 200, head=b"ok", address="192.0.2.1"), 0)
    assert attempt == ATTEMPT == to_attempt(ATTEMPT_ROW)
    assert stored(attempt_row(DELIVERY, attempt, 99_000 - TTL_MS)) == ATTEMPT_ROW
    failed = new_attempt(DELIVERY, Reply(12, error_code="timeout"), 0)
    assert to_attempt(stored(attempt_row(DELIVERY, failed, 0))) == failed


def test_a_change_of_settings_writes_what_differs() -> None:
    after = replace(ENDPOINT, description="d", filters=RunFilters(("AC",)))
    filters = {"verdicts": ("AC",), "languages": (), "metadata": {}}
    assert changes(ENDPOINT, after) == ({"description": "d", "filters": filters}, ())
    assert changes(after, ENDPOINT) == ({"description": ""}, ("filters",))
