"""The request of an attempt: its body, its headers and their signature."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from functions.clock import MS_PER_SEC
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID
from functions.webhooks.deliveries.report import Report, report_headers
from functions.webhooks.sending.attempt.endpoint_secrets import EndpointSecrets
from functions.webhooks.target.headers import USER_AGENT, webhook_headers
from functions.webhooks.target.secret_box import SecretBoxes, UnsealError
from functions.webhooks.target.signature import InvalidSecretError, PrivateKey, SigningKey, parse_secret, signatures
from functions.webhooks.vocabulary.event_types import CURRENT_VERSION, EVENT_REPORT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.attempt.bodies import Bodies


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request, ready to be sent: with POST, or with PUT for a callback."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    is_callback: bool = False


@dataclass(frozen=True, slots=True)
class RequestSigner:
    """Makes the requests of attempts."""

    boxes: SecretBoxes
    bodies: Bodies

    def sign(self, delivery: Delivery, endpoint: Endpoint | None, event: bytes, now_ms: int) -> SignedRequest | None:
        """Return the request with an event of these bytes; None if a secret of the target is unusable.

        `endpoint` None: a run's own URL. Raises ClientError.
        """
        if delivery.event_type == EVENT_REPORT:
            return self._report(delivery, event)
        if endpoint is None and not delivery.secret_box:
            # A callback, as another service sends it. The API takes no `webhook_url` without a secret.
            headers = {"content-type": "application/json", "user-agent": USER_AGENT}
            return SignedRequest(delivery.url, headers, self.bodies.cards.callback(event), is_callback=True)
        api_version = CURRENT_VERSION if endpoint is None else endpoint.api_version
        try:
            keys, custom = self._keys(delivery, endpoint, now_ms)
            routing_key = "" if endpoint is None else EndpointSecrets(self.boxes).routing_key(endpoint)
        except (InvalidSecretError, UnsealError):
            return None
        body = self.bodies.body(endpoint, delivery.event_id, delivery.submission_id, event, routing_key)
        timestamp_secs = now_ms // MS_PER_SEC
        signature = signatures(keys, delivery.event_id, timestamp_secs, body.content)
        headers = webhook_headers(
            delivery.event_id, timestamp_secs, signature, custom, api_version, delivery.traceparent, body.headers
        )
        return SignedRequest(delivery.url if endpoint is None else endpoint.url, headers, body.content)

    def _report(self, delivery: Delivery, event: bytes) -> SignedRequest | None:
        """Return the request of a report, which has a token in place of a signature."""
        report = Report.of(event)
        try:
            token = self.boxes.open(delivery.secret_box, delivery.project_id, report.owner, "report")
        except UnsealError:
            return None
        return SignedRequest(delivery.url, report_headers(token, USER_AGENT), report.content)

    def _keys(
        self, delivery: Delivery, endpoint: Endpoint | None, now_ms: int
    ) -> tuple[tuple[SigningKey | PrivateKey, ...], Mapping[str, str]]:
        """Return the signing keys (more than one during a rotation overlap), and the custom headers."""
        if endpoint is None:
            secret = self.boxes.open(delivery.secret_box, delivery.project_id, RUN_ENDPOINT_ID)
            return (parse_secret(secret),), {}
        secrets = EndpointSecrets(self.boxes)
        return secrets.keys(endpoint, now_ms), secrets.headers(endpoint)
