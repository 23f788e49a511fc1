"""The event `endpoint.disabled`: tells the project's other endpoints that failures disabled one.

The write that disables an endpoint also makes its row due. After a crash the sweeper publishes the event.
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
    """Publishes `endpoint.disabled` once for each disabling."""

    endpoints: EndpointStore
    outbox: Outbox

    def publish(self, endpoint: Endpoint) -> None:
        """Publish to the project's other endpoints and the bus, then clear the due key. Repeating the call is safe."""
        # No event if the endpoint was enabled again, or if its owner disabled it.
        if not endpoint.enabled and endpoint.disabled_reason in {DisabledReason.GONE, DisabledReason.FAILING}:
            self.outbox.publish(disabled_event(endpoint), skip_endpoint_id=endpoint.endpoint_id)
        reach("disabled_event.before_done")
        self.endpoints.finish_disabled_event(endpoint)


def disabled_event(endpoint: Endpoint) -> Event:
    """Build the event. It is the same on every call for one disabling. It has the host of the URL only."""
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
