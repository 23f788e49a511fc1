"""`endpoint.disabled` is published once to the project's other endpoints and the bus, also after crashes."""

import json
from typing import Any

import pytest

from functions.webhooks.alerts import disabled_event
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.endpoints.model import DisabledReason, Endpoint
from tests.adapters.bus_watch import BusWatch, bus_answers, failed
from tests.adapters.hook_verification import is_genuine
from tests.adapters.pipeline import SECRET, Crash, Pipeline, crash_at, path_of
from tests.adapters.webhooks.endpoint_runs import hint_of

pytestmark = pytest.mark.answered_by("moto")  # the engine's bus has no rules to watch it by


@pytest.fixture
def watch(pipeline: Pipeline) -> BusWatch:
    return BusWatch(pipeline.aws)


@pytest.fixture
def failing(pipeline: Pipeline) -> Endpoint:
    """An endpoint that responds 410 and subscribes to `submission.completed` only."""
    endpoint = pipeline.endpoint(events=("submission.completed",))
    pipeline.receiver.answers_of[path_of(endpoint.endpoint_id)] = (410, {}, b"")
    return endpoint


def disable(pipeline: Pipeline, endpoint: Endpoint) -> None:
    submission = pipeline.run(webhook_url=None)
    pipeline.hints()
    pipeline.webhook(hint_of(submission, endpoint))


def due(pipeline: Pipeline) -> list[str]:
    return [item["sk"]["S"] for item in pipeline.aws.items("DeliveriesTable") if "due_shard" in item]


def test_endpoint_disabled_reaches_other_endpoints_and_the_bus_at_once(
    pipeline: Pipeline, failing: Endpoint, watch: BusWatch
) -> None:
    other = pipeline.endpoint(events=("endpoint.disabled",))
    pipeline.endpoint(events=("submission.completed",))
    pipeline.endpoint(project_id="other", events=("endpoint.disabled",))
    off = pipeline.endpoint(enabled=False, events=("endpoint.disabled",))
    disable(pipeline, failing)
    event = disabled_event(pipeline.at(failing))
    told, paused = (pipeline.deliveries.get_delivery(event.event_id, e.endpoint_id) for e in (other, off))
    assert told is not None
    assert paused is not None
    assert (told.state, paused.state) == (DeliveryState.PENDING, DeliveryState.PAUSED)
    pipeline.webhook(*pipeline.hints())
    (request,) = pipeline.sent_to(other)
    assert is_genuine(request, SECRET)
    assert json.loads(request.body) == {
        "type": "endpoint.disabled",
        "timestamp": "2026-11-24T12:00:00.000Z",
        "endpoint_id": failing.endpoint_id,
        "host": "127.0.0.1",
        "reason": "gone",
    }
    assert request.webhook_id == event.event_id
    news = [seen for seen in watch.seen() if seen["detail-type"] == "endpoint.disabled"]
    assert [seen["detail"] for seen in news] == [{"project_id": "dev", **json.loads(request.body)}]


def test_the_event_has_no_path_and_query(pipeline: Pipeline, failing: Endpoint) -> None:
    disable(pipeline, failing)
    body = disabled_event(pipeline.at(failing)).body.decode()
    assert "very-hidden" not in body
    assert path_of(failing.endpoint_id) not in body


def test_the_disabled_endpoint_gets_no_event_about_itself(pipeline: Pipeline) -> None:
    endpoint = pipeline.endpoint()
    pipeline.receiver.answers_of[path_of(endpoint.endpoint_id)] = (410, {}, b"")
    disable(pipeline, endpoint)
    event_id = disabled_event(pipeline.at(endpoint)).event_id
    assert pipeline.deliveries.get_delivery(event_id, endpoint.endpoint_id) is None


@pytest.mark.parametrize(
    "point",
    [
        "webhook.after_record",
        "publish.after_rows",
        "publish.after_hint",
        "publish.after_bus",
        "disabled_event.before_done",
    ],
)
def test_the_sweeper_publishes_after_a_crash_before_the_end(
    point: str, pipeline: Pipeline, failing: Endpoint, watch: BusWatch
) -> None:
    others = [pipeline.endpoint(events=("endpoint.disabled",)) for _ in range(3)]
    submission = pipeline.run(webhook_url=None)
    pipeline.hints()
    with crash_at(point), pytest.raises(Crash):
        pipeline.webhook(hint_of(submission, failing))
    pipeline.hints()  # lost
    assert f"ENDPOINT#{failing.endpoint_id}" in due(pipeline)
    for _ in range(2):
        pipeline.sweep(after_secs=61)
        pipeline.webhook(*pipeline.hints())
    assert [len(pipeline.sent_to(other)) for other in others] == [1, 1, 1]
    assert due(pipeline) == []
    assert {seen["detail"]["endpoint_id"] for seen in watch.seen() if seen["detail-type"] == "endpoint.disabled"} == {
        failing.endpoint_id
    }


def test_the_sweeper_publishes_after_the_bus_refused(pipeline: Pipeline, failing: Endpoint, watch: BusWatch) -> None:
    submission = pipeline.run(webhook_url=None)
    pipeline.hints()
    watch.seen()
    with bus_answers(pipeline.aws, *[failed()] * 4):
        assert pipeline.webhook(hint_of(submission, failing)) == [0]
    assert not pipeline.at(failing).enabled
    assert watch.seen() == []
    pipeline.sweep()
    assert [seen["detail-type"] for seen in watch.seen()] == ["endpoint.disabled"]
    assert due(pipeline) == []


def test_two_concurrent_sweeps_publish_once(pipeline: Pipeline, failing: Endpoint) -> None:
    other = pipeline.endpoint(events=("endpoint.disabled",))
    submission = pipeline.run(webhook_url=None)
    pipeline.hints()
    with crash_at("webhook.after_record"), pytest.raises(Crash):
        pipeline.webhook(hint_of(submission, failing))
    first, second = pipeline.new_sweep(), pipeline.new_sweep()
    entries = list(first.entries()), list(second.entries())
    for sweep, found in zip((first, second), entries, strict=True):
        for entry in found:
            sweep.handle(entry)
    pipeline.webhook(*pipeline.hints())
    assert len(pipeline.sent_to(other)) == 1


def test_no_event_if_the_endpoint_is_enabled_before_the_sweep(
    pipeline: Pipeline, failing: Endpoint, watch: BusWatch
) -> None:
    with crash_at("webhook.after_record"), pytest.raises(Crash):
        disable(pipeline, failing)
    watch.seen()
    removes = ("disabled_reason", "disabled_at")
    pipeline.change_endpoint(failing, {"enabled": True}, removes)
    pipeline.sweep()
    assert (watch.seen(), due(pipeline)) == ([], [])


def test_no_event_if_the_endpoint_is_deleted_before_the_sweep(pipeline: Pipeline, failing: Endpoint) -> None:
    with crash_at("webhook.after_record"), pytest.raises(Crash):
        disable(pipeline, failing)
    (entry,) = pipeline.new_sweep().entries()
    assert pipeline.endpoints.delete("dev", failing.endpoint_id)
    pipeline.new_sweep().handle(entry)
    assert pipeline.endpoints.get("dev", failing.endpoint_id) is None


def test_an_endpoint_disabled_again_during_the_publish_stays_due(pipeline: Pipeline, failing: Endpoint) -> None:
    with crash_at("webhook.after_record"), pytest.raises(Crash):
        disable(pipeline, failing)
    first = pipeline.at(failing)
    again: dict[str, Any] = {"disabled_at": "2026-11-24T13:00:00.000Z", "due_at_ms": pipeline.time() + 1}
    pipeline.change_endpoint(failing, again)
    pipeline.alerts.publish_disabled(first)
    assert due(pipeline) == [f"ENDPOINT#{failing.endpoint_id}"]
    assert disabled_event(first).event_id != disabled_event(pipeline.at(failing)).event_id


def test_no_event_if_the_owner_disables_the_endpoint(pipeline: Pipeline, watch: BusWatch) -> None:
    endpoint = pipeline.endpoint(
        enabled=False, disabled_reason=DisabledReason.REQUEST, disabled_at="2026-11-24T12:00:00.000Z"
    )
    pipeline.alerts.publish_disabled(endpoint)
    assert watch.seen() == []
