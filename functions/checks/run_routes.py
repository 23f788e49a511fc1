"""Routes of runs: start and list them, take signed calls, and take the pings of heartbeats."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Response

from functions.aws.dynamodb.table import tries
from functions.checks.events.signatures import parse_verification
from functions.checks.routes import NO_PROGRAM, own_check
from functions.checks.runs.model import RunKind, new_run
from functions.checks.settings.model import BODY_MAX_BYTES, signal_of, token_hash
from functions.checks.settings.requests import RunNowRequest
from functions.checks.settings.triggers import event_text, field_problem
from functions.checks.views import (
    IgnoredCall,
    InboundCalls,
    InboundSecret,
    SlackChallenge,
    call_view,
    outages_view,
    run_view,
    verification_view,
)
from functions.errors import ConflictError, NotFoundError, TooLargeError
from functions.http.answers import answer, page_answer
from functions.http.http_event import json_body, raw_body
from functions.http.parameters import page_limit, start_after, uuid
from functions.http.validation import Problems, parse_body
from functions.ids import new_id
from functions.submissions.accept.requests import STDIN_MAX_BYTES

if TYPE_CHECKING:
    from functions.checks.deployment import CheckDeployment, InboundDeployment
    from functions.checks.views import PingUrl
    from functions.http.http_event import HttpEvent
    from functions.http.resolver import Resolver


@dataclass(frozen=True, slots=True)
class CheckRunRoutes:
    """Handlers of /api/checks/{id}/run, /runs and /outages. All of them raise ServiceError."""

    deployment: CheckDeployment

    def run(self, app: Resolver, id_text: str) -> Response[str]:
        """Run a check now."""
        check = own_check(self.deployment, app, id_text)
        if check.settings.is_heartbeat:
            raise ConflictError(NO_PROGRAM)
        raw, problems = json_body(app.current_event) if app.current_event.body else b"{}", Problems()
        request = parse_body(RunNowRequest, raw, problems)
        event, now = None if request.event is None else event_text(request.event), self.deployment.clock()
        problems.add([field_problem(event or "", check.settings.event_as, "event")])
        problems.refuse()
        self.deployment.check_request_limit.count(check)
        run = new_run(check, RunKind.MANUAL, now, now, new_id())
        run = replace(run, affects_state=request.affects_state, event=event)
        self.deployment.check_runs.add_run(run)
        self.deployment.check_hints.try_send(run, self.deployment.log)
        self.deployment.log.info("Check run requested", **run.log_ids, request_id=app.request_id)
        return answer(run_view(run), 202)

    def outages(self, app: Resolver, id_text: str) -> Response[str]:
        """List the outages of a check, newest first."""
        check, now = own_check(self.deployment, app, id_text), self.deployment.clock()
        return answer(outages_view(check, self.deployment.outages.of(check, now), now))

    def history(self, app: Resolver, id_text: str) -> Response[str]:
        """List the runs of a check, newest first."""
        query = app.current_event.query_string_parameters
        check = own_check(self.deployment, app, id_text)
        after = start_after(query, check.check_id)
        page = self.deployment.check_runs.history(check.project_id, check.check_id, page_limit(query), after)
        return page_answer(check.check_id, page, run_view, lambda run: run.position)


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
        check_id, calls = uuid(id_text), self.deployment.inbound_calls
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


_TOKEN_BYTES = 24
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True)
class PingRoutes:
    """Handlers of pings. Logs hold no token."""

    deployment: CheckDeployment

    def new_url(self, app: Resolver, id_text: str) -> Response[str]:
        """Replace the token of a heartbeat's pings. Only this answer shows it."""
        for _ in tries():
            check = own_check(self.deployment, app, id_text)
            if not check.settings.is_heartbeat:
                raise ConflictError("Only a heartbeat takes pings. Create a check with kind heartbeat.")
            token = secrets.token_urlsafe(_TOKEN_BYTES)
            if self.deployment.pings.replace_token(check, token_hash(token) or ""):
                self.deployment.log.info("Ping token replaced", **check.log_ids, request_id=app.request_id)
                body: PingUrl = {"url": f"/api/pings/{token}"}
                return answer(body)
        raise ConflictError("Other requests keep changing the check. Repeat the request.")

    def take(self, app: Resolver, token: str, word: str = "") -> Response[str]:
        """Take a ping. Each token that no heartbeat has gets the answer of one that is paused."""
        signal = signal_of(word)
        if signal is None:
            raise NotFoundError("A ping ends with /start, /fail, an exit code from 0 to 255, or nothing: it succeeded.")
        body = b"" if app.current_event.http_method != "POST" else _start_of_body(app.current_event)
        counts = self.deployment.ping_taking.take(token, signal, body)
        return _text("text/plain", "OK" if counts else "OK (not counted)")

    def body(self, app: Resolver, id_text: str, number: str) -> Response[str]:
        """Show the body of a ping."""
        check = own_check(self.deployment, app, id_text)
        kept = self.deployment.pings.body(check, int(number)) if _NUMBER.fullmatch(number) else None
        if kept is None:
            raise NotFoundError("There is no such body. A heartbeat keeps those of its latest 100 pings.")
        return _text("text/plain; charset=utf-8", kept.decode(errors="replace"))


def _text(content_type: str, text: str) -> Response[str]:
    return Response(status_code=200, content_type=content_type, headers=_HEADERS, body=text)


def _start_of_body(event: HttpEvent) -> bytes:
    """Return the first 10 KiB of a body of any kind; nothing of one that does not match its encoding."""
    text = event.body or ""
    if not event.is_base64_encoded:
        return text[:BODY_MAX_BYTES].encode(errors="replace")[:BODY_MAX_BYTES]
    try:
        return base64.b64decode(text, validate=True)[:BODY_MAX_BYTES]
    except (binascii.Error, ValueError):
        return b""
