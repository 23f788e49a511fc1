"""Response bodies for deliveries and attempts, and their parameters."""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from functions.clock import to_rfc3339
from functions.errors import BadRequestError
from functions.http.json_body import Body
from functions.http.parameters import Parameters, since_ms, uuid
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID, Delivery, DeliveryState
from functions.webhooks.vocabulary.reply import Reply

DELIVERY_KEY = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z"
    r"#[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|run)",
    re.ASCII,
)
"""Pattern of a `created_key`, the content of a cursor."""

_WAITING = (DeliveryState.PENDING, DeliveryState.RETRYING)


@dataclass(frozen=True, slots=True)
class DeliveryFilters:
    """Filters of the list; None matches everything."""

    submission_id: str | None = None
    endpoint_id: str | None = None
    state: str | None = None
    since_ms: int | None = None


def delivery_filters(parameters: Parameters) -> DeliveryFilters:
    """Parse the filters of the list. Raises BadRequestError."""
    state = parameters.get("state")
    if state is not None and state not in list(DeliveryState):
        raise BadRequestError(f"state must be one of {', '.join(DeliveryState)}.")
    submission, endpoint = parameters.get("submission_id"), parameters.get("endpoint_id")
    return DeliveryFilters(
        None if submission is None else uuid(submission),
        None if endpoint is None else _endpoint_id(endpoint),
        state,
        since_ms(parameters),
    )


def delivery_id(text: str) -> tuple[str, str]:
    """Parse `<event_id>.<endpoint_id>`. Raises BadRequestError."""
    event, _, endpoint = text.partition(".")
    try:
        return uuid(event), _endpoint_id(endpoint)
    except BadRequestError:
        raise BadRequestError("A delivery id is two UUIDs, or a UUID and `run`, with a dot between.") from None


def delivery_body(delivery: Delivery) -> Body:
    """Return one item of the list."""
    return {
        "id": f"{delivery.event_id}.{delivery.endpoint_id}",
        "webhook_id": delivery.event_id,
        "type": delivery.event_type,
        "endpoint_id": delivery.endpoint_id,
        "submission_id": delivery.submission_id or None,
        "state": delivery.state.value,
        "attempts_made": delivery.attempt,
        "next_attempt_at": to_rfc3339(delivery.next_at_ms) if delivery.state in _WAITING else None,
        "created_at": delivery.created_at,
    }


def delivery_detail_body(delivery: Delivery, attempts: Iterable[Mapping[str, Any]]) -> Body:
    """Return one delivery with its attempts, given in the shape of `attempt_values`."""
    return delivery_body(delivery) | {"attempts": [_attempt_body(attempt) for attempt in attempts]}


def reply_body(reply: Reply) -> Body:
    """Return the result of one send."""
    return _reply_body(reply.status_code, reply.error_code, reply.latency_ms, reply.address, reply.head)


def _attempt_body(row: Mapping[str, Any]) -> Body:
    reply = _reply_body(
        row.get("status_code"), row.get("error_code"), row["latency_ms"], row.get("address"), row.get("head", b"")
    )
    return {"n": row["n"], "at": row["at"], **reply}


def _reply_body(
    status_code: int | None, error_code: str | None, latency_ms: int, address: str | None, head: bytes
) -> Body:
    try:
        text, exact = head.decode(), None
    except UnicodeDecodeError:
        text, exact = head.decode(errors="replace"), base64.b64encode(head).decode()
    return {
        "status_code": status_code,
        "error_code": error_code,
        "latency_ms": latency_ms,
        "address": address,
        "head": text,
        "head_base64": exact,
    }


def _endpoint_id(text: str) -> str:
    return text if text == RUN_ENDPOINT_ID else uuid(text)
