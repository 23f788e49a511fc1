"""Routes of pings: make the address of a heartbeat's pings, take pings without a key, and show their bodies."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Response

from functions.aws.dynamodb.retries import tries
from functions.checks.routes import own_check
from functions.checks.settings.model import BODY_MAX_BYTES, signal_of, token_hash
from functions.errors import ConflictError, NotFoundError
from functions.http.answers import answer

if TYPE_CHECKING:
    from functions.checks.deployment import CheckDeployment
    from functions.checks.views import PingUrl
    from functions.http.http_event import HttpEvent
    from functions.http.resolver import Resolver

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
