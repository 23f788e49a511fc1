"""Shapes of what /api/webhooks and /api/deliveries answer, and of the events that are no result."""

from typing import Literal

from pydantic import BaseModel, Field

from functions.http.openapi.bodies import Time, Uuid
from functions.messages.evidence import Count
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.endpoints.model import DisabledReason, Health


class EndpointView(BaseModel):
    """A webhook endpoint. Its secret is shown in the answers of creation and rotation only."""

    id: Uuid
    url: str
    events: list[str] = Field(description="Event names that it wants. Empty: all.")
    description: str
    enabled: bool
    headers: dict[str, str] = Field(
        description="Names of the custom headers. Each value reads ***; given back in a change, it stays as it is."
    )
    max_concurrency: Count = Field(description="Requests at the same time, at most.")
    max_per_second: Count = Field(description="Requests that begin in one second, at most. 0: no limit.")
    health: Health = Field(
        description="degraded: nothing but failures for two and a half days. After five it is disabled."
    )
    warning: str | None = Field(description="What will happen to a degraded endpoint, and when.")
    failing_since: Time | None = Field(description="First failure since the last delivery.")
    disabled_reason: DisabledReason | None = Field(
        description="request: the project itself; gone: it answered 410; failing: five days of failures."
    )
    disabled_at: Time | None
    previous_secret_until: Time | None = Field(description="Until then the secret before the last rotation signs too.")
    created_at: Time
    updated_at: Time


class EndpointWithSecret(EndpointView):
    """An endpoint with its new secret, which is never shown again."""

    secret: str


class EndpointPage(BaseModel):
    """One page, newest first."""

    items: list[EndpointView]
    next_cursor: str | None


class EndpointDeleted(BaseModel):
    """Nothing is sent to it any more."""

    id: Uuid
    deleted: Literal[True]


class Answered(BaseModel):
    """What came back from one send: a status code, or the error code why there is none."""

    status_code: int | None
    error_code: str | None
    latency_ms: Count
    address: str | None = Field(description="The address that was dialled.")
    head: str = Field(description="First 1,024 bytes of the answer's body; invalid UTF-8 replaced.")
    head_base64: str | None = Field(description="The same, exact, where it is not valid UTF-8.")


class SentRequest(BaseModel):
    """What was sent, byte for byte; headers of the connection apart."""

    method: Literal["POST"]
    url: str
    headers: dict[str, str] = Field(description="As sent, the values of custom headers too.")
    body: str


class TestResult(BaseModel):
    """A test send. `delivered`: it was answered with a 2xx."""

    endpoint_id: Uuid
    delivered: bool
    request: SentRequest
    signed_content: str = Field(description="The text that was signed: webhook-id, webhook-timestamp and body.")
    response: Answered


class Recovered(BaseModel):
    """How far a recovery came. Not complete: repeat it with `since` = `continue_since`."""

    recovered: Count = Field(description="Deliveries that are pending again; they go out at 50 a second at most.")
    complete: bool
    continue_since: Time | None


class DeliveryItem(BaseModel):
    """One webhook owed to one endpoint."""

    id: str = Field(description="<event id>.<endpoint id>")
    webhook_id: Uuid
    type: str = Field(description="The event's name.")
    endpoint_id: str = Field(description="An endpoint's id, or run: the run's own webhook_url.")
    submission_id: Uuid | None = Field(description="null: the event is not about a run.")
    state: DeliveryState
    attempts_made: Count
    next_attempt_at: Time | None
    created_at: Time


class Attempt(Answered):
    """One attempt; numbers go on after a replay."""

    n: int = Field(ge=1)
    at: Time


class DeliveryDetail(DeliveryItem):
    """A delivery with its attempts."""

    attempts: list[Attempt] = Field(description="The last 100, oldest first.")


class DeliveryPage(BaseModel):
    """One page, newest first. With a filter a page may be short and still have a next one."""

    items: list[DeliveryItem]
    next_cursor: str | None


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
