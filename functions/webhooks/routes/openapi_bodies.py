"""Response bodies of /api/webhooks and /api/deliveries."""

from typing import Literal

from pydantic import BaseModel, Field

from functions.http.openapi.bodies import Time, Uuid
from functions.messages.evidence import Count
from functions.messages.languages import Language
from functions.messages.verdict import Verdict
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.endpoints.model import BodyFormat, DisabledReason, Health, Payload


class FiltersView(BaseModel):
    """Filters of runs; empty ones accept every run."""

    verdicts: list[Verdict]
    languages: list[Language]
    metadata: dict[str, str]


class AttemptRate(BaseModel):
    """Attempts in a window that ends now. An estimate: the period before counts in part, as if spread evenly."""

    attempts: Count
    failures: Count
    success_rate: float | None = Field(description="From 0 to 1. null: no attempts.")


class EndpointStats(BaseModel):
    """Attempts at an endpoint, without those of alerts and tests."""

    last_hour: AttemptRate
    last_day: AttemptRate


class EndpointView(BaseModel):
    """A webhook endpoint. Only the responses of creation and rotation show its secret."""

    id: Uuid
    url: str
    events: list[str] = Field(description="Subscribed event names. Empty: all but those of each check run.")
    description: str
    enabled: bool
    headers: dict[str, str] = Field(
        description="Names of the custom headers. Each value is ***. Send *** in a change to keep a value."
    )
    max_concurrency: Count = Field(description="Limit of concurrent requests.")
    max_per_second: Count = Field(description="Limit of requests per second. 0: no limit.")
    format: BodyFormat = Field(description="event: the event itself. Others: a message for people, made from it.")
    filters: FiltersView
    payload: Payload = Field(
        description="full: the event. thin: `type`, `id`, `timestamp`, `api_version`, `submission_id` and the `url` of "
        "the event, which needs an API key."
    )
    api_version: str = Field(description="Version of the shape of events, set at creation.")
    ordered: bool = Field(description="One delivery at a time, in order.")
    asymmetric: bool = Field(description="Requests are also signed with an ed25519 key pair (`v1a`).")
    public_key: str | None = Field(description="The public key: whpk_<base64>. null: not asymmetric.")
    health: Health = Field(
        description="degraded: a quarter of the attempts of the last hour failed, or all for two and a half days."
    )
    warning: str | None = Field(description="Why it is degraded, and when it recovers or will be disabled.")
    degraded_at: Time | None
    stats: EndpointStats
    failing_since: Time | None = Field(description="First failure since the last success.")
    disabled_reason: DisabledReason | None = Field(
        description="request: by the project; gone: it responded 410; failing: five days of failures."
    )
    disabled_at: Time | None
    previous_secret_until: Time | None = Field(
        description="The secret before the last rotation also signs until this time."
    )
    created_at: Time
    updated_at: Time


class LatencyWindow(BaseModel):
    """Latencies of the deliveries of a window that their first attempt delivered."""

    p50_ms: Count | None = Field(description="null: no such delivery.")
    p95_ms: Count | None
    deliveries: Count


class EndpointLatency(BaseModel):
    """A sample: the newest 100 deliveries of the last day."""

    last_hour: LatencyWindow
    last_day: LatencyWindow


class EndpointDetail(EndpointView):
    """An endpoint with the latencies of its last deliveries."""

    latency: EndpointLatency


class EndpointWithSecret(EndpointView):
    """An endpoint with its new secret. No other response shows the secret."""

    secret: str


class EndpointPage(BaseModel):
    """One page, newest first."""

    items: list[EndpointView]
    next_cursor: str | None


class EndpointDeleted(BaseModel):
    """A deleted endpoint. It gets no more requests."""

    id: Uuid
    deleted: Literal[True]


class Answered(BaseModel):
    """Result of one send: a status code, or an error code if there was no response."""

    status_code: int | None
    error_code: str | None
    latency_ms: Count
    address: str | None = Field(description="The IP address of the receiver.")
    head: str = Field(description="First 1,024 bytes of the response body; invalid UTF-8 is replaced.")
    head_base64: str | None = Field(description="The exact bytes, if they are not valid UTF-8.")


class SentRequest(BaseModel):
    """The exact request, without headers of the connection."""

    method: Literal["POST"]
    url: str
    headers: dict[str, str] = Field(description="As sent, including the values of custom headers.")
    body: str


class TestResult(BaseModel):
    """A test send. `delivered`: the response was a 2xx."""

    endpoint_id: Uuid
    delivered: bool
    request: SentRequest
    signed_content: str = Field(description="The signed text: webhook-id, webhook-timestamp and body.")
    response: Answered


class Recovered(BaseModel):
    """Result of a recovery. If it is not complete, repeat it with `since` = `continue_since`."""

    recovered: Count = Field(description="Deliveries that are pending again. At most 50 per second become due.")
    complete: bool
    continue_since: Time | None


class DeliveryItem(BaseModel):
    """One event for one endpoint."""

    id: str = Field(description="<event id>.<endpoint id>")
    webhook_id: Uuid
    type: str = Field(description="The event's name.")
    endpoint_id: str = Field(description="An endpoint's id, or run: the run's own webhook_url.")
    submission_id: Uuid | None = Field(description="null: the event has no submission.")
    state: DeliveryState
    attempts_made: Count
    next_attempt_at: Time | None
    created_at: Time


class Attempt(Answered):
    """One attempt. Numbers continue after a replay."""

    n: int = Field(ge=1)
    at: Time


class DeliveryDetail(DeliveryItem):
    """A delivery with its attempts."""

    attempts: list[Attempt] = Field(description="The last 100, oldest first.")


class DeliveryPage(BaseModel):
    """One page, newest first. With a filter, a short page may have a next page."""

    items: list[DeliveryItem]
    next_cursor: str | None


class EgressAddresses(BaseModel):
    """Where webhooks come from."""

    networks: list[str] = Field(description="IPv4 or IPv6, such as 192.0.2.7/32.", examples=[["192.0.2.7/32"]])
    static: bool = Field(description="false: `networks` is empty, and webhooks may come from any address.")
