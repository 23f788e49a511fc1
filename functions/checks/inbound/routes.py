"""Routes of inbound events: make a secret, take a signed call, and show the last calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.checks.events.signatures import parse_verification
from functions.checks.routes import NO_PROGRAM, own_check
from functions.checks.views import (
    IgnoredCall,
    InboundCalls,
    InboundSecret,
    SlackChallenge,
    call_view,
    run_view,
    verification_view,
)
from functions.errors import ConflictError, TooLargeError
from functions.http import parameters
from functions.http.answers import answer
from functions.http.http_event import json_body, raw_body
from functions.submissions.accept.requests import STDIN_MAX_BYTES

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.checks.inbound.deployment import InboundDeployment
    from functions.http.resolver import Resolver


@dataclass(frozen=True, slots=True)
class InboundRoutes:
    """Handlers of inbound events. All of them raise ServiceError."""

    deployment: InboundDeployment

    def new_secret(self, app: Resolver, id_text: str) -> Response[str]:
        """Replace the inbound secret of a check and its scheme. Only this answer shows the secret."""
        check = own_check(self.deployment, app, id_text)
        if check.settings.is_heartbeat:
            raise ConflictError(NO_PROGRAM)
        request = parse_verification(json_body(app.current_event) if app.current_event.body else b"")
        secret = self.deployment.inbound_secrets.replace(check, request)
        self.deployment.log.info("Inbound secret of a check replaced", **check.log_ids, request_id=app.request_id)
        body: InboundSecret = {
            "secret": secret,
            "url": _url_of(check.check_id),
            "verification": verification_view(request.verification),
        }
        return answer(body)

    def receive(self, app: Resolver, id_text: str) -> Response[str]:
        """Run a check with a signed call. A repeat with the same id answers with the first run."""
        check_id, calls = parameters.uuid(id_text), self.deployment.inbound_calls
        try:
            body = raw_body(app.current_event, STDIN_MAX_BYTES)
        except TooLargeError as error:
            calls.refuse(check_id, error.message)
            raise
        received = calls.receive(check_id, app.current_event.headers, body)
        if received.challenge is not None:
            challenge: SlackChallenge = {"challenge": received.challenge}
            return answer(challenge)
        if received.run is None:
            ignored: IgnoredCall = {"status": "ignored", "reason": received.reason}
            return answer(ignored, 202)
        if received.is_new:
            self.deployment.check_hints.try_send(received.run, self.deployment.log)
            ids = received.run.log_ids
            self.deployment.log.info("Check run requested by an event", **ids, request_id=app.request_id)
        return answer(run_view(received.run), 202)

    def calls(self, app: Resolver, id_text: str) -> Response[str]:
        """Show how calls of a check are verified, and the last ones with their outcomes."""
        check = own_check(self.deployment, app, id_text)
        hook = self.deployment.check_events.hook(check.check_id)
        body: InboundCalls = {
            "url": _url_of(check.check_id),
            "verification": None if hook is None else verification_view(hook.verification),
            "items": list(map(call_view, self.deployment.call_log.latest(check.check_id))),
        }
        return answer(body)


def _url_of(check_id: str) -> str:
    return f"/api/checks/{check_id}/events"
