"""The thin body of an event is the golden one: its ids and its address, whatever the event holds."""

import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from functions.webhooks.cards import Cards
from functions.webhooks.endpoints.model import Endpoint, Payload
from functions.webhooks.sending.requests import Bodies
from tests.submission_factory import golden

BODIES = Bodies(Cards(), "https://api.example.com")
ENDPOINT = Endpoint(
    endpoint_id="1f0c5a3e-8d7b-4b52-9a3c-6e2d4f8b7c01",
    project_id="dev",
    url="https://hooks.example.com/",
    secret_box=b"box",
    created_at="2026-11-24T11:00:00.000Z",
    updated_at="2026-11-24T11:00:00.000Z",
    payload=Payload.THIN,
)


@pytest.mark.parametrize("name", ["completed", "test"])
def test_a_thin_body_is_the_golden_one(name: str) -> None:
    expected = golden(f"webhook_thin/v1.{name}")
    Draft202012Validator(golden("webhook_thin/v1.schema"), format_checker=FormatChecker()).validate(expected)
    event = {"type": expected["type"], "timestamp": expected["timestamp"], "stdout": "x" * 1_000}
    made = BODIES.body(ENDPOINT, expected["id"], expected["submission_id"] or "", json.dumps(event).encode())
    assert json.loads(made.content) == expected


def test_a_full_body_and_that_of_a_runs_own_url_are_the_bytes_of_the_event() -> None:
    event = b'{"type":"submission.completed"}'
    assert BODIES.body(replace(ENDPOINT, payload=Payload.FULL), "id", "id", event).content is event
    assert BODIES.body(None, "id", "id", event).content is event
