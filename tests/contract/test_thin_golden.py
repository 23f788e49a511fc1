"""The thin body of an event is the golden one: its ids and its address, whatever the event holds."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from functions.env import Env
from functions.webhooks.cards import Cards
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID, Delivery, DeliveryState
from functions.webhooks.endpoints.model import Endpoint, Payload
from functions.webhooks.sealed_secrets import SecretBoxes
from functions.webhooks.sending.requests import body_of, sign
from tests.submission_factory import golden

OURS = (Cards(), "https://api.example.com")
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
    made = body_of(*OURS, ENDPOINT, expected["id"], expected["submission_id"] or "", json.dumps(event).encode())
    assert json.loads(made.content) == expected


def test_a_full_body_and_that_of_a_runs_own_url_are_the_bytes_of_the_event() -> None:
    event = b'{"type":"submission.completed"}'
    assert body_of(*OURS, replace(ENDPOINT, payload=Payload.FULL), "id", "id", event).content is event
    env = Env("test", ())
    env._parts[SecretBoxes] = SimpleNamespace(open=lambda *_: f"whsec_{'a' * 32}")
    at = "2026-11-24T11:00:00.000Z"
    own = Delivery("id", RUN_ENDPOINT_ID, "dev", "id", DeliveryState.PENDING, 0, 0, at, secret_box=b"box")
    request = sign(env, own, None, event, 0)
    assert request is not None
    assert request.body is event
