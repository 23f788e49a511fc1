"""The body that an endpoint gets of an event, with the headers of its format.

It is the event itself, a message for people, or only its ids.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from functions.event_log.cut_body import event_bytes, limit_output
from functions.http.paths import event_path
from functions.webhooks.endpoints.model import MAX_OUTPUT_BYTES, BodyFormat, Payload
from functions.webhooks.sending.attempt.cloud_events import STRUCTURED_TYPE, attributes, binary_headers, structured_body
from functions.webhooks.vocabulary.event_types import EVENT_TEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.webhooks.cards.rendering import Cards
    from functions.webhooks.endpoints.model import Endpoint


@dataclass(frozen=True, slots=True)
class Body:
    """A body, and the headers that describe it."""

    content: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bodies:
    """Makes bodies: always the same for the same event and endpoint. `public_base_url` has no trailing slash."""

    cards: Cards
    public_base_url: str

    def body(
        self, endpoint: Endpoint | None, event_id: str, submission_id: str, event: bytes, routing_key: str = ""
    ) -> Body:
        """Return the body of an event with these bytes. `endpoint` None: a run's own URL. `routing_key`: its own."""
        if endpoint is None:
            return Body(event)
        if endpoint.payload is Payload.THIN:
            content = self._thin(endpoint, event_id, submission_id, event)
        else:
            content = self._limited(endpoint, submission_id, event)
        match endpoint.format:
            case BodyFormat.CLOUDEVENTS:
                context = attributes(event_id, submission_id, event, self.public_base_url)
                return Body(content, binary_headers(context))
            case BodyFormat.CLOUDEVENTS_STRUCTURED:
                context = attributes(event_id, submission_id, event, self.public_base_url)
                return Body(structured_body(context, content), {"content-type": STRUCTURED_TYPE})
            case body_format:
                more = {"routing_key": routing_key} if routing_key else {}
                return Body(self.cards.body(body_format, content, more))

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
                **({"artifacts": len(values["artifacts"])} if "artifacts" in values else {}),
            }
        )
