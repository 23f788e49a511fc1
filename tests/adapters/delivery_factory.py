"""Events, deliveries and attempts put straight into the table, in whatever state a test needs."""

from typing import Any

from functions.aws.dynamodb.items import to_item
from functions.clock import from_rfc3339, now_ms, to_rfc3339
from functions.event_log.model import Event
from functions.event_log.rows import event_row
from functions.ids import new_id
from functions.webhooks.deliveries import store
from functions.webhooks.deliveries.model import Delivery, DeliveryState
from functions.webhooks.vocabulary import EVENT_COMPLETED, Reply
from tests.adapters.aws_account import PROJECT_ID, Aws

DAY_MS = 86_400_000
BODY = b'{"type":"submission.completed","timestamp":"2026-11-24T12:00:00.000Z"}'


def put_event(aws: Aws, event_id: str, *, project_id: str = PROJECT_ID, ttl: int | None = None) -> None:
    event = Event(event_id, EVENT_COMPLETED, project_id, BODY, event_id)
    row = event_row(event, ttl or now_ms() // 1_000 + 86_400)
    aws.client("dynamodb").put_item(TableName=aws.names["DeliveriesTable"], Item=to_item(row))


def put_delivery(
    aws: Aws,
    state: str = "exhausted",
    *,
    endpoint_id: str = "run",
    age_ms: int = 0,
    created_at: str | None = None,
    ttl: int | None = None,
    **changes: Any,
) -> Delivery:
    """A delivery with its event. `age_ms`: how long ago it was created."""
    event_id = changes.pop("event_id", None) or new_id()
    created_at = created_at or to_rfc3339(now_ms() - age_ms)
    values: dict[str, Any] = {
        "event_id": event_id,
        "endpoint_id": endpoint_id,
        "project_id": PROJECT_ID,
        "submission_id": event_id,
        "state": DeliveryState(state),
        "attempt": 0,
        "next_at_ms": from_rfc3339(created_at),
        "created_at": created_at,
        "url": "https://hooks.example.com/?very-hidden" if endpoint_id == "run" else "",
        "secret_box": b"sealed" if endpoint_id == "run" else b"",
    }
    delivery = Delivery(**values | changes)
    row = store.delivery_row(delivery, ttl or now_ms() // 1_000 + 86_400)
    if state not in {"pending", "sending", "retrying"}:
        row |= {"due_shard": None, "due_at_ms": None}
    aws.client("dynamodb").put_item(TableName=aws.names["DeliveriesTable"], Item=to_item(row))
    put_event(aws, event_id, project_id=delivery.project_id)
    return delivery


def put_attempt(aws: Aws, delivery: Delivery, reply: Reply, number: int = 1) -> None:
    """One attempt of a delivery; the count in its row stays."""
    counted = Delivery(**{name: getattr(delivery, name) for name in Delivery.__slots__} | {"attempt": number - 1})
    attempt = store.new_attempt(counted, reply, now_ms())
    row = store.attempt_row(counted, attempt, now_ms() // 1_000 + 86_400)
    aws.client("dynamodb").put_item(TableName=aws.names["DeliveriesTable"], Item=to_item(row))


def raw_row(aws: Aws, delivery: Delivery) -> dict[str, Any]:
    found = aws.client("dynamodb").get_item(
        TableName=aws.names["DeliveriesTable"], Key=store.delivery_key(delivery.event_id, delivery.endpoint_id)
    )
    item: dict[str, Any] = found["Item"]
    return item


def name_of(delivery: Delivery) -> str:
    return f"{delivery.event_id}.{delivery.endpoint_id}"


def hint_of(delivery: Delivery) -> tuple[str, str]:
    return delivery.event_id, delivery.endpoint_id


def hints(aws: Aws) -> list[tuple[str, str]]:
    """Deliveries that the queue names now."""
    return [(hint["event_id"], hint["endpoint_id"]) for hint in aws.messages("DeliveriesQueue")]
