"""Routes of endpoint actions: rotate the secret, send a test, recover deliveries."""

from __future__ import annotations

import hmac
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.clock import MS_PER_SEC, to_rfc3339
from functions.errors import ConflictError
from functions.event_log.model import Event, event_bytes
from functions.event_log.rows import LogWriter
from functions.http.answers import answer
from functions.http.http_event import json_body
from functions.ids import new_id
from functions.webhooks.deliveries.replay import recover
from functions.webhooks.egress import Egress
from functions.webhooks.endpoint_routes import CANNOT_READ, CHANGED_MEANWHILE, OwnEndpoints
from functions.webhooks.endpoints.model import HIDDEN, Endpoint
from functions.webhooks.endpoints.requests import OVERLAP_DEFAULT_SECS, parse_recovery, parse_rotation
from functions.webhooks.endpoints.views import endpoint_body, with_secret
from functions.webhooks.openapi import probe_body
from functions.webhooks.sealed_secrets import UnsealError
from functions.webhooks.sending.requests import endpoint_request
from functions.webhooks.signature import new_secret, parse_secret
from functions.webhooks.vocabulary import EVENT_TEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_lambda_powertools.event_handler import Response

    from functions.aws.dynamodb.items import Value
    from functions.http.resolver import Resolver


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


class EndpointActionRoutes(OwnEndpoints):
    """Handlers of /api/webhooks/{id}/rotate, /test and /recover. All of them raise ServiceError."""

    def rotate(self, app: Resolver, id_text: str) -> Response[str]:
        """Replace the endpoint's secret and key pair. Old ones also sign during the overlap, older ones stop.

        A client that sends the new secret itself can safely repeat the call.
        """
        endpoint = self._get(app, id_text)
        asked = parse_rotation(json_body(app.current_event) if app.current_event.body else b"")
        now = self.env.clock()
        if asked.secret is not None and self._signs_now(endpoint, asked.secret):
            return answer(with_secret(endpoint_body(endpoint, now), asked.secret))
        secret = asked.secret or new_secret()
        box, public_key = self.secrets.new_keys(
            secret, endpoint.project_id, endpoint.endpoint_id, asymmetric=endpoint.asymmetric
        )
        sets: dict[str, Value] = {"secret_box": box}
        if public_key is not None:
            sets["public_key"] = public_key
        overlap_secs = OVERLAP_DEFAULT_SECS if asked.overlap_secs is None else asked.overlap_secs
        if overlap_secs:
            sets |= {"previous_secret_box": endpoint.secret_box, "previous_until_ms": now + overlap_secs * MS_PER_SEC}
        # Of two concurrent rotations one must fail. Otherwise one client would get a secret that never signs.
        if not self.endpoints.change(endpoint, now, sets, () if overlap_secs else _PREVIOUS):
            raise ConflictError(CHANGED_MEANWHILE)
        changed = self._get(app, id_text)
        self._note("Secret rotated", endpoint, app)
        return answer(with_secret(endpoint_body(changed, now), secret))

    def test(self, app: Resolver, id_text: str) -> Response[str]:
        """Send `webhook.test` now, like a delivery. It is not retried, and only the event log stores it."""
        endpoint = self._get(app, id_text)
        now = self.env.clock()
        event = webhook_test(endpoint, new_id(), now)
        routing_key = self._routing_key(endpoint)
        self._secret(endpoint)
        self._headers(endpoint)
        try:
            request = endpoint_request(self.env, endpoint, event.event_id, "", event.body, now)
        except UnsealError:  # of the secret before the last rotation
            raise ConflictError(CANNOT_READ) from None
        with self._exclusively(endpoint, _TEST_SECS):
            self.env[LogWriter].add_test(event)
            reply = request.send(self.env[Egress])
        self._note("Endpoint tested", endpoint, app)
        shown = request.body.decode()
        shown = shown.replace(routing_key, HIDDEN) if routing_key else shown
        return answer(probe_body(endpoint, request.headers, shown, reply))

    def recover(self, app: Resolver, id_text: str) -> Response[str]:
        """Make failed, blocked and paused deliveries since a time due again; retrying ones only if asked to."""
        endpoint = self._get(app, id_text)
        since_ms, also_retrying = parse_recovery(json_body(app.current_event), self.env.clock())
        if not endpoint.enabled:
            raise ConflictError(_OFF)
        with self._exclusively(endpoint, _RECOVERY_SECS):
            recovered = recover(self.env, endpoint, since_ms, also_retrying=also_retrying)
        self._note("Deliveries recovered", endpoint, app)
        return answer(recovered)

    @contextmanager
    def _exclusively(self, endpoint: Endpoint, secs: int) -> Iterator[None]:
        """Allow one such call an endpoint at a time: a project cannot occupy many functions. Raises ConflictError."""
        now = self.env.clock()
        until_ms = now + secs * MS_PER_SEC  # after a crash, the next call may start then
        if not self.endpoints.begin_work(endpoint, now, until_ms):
            raise ConflictError(_AT_WORK)
        try:
            yield
        finally:
            with suppress(ClientError, BotoCoreError):  # the work is done; the lock also expires by itself
                self.endpoints.end_work(endpoint, until_ms)

    def _signs_now(self, endpoint: Endpoint, secret: str) -> bool:
        try:
            current = self.secrets.current(endpoint)
        except UnsealError:
            return False
        return hmac.compare_digest(parse_secret(current).key, parse_secret(secret).key)
