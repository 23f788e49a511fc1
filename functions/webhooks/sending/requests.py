"""The request of an attempt: its body in the format of the endpoint, its headers and their signature."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from functions.clock import MS_PER_SEC, to_rfc3339
from functions.env import Env
from functions.event_log.model import Event, event_bytes, limit_output
from functions.event_log.rows import LogWriter
from functions.http.parameters import event_path
from functions.webhooks.cards import Cards, cards
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID, Delivery, Report, report_headers
from functions.webhooks.deliveries.written_body import WrittenBody
from functions.webhooks.egress import LONG, TOTAL_SECS, Egress, Wait
from functions.webhooks.endpoints.model import MAX_OUTPUT_BYTES, BodyFormat, Endpoint, Payload
from functions.webhooks.mail import MailRequest
from functions.webhooks.sealed_secrets import EndpointSecrets, SecretBoxes, UnsealError
from functions.webhooks.signature import (
    USER_AGENT,
    InvalidSecretError,
    parse_secret,
    signatures,
    webhook_headers,
)
from functions.webhooks.vocabulary import CURRENT_VERSION, EVENT_REPORT, EVENT_TEST, Reply

# Events in the form of CloudEvents 1.0, for both content modes of its HTTP binding.
#
# https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md

STRUCTURED_TYPE: Final = "application/cloudevents+json"
_SUBJECTS: Final = ("check_id", "endpoint_id")


def attributes(event_id: str, submission_id: str, event: bytes, public_base_url: str) -> dict[str, str]:
    """Return the context attributes of an event. All values are visible ASCII, as headers need."""
    values: Mapping[str, Any] = json.loads(event)
    subject = submission_id or next((str(values[name]) for name in _SUBJECTS if name in values), "")
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": public_base_url or "rustbox",
        "type": values["type"],
        "time": values["timestamp"],
        **({"subject": subject} if subject else {}),
    }


def binary_headers(context: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of binary mode. The body is the event itself."""
    return {f"ce-{name}": value for name, value in context.items()}


def structured_body(context: Mapping[str, str], event: bytes) -> bytes:
    """Return the body of structured mode, with the bytes of the event as its data."""
    envelope = event_bytes({**context, "datacontenttype": "application/json"})
    return envelope.removesuffix(b"}") + b',"data":' + event + b"}"


# The body that an endpoint gets of an event, with the headers of its format.
#
# It is the event itself, a message for people, or only its ids.


@dataclass(frozen=True, slots=True)
class Body:
    """A body, and the headers that describe it."""

    content: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


def content_of(public_base_url: str, endpoint: Endpoint, event_id: str, submission_id: str, event: bytes) -> bytes:
    """Return as much of an event with these bytes as an endpoint gets. A transform reads it."""
    if endpoint.payload is Payload.THIN:
        return _thin(endpoint, public_base_url, event_id, submission_id, event)
    if endpoint.max_output_bytes < MAX_OUTPUT_BYTES:
        return limit_output(event, public_base_url, submission_id, endpoint.max_output_bytes)
    return event


def body_of(
    cards: Cards,
    public_base_url: str,
    endpoint: Endpoint,
    event_id: str,
    submission_id: str,
    event: bytes,
    routing_key: str = "",
) -> Body:
    """Return the body of an event with these bytes: always the same for the same event and endpoint.

    `public_base_url` has no trailing slash. `routing_key`: that of the endpoint.
    """
    content = content_of(public_base_url, endpoint, event_id, submission_id, event)
    match endpoint.format:
        case BodyFormat.CLOUDEVENTS:
            return Body(content, binary_headers(attributes(event_id, submission_id, event, public_base_url)))
        case BodyFormat.CLOUDEVENTS_STRUCTURED:
            context = attributes(event_id, submission_id, event, public_base_url)
            return Body(structured_body(context, content), {"content-type": STRUCTURED_TYPE})
        case body_format:
            more = {"routing_key": routing_key} if routing_key else {}
            return Body(cards.body(body_format, content, more))


def _thin(endpoint: Endpoint, public_base_url: str, event_id: str, submission_id: str, event: bytes) -> bytes:
    values = json.loads(event)
    is_stored = values["type"] != EVENT_TEST
    return event_bytes(
        {
            "type": values["type"],
            "id": event_id,
            "timestamp": values["timestamp"],
            "api_version": endpoint.api_version,
            "submission_id": submission_id or None,
            "url": public_base_url + event_path(event_id) if is_stored else None,
            **({"artifacts": len(values["artifacts"])} if "artifacts" in values else {}),
        }
    )


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request, ready to be sent: with POST, or with PUT for a callback."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    is_callback: bool = False
    timeout_secs: float = TOTAL_SECS

    def send(self, egress: Egress, wait: Wait = LONG) -> Reply:
        """Send it once. Failures return a Reply with an error code; nothing raises."""
        send = egress.put if self.is_callback else egress.post
        if self.timeout_secs < wait.total_secs:
            wait = replace(wait, total_secs=self.timeout_secs)
        return send(self.url, self.headers, self.body, wait)


type Request = SignedRequest | MailRequest


def sign(env: Env, delivery: Delivery, endpoint: Endpoint | None, event: bytes, now_ms: int) -> Request | None:
    """Return the request with these bytes, of an event or a written body; None if a secret of the target is unusable.

    `endpoint` None: a run's own URL. Raises ClientError.
    """
    try:
        if delivery.event_type == EVENT_REPORT:  # it has a token in place of a signature
            report = Report.of(event)
            token = env[SecretBoxes].open(delivery.secret_box, delivery.project_id, report.owner, "report")
            return SignedRequest(delivery.url, report_headers(token, USER_AGENT), report.content)
        if endpoint is not None:
            ids = (delivery.event_id, delivery.submission_id)
            written = WrittenBody.of(event) if delivery.is_transformed else None
            if written is not None and endpoint.format is BodyFormat.EMAIL:  # it became a mail since
                return None
            return endpoint_request(env, endpoint, *ids, event, now_ms, delivery.traceparent, written)
        if not delivery.secret_box:
            # A callback, as another service sends it. The API takes no `webhook_url` without a secret.
            headers = {"content-type": "application/json", "user-agent": USER_AGENT}
            return SignedRequest(delivery.url, headers, env[cards].callback(event), is_callback=True)
        secret = env[SecretBoxes].open(delivery.secret_box, delivery.project_id, RUN_ENDPOINT_ID)
        keys = (parse_secret(secret),)
    except (InvalidSecretError, UnsealError):
        return None
    signature = signatures(keys, delivery.event_id, now_ms // MS_PER_SEC, event)
    headers = webhook_headers(
        delivery.event_id, now_ms // MS_PER_SEC, signature, {}, CURRENT_VERSION, delivery.traceparent
    )
    return SignedRequest(delivery.url, headers, event)


def endpoint_request(
    env: Env,
    endpoint: Endpoint,
    event_id: str,
    submission_id: str,
    event: bytes,
    now_ms: int,
    traceparent: str = "",
    written: WrittenBody | None = None,
) -> Request:
    """Return the request to an endpoint, with more than one signature during a rotation overlap. A mail has none.

    `written`: the body by its transform; then `event` is not used.

    Raises InvalidSecretError, UnsealError, ClientError.
    """
    if endpoint.format is BodyFormat.EMAIL:
        return MailRequest.of(env, endpoint, event_id, env[cards].card(event), now_ms)
    secrets = env[EndpointSecrets]
    keys, custom = secrets.keys(endpoint, now_ms), secrets.headers(endpoint)
    base_url, routing_key = env.settings.public_base_url, secrets.routing_key(endpoint)
    if written is None:
        body = body_of(env[cards], base_url, endpoint, event_id, submission_id, event, routing_key)
    else:
        is_safe = endpoint.url.startswith("https:")
        headers = {name: value for name, value in written.headers.items() if is_safe or name != "authorization"}
        body = Body(written.content, headers)
    at_secs = now_ms // MS_PER_SEC
    signature = signatures(keys, event_id, at_secs, body.content)
    headers = webhook_headers(event_id, at_secs, signature, custom, endpoint.api_version, traceparent, body.headers)
    return SignedRequest(endpoint.url, headers, body.content, timeout_secs=endpoint.timeout_secs)


def webhook_test(endpoint: Endpoint, event_id: str, now_ms: int) -> Event:
    """Return a `webhook.test`."""
    body = {
        "type": EVENT_TEST,
        "timestamp": to_rfc3339(now_ms),
        "endpoint_id": endpoint.endpoint_id,
        "message": "A test. Nothing ran, and nothing needs to be done.",
    }
    return Event(event_id, EVENT_TEST, endpoint.project_id, event_bytes(body))


def send_test(env: Env, event: Event, request: Request) -> Reply:
    """Send a test once. Only the event log keeps its event."""
    env[LogWriter].add_test(event)
    return request.send(env[Egress])
