"""The secrets of inbound calls, sealed for their checks, each with the scheme of its signatures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.checks.events.signatures import NotGenuineError
from functions.webhooks.target.secret_box import UnsealError

if TYPE_CHECKING:
    from functions.checks.events.event_store import EventStore, Hook
    from functions.checks.events.verification import InboundVerification
    from functions.checks.settings.model import Check
    from functions.webhooks.target.secret_box import SecretBoxes


@dataclass(frozen=True, slots=True)
class InboundSecrets:
    """Makes and opens the secrets of inbound calls."""

    events: EventStore
    boxes: SecretBoxes

    def replace(self, check: Check, request: InboundVerification) -> str:
        """Give a check a new scheme and secret, and return the secret; the one before ends at once."""
        secret = request.sender_secret()
        box = self.boxes.seal(secret, check.project_id, _owner_of(check.check_id), "inbound")
        self.events.put_hook(check, box, request.verification)
        return secret

    def open(self, check_id: str, hook: Hook) -> str:
        """Return the secret of a check. Raises NotGenuineError: without it, no call is genuine."""
        try:
            return self.boxes.open(hook.box, hook.project_id, _owner_of(check_id), "inbound")
        except UnsealError:
            raise NotGenuineError("the secret of the check cannot be opened: make a new one") from None


def _owner_of(check_id: str) -> str:
    return f"check:{check_id}"
