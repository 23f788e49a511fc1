"""`endpoint.disabled`: the owner of an endpoint that was switched off by its failures is told, elsewhere.

The same write that disables an endpoint makes its row due, so a crash before the notice costs one round of the sweeper.
"""

import json
import uuid
from dataclasses import dataclass
from urllib.parse import urlsplit

from functions.failpoint import reach
from functions.webhooks.deliveries.model import Event
from functions.webhooks.endpoints.model import DisabledReason, Endpoint
from functions.webhooks.endpoints.store import EndpointStore
from functions.webhooks.event_types import EVENT_DISABLED
from functions.webhooks.publish import Outbox

EVENT_SCHEMA = "webhook/endpoint_disabled.v1"
_NAMESPACE = uuid.UUID("c0e0a6a4-6f0d-4c39-9b0f-7b6a5b0f6f3e")


@dataclass(frozen=True, slots=True)
class DisabledEvents:
    """Parts that a notice needs."""

    endpoints: EndpointStore
    outbox: Outbox

    def publish(self, endpoint: Endpoint) -> None:
        """Tell the project's other endpoints and the bus, then mark it done; repeats make no second event."""
        # One that was enabled again, or that its owner switched off, is no news.
        if not endpoint.enabled and endpoint.disabled_reason in {DisabledReason.GONE, DisabledReason.FAILING}:
            self.outbox.publish(disabled_event(endpoint), skip_endpoint_id=endpoint.endpoint_id)
        reach("notice.before_done")
        self.endpoints.finish_disabled_event(endpoint)


def disabled_event(endpoint: Endpoint) -> Event:
    """The event of one endpoint's being disabled, always the same for one moment. Of its URL it has the host only."""
    body = {
        "type": EVENT_DISABLED,
        "timestamp": endpoint.disabled_at,
        "endpoint_id": endpoint.endpoint_id,
        "host": urlsplit(endpoint.url).hostname or "",
        "reason": endpoint.disabled_reason,
    }
    return Event(
        event_id=str(uuid.uuid5(_NAMESPACE, f"{endpoint.endpoint_id}:{endpoint.disabled_at}")),
        type=EVENT_DISABLED,
        schema=EVENT_SCHEMA,
        project_id=endpoint.project_id,
        submission_id="",
        body=json.dumps(body, separators=(",", ":")).encode(),
    )
