"""Deliveries of a deleted endpoint become cancelled, paused ones too, after a crash at any step."""

import json

import pytest

from functions.aws.clients import Clients
from functions.ids import new_id
from functions.submissions.model import Submission
from functions.webhooks.deliveries import store as delivery_store
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.deliveries.store import GRACE_MS, DeliveryStore
from functions.webhooks.endpoints.model import Endpoint
from tests.adapters.aws_account import Aws
from tests.adapters.delivery_factory import put_delivery
from tests.adapters.http_calls import send
from tests.adapters.pipeline import Crash, Pipeline, crash_at

PATH = "/api/webhooks"
MINUTE_SECS = 60


def paused(pipeline: Pipeline, count: int = 1) -> tuple[Endpoint, list[Submission]]:
    """A disabled endpoint that was owed `count` deliveries since."""
    endpoint = pipeline.endpoint(enabled=False)
    submissions = [pipeline.submit(webhook_url=None, webhook_secret=None) for _ in range(count)]
    for submission in submissions:
        pipeline.finish(submission)
    assert states(pipeline, endpoint, submissions) == {DeliveryState.PAUSED}
    return endpoint, submissions


def states(pipeline: Pipeline, endpoint: Endpoint, submissions: list[Submission]) -> set[DeliveryState | None]:
    return {pipeline.state(submission, endpoint.endpoint_id) for submission in submissions}


def test_deleting_an_endpoint_cancels_its_paused_deliveries_at_once(aws: Aws, project_key: str) -> None:
    made = send(project_key, "POST", PATH, {"url": "https://hooks.example.com/", "enabled": False}).json
    other = send(project_key, "POST", PATH, {"url": "https://hooks.example.com/", "enabled": False}).json
    for state in ("paused", "delivered", "exhausted"):
        put_delivery(aws, state, endpoint_id=made["id"])
    put_delivery(aws, "paused", endpoint_id=other["id"])
    assert send(project_key, "DELETE", f"{PATH}/{made['id']}").status == 200
    items = send(project_key, "GET", "/api/deliveries").json["items"]
    found = sorted((item["endpoint_id"] == made["id"], item["state"]) for item in items)
    assert found == [(False, "paused"), (True, "cancelled"), (True, "delivered"), (True, "exhausted")]
    assert [item["id"] for item in send(project_key, "GET", PATH).json["items"]] == [other["id"]]
    assert send(project_key, "DELETE", f"{PATH}/{made['id']}").status == 404


def test_deliveries_of_a_deleted_endpoint_are_cancelled_in_lists_at_once(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that the request has no time for."""
    made = send(project_key, "POST", PATH, {"url": "https://hooks.example.com/"}).json
    put = [put_delivery(aws, state, endpoint_id=made["id"], age_ms=1000) for state in ("pending", "retrying", "paused")]
    sending, own = put_delivery(aws, "sending", endpoint_id=made["id"]), put_delivery(aws, "retrying")
    monkeypatch.setattr("functions.webhooks.endpoint_routes._CANCEL_MS", 0)
    assert send(project_key, "DELETE", f"{PATH}/{made['id']}").status == 200
    assert {row["state"]["S"] for row in aws.items("DeliveriesTable") if "state" in row} >= {"pending", "paused"}

    def listed(query: dict[str, str] | None = None) -> dict[str, str]:
        items = send(project_key, "GET", "/api/deliveries", query=query).json["items"]
        return {item["webhook_id"]: item["state"] for item in items}

    cancelled = dict.fromkeys((delivery.event_id for delivery in put), "cancelled")
    assert listed() == cancelled | {sending.event_id: "sending", own.event_id: "retrying"}
    assert listed({"state": "retrying"}) == {own.event_id: "retrying"}
    shown = send(project_key, "GET", f"/api/deliveries/{put[0].event_id}.{made['id']}").json
    assert (shown["state"], shown["next_attempt_at"]) == ("cancelled", None)


def test_deleting_an_endpoint_cancels_its_open_deliveries(aws: Aws, project_key: str) -> None:
    made = send(project_key, "POST", PATH, {"url": "https://hooks.example.com/"}).json
    put = [put_delivery(aws, state, endpoint_id=made["id"]) for state in ("pending", "retrying", "paused")]
    assert send(project_key, "DELETE", f"{PATH}/{made['id']}").status == 200
    store = DeliveryStore(aws.names["DeliveriesTable"], Clients.dynamodb())
    found = [store.get_delivery(delivery.event_id, made["id"]) for delivery in put]
    assert [(one and one.state, one and one.due_at_ms) for one in found] == [(DeliveryState.CANCELLED, None)] * 3


def test_the_sweeper_cancels_deliveries_after_a_crash_of_the_request(aws: Aws, project_key: str) -> None:
    made = send(project_key, "POST", PATH, {"url": "https://hooks.example.com/", "enabled": False}).json
    with crash_at("endpoint.after_delete"), pytest.raises(Crash):
        send(project_key, "DELETE", f"{PATH}/{made['id']}")
    leaves = [row for row in aws.items("DeliveriesTable") if row["sk"]["S"] == f"DELETED#{made['id']}"]
    assert [("due_shard" in row, row["due_at_ms"] == row["deleted_at_ms"]) for row in leaves] == [(True, True)]


@pytest.mark.parametrize("point", ["deletion.after_take", "deletion.after_page"])
def test_the_next_sweep_continues_after_a_crash(pipeline: Pipeline, point: str) -> None:
    endpoint, submissions = paused(pipeline)
    assert pipeline.endpoints.delete("dev", endpoint.endpoint_id)
    with crash_at(point), pytest.raises(Crash):
        pipeline.sweep()
    pipeline.sweep(after_secs=MINUTE_SECS + 1)
    assert states(pipeline, endpoint, submissions) == {DeliveryState.CANCELLED}


def test_many_are_cancelled_over_several_sweeps(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_store, "_ITEMS_PER_QUERY", 2)
    endpoint, submissions = paused(pipeline, 5)
    assert pipeline.endpoints.delete("dev", endpoint.endpoint_id)
    monkeypatch.setattr("functions.submissions.sweeper.DELETION_MS", 0)
    pipeline.sweep()
    assert DeliveryState.CANCELLED not in states(pipeline, endpoint, submissions)
    monkeypatch.setattr("functions.submissions.sweeper.DELETION_MS", 1)
    pipeline.time.advance(MINUTE_SECS + 1)
    with crash_at("deletion.after_page", after=1), pytest.raises(Crash):  # two pages of three
        pipeline.sweep()
    assert states(pipeline, endpoint, submissions) == {DeliveryState.CANCELLED, DeliveryState.PAUSED}
    pipeline.sweep(after_secs=MINUTE_SECS + 1)
    assert states(pipeline, endpoint, submissions) == {DeliveryState.CANCELLED}


def test_a_delivery_that_was_paused_after_the_deletion_is_cancelled_too(pipeline: Pipeline) -> None:
    endpoint, submissions = paused(pipeline)
    late = pipeline.delivery(submissions[0], endpoint.endpoint_id)
    assert late is not None
    assert pipeline.endpoints.delete("dev", endpoint.endpoint_id)
    pipeline.sweep()
    written = put_delivery(
        pipeline.aws, "paused", endpoint_id=endpoint.endpoint_id, created_at=late.created_at, project_id="dev"
    )
    pipeline.sweep(after_secs=GRACE_MS // 1_000 + 1)
    found = pipeline.deliveries.get_delivery(written.event_id, endpoint.endpoint_id)
    assert found is not None
    assert found.state is DeliveryState.CANCELLED
    (left,) = [row for row in pipeline.aws.items("DeliveriesTable") if row["sk"]["S"].startswith("DELETED#")]
    assert "due_at_ms" not in left


def test_only_one_of_two_workers_takes_the_row(pipeline: Pipeline) -> None:
    endpoint, _ = paused(pipeline)
    due_at_ms = pipeline.endpoints.delete("dev", endpoint.endpoint_id)
    assert due_at_ms is not None
    work = DeliveryStore(pipeline.aws.names["DeliveriesTable"], Clients.dynamodb(), pipeline.time).cancel_open
    pipeline.time.advance(1)
    assert [work("dev", endpoint.endpoint_id, due_at_ms, 1_000) for _ in range(2)] == [True, False]
    assert not work("dev", new_id(), due_at_ms, 1_000)


def test_deleting_an_endpoint_keeps_its_finished_deliveries(pipeline: Pipeline) -> None:
    endpoint = pipeline.endpoint()
    submission = pipeline.run(webhook_url=None, webhook_secret=None)
    pipeline.webhook(*pipeline.hints())
    before = json.dumps(pipeline.attempts(submission, endpoint.endpoint_id), default=repr)
    assert pipeline.endpoints.delete("dev", endpoint.endpoint_id)
    pipeline.sweep()
    assert pipeline.state(submission, endpoint.endpoint_id) is DeliveryState.DELIVERED
    assert json.dumps(pipeline.attempts(submission, endpoint.endpoint_id), default=repr) == before
