"""What only the routes know how to show: an endpoint with its latencies, and the result of a test."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypedDict

from pydantic import Field

from functions.http.openapi.bodies import Uuid
from functions.webhooks.deliveries.lists import Latency, latency_body
from functions.webhooks.deliveries.views import Answered, EndpointLatency, reply_body
from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.endpoints.views import EndpointView, endpoint_body
from functions.webhooks.vocabulary import Reply

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
