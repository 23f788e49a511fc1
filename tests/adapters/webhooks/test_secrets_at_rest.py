"""No table, queue or log holds a secret that can be read, and a run's own goes with its last delivery."""

import pytest

from functions.aws.clients import Clients
from functions.aws.dynamodb.items import from_item
from functions.ids import new_id
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.sealed_secrets import SecretBoxes
from tests.adapters.aws_account import Aws
from tests.adapters.delivery_factory import put_delivery
from tests.adapters.http_calls import send
from tests.adapters.pipeline import SECRET, Pipeline, logged
from tests.submission_factory import new_submission

HIDDEN = "very-hidden"
HOOK = {"webhook_url": "https://hooks.example.com/x", "webhook_secret": HIDDEN}
RUN = {"language": "python", "code": "print(1)"}


def rows(aws: Aws) -> str:
    return repr([aws.items(table) for table in ("SubmissionsTable", "DeliveriesTable")])


def box_of(aws: Aws, submission_id: str) -> bytes:
    (row,) = [row for row in map(from_item, aws.items("SubmissionsTable")) if row.get("submission_id") == submission_id]
    return bytes(row["webhook_secret_box"])


def test_a_runs_secret_is_sealed_from_the_first_write(
    aws: Aws, project_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert send(project_key, "POST", "/api/submit", {**RUN, **HOOK}).status == 202
    assert HIDDEN not in rows(aws)
    assert HIDDEN not in repr(aws.messages("BatchQueue"))
    assert HIDDEN not in logged(caplog)


def test_runs_with_one_secret_cost_one_call_of_kms(aws: Aws, project_key: str, kms_calls: list[str]) -> None:
    for _ in range(3):
        assert send(project_key, "POST", "/api/submit", {**RUN, **HOOK}).status == 202
    assert kms_calls == ["Encrypt"]
    other = {**HOOK, "webhook_secret": "another"}
    assert send(project_key, "POST", "/api/submit", {**RUN, **other}).status == 202
    assert kms_calls == ["Encrypt", "Encrypt"]


@pytest.fixture
def kms_calls(aws: Aws) -> list[str]:
    """Operations that were called, in their order."""
    calls: list[str] = []
    Clients.kms().meta.events.register(
        "before-call.kms", lambda model, **_: calls.append(model.name), unique_id="counted"
    )
    return calls


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, DeliveryState.DELIVERED), (410, DeliveryState.EXHAUSTED), (500, DeliveryState.EXHAUSTED)],
)
def test_a_runs_secret_goes_with_its_last_delivery(pipeline: Pipeline, status: int, state: DeliveryState) -> None:
    pipeline.with_schedule(0)
    pipeline.receiver.always(status)
    submission = pipeline.submit()
    assert box_of(pipeline.aws, submission.submission_id)
    pipeline.finish(submission)
    assert pipeline.row(submission).webhook_secret_box is None  # the delivery has it now
    owed = pipeline.delivery(submission)
    assert owed is not None
    assert owed.secret_box
    pipeline.webhook(*pipeline.hints())
    assert pipeline.state(submission) is state
    assert "secret" not in rows(pipeline.aws)


def test_a_cancelled_delivery_keeps_no_secret(pipeline: Pipeline) -> None:
    submission = pipeline.run()
    pipeline.deliveries.cancel_event(submission.submission_id)
    assert pipeline.state(submission) is DeliveryState.CANCELLED
    assert "secret" not in rows(pipeline.aws)


def test_the_secret_of_another_project_signs_nothing(pipeline: Pipeline) -> None:
    box = pipeline.boxes.seal(SECRET, "other", "run")
    submission = new_submission(submission_id=new_id(), webhook_url=pipeline.receiver.url, webhook_secret_box=box)
    pipeline.submissions.create(submission, None)
    pipeline.finish(submission)
    pipeline.webhook(*pipeline.hints())
    assert (pipeline.state(submission), pipeline.receiver.received) == (DeliveryState.BLOCKED, [])


def test_a_replay_of_a_runs_own_delivery_brings_the_secret(aws: Aws, project_key: str) -> None:
    delivery = put_delivery(aws, "delivered", secret_box=b"")
    path = f"/api/deliveries/{delivery.event_id}.run/replay"
    refused = send(project_key, "POST", path)
    assert (refused.status, "webhook_secret" in refused.json["message"]) == (409, True)
    assert send(project_key, "POST", path, {"webhook_secret": "whsec_%"}).status == 422
    assert send(project_key, "POST", path, {"webhook_secret": HIDDEN}).status == 202
    assert f"'S': '{HIDDEN}'" not in rows(aws)
    deliveries = DeliveryStore(aws.names["DeliveriesTable"], Clients.dynamodb())
    again = deliveries.get_delivery(delivery.event_id, "run")
    assert again is not None
    boxes = SecretBoxes(aws.names["EndpointSecretsKey"], Clients.kms)
    assert boxes.open(again.secret_box, delivery.project_id, "run") == HIDDEN


# --- custom headers ------------------------------------------------------------------------------------------------

LARGE = {f"x-{number:02d}": "v" * (1_024 if number < 3 else 60) for number in range(16)}


@pytest.mark.parametrize("headers", [{"authorization": f"Bearer {HIDDEN}", "x-team": "7"}, LARGE, {}])
def test_values_of_custom_headers_are_sealed_and_sent(pipeline: Pipeline, headers: dict[str, str]) -> None:
    endpoint = pipeline.endpoint(headers=headers)
    assert all(value not in rows(pipeline.aws) for value in headers.values() if len(value) > 1)
    pipeline.finish(pipeline.submit(webhook_url=None, webhook_secret=None))
    pipeline.webhook(*pipeline.hints())
    (request,) = pipeline.sent_to(endpoint)
    assert headers.items() <= request.headers.items()


def test_values_of_custom_headers_stay_sealed_and_hidden_when_they_change(aws: Aws, project_key: str) -> None:
    made = send(
        project_key,
        "POST",
        "/api/webhooks",
        {"url": "https://hooks.example.com/", "headers": {"authorization": HIDDEN, "x-team": "7"}},
    ).json
    path, shown = f"/api/webhooks/{made['id']}", {"authorization": "***", "x-team": "***"}
    assert send(project_key, "GET", path).json["headers"] == shown
    changed = send(project_key, "PATCH", path, {"headers": {**shown, "x-new": "2"}})
    assert (changed.status, changed.json["headers"]) == (200, {**shown, "x-new": "***"})
    assert HIDDEN not in rows(aws)
    removed = send(project_key, "PATCH", path, {"headers": {}})
    assert (removed.status, removed.json["headers"]) == (200, {})
    assert "headers_box" not in rows(aws)
