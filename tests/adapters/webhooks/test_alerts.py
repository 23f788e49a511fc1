"""`endpoint.degraded`, `endpoint.recovered` and `delivery.exhausted`, over the real parts and after crashes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.aws.dynamodb.items import from_item
from functions.webhooks.alerts import QUIET_MS, exhausted_key
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.endpoints.model import LEAST_DEGRADED_MS, Health
from functions.webhooks.endpoints.store import CHECK_AFTER_MS, HEALTH
from functions.webhooks.sending.attempts import EVERY_MS
from functions.webhooks.vocabulary import ALERT_EVENTS, HOUR_MS, Traffic
from tests.adapters.bus_watch import BusWatch, bus_answers, failed
from tests.adapters.pipeline import Crash, Pipeline, crash_at, path_of

if TYPE_CHECKING:
    from functions.webhooks.endpoints.model import Endpoint

PUBLISH_POINTS = ("publish.after_rows", "publish.after_hint", "publish.after_bus")


@pytest.fixture
def watcher(pipeline: Pipeline) -> Endpoint:
    """The project's other endpoint, which subscribes to alerts only."""
    return pipeline.endpoint(events=tuple(sorted(ALERT_EVENTS)))


@pytest.fixture
def flaky(pipeline: Pipeline, watcher: Endpoint) -> Endpoint:
    """An endpoint that gets runs and alerts."""
    assert watcher.enabled
    return pipeline.endpoint(events=("submission.completed", *sorted(ALERT_EVENTS)))


def answer(pipeline: Pipeline, endpoint: Endpoint, *statuses: int) -> None:
    """Run a program for each status, with which the endpoint answers the first attempt."""
    for status in statuses:
        pipeline.receiver.answers_of[path_of(endpoint.endpoint_id)] = (status, {}, b"")
        pipeline.finish(pipeline.submit(webhook_url=None, webhook_secret=None))
        pipeline.webhook(*pipeline.hints())
        pipeline.time.advance(0.1)  # a slot rests after a send
    pipeline.write_counts()


def check(pipeline: Pipeline, after_ms: int = CHECK_AFTER_MS) -> None:
    """Let time pass, sweep, and send what is then due."""
    pipeline.time.ms += after_ms
    pipeline.sweep()
    pipeline.webhook(*pipeline.hints())


def told(pipeline: Pipeline, endpoint: Endpoint) -> list[dict[str, Any]]:
    """The alerts that an endpoint got, each once."""
    bodies = {request.webhook_id: json.loads(request.body) for request in pipeline.sent_to(endpoint)}
    return [body for body in bodies.values() if body["type"] in ALERT_EVENTS]


def due(pipeline: Pipeline) -> list[str]:
    """Rows of alerts that are due."""
    names = (item["sk"]["S"] for item in pipeline.aws.items("DeliveriesTable") if "due_shard" in item)
    return [name for name in names if not name.startswith(("DELIVERY#", "LANE#"))]


def degrade(pipeline: Pipeline, endpoint: Endpoint) -> None:
    """Let a third of the attempts fail."""
    answer(pipeline, endpoint, *[500, 200, 200] * 4)


# --- rates ------------------------------------------------------------------------------------------------------------


def test_every_attempt_counts_and_so_does_every_failure(pipeline: Pipeline, flaky: Endpoint) -> None:
    answer(pipeline, flaky, 200, 500, 200, 503, 404)
    counted = pipeline.at(flaky).traffic
    assert (counted.hour.attempts, counted.hour.failures) == (5, 3)
    assert (counted.day.attempts, counted.day.failures) == (5, 3)


def test_a_new_hour_moves_the_counters_and_a_later_one_empties_them(pipeline: Pipeline, flaky: Endpoint) -> None:
    answer(pipeline, flaky, 200, 500)
    pipeline.time.ms += HOUR_MS
    answer(pipeline, flaky, 200)
    hour = pipeline.at(flaky).traffic.hour
    assert (hour.attempts, hour.failures, hour.attempts_before, hour.failures_before) == (1, 0, 2, 1)
    pipeline.time.ms += 2 * HOUR_MS
    answer(pipeline, flaky, 500)
    hour = pipeline.at(flaky).traffic.hour
    assert (hour.attempts, hour.failures, hour.attempts_before, hour.failures_before) == (1, 1, 0, 0)
    assert pipeline.at(flaky).traffic.day.attempts == 4


def test_a_process_that_missed_the_new_hour_counts_after_a_read(pipeline: Pipeline, flaky: Endpoint) -> None:
    answer(pipeline, flaky, 200)
    stale = pipeline.at(flaky)
    pipeline.time.ms += HOUR_MS
    answer(pipeline, flaky, 200, 500)
    pipeline.time.advance(EVERY_MS / 1000)
    pipeline.deliverer.success_counts.add(stale)
    hour = pipeline.at(flaky).traffic.hour
    assert (hour.attempts, hour.failures, hour.attempts_before) == (3, 1, 1)


def test_successes_are_written_at_once_and_then_together(pipeline: Pipeline, flaky: Endpoint) -> None:
    counts = pipeline.deliverer.success_counts
    for _ in range(5):
        counts.add(flaky)
    assert pipeline.at(flaky).traffic.hour.attempts == 1
    pipeline.write_counts()
    assert pipeline.at(flaky).traffic.hour.attempts == 5
    pipeline.write_counts()
    counts.add(flaky)
    pipeline.time.advance(EVERY_MS / 1000)
    counts.add(flaky)  # the process was frozen meanwhile, so nothing was written in time
    assert (pipeline.at(flaky).traffic.hour.attempts, pipeline.at(flaky).traffic.day.attempts) == (7, 7)


def test_a_success_of_a_deleted_endpoint_makes_no_row(pipeline: Pipeline, flaky: Endpoint) -> None:
    assert pipeline.endpoints.delete("dev", flaky.endpoint_id)
    pipeline.deliverer.success_counts.add(flaky)
    assert pipeline.endpoints.get("dev", flaky.endpoint_id) is None


# --- degraded and recovered -------------------------------------------------------------------------------------------


def test_a_partly_failing_endpoint_degrades_although_it_succeeds_in_between(
    pipeline: Pipeline, flaky: Endpoint, watcher: Endpoint
) -> None:
    degrade(pipeline, flaky)
    assert pipeline.at(flaky).failing is None  # the last attempt was a success
    check(pipeline)
    assert pipeline.at(flaky).health(pipeline.time()) is Health.DEGRADED
    (event,) = told(pipeline, watcher)
    assert (event["type"], event["endpoint_id"], event["host"]) == ("endpoint.degraded", flaky.endpoint_id, "127.0.0.1")
    assert (event["window"], event["attempts"], event["failures"]) == ("hour", 12, 4)
    assert path_of(flaky.endpoint_id) not in json.dumps(event)
    assert told(pipeline, flaky) == []


def test_an_endpoint_recovers_by_its_rate_and_announces_it_once(
    pipeline: Pipeline, flaky: Endpoint, watcher: Endpoint
) -> None:
    degrade(pipeline, flaky)
    check(pipeline)
    answer(pipeline, flaky, 200)
    check(pipeline, LEAST_DEGRADED_MS)
    assert pipeline.at(flaky).degraded_at is not None  # one success does not forget all
    pipeline.time.ms += 2 * HOUR_MS
    answer(pipeline, flaky, *[200] * 10)
    for _ in range(3):
        check(pipeline)
    degraded, recovered = told(pipeline, watcher)
    assert (recovered["type"], recovered["degraded_at"]) == ("endpoint.recovered", degraded["timestamp"])
    assert (recovered["window"], recovered["failures"]) == ("hour", 0)
    assert recovered["attempts"] >= 10  # with retries, whose hints the queue shows in real time
    assert pipeline.at(flaky).health(pipeline.time()) is Health.ACTIVE
    assert due(pipeline) == []


def test_a_few_failures_cost_one_check_and_no_event(pipeline: Pipeline, flaky: Endpoint, watcher: Endpoint) -> None:
    answer(pipeline, flaky, *[200] * 9, 500)
    assert due(pipeline) == [f"ENDPOINT#{flaky.endpoint_id}"]
    check(pipeline)
    assert (told(pipeline, watcher), due(pipeline)) == ([], [])


def test_an_endpoint_whose_few_attempts_all_failed_is_degraded(
    pipeline: Pipeline, flaky: Endpoint, watcher: Endpoint
) -> None:
    answer(pipeline, flaky, *[500] * 6)
    check(pipeline)
    assert pipeline.at(flaky).health(pipeline.time()) is Health.DEGRADED
    assert [event["type"] for event in told(pipeline, watcher)] == ["endpoint.degraded"]


def test_a_failure_during_a_check_keeps_the_endpoint_due(pipeline: Pipeline, flaky: Endpoint) -> None:
    answer(pipeline, flaky, 500)
    pipeline.time.ms += CHECK_AFTER_MS
    with crash_at("sweep.after_take"), pytest.raises(Crash):
        pipeline.sweep()
    (taken_until_ms,) = (
        from_item(item)["due_at_ms"]
        for item in pipeline.aws.items("DeliveriesTable")
        if item["sk"]["S"] == f"ENDPOINT#{flaky.endpoint_id}"
    )
    seen = pipeline.at(flaky)
    answer(pipeline, flaky, 500)
    pipeline.alerts.check_health(seen, taken_until_ms)
    assert due(pipeline) == [f"ENDPOINT#{flaky.endpoint_id}"]


@pytest.mark.parametrize("point", ["sweep.after_take", "health.after_change", *PUBLISH_POINTS, "health.before_done"])
def test_a_crash_between_the_change_and_its_event_loses_no_alert(
    point: str, pipeline: Pipeline, flaky: Endpoint, watcher: Endpoint
) -> None:
    degrade(pipeline, flaky)
    pipeline.time.ms += CHECK_AFTER_MS
    with crash_at(point), pytest.raises(Crash):
        pipeline.sweep()
    pipeline.hints()  # lost
    for _ in range(3):
        check(pipeline, 61_000)
    (event,) = told(pipeline, watcher)
    assert event["type"] == "endpoint.degraded"
    assert len({request.webhook_id for request in pipeline.sent_to(watcher)}) == 1
    assert pipeline.at(flaky).unpublished_change is None


def test_an_endpoint_that_is_enabled_again_begins_with_empty_rates(
    pipeline: Pipeline, flaky: Endpoint, watcher: Endpoint
) -> None:
    degrade(pipeline, flaky)
    check(pipeline)
    pipeline.change_endpoint(flaky, {"enabled": False})
    pipeline.change_endpoint(flaky, {"enabled": True}, HEALTH)
    assert (pipeline.at(flaky).traffic, pipeline.at(flaky).degraded_at) == (Traffic(), None)
    answer(pipeline, flaky, 500, 200)  # the retries of the others work too
    for _ in range(10):
        check(pipeline)
    assert [event["type"] for event in told(pipeline, watcher)] == ["endpoint.degraded"]
    assert due(pipeline) == []


def test_an_endpoint_that_is_disabled_with_a_pending_event_publishes_both(
    pipeline: Pipeline, flaky: Endpoint, watcher: Endpoint
) -> None:
    degrade(pipeline, flaky)
    pipeline.time.ms += CHECK_AFTER_MS
    with crash_at("health.after_change"), pytest.raises(Crash):
        pipeline.sweep()
    answer(pipeline, flaky, 410)
    check(pipeline)
    assert {event["type"] for event in told(pipeline, watcher)} == {"endpoint.degraded", "endpoint.disabled"}
    assert due(pipeline) == []


# --- exhausted deliveries ---------------------------------------------------------------------------------------------


def exhaust(pipeline: Pipeline, endpoint: Endpoint, count: int = 1) -> None:
    """Let deliveries fail at their only attempt."""
    pipeline.with_schedule(0)
    answer(pipeline, endpoint, *[500] * count)


def test_exhausted_deliveries_are_announced_together_and_once_an_hour(
    pipeline: Pipeline, flaky: Endpoint, watcher: Endpoint
) -> None:
    exhaust(pipeline, flaky)
    check(pipeline, 0)
    exhaust(pipeline, flaky, 3)
    for _ in range(5):
        check(pipeline, 60_000)
    assert [event["deliveries"] for event in told(pipeline, watcher)] == [1]
    check(pipeline, QUIET_MS)
    events = told(pipeline, watcher)
    assert [(event["type"], event["deliveries"]) for event in events] == [
        ("delivery.exhausted", 1),
        ("delivery.exhausted", 3),
    ]
    assert {event["endpoint_id"] for event in events} == {flaky.endpoint_id}
    assert told(pipeline, flaky) == []
    check(pipeline, QUIET_MS)
    assert not [name for name in due(pipeline) if name.startswith("EXHAUSTED#")]


def test_a_failing_url_of_a_run_is_announced_to_all_endpoints(
    pipeline: Pipeline, flaky: Endpoint, watcher: Endpoint
) -> None:
    pipeline.with_schedule(0)
    pipeline.receiver.answers_of["/hook"] = (500, {}, b"")
    submission = pipeline.run()
    pipeline.webhook(*pipeline.hints())
    assert pipeline.state(submission) is DeliveryState.EXHAUSTED
    check(pipeline, 0)
    for endpoint in (flaky, watcher):
        (event,) = told(pipeline, endpoint)
        assert (event["endpoint_id"], event["last_delivery_id"]) == ("run", f"{submission.submission_id}.run")


@pytest.mark.parametrize(
    "point", ["webhook.after_record", "sweep.after_take", *PUBLISH_POINTS, "exhausted.before_done"]
)
def test_a_crash_between_the_final_state_and_the_alert_loses_no_delivery_of_it(
    point: str, pipeline: Pipeline, flaky: Endpoint, watcher: Endpoint
) -> None:
    def exhaust_and_sweep() -> None:
        exhaust(pipeline, flaky)
        pipeline.sweep()

    with crash_at(point), pytest.raises(Crash):
        exhaust_and_sweep()
    pipeline.hints()  # lost
    exhaust(pipeline, flaky)  # one more, while the first is not told to the end
    for after_ms in (61_000, 61_000, QUIET_MS, 61_000):
        check(pipeline, after_ms)
    events = told(pipeline, watcher)
    assert sum(event["deliveries"] for event in events) == 2
    ids = [request.webhook_id for request in pipeline.sent_to(watcher)]
    assert len(set(ids)) == len(events)


# --- no storms --------------------------------------------------------------------------------------------------------


def test_failed_alerts_raise_no_alert_and_count_in_no_rate(
    pipeline: Pipeline, flaky: Endpoint, watcher: Endpoint
) -> None:
    pipeline.receiver.answers_of[path_of(watcher.endpoint_id)] = (500, {}, b"")
    exhaust(pipeline, flaky, 12)
    for _ in range(30):
        check(pipeline, 60_000)
    assert {event["type"] for event in told(pipeline, watcher)} == {"delivery.exhausted", "endpoint.degraded"}
    assert len(pipeline.sent_to(watcher)) == 2
    assert told(pipeline, flaky) == []
    counted = pipeline.at(watcher)
    assert (counted.traffic.hour.attempts, counted.traffic.hour.failures, counted.degraded_at) == (0, 0, None)
    found = pipeline.aws.client("dynamodb").get_item(
        TableName=pipeline.deliveries.table_name, Key=exhausted_key("dev", watcher.endpoint_id)
    )
    assert "Item" not in found


def test_two_dead_endpoints_that_hear_of_each_other_send_one_alert_for_each_change(
    pipeline: Pipeline, watcher: Endpoint
) -> None:
    both = [pipeline.endpoint() for _ in range(2)]
    pipeline.with_schedule(0)
    for endpoint in both:
        pipeline.receiver.answers_of[path_of(endpoint.endpoint_id)] = (500, {}, b"")
    for _ in range(12):
        pipeline.finish(pipeline.submit(webhook_url=None, webhook_secret=None))
        pipeline.webhook(*pipeline.hints())
        pipeline.time.advance(0.1)
    for _ in range(20):
        check(pipeline, 60_000)
    kinds = sorted((event["type"], event["endpoint_id"]) for event in told(pipeline, watcher))
    expected = [(kind, e.endpoint_id) for kind in ("delivery.exhausted", "endpoint.degraded") for e in both]
    assert kinds == sorted(expected)


# --- the bus ----------------------------------------------------------------------------------------------------------


@pytest.mark.answered_by("moto")
def test_the_bus_gets_alerts_also_after_it_refused_them(pipeline: Pipeline, flaky: Endpoint) -> None:
    watch = BusWatch(pipeline.aws)
    degrade(pipeline, flaky)
    pipeline.time.ms += CHECK_AFTER_MS
    watch.seen()
    with bus_answers(pipeline.aws, *[failed()] * 4):
        pipeline.sweep()
    assert watch.seen() == []
    check(pipeline, 61_000)
    (seen,) = watch.seen()
    assert seen["detail-type"] == "endpoint.degraded"
    assert seen["detail"]["endpoint_id"] == flaky.endpoint_id
