"""Deliveries of an ordered endpoint: one at a time, in order, whatever hints arrive, fail or get lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from functions import durability
from functions.webhooks.deliveries.model import PARKED_MS, DeliveryState
from functions.webhooks.deliveries.replay import ReplayResult, ReplayStore
from functions.webhooks.egress import LONG, Wait
from functions.webhooks.endpoints.model import MAX_ORDERED
from functions.webhooks.endpoints.store import EndpointLimitError
from functions.webhooks.sending.lanes import STALE_MS
from functions.webhooks.sending.slots import SLOT_MS
from functions.webhooks.vocabulary import Reply
from tests.adapters.pipeline import Crash, Pipeline, changed, crash_at
from tests.adapters.webhooks.endpoint_runs import finish, hint_of
from tests.adapters.webhooks.scripted_sends import Script

if TYPE_CHECKING:
    from functions.submissions.model import Submission
    from functions.webhooks.endpoints.model import Endpoint


@pytest.fixture
def endpoint(pipeline: Pipeline) -> Endpoint:
    return pipeline.endpoint(ordered=True)


def ended(pipeline: Pipeline, count: int) -> list[Submission]:
    """Finish runs one after another; nothing was sent yet."""
    made = []
    for _ in range(count):
        pipeline.time.ms += 1
        made.append(finish(pipeline))
    return made


def arrived(pipeline: Pipeline, endpoint: Endpoint) -> list[str]:
    return [request.webhook_id for request in pipeline.sent_to(endpoint)]


def ids(submissions: list[Submission]) -> list[str]:
    return [submission.submission_id for submission in submissions]


def queued(pipeline: Pipeline) -> int:
    return sum(item["pk"]["S"].startswith("ORDERED#") for item in pipeline.aws.items("DeliveriesTable"))


def hints_arrive(pipeline: Pipeline) -> None:
    """Handle all hints, those that come meanwhile too."""
    while hints := pipeline.hints():
        assert pipeline.webhook(*hints) == []


def minutes(pipeline: Pipeline, count: int) -> None:
    """Sweep once a minute, and handle the hints."""
    for _ in range(count):
        pipeline.sweep(after_secs=60)
        hints_arrive(pipeline)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_the_oldest_delivery_is_sent_first_in_any_order_of_hints(
    pipeline: Pipeline, endpoint: Endpoint, order: tuple[int, ...]
) -> None:
    runs = ended(pipeline, 4)
    for place in order:
        assert pipeline.webhook(hint_of(runs[place], endpoint)) == []
    assert arrived(pipeline, endpoint) == ids(runs)
    assert all(pipeline.state(run, endpoint.endpoint_id) is DeliveryState.DELIVERED for run in runs)


def test_a_delivery_that_no_message_named_is_sent_when_it_is_on_the_disk(
    pipeline: Pipeline, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[list[str]] = []
    monkeypatch.setattr(durability, "_wait", lambda: waits.append(arrived(pipeline, endpoint)))
    first, second, third = runs = ended(pipeline, 3)
    assert pipeline.webhook(hint_of(first, endpoint)) == []
    assert arrived(pipeline, endpoint) == ids(runs)
    assert waits == [ids([first]), ids([first, second])]  # before each of the others
    assert third.submission_id not in waits[-1]


def test_the_next_waits_until_the_first_is_final(pipeline: Pipeline, endpoint: Endpoint) -> None:
    pipeline.receiver.always(500)
    runs = ended(pipeline, 3)
    pipeline.webhook(*(hint_of(run, endpoint) for run in runs))
    assert arrived(pipeline, endpoint) == ids(runs[:1])
    pipeline.time.advance(5)
    pipeline.webhook(*(hint_of(run, endpoint) for run in reversed(runs)))
    assert arrived(pipeline, endpoint) == ids([runs[0]] * 2)
    pipeline.receiver.always(200)
    minutes(pipeline, 9)
    assert arrived(pipeline, endpoint) == ids([runs[0]] * 3 + runs[1:])


def test_an_exhausted_delivery_lets_the_next_one_go(pipeline: Pipeline, endpoint: Endpoint) -> None:
    pipeline.with_schedule(0)
    pipeline.receiver.always(500)
    runs = ended(pipeline, 3)
    assert pipeline.webhook(hint_of(runs[2], endpoint)) == []
    assert arrived(pipeline, endpoint) == ids(runs)
    assert {pipeline.state(run, endpoint.endpoint_id) for run in runs} == {DeliveryState.EXHAUSTED}


def test_a_delivery_that_waits_is_due_in_an_hour_and_does_not_mark_the_project(
    pipeline: Pipeline, endpoint: Endpoint
) -> None:
    pipeline.receiver.always(500)
    first, later = ended(pipeline, 2)
    pipeline.webhook(hint_of(first, endpoint), hint_of(later, endpoint))
    waiting = pipeline.delivery(later, endpoint.endpoint_id)
    assert waiting is not None
    assert (waiting.state, waiting.lane_at_ms) == (DeliveryState.PENDING, None)
    assert (waiting.due_at_ms or 0) >= pipeline.time() + PARKED_MS - 1_000
    assert pipeline.slots.read("dev").waiting_ms is None


class Busy(Script):
    """A receiver during whose first answer something else happens."""

    def __init__(self, meanwhile: Any) -> None:
        super().__init__(lambda: Reply(5, 200))
        object.__setattr__(self, "left", [meanwhile])
        object.__setattr__(self, "seen", [])

    def post(self, url: str, headers: Any, body: bytes, wait: Wait = LONG) -> Reply:  # noqa: ARG002 - the real signature
        del url, body
        self.seen.append(headers["webhook-id"])  # type: ignore[attr-defined]
        if self.left:  # type: ignore[attr-defined]
            self.left.pop()()  # type: ignore[attr-defined]
        return Reply(5, 200)


def test_hints_during_a_send_wait_and_the_sender_goes_on_with_them(pipeline: Pipeline, endpoint: Endpoint) -> None:
    runs = ended(pipeline, 2)

    def meanwhile() -> None:
        runs.extend(ended(pipeline, 3))
        assert pipeline.webhook(*(hint_of(run, endpoint) for run in reversed(runs))) == []

    busy = Busy(meanwhile)
    pipeline.use(changed(pipeline.deliverer, egress=busy))
    pipeline.webhook(hint_of(runs[0], endpoint))
    assert busy.seen == ids(runs)  # type: ignore[attr-defined]
    assert pipeline.hints() == []
    assert pipeline.slots.read("dev").live(pipeline.time()) == {}


@pytest.mark.parametrize(
    "point", ["webhook.after_claim", "webhook.after_send", "webhook.after_record", "webhook.after_release"]
)
def test_a_sender_that_dies_loses_nothing_and_keeps_the_order(
    pipeline: Pipeline, endpoint: Endpoint, point: str
) -> None:
    runs = ended(pipeline, 4)
    with crash_at(point), pytest.raises(Crash):
        pipeline.webhook(hint_of(runs[0], endpoint))
    pipeline.webhook(*(hint_of(run, endpoint) for run in runs[1:]))
    minutes(pipeline, 9)
    seen = arrived(pipeline, endpoint)
    assert list(dict.fromkeys(seen)) == ids(runs)
    assert seen == sorted(seen, key=ids(runs).index)  # a repeat comes before the next


def test_a_sender_that_dies_while_others_wait_is_followed_within_two_minutes(
    pipeline: Pipeline, endpoint: Endpoint
) -> None:
    runs = ended(pipeline, 3)
    with crash_at("webhook.after_record"), pytest.raises(Crash):
        pipeline.webhook(hint_of(runs[0], endpoint))
    pipeline.webhook(*(hint_of(run, endpoint) for run in runs[1:]))
    pipeline.time.advance(SLOT_MS / 1000)
    minutes(pipeline, 2)
    assert arrived(pipeline, endpoint) == ids(runs)


def test_a_late_commit_with_an_earlier_time_waits_for_the_delivery_that_was_begun(
    pipeline: Pipeline, endpoint: Endpoint
) -> None:
    pipeline.receiver.always(500)
    (begun,) = ended(pipeline, 1)
    pipeline.webhook(hint_of(begun, endpoint))
    pipeline.time.ms -= 1_000  # the clock of another process
    (late,) = ended(pipeline, 1)
    pipeline.time.ms += 1_000
    pipeline.webhook(hint_of(late, endpoint))
    assert arrived(pipeline, endpoint) == ids([begun])
    pipeline.receiver.always(200)
    minutes(pipeline, 9)
    assert arrived(pipeline, endpoint) == ids([begun, begun, late])


def test_a_disabled_endpoint_goes_on_in_order_when_it_is_enabled(pipeline: Pipeline, endpoint: Endpoint) -> None:
    pipeline.receiver.always(500)
    runs = ended(pipeline, 2)
    pipeline.webhook(*(hint_of(run, endpoint) for run in runs))
    pipeline.receiver.always(200)
    pipeline.change_endpoint(endpoint, {"enabled": False, "disabled_reason": "request", "disabled_at": ""})
    runs += ended(pipeline, 2)
    minutes(pipeline, 8)
    assert arrived(pipeline, endpoint) == ids(runs[:1])
    assert pipeline.state(runs[0], endpoint.endpoint_id) is DeliveryState.PAUSED
    removes = ("disabled_reason", "disabled_at", "failing_since_ms", "failing_counted_ms", "failing_spread")
    pipeline.change_endpoint(endpoint, {"enabled": True}, removes)
    minutes(pipeline, 2)
    assert arrived(pipeline, endpoint) == ids([runs[0], *runs])


def test_deleted_runs_are_passed_over(pipeline: Pipeline, endpoint: Endpoint) -> None:
    pipeline.receiver.always(500)
    runs = ended(pipeline, 4)
    pipeline.webhook(*(hint_of(run, endpoint) for run in runs))
    pipeline.receiver.always(200)
    for run in (runs[0], runs[2]):
        pipeline.deliveries.cancel_event(run.submission_id)
    minutes(pipeline, 3)
    assert arrived(pipeline, endpoint) == ids([runs[0], runs[1], runs[3]])


def test_a_replay_is_outside_of_the_order(pipeline: Pipeline, endpoint: Endpoint) -> None:
    (first,) = ended(pipeline, 1)
    pipeline.webhook(hint_of(first, endpoint))
    pipeline.receiver.always(500)
    second, third = ended(pipeline, 2)
    pipeline.webhook(hint_of(second, endpoint), hint_of(third, endpoint))
    pipeline.receiver.always(200)
    replays = ReplayStore(pipeline.aws.names["DeliveriesTable"], pipeline.aws.client("dynamodb"), pipeline.time)
    delivery = pipeline.delivery(first, endpoint.endpoint_id)
    assert delivery is not None
    assert replays.replay(delivery) is ReplayResult.DONE
    pipeline.webhook(hint_of(first, endpoint))
    assert arrived(pipeline, endpoint) == ids([first, second, first])
    minutes(pipeline, 9)
    assert arrived(pipeline, endpoint) == ids([first, second, first, second, third])


def test_an_idle_queue_leaves_no_rows_and_nothing_due(pipeline: Pipeline, endpoint: Endpoint) -> None:
    runs = ended(pipeline, 3)
    pipeline.webhook(hint_of(runs[0], endpoint))
    assert queued(pipeline) == 0
    pipeline.time.advance(STALE_MS / 1000)
    minutes(pipeline, 2)
    assert [item for item in pipeline.aws.items("DeliveriesTable") if "due_at_ms" in item] == []


def test_ordered_and_other_endpoints_of_a_project_do_not_wait_for_each_other(
    pipeline: Pipeline, endpoint: Endpoint
) -> None:
    other = pipeline.endpoint()
    pipeline.receiver.answers_of[f"/endpoint/{endpoint.endpoint_id}"] = (500, {}, b"")
    runs = ended(pipeline, 3)
    for run in runs:
        pipeline.webhook(hint_of(run, endpoint), hint_of(run, other))
    assert arrived(pipeline, other) == ids(runs)
    assert arrived(pipeline, endpoint) == ids(runs[:1])


@pytest.mark.parametrize("stride", [11, 29])
def test_senders_that_work_at_once_keep_the_order(pipeline: Pipeline, endpoint: Endpoint, stride: int) -> None:
    runs = ended(pipeline, 24)
    hints = [hint_of(run, endpoint) for run in runs] * 2
    hints = [hints[place * stride % len(hints)] for place in range(len(hints))]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(pipeline.webhook, hints)) == [[]] * len(hints)
    pipeline.time.advance(STALE_MS / 1000)
    minutes(pipeline, 2)
    assert arrived(pipeline, endpoint) == ids(runs)


def test_a_project_has_a_bounded_number_of_ordered_endpoints(pipeline: Pipeline) -> None:
    made = [pipeline.endpoint(ordered=True) for _ in range(MAX_ORDERED)]
    with pytest.raises(EndpointLimitError):
        pipeline.endpoint(ordered=True)
    pipeline.endpoint()
    assert pipeline.endpoints.delete("dev", made[0].endpoint_id, ordered=True) is not None
    pipeline.endpoint(ordered=True)
    finish(pipeline)
    assert queued(pipeline) == MAX_ORDERED
