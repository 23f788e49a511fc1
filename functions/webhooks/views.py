"""What a client sees of endpoints and tests, and the events about both in the OpenAPI document.

Each `TypedDict` is a schema of the document.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Annotated, Any, Literal, TypedDict, cast, get_type_hints

from pydantic import BaseModel, Field

from events.vocabulary import Language, Verdict
from functions.clock import from_rfc3339, to_rfc3339
from functions.errors import BadRequestError
from functions.http.openapi.bodies import Count, Time, Uuid
from functions.http.openapi.operation import TRACEPARENT_HEADER, Responses, Webhook
from functions.http.parameters import Parameters, since_ms
from functions.webhooks.deliveries.model import Latency
from functions.webhooks.deliveries.views import Answered, EndpointLatency, latency_body, reply_body
from functions.webhooks.endpoints.model import (
    DEGRADED_FROM,
    DISABLE_AFTER_MS,
    HIDDEN,
    RECOVERED_TO,
    BodyFormat,
    DisabledReason,
    Endpoint,
    EndpointSettings,
    Health,
)
from functions.webhooks.signature import USER_AGENT
from functions.webhooks.vocabulary import (
    EVENT_BLOCKED,
    EVENT_DEGRADED,
    EVENT_DISABLED,
    EVENT_EXHAUSTED,
    EVENT_RECOVERED,
    EVENT_TEST,
    Rate,
    Reply,
)
from functions.webhooks.webhook_url import host_of

# Endpoints, without secrets and header values.


class FiltersView(TypedDict):
    """Filters of runs; empty ones accept every run."""

    verdicts: list[Verdict]
    languages: list[Language]
    metadata: dict[str, str]


class AttemptRate(TypedDict):
    """Attempts in a window that ends now. An estimate: the period before counts in part, as if spread evenly."""

    attempts: Count
    failures: Count
    success_rate: Annotated[float | None, Field(description="From 0 to 1. null: no attempts.")]


class EndpointStats(TypedDict):
    """Attempts at an endpoint, without those of alerts and tests."""

    last_hour: AttemptRate
    last_day: AttemptRate


class TransformView(TypedDict):
    """A program that writes the bodies of deliveries."""

    language: Language
    code: str


_SHOWN_KINDS = get_type_hints(EndpointSettings) | {
    "filters": FiltersView,
    "routing_key": str | None,
    "transform": TransformView | None,
}


def _shown(name: str, *, description: str | None = None, **_: Any) -> Any:
    """Return the type of a setting in an answer, without the bounds of requests."""
    kind = Count if _SHOWN_KINDS[name] is int else _SHOWN_KINDS[name]
    return kind if description is None else Annotated[kind, Field(description=description)]


class _Named(TypedDict):
    id: Uuid


_Settings = TypedDict("_Settings", {each.name: _shown(each.name, **each.metadata) for each in fields(EndpointSettings)})  # type: ignore[misc]  # its fields are those of EndpointSettings


class EndpointView(_Named, _Settings):
    """A webhook endpoint: its settings, without secret values, and its state.

    Only the responses of creation and rotation show its secret.
    """

    public_key: Annotated[str | None, Field(description="The public key: whpk_<base64>. null: not asymmetric.")]
    health: Annotated[
        Health,
        Field(
            description="degraded: a quarter of the attempts of the last hour failed, all of a day if they are five or "
            "more, or all for two and a half days."
        ),
    ]
    warning: Annotated[
        str | None,
        Field(
            description="Why it is degraded, and when it recovers or will be disabled; or that the recipient of "
            "e-mail has not agreed."
        ),
    ]
    degraded_at: Time | None
    stats: EndpointStats
    failing_since: Annotated[Time | None, Field(description="First failure since the last success.")]
    disabled_reason: Annotated[
        DisabledReason | None,
        Field(description="request: by the project; gone: it responded 410; failing: five days of failures."),
    ]
    disabled_at: Time | None
    previous_secret_until: Annotated[
        Time | None, Field(description="The secret before the last rotation also signs until this time.")
    ]
    created_at: Time
    updated_at: Time


class EndpointWithSecret(EndpointView):
    """An endpoint with its new secret. No other response shows the secret."""

    secret: str


class EndpointPage(TypedDict):
    """One page, newest first."""

    items: list[EndpointView]
    next_cursor: str | None


class EndpointValid(_Settings):
    """The settings are valid here and now: these would be stored."""

    valid: Literal[True]


class EndpointDeleted(TypedDict):
    """A deleted endpoint. It gets no more requests."""

    id: Uuid
    deleted: Literal[True]


def endpoint_body(endpoint: Endpoint, now_ms: int) -> EndpointView:
    """Return the body of one endpoint."""
    failing = endpoint.failing
    overlaps = len(endpoint.signing_boxes(now_ms)) > 1
    return {
        "id": endpoint.endpoint_id,
        **_settings(endpoint),
        "public_key": endpoint.public_key,
        "health": endpoint.health(now_ms),
        "warning": _warning(endpoint, now_ms),
        "degraded_at": endpoint.degraded_at,
        "stats": {
            "last_hour": _rate_body(endpoint.traffic.last_hour(now_ms)),
            "last_day": _rate_body(endpoint.traffic.last_day(now_ms)),
        },
        "failing_since": to_rfc3339(failing.since_ms) if failing else None,
        "disabled_reason": endpoint.disabled_reason,
        "disabled_at": endpoint.disabled_at,
        "previous_secret_until": to_rfc3339(endpoint.previous_until_ms or 0) if overlaps else None,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }


def change_view(endpoint: Endpoint) -> dict[str, Any]:
    """Return the settings for the log of changes: of the URL the host, because its path may hold a credential."""
    transform = endpoint.transform
    hashed = None if transform is None else f"{transform.language}:{sha256(transform.code.encode()).hexdigest()}"
    return {**_settings(endpoint), "url": host_of(endpoint.url), "transform": hashed}


def with_secret(body: EndpointView, secret: str) -> EndpointWithSecret:
    """Add the secret, which only the answers of creation and rotation show."""
    return {**body, "secret": secret}


def valid_body(settings: EndpointSettings) -> EndpointValid:
    return {"valid": True, **_settings(settings)}


def _settings(settings: EndpointSettings) -> _Settings:
    shown = {
        "filters": asdict(settings.filters),
        "routing_key": HIDDEN if settings.routing_key else None,
        "transform": None if settings.transform is None else asdict(settings.transform),
    }
    return cast("_Settings", settings.hidden | shown)


def _rate_body(rate: Rate) -> AttemptRate:
    attempts = round(rate.attempts)
    success_rate = round(1 - rate.failed_share, 4) if attempts else None
    return {"attempts": attempts, "failures": min(round(rate.failures), attempts), "success_rate": success_rate}


def _warning(endpoint: Endpoint, now_ms: int) -> str | None:
    if endpoint.link_sha256 is not None and endpoint.confirmed_url != endpoint.url:
        return "The recipient has not agreed to mails by the link that was sent. A test of the endpoint sends another."
    if endpoint.health(now_ms) is not Health.DEGRADED:
        return None
    if endpoint.failing is None or not endpoint.is_failing_long(now_ms):
        return (
            f"Degraded since {endpoint.degraded_at}: at least {DEGRADED_FROM:.0%} of the attempts failed. It has "
            f"recovered when at most {RECOVERED_TO:.0%} fail."
        )
    since_ms = endpoint.failing.since_ms
    return (
        f"Every delivery since {to_rfc3339(since_ms)} has failed. Without a success, the endpoint is disabled "
        f"after {to_rfc3339(since_ms + DISABLE_AFTER_MS)}, and its deliveries pause."
    )


@dataclass(frozen=True, slots=True)
class EndpointFilters:
    """Filters of the list; None matches everything. `state`: a health. `since_ms`: created since then."""

    state: str | None = None
    since_ms: int | None = None

    def accept(self, endpoint: Endpoint, now_ms: int) -> bool:
        is_recent = self.since_ms is None or from_rfc3339(endpoint.created_at) >= self.since_ms
        return is_recent and self.state in {None, endpoint.health(now_ms)}


def endpoint_filters(parameters: Parameters) -> EndpointFilters:
    """Parse the filters of the list. Raises BadRequestError."""
    state = parameters.get("state")
    if state is not None and state not in list(Health):
        raise BadRequestError(f"state must be one of {', '.join(Health)}.")
    return EndpointFilters(state, since_ms(parameters))


def created_key(endpoint: Endpoint) -> str:
    """Return the position of an endpoint in the list."""
    return f"{endpoint.created_at}#{endpoint.endpoint_id}"


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


class DeliveryBlockedEvent(BaseModel):
    """Body of `delivery.blocked`."""

    type: Literal["delivery.blocked"]
    timestamp: Time = Field(description="When the first of them was blocked.")
    endpoint_id: str = Field(description="An endpoint's id, or run: the runs' own URLs.")
    deliveries: int = Field(ge=1, description="Blocked deliveries since the event before.")
    last_delivery_id: str = Field(description="<event id>.<endpoint id> of the last of them, which says why.")


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
    EVENT_BLOCKED: Webhook(
        "deliveryBlocked",
        "Nothing was sent of deliveries to one target: a transform failed, or it cannot be sent to",
        REPEATED,
        DeliveryBlockedEvent,
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


# What only routes show: an endpoint with its latencies, and the result of a test.


class EndpointDetail(EndpointView):
    """An endpoint with the latencies of its last deliveries."""

    latency: EndpointLatency


class SentRequest(TypedDict):
    """The exact request, without headers of the connection."""

    method: Literal["POST", "MAIL"]
    url: str
    headers: Annotated[dict[str, str], Field(description="As sent, including the values of custom headers.")]
    body: str


class TestResult(TypedDict):
    """A test send. `delivered`: the response was a 2xx."""

    endpoint_id: Uuid
    delivered: bool
    request: SentRequest
    signed_content: Annotated[
        str, Field(description="The signed text: webhook-id, webhook-timestamp and body. A mail has none.")
    ]
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
    is_mail = endpoint.format is BodyFormat.EMAIL
    signed = "" if is_mail else f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}"
    return {
        "endpoint_id": endpoint.endpoint_id,
        "delivered": reply.is_success,
        "request": {
            "method": "MAIL" if is_mail else "POST",
            "url": endpoint.url,
            "headers": dict(headers),
            "body": body,
        },
        "signed_content": signed,
        "response": reply_body(reply),
    }
