"""The catalogue of event types: meaning, JSON Schema and sample of each."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from functions.checks.runs.event_bodies import CheckRunCompletedEvent, CheckRunMissedEvent, CheckStateChangedEvent
from functions.clock import to_rfc3339
from functions.event_log.model import Event, event_bytes
from functions.feed.api import SampleRequest
from functions.http.json_body import Body
from functions.http.openapi.operation import Webhook
from functions.ids import new_id
from functions.judging.views import JudgeCompletedEvent
from functions.projects.changes import ProjectChangedEvent
from functions.submissions.results.views import CompletedEvent
from functions.webhooks.views import REPEATED, RESPONSES
from functions.webhooks.views import WEBHOOKS as ENDPOINT_WEBHOOKS
from functions.webhooks.vocabulary import (
    EVENT_CHANGED,
    EVENT_CHECK_CHANGED,
    EVENT_CHECK_MISSED,
    EVENT_CHECK_RUN,
    EVENT_COMPLETED,
    EVENT_JUDGED,
)

_RUN_WEBHOOKS = {
    EVENT_COMPLETED: Webhook("submissionCompleted", "A submission is finished", REPEATED, CompletedEvent, RESPONSES),
    EVENT_JUDGED: Webhook("judgeCompleted", "A judge run is finished", REPEATED, JudgeCompletedEvent, RESPONSES),
}
_CHECK_WEBHOOKS = {
    EVENT_CHECK_CHANGED: Webhook(
        "checkStateChanged", "A check has another state", REPEATED, CheckStateChangedEvent, RESPONSES
    ),
    EVENT_CHECK_RUN: Webhook(
        "checkRunCompleted", "A run of a check has ended", REPEATED, CheckRunCompletedEvent, RESPONSES
    ),
    EVENT_CHECK_MISSED: Webhook(
        "checkRunMissed", "A run of a check did not start", REPEATED, CheckRunMissedEvent, RESPONSES
    ),
}
_CHANGED = Webhook(
    "projectChanged", "A request has changed something of the project", REPEATED, ProjectChangedEvent, RESPONSES
)
WEBHOOKS = {**_RUN_WEBHOOKS, **_CHECK_WEBHOOKS, **ENDPOINT_WEBHOOKS, EVENT_CHANGED: _CHANGED}
"""Every event of this service, by its type."""
_SAMPLES = Path(__file__).parent / "samples.json"
"""The golden messages of `events/webhook`, which are not in the zip."""


@cache
def samples() -> dict[str, dict[str, Any]]:
    """Return the body of a sample event for each type."""
    found: dict[str, dict[str, Any]] = json.loads(_SAMPLES.read_text())
    return found


@cache
def catalogue() -> tuple[Body, ...]:
    return tuple(
        {
            "type": name,
            "description": webhook.summary,
            "schema": TypeAdapter(webhook.model).json_schema(mode="serialization"),
            "example": samples()[name],
        }
        for name, webhook in sorted(WEBHOOKS.items())
    )


# A sample event: the example of the catalogue with an id and a time of its own, for the event log only.


def sample_event(project_id: str, request: SampleRequest, now_ms: int) -> Event:
    """Return a new sample. It is about no run: the ids in its body lead nowhere."""
    event_id = new_id()
    body = {**samples()[request.type], "timestamp": to_rfc3339(now_ms)}
    if "id" in body:  # a result has the id of its event
        body["id"] = event_id
    return Event(event_id, request.type, project_id, event_bytes(body))
