"""A sample event: the example of the catalogue with an id and a time of its own, for the event log only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.clock import to_rfc3339
from functions.event_log.cut_body import event_bytes
from functions.event_log.model import Event
from functions.feed.catalogue import samples
from functions.ids import new_id

if TYPE_CHECKING:
    from functions.feed.requests import SampleRequest


def sample_event(project_id: str, request: SampleRequest, now_ms: int) -> Event:
    """Return a new sample. It is about no run: the ids in its body lead nowhere."""
    event_id = new_id()
    body = {**samples()[request.type], "timestamp": to_rfc3339(now_ms)}
    if "id" in body:  # a result has the id of its event
        body["id"] = event_id
    return Event(event_id, request.type, project_id, event_bytes(body))
