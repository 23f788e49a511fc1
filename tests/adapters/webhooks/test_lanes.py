"""Deliveries that wait in a lane: parked without a hint, sent in order by the sender that frees a slot, never lost."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from functions.webhooks.deliveries.model import NOT_SENT, PARKED_MS, DeliveryState
from functions.webhooks.deliveries.publication import PARKED_AT_ONCE_MS, Hint
from functions.webhooks.egress import LONG, Wait
from functions.webhooks.sending.attempts import Attempts
from functions.webhooks.sending.claim import Leases
from functions.webhooks.sending.lanes import FAILURES_TO_OPEN, FIRST_PROBE_MS, STALE_MS, LaneStore, lane_key
from functions.webhooks.sending.slots import SLOT_MS, slots_key
from functions.webhooks.vocabulary import Reply
from tests.adapters.pipeline import PROJECT_SLOTS, Crash, Pipeline, changed, crash_at
from tests.adapters.webhooks.endpoint_runs import finish, hint_of, hold, use_leases
from tests.adapters.webhooks.scripted_sends import Script

if TYPE_CHECKING:
    from functions.submissions.model import Submission
    from functions.webhooks.endpoints.model import Endpoint


@pytest.fixture
def endpoint(pipeline: Pipeline) -> Endpoint:
    return pipeline.endpoint(max_concurrency=1)


def waiting(pipeline: Pipeline, endpoint: Endpoint, count: int = 1) -> list[Submission]:
    """Let the endpoint's only slot be taken, and deliveries wait for it."""
    hold(pipeline, endpoint, 1)
    made = []
    for _ in range(count):
        pipeline.time.ms += 1
        made.append(finish(pipeline))
    for submission in made:
        assert pipeline.webhook(hint_of(submission, endpoint)) == []
    assert pipeline.hints() == []
    return made


def free(pipeline: Pipeline) -> None:
    """Let the time of the taken slot, whose sender died, go by."""
    pipeline.time.advance(SLOT_MS / 1000)


def row_of(pipeline: Pipeline, submission: Submission, endpoint: Endpoint) -> dict[str, Any]:
    (row,) = [
        item
        for item in pipeline.aws.items("DeliveriesTable")
        if item["pk"]["S"] == f"EVENT#{submission.submission_id}"
        and item["sk"]["S"] == f"DELIVERY#{endpoint.endpoint_id}"
    ]
    return row


def test_a_delivery_without_a_free_slot_is_parked_and_not_due(pipeline: Pipeline, endpoint: Endpoint) -> None:
    (parked,) = waiting(pipeline, endpoint)
    row = row_of(pipeline, parked, endpoint)
    assert (row["state"]["S"], row["attempt"]["N"]) == ("pending", "0")
    assert int(row["due_at_ms"]["N"]) >= pipeline.time() + PARKED_MS - 1000
    assert pipeline.sweep(after_secs=SLOT_MS / 1000 - 1) == {
        "handled": 0,
        "failed": 0,
    }  # the slot is taken
    assert pipeline.receiver.received == []


def test_the_sender_that_frees_the_slot_sends_all_that_wait_in_order(pipeline: Pipeline, endpoint: Endpoint) -> None:
    first, later = finish(pipeline), []
    for _ in range(4):
        pipeline.time.ms += 1
        later.append(finish(pipeline))
    sent: list[str] = []

    class Busy(Script):
        def post(self, url: str, headers: Any, body: bytes, wait: Wait = LONG) -> Reply:  # noqa: ARG002 - the real signature
            sent.append(headers["webhook-id"])
            if len(sent) == 1:
                for submission in reversed(later):
                    assert pipeline.webhook(hint_of(submission, endpoint)) == []
            del url, body
            return Reply(5, 200)

    pipeline.use(changed(pipeline.deliverer, egress=Busy(lambda: Reply(5, 200))))
    assert pipeline.webhook(hint_of(first, endpoint)) == []
    assert sent == [submission.submission_id for submission in (first, *later)]
    assert pipeline.hints() == []


def test_a_newer_delivery_lets_an_older_one_go_first(pipeline: Pipeline, endpoint: Endpoint) -> None:
    (older,) = waiting(pipeline, endpoint)
    free(pipeline)
    newer = finish(pipeline)
    pipeline.webhook(hint_of(newer, endpoint))
    assert [request.webhook_id for request in pipeline.sent_to(endpoint)] == [older.submission_id, newer.submission_id]


def test_a_slot_that_is_freed_between_look_and_park_is_seen(pipeline: Pipeline, endpoint: Endpoint) -> None:
    busy, late = finish(pipeline), finish(pipeline)
    held = pipeline.deliverer.claimer.claim(Hint(busy.submission_id, endpoint.endpoint_id, "dev"), "busy")
    assert held is not None
    assert held.slot is not None
    release = partial(pipeline.leases.release, held.slot)

    class Late(Leases):
        def park(self, *arguments: Any) -> bool:
            release()
            return super().park(*arguments)

    use_leases(pipeline, Late)
    pipeline.webhook(hint_of(late, endpoint))
    assert pipeline.state(late, endpoint.endpoint_id) is DeliveryState.DELIVERED


def test_a_slot_that_is_taken_while_an_older_delivery_is_looked_for_is_not_taken_twice(
    pipeline: Pipeline, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    (older,) = waiting(pipeline, endpoint)
    free(pipeline)
    for key in (lane_key("dev", endpoint.endpoint_id), slots_key("dev")):  # marks are fresh while many wait
        pipeline.aws.client("dynamodb").update_item(
            TableName=pipeline.aws.names["DeliveriesTable"],
            Key=key,
            UpdateExpression="SET waiting_ms = :now",
            ExpressionAttributeValues={":now": {"N": str(pipeline.time())}},
        )
    other, newer = finish(pipeline), finish(pipeline)
    seen = pipeline.leases.read(other.submission_id, endpoint.endpoint_id, "dev", endpoint.endpoint_id)
    assert seen is not None
    oldest = LaneStore.oldest

    def taken_meanwhile(self: LaneStore, *arguments: Any) -> list[tuple[str, str]]:
        found = oldest(self, *arguments)
        assert pipeline.leases.claim(seen, "other", PROJECT_SLOTS) is not None
        return found

    monkeypatch.setattr(LaneStore, "oldest", taken_meanwhile)
    assert pipeline.webhook(hint_of(newer, endpoint)) == []
    assert pipeline.receiver.received == []
    states = {pipeline.state(submission, endpoint.endpoint_id) for submission in (older, newer)}
    assert states == {DeliveryState.PENDING}


def test_a_record_whose_answer_was_lost_does_not_go_on_with_the_slot_that_it_freed(
    pipeline: Pipeline, endpoint: Endpoint
) -> None:
    first, second = finish(pipeline), finish(pipeline)

    class Lost(Attempts):
        def record(self, *arguments: Any) -> None:
            assert super().record(*arguments) is not None
            hold(pipeline, endpoint, 1)
            assert pipeline.webhook(hint_of(second, endpoint)) == []  # it waits for the other's slot

    attempts = Lost(pipeline.aws.names["DeliveriesTable"], pipeline.aws.client("dynamodb"), pipeline.time)
    slow = Script(lambda: pipeline.time.advance(1) or Reply(1_000, 200))  # type: ignore[func-returns-value]
    pipeline.use(changed(pipeline.deliverer, attempts=attempts, egress=slow))
    assert pipeline.webhook(hint_of(first, endpoint)) == []
    assert pipeline.state(second, endpoint.endpoint_id) is DeliveryState.PENDING
    assert len(pipeline.slots.read("dev").live(pipeline.time())) == 1


def test_the_sweeper_wakes_a_lane_whose_sender_died(pipeline: Pipeline, endpoint: Endpoint) -> None:
    parked = waiting(pipeline, endpoint, 3)
    free(pipeline)
    pipeline.sweep()
    (hint,) = [hint for hint in pipeline.hints() if json.loads(hint)["event_id"] == parked[0].submission_id]
    pipeline.webhook(hint)
    assert {pipeline.state(submission, endpoint.endpoint_id) for submission in parked} == {DeliveryState.DELIVERED}


@pytest.mark.parametrize("point", ["waking.after_take_out", "sweep.after_take"])
def test_a_sweep_that_dies_while_it_wakes_a_lane_loses_nothing(
    point: str, pipeline: Pipeline, endpoint: Endpoint
) -> None:
    (parked,) = waiting(pipeline, endpoint)
    free(pipeline)
    with crash_at(point), pytest.raises(Crash):
        pipeline.sweep()
    for _ in range(5):
        pipeline.sweep(after_secs=60)
        pipeline.webhook(*pipeline.hints())
    assert pipeline.state(parked, endpoint.endpoint_id) is DeliveryState.DELIVERED
    assert len(pipeline.attempts(parked, endpoint.endpoint_id)) == 1


@pytest.mark.parametrize("point", ["webhook.after_record", "webhook.after_release", "waking.after_take_out"])
def test_a_sender_that_dies_before_it_hands_its_slot_on_loses_nothing(
    point: str, pipeline: Pipeline, endpoint: Endpoint
) -> None:
    """It has no time for the others, so it would send a hint to the next."""
    parked = waiting(pipeline, endpoint, 3)
    free(pipeline)

    def send() -> Reply:
        pipeline.time.advance(14)
        return Reply(14_000, 200)

    prompt = pipeline.deliverer
    pipeline.use(changed(prompt, egress=Script(send)))
    with crash_at(point), pytest.raises(Crash):
        pipeline.webhook(hint_of(parked[0], endpoint))
    pipeline.use(prompt)
    for _ in range(6):
        pipeline.sweep(after_secs=60)
        pipeline.webhook(*pipeline.hints())
    assert {pipeline.state(submission, endpoint.endpoint_id) for submission in parked} == {DeliveryState.DELIVERED}
    assert pipeline.slots.read("dev").live(pipeline.time() + 1_000) == {}


def test_an_empty_lane_loses_its_mark(pipeline: Pipeline, endpoint: Endpoint) -> None:
    waiting(pipeline, endpoint)
    free(pipeline)
    pipeline.sweep()
    pipeline.webhook(*pipeline.hints())
    pipeline.sweep(after_secs=STALE_MS / 1000)
    assert pipeline.lanes.marked("dev") == ([], True)
    pipeline.sweep(after_secs=7 * 86_400)
    lanes = [item for item in pipeline.aws.items("DeliveriesTable") if item["sk"]["S"].startswith("LANE#")]
    assert [item for item in lanes if "due_at_ms" in item] == []


def test_deliveries_that_wait_for_an_endpoint_that_is_disabled_are_paused(
    pipeline: Pipeline, endpoint: Endpoint
) -> None:
    (parked,) = waiting(pipeline, endpoint)
    pipeline.change_endpoint(endpoint, {"enabled": False})
    free(pipeline)
    pipeline.sweep()
    pipeline.webhook(*pipeline.hints())
    assert pipeline.state(parked, endpoint.endpoint_id) is DeliveryState.PAUSED
    assert "lane_ref" not in row_of(pipeline, parked, endpoint)


def test_behind_an_open_circuit_breaker_an_hour_counts_as_an_attempt(pipeline: Pipeline, endpoint: Endpoint) -> None:
    pipeline.with_schedule(0)
    pipeline.use(changed(pipeline.deliverer, egress=Script(lambda: Reply(15_000, error_code="timeout"))))
    for _ in range(FAILURES_TO_OPEN):
        pipeline.webhook(hint_of(finish(pipeline), endpoint))
        pipeline.time.advance(1)
    parked = finish(pipeline)
    pipeline.webhook(hint_of(parked, endpoint))
    assert pipeline.state(parked, endpoint.endpoint_id) is DeliveryState.PENDING
    pipeline.time.advance(PARKED_MS / 1000)
    hold(pipeline, endpoint, 1)  # its probe is under way
    assert pipeline.webhook(hint_of(parked, endpoint)) == []
    assert pipeline.state(parked, endpoint.endpoint_id) is DeliveryState.EXHAUSTED
    (attempt,) = pipeline.attempts(parked, endpoint.endpoint_id)
    assert attempt["error_code"] == NOT_SENT


def publish(pipeline: Pipeline) -> tuple[Submission, list[str]]:
    """Let a run end; return it with the hints of its deliveries."""
    submission = pipeline.submit(webhook_url=None, webhook_secret=None)
    pipeline.finish(submission)
    return submission, pipeline.hints()


def opened(pipeline: Pipeline, endpoint: Endpoint) -> Submission:
    """Let the endpoint fail until its circuit breaker is open and a delivery waits in its lane."""
    deliverer = pipeline.deliverer
    pipeline.use(changed(deliverer, egress=Script(lambda: Reply(10, error_code="connect_refused"))))
    for _ in range(FAILURES_TO_OPEN):
        pipeline.webhook(hint_of(finish(pipeline), endpoint))
        pipeline.time.advance(1)  # the slot of the last send rests
    for _ in range(2):  # the first one has the hint for the probe
        parked = finish(pipeline)
        pipeline.webhook(hint_of(parked, endpoint))
    pipeline.use(deliverer)
    pipeline.hints()
    return parked


def test_behind_an_open_circuit_breaker_new_deliveries_are_parked_without_a_hint(
    pipeline: Pipeline, endpoint: Endpoint
) -> None:
    by_sender = opened(pipeline, endpoint)
    other = pipeline.endpoint()
    pipeline.time.ms += 10
    at_once, hints = publish(pipeline)
    assert [Hint.parse(hint).endpoint_id for hint in hints] == [other.endpoint_id]
    rows = [row_of(pipeline, submission, endpoint) for submission in (by_sender, at_once)]
    assert rows[0].keys() == rows[1].keys()
    names = ("state", "attempt", "lane_ref")
    assert [rows[0][name] for name in names] == [rows[1][name] for name in names]
    assert int(rows[1]["lane_at_ms"]["N"]) + PARKED_MS == int(rows[1]["due_at_ms"]["N"])


def test_a_delivery_that_was_parked_at_once_is_sent_when_the_probe_is_answered(
    pipeline: Pipeline, endpoint: Endpoint
) -> None:
    opened(pipeline, endpoint)
    at_once = []
    for _ in range(3):
        submission, hints = publish(pipeline)
        assert hints == []
        at_once.append(submission)
    pipeline.time.advance(FIRST_PROBE_MS / 1000 + 1)
    probe = finish(pipeline)
    pipeline.webhook(hint_of(probe, endpoint))
    pipeline.webhook(*pipeline.hints())
    states = {pipeline.state(submission, endpoint.endpoint_id) for submission in (probe, *at_once)}
    assert states == {DeliveryState.DELIVERED}
    ids = [request.webhook_id for request in pipeline.sent_to(endpoint)]
    assert len(ids) == len(set(ids))


def test_the_sweeper_finds_what_was_parked_at_once(pipeline: Pipeline, endpoint: Endpoint) -> None:
    opened(pipeline, endpoint)
    at_once, hints = publish(pipeline)
    assert hints == []
    for _ in range(6):  # as nobody publishes or sends any more
        pipeline.time.advance(STALE_MS / 1000 + 1)
        pipeline.sweep()
        pipeline.webhook(*pipeline.hints())
    assert pipeline.state(at_once, endpoint.endpoint_id) is DeliveryState.DELIVERED


@pytest.mark.parametrize("later_ms", [PARKED_AT_ONCE_MS, FIRST_PROBE_MS])
def test_deliveries_have_hints_again_some_seconds_after_a_sender_parked_the_last_one(
    pipeline: Pipeline, endpoint: Endpoint, later_ms: int
) -> None:
    opened(pipeline, endpoint)
    pipeline.time.ms += later_ms
    _, hints = publish(pipeline)
    assert len(hints) == 1


def test_deliveries_of_an_ordered_endpoint_always_have_hints(pipeline: Pipeline) -> None:
    ordered = pipeline.endpoint(ordered=True)
    pipeline.with_schedule(*[0] * 10)
    pipeline.use(changed(pipeline.deliverer, egress=Script(lambda: Reply(10, error_code="connect_refused"))))
    first = finish(pipeline)
    for _ in range(FAILURES_TO_OPEN):
        pipeline.webhook(hint_of(first, ordered))
    for _ in range(3):
        assert pipeline.webhook(hint_of(finish(pipeline), ordered)) == []
    _, hints = publish(pipeline)
    assert len(hints) == 1


def test_a_deferred_delivery_of_an_older_version_is_sent_when_its_hint_comes(
    pipeline: Pipeline, endpoint: Endpoint
) -> None:
    submission = finish(pipeline)
    key = {"pk": {"S": f"EVENT#{submission.submission_id}"}, "sk": {"S": f"DELIVERY#{endpoint.endpoint_id}"}}
    later = {":later": {"N": str(pipeline.time() + 30_000)}, ":three": {"N": "3"}}
    pipeline.aws.client("dynamodb").update_item(
        TableName=pipeline.aws.names["DeliveriesTable"],
        Key=key,
        UpdateExpression="SET next_at_ms = :later, due_at_ms = :later, deferrals = :three",
        ExpressionAttributeValues=later,
    )
    pipeline.webhook(hint_of(submission, endpoint))
    assert pipeline.receiver.received == []
    pipeline.sweep(after_secs=30)
    pipeline.webhook(*pipeline.hints())
    assert pipeline.state(submission, endpoint.endpoint_id) is DeliveryState.DELIVERED
