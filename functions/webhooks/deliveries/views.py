"""What a client sees of deliveries and attempts, and its parameters. Each `TypedDict` is a schema of the document."""

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NotRequired, TypedDict

from pydantic import Field

from functions.clock import to_rfc3339
from functions.errors import BadRequestError
from functions.http.openapi.bodies import Count, Time, Uuid
from functions.http.parameters import Parameters, since_ms, uuid
from functions.percentile import percentile
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID, Delivery, DeliveryState, Latency, RecordedAttempt
from functions.webhooks.vocabulary import DAY_MS, HOUR_MS, Reply

DELIVERY_KEY = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z"
    r"#[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|run)",
    re.ASCII,
)
"""Pattern of a `created_key`, the content of a cursor."""

_WAITING = (DeliveryState.PENDING, DeliveryState.RETRYING)


class Answered(TypedDict):
    """Result of one send: a status code, or an error code if there was no response."""

    status_code: int | None
    error_code: str | None
    latency_ms: Count
    address: Annotated[str | None, Field(description="The IP address of the receiver.")]
    head: Annotated[str, Field(description="First 1,024 bytes of the response body; invalid UTF-8 is replaced.")]
    head_base64: Annotated[str | None, Field(description="The exact bytes, if they are not valid UTF-8.")]


class DeliveryItem(TypedDict):
    """One event for one endpoint."""

    id: Annotated[str, Field(description="<event id>.<endpoint id>")]
    webhook_id: Uuid
    type: Annotated[str, Field(description="The event's name.")]
    endpoint_id: Annotated[str, Field(description="An endpoint's id, or run: the run's own webhook_url.")]
    submission_id: Annotated[Uuid | None, Field(description="null: the event has no submission.")]
    state: DeliveryState
    attempts_made: Count
    next_attempt_at: Time | None
    created_at: Time


class LastAttempt(TypedDict):
    """The end of the last attempt."""

    at: Time
    status_code: int | None
    error_code: str | None
    latency_ms: Count


class ListedDelivery(DeliveryItem):
    """A delivery with the end of its last attempt."""

    last_attempt: Annotated[LastAttempt | None, Field(description="null: none was recorded yet.")]


class Attempt(Answered):
    """One attempt. Numbers continue after a replay."""

    n: Annotated[int, Field(ge=1)]
    at: Time


class DeliveryWaiting(TypedDict):
    """Why a delivery is not being sent now."""

    reason: Annotated[
        Literal["transform", "quota", "scheduled", "endpoint_disabled", "order", "breaker_open", "slot"],
        Field(
            description="transform: its program runs, or failed before and rests until `until`. "
            "quota: the project's quota has no run for its program. "
            "scheduled: its next attempt is later. endpoint_disabled: enable the endpoint, then recover. "
            "order: others of its ordered endpoint come first. breaker_open: the target gave no answer three times, "
            "and gets one request at `until`. slot: all requests that its endpoint, host or project may have at a time "
            "are under way."
        ),
    ]
    until: NotRequired[Time]
    behind: NotRequired[Annotated[Count, Field(description="Others before it, counted up to 100.")]]


class DeliveryTransform(TypedDict):
    """Why the transform of an endpoint wrote no body."""

    verdict: Annotated[str, Field(description="AC: the program ended, but its output is no body.")]
    error: Annotated[str, Field(description="The problem, or the end of the program's standard error.")]


class DeliveryDetail(DeliveryItem):
    """A delivery with its attempts."""

    transform_failure: Annotated[DeliveryTransform | None, Field(description="null: no transform has failed.")]

    waiting: Annotated[DeliveryWaiting | None, Field(description="null: it does not wait.")]
    attempts: Annotated[list[Attempt], Field(description="The last 100, oldest first.")]


class DeliveryPage(TypedDict):
    """One page, newest first. With a filter, a short page may have a next page."""

    items: list[ListedDelivery]
    next_cursor: str | None


class Recovered(TypedDict):
    """Result of a recovery. If it is not complete, repeat it with `since` = `continue_since`."""

    recovered: Annotated[
        Count, Field(description="Deliveries that are pending again. At most 50 per second become due.")
    ]
    complete: bool
    continue_since: Time | None


class LatencyWindow(TypedDict):
    """Latencies of the deliveries of a window that their first attempt delivered."""

    p50_ms: Annotated[Count | None, Field(description="null: no such delivery.")]
    p95_ms: Count | None
    deliveries: Count


class EndpointLatency(TypedDict):
    """A sample: the newest 100 deliveries of the last day."""

    last_hour: LatencyWindow
    last_day: LatencyWindow


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


def delivery_body(delivery: Delivery) -> DeliveryItem:
    """Return what every answer about a delivery has."""
    return {
        "id": f"{delivery.event_id}.{delivery.endpoint_id}",
        "webhook_id": delivery.event_id,
        "type": delivery.event_type,
        "endpoint_id": delivery.endpoint_id,
        "submission_id": delivery.submission_id or None,
        "state": delivery.state,
        "attempts_made": delivery.attempt,
        "next_attempt_at": to_rfc3339(delivery.next_at_ms) if delivery.state in _WAITING else None,
        "created_at": delivery.created_at,
    }


def listed_body(delivery: Delivery, last: RecordedAttempt | None) -> ListedDelivery:
    """Return one item of the list."""
    return {**delivery_body(delivery), "last_attempt": None if last is None else _last_attempt_body(last)}


def delivery_detail_body(
    delivery: Delivery, waiting: DeliveryWaiting | None, attempts: Iterable[RecordedAttempt]
) -> DeliveryDetail:
    """Return one delivery with its attempts, and why it waits."""
    shown = [_attempt_body(attempt) for attempt in attempts]
    why = delivery.transform_failure
    failure: DeliveryTransform | None = None if why is None else {"verdict": why.verdict, "error": why.error}
    return {**delivery_body(delivery), "transform_failure": failure, "waiting": waiting, "attempts": shown}


def reply_body(reply: Reply | RecordedAttempt) -> Answered:
    """Return the result of one send."""
    try:
        text, exact = reply.head.decode(), None
    except UnicodeDecodeError:
        text, exact = reply.head.decode(errors="replace"), base64.b64encode(reply.head).decode()
    return {
        "status_code": reply.status_code,
        "error_code": reply.error_code,
        "latency_ms": reply.latency_ms,
        "address": reply.address,
        "head": text,
        "head_base64": exact,
    }


def _last_attempt_body(attempt: RecordedAttempt) -> LastAttempt:
    return {
        "at": attempt.at,
        "status_code": attempt.status_code,
        "error_code": attempt.error_code,
        "latency_ms": attempt.latency_ms,
    }


def _attempt_body(attempt: RecordedAttempt) -> Attempt:
    return {"n": attempt.n, "at": attempt.at, **reply_body(attempt)}


def _endpoint_id(text: str) -> str:
    return text if text == RUN_ENDPOINT_ID else uuid(text)


def latency_body(latencies: Sequence[Latency], now_ms: int) -> EndpointLatency:
    """Return p50 and p95 of the last hour and of the last day."""
    return {"last_hour": _window(latencies, now_ms - HOUR_MS), "last_day": _window(latencies, now_ms - DAY_MS)}


def _window(latencies: Sequence[Latency], since_ms: int) -> LatencyWindow:
    ordered = sorted(latency.latency_ms for latency in latencies if latency.at_ms >= since_ms)
    return {"p50_ms": percentile(ordered, 50), "p95_ms": percentile(ordered, 95), "deliveries": len(ordered)}
