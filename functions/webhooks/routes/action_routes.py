"""Routes of endpoint actions: rotate the secret, send a test, recover deliveries."""

from __future__ import annotations

import hmac
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.clock import MS_PER_SEC, to_rfc3339
from functions.errors import ConflictError
from functions.event_log.model import Event, event_bytes
from functions.http.answers import answer
from functions.http.http_event import json_body
from functions.ids import new_id
from functions.webhooks.endpoints.model import HIDDEN, Endpoint
from functions.webhooks.endpoints.requests import OVERLAP_DEFAULT_SECS, parse_recovery, parse_rotation
from functions.webhooks.endpoints.views import endpoint_body, with_secret
from functions.webhooks.routes.endpoint_routes import CANNOT_READ, CHANGED_MEANWHILE, OwnEndpoints
from functions.webhooks.routes.views import probe_body
from functions.webhooks.sealed_secrets import UnsealError
from functions.webhooks.signature import new_secret, parse_secret, signatures, webhook_headers
from functions.webhooks.vocabulary import EVENT_TEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_lambda_powertools.event_handler import Response

    from functions.aws.dynamodb.items import Value
    from functions.http.resolver import Resolver
    from functions.webhooks.deployment import WebhookDeployment


def webhook_test(endpoint: Endpoint, event_id: str, now_ms: int) -> Event:
    """Return a `webhook.test`."""
    body = {
        "type": EVENT_TEST,
        "timestamp": to_rfc3339(now_ms),
        "endpoint_id": endpoint.endpoint_id,
        "message": "A test. Nothing ran, and nothing needs to be done.",
    }
    return Event(event_id, EVENT_TEST, endpoint.project_id, event_bytes(body))


_OFF = "The endpoint is disabled. Enable it first: PATCH with enabled true."
_AT_WORK = "A test or a recovery of this endpoint is running. Repeat the request when it is done."
_TEST_SECS = 20
_RECOVERY_SECS = 30
_PREVIOUS = ("previous_secret_box", "previous_until_ms")


@dataclass(frozen=True, slots=True)
class EndpointActionRoutes:
    """Handlers of /api/webhooks/{id}/rotate, /test and /recover. All of them raise ServiceError."""

    deployment: WebhookDeployment

    @property
    def own(self) -> OwnEndpoints:
        """The caller's endpoints."""
        return OwnEndpoints(self.deployment)

    def rotate(self, app: Resolver, id_text: str) -> Response[str]:
        """Replace the endpoint's secret and key pair. Old ones also sign during the overlap, older ones stop.

        A client that sends the new secret itself can safely repeat the call.
        """
        endpoint = self.own.get(app, id_text)
        asked = parse_rotation(json_body(app.current_event) if app.current_event.body else b"")
        now = self.deployment.clock()
        if asked.secret is not None and self._signs_now(endpoint, asked.secret):
            return answer(with_secret(endpoint_body(endpoint, now), asked.secret))
        secret = asked.secret or new_secret()
        box, public_key = self.deployment.endpoint_secrets.new_keys(
            secret, endpoint.project_id, endpoint.endpoint_id, asymmetric=endpoint.asymmetric
        )
        sets: dict[str, Value] = {"secret_box": box}
        if public_key is not None:
            sets["public_key"] = public_key
        overlap_secs = OVERLAP_DEFAULT_SECS if asked.overlap_secs is None else asked.overlap_secs
        if overlap_secs:
            sets |= {"previous_secret_box": endpoint.secret_box, "previous_until_ms": now + overlap_secs * MS_PER_SEC}
        # Of two concurrent rotations one must fail. Otherwise one client would get a secret that never signs.
        if not self.deployment.endpoints.change(endpoint, now, sets, () if overlap_secs else _PREVIOUS):
            raise ConflictError(CHANGED_MEANWHILE)
        changed = self.own.get(app, id_text)
        self.own.note("Secret rotated", endpoint, app)
        return answer(with_secret(endpoint_body(changed, now), secret))

    def test(self, app: Resolver, id_text: str) -> Response[str]:
        """Send `webhook.test` now, like a delivery. It is not retried, and only the event log stores it."""
        endpoint = self.own.get(app, id_text)
        now = self.deployment.clock()
        event = webhook_test(endpoint, new_id(), now)
        routing_key = self.own.routing_key(endpoint)
        body = self.deployment.bodies.body(endpoint, event.event_id, event.submission_id, event.body, routing_key)
        webhook_id, timestamp_secs = event.event_id, now // MS_PER_SEC
        try:
            signature = signatures(
                self.deployment.endpoint_secrets.keys(endpoint, now), webhook_id, timestamp_secs, body.content
            )
        except UnsealError:
            raise ConflictError(CANNOT_READ) from None
        custom, version = self.own.headers(endpoint), endpoint.api_version
        headers = webhook_headers(webhook_id, timestamp_secs, signature, custom, version, of_body=body.headers)
        with self._exclusively(endpoint, _TEST_SECS):
            self.deployment.log_writer.add_test(event)
            reply = self.deployment.egress.post(endpoint.url, headers, body.content)
        self.own.note("Endpoint tested", endpoint, app)
        shown = body.content.decode()
        shown = shown.replace(routing_key, HIDDEN) if routing_key else shown
        return answer(probe_body(endpoint, headers, shown, reply))

    def recover(self, app: Resolver, id_text: str) -> Response[str]:
        """Make failed, blocked and paused deliveries since a time due again; retrying ones only if asked to."""
        endpoint = self.own.get(app, id_text)
        since_ms, also_retrying = parse_recovery(json_body(app.current_event), self.deployment.clock())
        if not endpoint.enabled:
            raise ConflictError(_OFF)
        with self._exclusively(endpoint, _RECOVERY_SECS):
            recovered = self.deployment.recovery.recover(endpoint, since_ms, also_retrying=also_retrying)
        self.own.note("Deliveries recovered", endpoint, app)
        return answer(recovered)

    @contextmanager
    def _exclusively(self, endpoint: Endpoint, secs: int) -> Iterator[None]:
        """Allow one such call an endpoint at a time: a project cannot occupy many functions. Raises ConflictError."""
        now = self.deployment.clock()
        until_ms = now + secs * MS_PER_SEC  # after a crash, the next call may start then
        if not self.deployment.endpoints.begin_work(endpoint, now, until_ms):
            raise ConflictError(_AT_WORK)
        try:
            yield
        finally:
            with suppress(ClientError, BotoCoreError):  # the work is done; the lock also expires by itself
                self.deployment.endpoints.end_work(endpoint, until_ms)

    def _signs_now(self, endpoint: Endpoint, secret: str) -> bool:
        try:
            current = self.deployment.endpoint_secrets.current(endpoint)
        except UnsealError:
            return False
        return hmac.compare_digest(parse_secret(current).key, parse_secret(secret).key)
