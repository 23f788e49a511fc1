"""The body that an endpoint gets of an event: the event itself, a message for people, or only its ids."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.event_log.cut_body import event_bytes, limit_output
from functions.http.paths import event_path
from functions.webhooks.endpoints.model import MAX_OUTPUT_BYTES, Payload
from functions.webhooks.vocabulary.event_types import EVENT_TEST

if TYPE_CHECKING:
    from functions.webhooks.cards.rendering import Cards
    from functions.webhooks.endpoints.model import Endpoint


@dataclass(frozen=True, slots=True)
class Bodies:
    """Makes bodies: always the same for the same event and endpoint. `public_base_url` has no trailing slash."""

    cards: Cards
    public_base_url: str

    def body(self, endpoint: Endpoint | None, event_id: str, submission_id: str, event: bytes) -> bytes:
        """Return the body of an event with these bytes. `endpoint` None: a run's own URL."""
        if endpoint is None:
            return event
        if endpoint.payload is Payload.THIN:
            return self._thin(endpoint, event_id, submission_id, event)
        return self.cards.body(endpoint.format, self._limited(endpoint, submission_id, event))

    def _limited(self, endpoint: Endpoint, submission_id: str, event: bytes) -> bytes:
        if endpoint.max_output_bytes >= MAX_OUTPUT_BYTES:
            return event
        return limit_output(event, self.public_base_url, submission_id, endpoint.max_output_bytes)

    def _thin(self, endpoint: Endpoint, event_id: str, submission_id: str, event: bytes) -> bytes:
        values = json.loads(event)
        is_stored = values["type"] != EVENT_TEST
        return event_bytes(
            {
                "type": values["type"],
                "id": event_id,
                "timestamp": values["timestamp"],
                "api_version": endpoint.api_version,
                "submission_id": submission_id or None,
                "url": self.public_base_url + event_path(event_id) if is_stored else None,
            }
        )
