"""Bodies of the events that endpoints and deliveries cause."""

from typing import Literal

from pydantic import BaseModel, Field

from functions.http.openapi.bodies import Time, Uuid
from functions.messages.evidence import Count
from functions.webhooks.endpoints.model import DisabledReason


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
