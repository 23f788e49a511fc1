"""Inbound events: a signed call starts a run. Signatures are those of Standard Webhooks; each check has a secret."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.errors import UnauthorizedError
from functions.webhooks.target.secret_box import UnsealError
from functions.webhooks.target.signature import new_secret, parse_secret, sign

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.checks.events.event_store import EventStore
    from functions.checks.settings.model import Check
    from functions.webhooks.target.secret_box import SecretBoxes

TOLERANCE_SECS = 300
_ID_MAX_CHARS = 256
_SECS = re.compile(r"[0-9]{1,12}")
_REFUSED = (
    "The call needs webhook-id, webhook-timestamp (at most five minutes off) and webhook-signature, "
    "with the secret of POST /api/checks/{id}/secret."
)


@dataclass(frozen=True, slots=True)
class Inbound:
    """Makes and checks the secrets of inbound calls."""

    events: EventStore
    boxes: SecretBoxes
    clock: Clock = now_ms

    def new_secret(self, check: Check) -> str:
        """Give a check a new secret; the one before ends at once."""
        secret = new_secret()
        box = self.boxes.seal(secret, check.project_id, _owner_of(check.check_id), "inbound")
        self.events.put_hook(check, box)
        return secret

    def verify(self, check_id: str, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
        """Return project id and webhook id of a genuine call. Raises UnauthorizedError for every other one alike."""
        webhook_id, timestamp = headers.get("webhook-id") or "", headers.get("webhook-timestamp") or ""
        is_shaped = 0 < len(webhook_id) <= _ID_MAX_CHARS and _SECS.fullmatch(timestamp)
        if not is_shaped or abs(int(timestamp) - self.clock() // MS_PER_SEC) > TOLERANCE_SECS:
            raise UnauthorizedError(_REFUSED)
        hook = self.events.hook(check_id)
        if hook is None:
            raise UnauthorizedError(_REFUSED)
        project_id, box = hook
        try:
            secret = self.boxes.open(box, project_id, _owner_of(check_id), "inbound")
        except UnsealError:
            raise UnauthorizedError(_REFUSED) from None
        expected = sign(parse_secret(secret), webhook_id, int(timestamp), body).encode()
        signatures = (headers.get("webhook-signature") or "").encode(errors="replace").split(b" ")
        if not any(hmac.compare_digest(expected, each) for each in signatures):
            raise UnauthorizedError(_REFUSED)
        return project_id, webhook_id


def _owner_of(check_id: str) -> str:
    return f"check:{check_id}"
