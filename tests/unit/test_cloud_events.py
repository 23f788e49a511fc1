"""Both content modes of CloudEvents, read by the SDK of CloudEvents."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, from_http_event

from functions.checks.runs.run import event_id_of
from functions.event_log.model import event_bytes
from functions.webhooks.cards import Cards
from functions.webhooks.endpoints.model import BodyFormat, Endpoint, Payload
from functions.webhooks.sending.requests import body_of
from functions.webhooks.signature import webhook_headers
from tests.system.pages import blocks

BASE_URL = "https://api.example.com"
EVENT_ID = "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11"
GOLDEN = {
    path.name: json.loads(path.read_text())
    for path in sorted((Path(__file__).parents[2] / "events" / "webhook").glob("*.json"))
    if not path.name.endswith(".schema.json")
}
MODES = [BodyFormat.CLOUDEVENTS, BodyFormat.CLOUDEVENTS_STRUCTURED]


def endpoint(body_format: BodyFormat, **settings: Any) -> Endpoint:
    values: dict[str, Any] = {"project_id": "p", "url": "u", "secret_box": b"", "created_at": "", "updated_at": ""}
    return Endpoint(endpoint_id="e", format=body_format, **values, **settings)


def read(body_format: BodyFormat, event: dict[str, Any], submission_id: str = "", **settings: Any) -> BaseCloudEvent:
    """Return what the SDK reads of a request, with the headers that are sent."""
    receiver = endpoint(body_format, **settings)
    body = body_of(Cards(), BASE_URL, receiver, EVENT_ID, submission_id, event_bytes(event))
    headers = webhook_headers(EVENT_ID, 1, "v1,x", {"x-team": "7"}, of_body=body.headers)
    return from_http_event(HTTPMessage(headers, body.content))


@pytest.mark.parametrize("body_format", MODES)
@pytest.mark.parametrize("name", GOLDEN)
def test_the_sdk_reads_every_event_with_its_attributes(name: str, body_format: BodyFormat) -> None:
    event = GOLDEN[name]
    found = read(body_format, event)
    assert found.get_data() == event
    assert (found.get_specversion(), found.get_id(), found.get_source()) == ("1.0", EVENT_ID, BASE_URL)
    assert (found.get_type(), found.get_time()) == (event["type"], datetime.fromisoformat(event["timestamp"]))
    assert found.get_datacontenttype() == "application/json"


@pytest.mark.parametrize("body_format", MODES)
def test_the_subject_is_the_run_the_check_or_the_endpoint(body_format: BodyFormat) -> None:
    by_type = {event["type"]: event for event in GOLDEN.values()}
    run, check, alert = by_type["submission.completed"], by_type["check.state.changed"], by_type["endpoint.degraded"]
    assert read(body_format, run, run["id"]).get_subject() == run["id"]
    assert read(body_format, check).get_subject() == check["check_id"]
    assert read(body_format, alert).get_subject() == alert["endpoint_id"]


@pytest.mark.parametrize("body_format", MODES)
def test_the_data_is_as_thin_or_as_short_as_the_endpoint_wants(body_format: BodyFormat) -> None:
    run = next(event for event in GOLDEN.values() if event["type"] == "submission.completed")
    thin = read(body_format, run, run["id"], payload=Payload.THIN).get_data()
    short = read(body_format, run, run["id"], max_output_bytes=0).get_data()
    assert isinstance(thin, dict)
    assert isinstance(short, dict)
    assert (thin["url"], short["stdout"]) == (f"{BASE_URL}/api/events/{EVENT_ID}", "")


def test_the_sample_of_the_guide_is_what_an_endpoint_gets() -> None:
    (sample,) = [json.loads(block) for block in blocks("docs/events.md", "json") if "specversion" in block]
    event = next(event for event in GOLDEN.values() if event["type"] == "check.run.completed")
    receiver = endpoint(BodyFormat.CLOUDEVENTS_STRUCTURED)
    body = body_of(Cards(), BASE_URL, receiver, event_id_of(event["run_id"], event["type"]), "", event_bytes(event))
    assert json.loads(body.content) == sample | {"data": event}


def test_binary_mode_keeps_the_bytes_of_the_event() -> None:
    event = event_bytes(GOLDEN["v1.completed.json"])
    body = body_of(Cards(), BASE_URL, endpoint(BodyFormat.CLOUDEVENTS), EVENT_ID, "", event)
    assert body.content == event


def test_without_a_public_address_the_source_is_still_a_uri_reference() -> None:
    body = body_of(
        Cards(), "", endpoint(BodyFormat.CLOUDEVENTS), EVENT_ID, "", event_bytes(GOLDEN["v1.completed.json"])
    )
    assert body.headers["ce-source"] == "rustbox"
