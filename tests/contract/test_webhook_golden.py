"""The webhook bodies that we make are the golden ones, and fit the published schema."""

import dataclasses
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from functions.clock import to_rfc3339
from functions.event_log.model import CUT_OUTPUT_BYTES
from functions.feed.catalogue import samples
from functions.handlers.api_document import openapi_text
from functions.ids import new_id
from functions.submissions.completed_event import MAX_BODY_BYTES, completed_body
from functions.submissions.model import Status, Submission
from functions.webhooks.alerts import ExhaustedDeliveries, disabled_event, exhausted_event, health_event
from functions.webhooks.endpoints.model import DisabledReason, Endpoint, HealthChange
from functions.webhooks.sending.requests import webhook_test
from functions.webhooks.vocabulary import DAY_MS, EVENT_DEGRADED, EVENT_RECOVERED, HOUR_MS, Counter, Traffic
from tests.contract import schema_files
from tests.submission_factory import EVENTS, START_MS, golden, new_submission

DOCUMENT = json.loads(openapi_text())
BASE_URL = "https://api.example.com"
SCHEMA = schema_files.validator(golden("webhook/v1.schema"))
GOLDEN = sorted(
    path.name.removesuffix(".json") for path in (EVENTS / "webhook").glob("*.json") if "schema" not in path.name
)
ENDPOINT = Endpoint(
    endpoint_id="1f0c5a3e-8d7b-4b52-9a3c-6e2d4f8b7c01",
    project_id="dev",
    url="https://hooks.example.com:8443/very-hidden?token=very-hidden",
    secret_box=b"very-hidden",
    created_at="2026-11-24T11:00:00.000Z",
    updated_at="2026-11-24T11:00:00.000Z",
)


def schema_of(name: str) -> Draft202012Validator:
    """The published schema beside a golden file: `v1.completed` has `v1.schema`."""
    return schema_files.validator(golden(f"webhook/{name.rpartition('.')[0]}.schema"))


def submission_of(body: dict[str, Any], **changes: Any) -> Submission:
    """Make the submission that a golden body is about."""
    values = {
        "status": Status(body["status"]),
        "language": body["language"],
        "profile": body["profile"],
        "created_at": body["created_at"],
        "started_at": body["started_at"],
        "completed_at": body["completed_at"],
        "ttl": START_MS // 1000 + 30 * 86_400,
        "verdict": body["verdict"],
        "summary": {"result": body["result"], "metrics": body["metrics"]},
        "evidence": body["evidence"],
        "integrity": body["output_integrity"],
        "metadata": body["metadata"],
    }
    return new_submission(**values | changes)


def body_of(submission: Submission, stdout: bytes, stderr: bytes = b"") -> bytes:
    return completed_body(submission, stdout, stderr, BASE_URL)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_body_fits_its_schema_and_that_of_the_api(name: str) -> None:
    body = golden(f"webhook/{name}")
    schema_of(name).validate(body)
    content = DOCUMENT["webhooks"][body["type"]]["post"]["requestBody"]["content"]["application/json"]
    Draft202012Validator({**content["schema"], "components": DOCUMENT["components"]}).validate(body)


def test_every_event_of_the_api_has_a_golden_body() -> None:
    assert {golden(f"webhook/{name}")["type"] for name in GOLDEN} == set(DOCUMENT["webhooks"])


def test_the_samples_of_the_catalogue_are_golden_bodies() -> None:
    """`functions/feed/samples.json` has the first golden body of each type, because the zip has no golden files."""
    golden_bodies = [golden(f"webhook/{name}") for name in GOLDEN]
    assert samples().keys() == {body["type"] for body in golden_bodies}
    assert [sample for sample in samples().values() if sample not in golden_bodies] == []


@pytest.mark.parametrize("name", [name for name in GOLDEN if "." in name.removeprefix("v1.")])
def test_body_that_lacks_a_field_or_has_another_does_not_fit(name: str) -> None:
    body, schema = golden(f"webhook/{name}"), schema_of(name)
    for field in body:
        assert not schema.is_valid({key: value for key, value in body.items() if key != field}), field
    assert not schema.is_valid(body | {"url": ENDPOINT.url})


@pytest.mark.parametrize("reason", [DisabledReason.GONE, DisabledReason.FAILING])
def test_the_alert_of_a_disabled_endpoint_equals_the_golden_one(reason: DisabledReason) -> None:
    made = disabled_event(ENDPOINT.disabled(reason, START_MS))
    assert json.loads(made.body) == golden(f"webhook/endpoint_disabled.v1.{reason}")


def test_the_alert_of_a_degraded_endpoint_equals_the_golden_one() -> None:
    at = to_rfc3339(START_MS)
    hour = Counter(START_MS // HOUR_MS, 40, 12)
    endpoint = dataclasses.replace(ENDPOINT, degraded_at=at, traffic=Traffic(hour=hour))
    made = health_event(endpoint, HealthChange(EVENT_DEGRADED, at, at), START_MS)
    assert json.loads(made.body) == golden("webhook/endpoint_degraded.v1.typical")


def test_the_alert_of_a_recovered_endpoint_equals_the_golden_one() -> None:
    change = HealthChange(EVENT_RECOVERED, to_rfc3339(START_MS), to_rfc3339(START_MS - HOUR_MS))
    endpoint = dataclasses.replace(ENDPOINT, traffic=Traffic(day=Counter(START_MS // DAY_MS, 8, 0)))
    made = health_event(endpoint, change, START_MS)
    assert json.loads(made.body) == golden("webhook/endpoint_recovered.v1.typical")


@pytest.mark.parametrize(("name", "endpoint_id", "count"), [("endpoint", ENDPOINT.endpoint_id, 3), ("run", "run", 1)])
def test_the_alert_of_exhausted_deliveries_equals_the_golden_one(name: str, endpoint_id: str, count: int) -> None:
    expected = golden(f"webhook/delivery_exhausted.v1.{name}")
    made = exhausted_event(ExhaustedDeliveries("dev", endpoint_id, START_MS, expected["last_delivery_id"], count))
    assert json.loads(made.body) == expected


def test_the_test_event_equals_the_golden_one() -> None:
    made = webhook_test(ENDPOINT, new_id(), START_MS)
    assert json.loads(made.body) == golden("webhook/webhook_test.v1.typical")


@pytest.mark.parametrize("name", ["completed", "platform_failure"])
def test_the_body_equals_the_golden_one(name: str) -> None:
    expected = golden(f"webhook/v1.{name}")
    made = json.loads(body_of(submission_of(expected), expected["stdout"].encode(), expected["stderr"].encode()))
    assert made == expected
    SCHEMA.validate(made)


def test_the_truncated_body_equals_the_golden_one() -> None:
    expected = golden("webhook/v1.truncated")
    made = json.loads(body_of(submission_of(expected), b"y" * 1_048_576))
    assert made["stdout"] == made["output"]["stdout"] == "y" * CUT_OUTPUT_BYTES
    SCHEMA.validate(made)
    # The golden file shows the shape with a shorter text.
    made["stdout"] = made["output"]["stdout"] = expected["stdout"]
    assert made == expected


def test_control_characters_in_every_text_do_not_make_the_body_too_large() -> None:
    """JSON writes six bytes for each of them."""
    submission = submission_of(
        golden("webhook/v1.truncated"),
        compilation={"stderr": "\x01" * 16_384},
        metadata={"\x01" * 1_000: "\x01" * 1_048},
    )
    body = body_of(submission, b"\x01" * 1_048_576, b"\x01" * 1_048_576)
    assert len(body) <= MAX_BODY_BYTES
    made = json.loads(body)
    assert made["stdout"] == made["output"]["stderr"] == "\x01" * 1_024
    SCHEMA.validate(made)


@pytest.mark.parametrize(
    "output",
    [
        b"x" * 1_048_576,
        b"\x00" * 1_048_576,
        b"\x01" * 50_000,
        b"\xff" * 1_048_576,
        "é".encode() * 524_288,
        b"x" + "é".encode() * 200_000,
        "😀".encode() * 262_144,
        b'"\\' * 500_000,
    ],
    ids=["text", "nul", "controls", "invalid", "two bytes", "odd offset", "four bytes", "escapes"],
)
def test_body_stays_within_256_kib_with_any_output(output: bytes) -> None:
    body = body_of(submission_of(golden("webhook/v1.completed")), output, output)
    assert len(body) <= MAX_BODY_BYTES
    made = json.loads(body)
    SCHEMA.validate(made)
    assert made["output"]["truncated_in_event"] is True
    assert made["result_url"].endswith(f"/api/result/{made['id']}")
    for text in (made["stdout"], made["stderr"], made["output"]["stdout"], made["output"]["stderr"]):
        assert CUT_OUTPUT_BYTES - 4 < len(text.encode()) <= CUT_OUTPUT_BYTES
        assert output.decode(errors="replace").startswith(text)


def test_body_just_under_the_limit_is_whole() -> None:
    submission = submission_of(golden("webhook/v1.completed"))
    room = MAX_BODY_BYTES - len(body_of(submission, b""))
    whole = json.loads(body_of(submission, b"x" * (room // 2)))
    assert "truncated_in_event" not in whole["output"]
    assert "result_url" not in whole
    cut = json.loads(body_of(submission, b"x" * (room // 2 + 1)))
    assert cut["output"]["truncated_in_event"] is True


def test_short_stream_beside_a_long_one_is_not_cut() -> None:
    made = json.loads(body_of(submission_of(golden("webhook/v1.completed")), b"x" * 300_000, b"e\xff"))
    assert made["stderr"] == "e\ufffd"


def test_same_submission_gives_the_same_bytes() -> None:
    submission = submission_of(golden("webhook/v1.completed"), metadata={"b": "2", "a": "1"})
    assert body_of(submission, b"42\n") == body_of(submission, b"42\n")


def test_text_is_not_escaped_beyond_need_and_bad_metadata_does_not_stop_the_event() -> None:
    submission = submission_of(golden("webhook/v1.completed"), metadata={"name": "naïve ✓ \ud800"})
    body = body_of(submission, "✓".encode())
    assert '"stdout":"✓"'.encode() in body
    assert json.loads(body)["metadata"] == {"name": "naïve ✓ ?"}
