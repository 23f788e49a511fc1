"""The OpenAPI document of webhooks: the events that endpoints and deliveries cause, and what only routes show."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypedDict

from pydantic import BaseModel, Field

from functions.http.openapi.bodies import Count, Time, Uuid
from functions.http.openapi.operation import TRACEPARENT_HEADER, Responses, Webhook
from functions.webhooks.deliveries.replay import Latency, latency_body
from functions.webhooks.deliveries.views import Answered, EndpointLatency, reply_body
from functions.webhooks.endpoints.model import DisabledReason, Endpoint
from functions.webhooks.endpoints.views import EndpointView, endpoint_body
from functions.webhooks.signature import USER_AGENT
from functions.webhooks.vocabulary import (
    EVENT_DEGRADED,
    EVENT_DISABLED,
    EVENT_EXHAUSTED,
    EVENT_RECOVERED,
    EVENT_TEST,
    Reply,
)

# The events that endpoints and deliveries cause, in the OpenAPI document: bodies, responses and headers.


class WebhookTestEvent(BaseModel):
    """Body of `webhook.test`."""

    type: Literal["webhook.test"]
    timestamp: Time
    endpoint_id: Uuid
    message: str


class EndpointDisabledEvent(BaseModel):
    """Body of `endpoint.disabled`."""

    type: Literal["endpoint.disabled"]
    timestamp: Time
    endpoint_id: Uuid
    host: str = Field(description="Host of its URL.")
    reason: Literal[DisabledReason.GONE, DisabledReason.FAILING]


class _HealthEvent(BaseModel):
    timestamp: Time
    endpoint_id: Uuid
    host: str = Field(description="Host of its URL.")
    degraded_at: Time = Field(description="Since when it has been degraded.")
    window: Literal["hour", "day"] = Field(description="The last hour decides if it has ten attempts, else the day.")
    attempts: Count = Field(description="Attempts in that window.")
    failures: Count


class EndpointDegradedEvent(_HealthEvent):
    """Body of `endpoint.degraded`."""

    type: Literal["endpoint.degraded"]


class EndpointRecoveredEvent(_HealthEvent):
    """Body of `endpoint.recovered`."""

    type: Literal["endpoint.recovered"]


class DeliveryExhaustedEvent(BaseModel):
    """Body of `delivery.exhausted`."""

    type: Literal["delivery.exhausted"]
    timestamp: Time = Field(description="When the first of them was exhausted.")
    endpoint_id: str = Field(description="An endpoint's id, or run: the runs' own URLs.")
    deliveries: int = Field(ge=1, description="Exhausted deliveries since the event before.")
    last_delivery_id: str = Field(description="<event id>.<endpoint id> of the last of them.")


REPEATED = (
    "Signed by the Standard Webhooks specification. Respond within 15 s. Retried until a 2xx, by default ten attempts "
    "in 75 hours. An event always has the same webhook-id and the same bytes. The event bus gets this body with "
    "`project_id` added."
)
_RETRY_AFTER = {"schema": {"type": "string"}, "description": "Seconds or an HTTP date; limited to 24 h."}
_LATER = {
    "description": "Retried on schedule, but not before Retry-After.",
    "headers": {"retry-after": _RETRY_AFTER},
}
RESPONSES: Responses = {
    "2XX": {"description": "Delivered. The attempt stores the first 1,024 bytes of the body."},
    "408": _LATER,
    "410": {"description": "The endpoint is disabled, and its deliveries pause. A run's own URL gets no retry."},
    "425": _LATER,
    "429": _LATER,
    "5XX": _LATER,
    "default": {
        "description": "Retried on schedule. Redirects are not followed. 1xx responses except 101 are skipped."
    },
}
_TEST_RESPONSES: Responses = {
    "2XX": {"description": "Delivered."},
    "default": {"description": "Shown in the response of the test; not retried."},
}

WEBHOOKS = {
    EVENT_EXHAUSTED: Webhook(
        "deliveryExhausted",
        "Deliveries to one target failed at their last attempt; at most one event an hour for a target",
        REPEATED,
        DeliveryExhaustedEvent,
        RESPONSES,
    ),
    EVENT_DEGRADED: Webhook(
        "endpointDegraded",
        "Many attempts at another endpoint of the project fail",
        REPEATED,
        EndpointDegradedEvent,
        RESPONSES,
    ),
    EVENT_RECOVERED: Webhook(
        "endpointRecovered",
        "A degraded endpoint of the project works again",
        REPEATED,
        EndpointRecoveredEvent,
        RESPONSES,
    ),
    EVENT_DISABLED: Webhook(
        "endpointDisabled",
        "Failures disabled another endpoint of the project",
        REPEATED,
        EndpointDisabledEvent,
        RESPONSES,
    ),
    EVENT_TEST: Webhook(
        "webhookTest",
        "A requested test",
        "Signed like every event, sent once.",
        WebhookTestEvent,
        _TEST_RESPONSES,
    ),
}


_ENTRIES = "v1,[A-Za-z0-9+/]{43}=( v1a,[A-Za-z0-9+/]{86}==)?"


def _header(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "schema": {"type": "string", **schema},
        "description": description,
    }


HEADERS = [
    _header(
        "webhook-id",
        {"format": "uuid"},
        "The event's id, the same in every attempt and replay. Use it to drop duplicates. For submission.completed it "
        "is the submission's id.",
    ),
    _header("webhook-timestamp", {"pattern": "^[0-9]+$"}, "Unix seconds of this attempt. Refuse old timestamps."),
    _header(
        "webhook-signature",
        {"pattern": f"^{_ENTRIES}( {_ENTRIES})?$"},
        "v1,<base64 of HMAC-SHA256 over id.timestamp.body>. From an asymmetric endpoint also v1a,<base64 of its "
        "ed25519 signature>. Both twice during a rotation overlap, separated by spaces: accept "
        "the request if one matches.",
    ),
    _header("webhook-api-version", {}, "Version of the shape of the event: that of the endpoint."),
    _header("user-agent", {"const": USER_AGENT}, "Constant."),
    TRACEPARENT_HEADER
    | {"description": "The `traceparent` of the request that made the run, if it had one (W3C Trace Context)."},
]
"""Requests also have content-type, content-length and the endpoint's custom headers."""


# What only the routes know how to show: an endpoint with its latencies, and the result of a test.

_OK = range(200, 300)


class EndpointDetail(EndpointView):
    """An endpoint with the latencies of its last deliveries."""

    latency: EndpointLatency


class SentRequest(TypedDict):
    """The exact request, without headers of the connection."""

    method: Literal["POST"]
    url: str
    headers: Annotated[dict[str, str], Field(description="As sent, including the values of custom headers.")]
    body: str


class TestResult(TypedDict):
    """A test send. `delivered`: the response was a 2xx."""

    endpoint_id: Uuid
    delivered: bool
    request: SentRequest
    signed_content: Annotated[str, Field(description="The signed text: webhook-id, webhook-timestamp and body.")]
    response: Answered


class EgressAddresses(TypedDict):
    """Where webhooks come from."""

    networks: Annotated[
        list[str], Field(description="IPv4 or IPv6, such as 192.0.2.7/32.", examples=[["192.0.2.7/32"]])
    ]
    static: Annotated[bool, Field(description="false: `networks` is empty, and webhooks may come from any address.")]


def endpoint_detail(endpoint: Endpoint, latencies: Sequence[Latency], now_ms: int) -> EndpointDetail:
    """Return the body of one endpoint with the latencies of its last deliveries."""
    return {**endpoint_body(endpoint, now_ms), "latency": latency_body(latencies, now_ms)}


def egress_body(networks: Sequence[str]) -> EgressAddresses:
    """Return the networks that the operator has configured, such as 192.0.2.7/32. None: any address."""
    return {"networks": list(networks), "static": bool(networks)}


def probe_body(endpoint: Endpoint, headers: Mapping[str, str], body: str, reply: Reply) -> TestResult:
    """Return the request, the signed content and the response of a test send, without the secret."""
    webhook_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    return {
        "endpoint_id": endpoint.endpoint_id,
        "delivered": reply.status_code in _OK,
        "request": {"method": "POST", "url": endpoint.url, "headers": dict(headers), "body": body},
        "signed_content": f"{webhook_id}.{timestamp}.{body}",
        "response": reply_body(reply),
    }
