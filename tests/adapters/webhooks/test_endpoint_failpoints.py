"""Every failpoint of the webhook pipeline for a run with three targets: its own URL and two endpoints."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.env import Env
from functions.submissions.model import Submission
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.sending.attempts import Attempts
from functions.webhooks.sending.claim import Leases
from tests.adapters.delivery_world import DeliveryWorld
from tests.adapters.pipeline import RECORD_POINTS, Pipeline, changed, no_sleep
from tests.adapters.webhooks.crash_points import WEBHOOK_POINTS


@pytest.fixture
def world(pipeline: Pipeline, way: str) -> Iterator[DeliveryWorld]:
    """Two endpoints and a run with a URL of its own; what the test leaves is settled and held to the invariants."""
    made = DeliveryWorld(pipeline)
    made.add_endpoint()
    made.add_endpoint()
    made.add_run(own_url=True)
    yield made
    made.settle()
    made.check()
    made.close()


@pytest.fixture
def run(world: DeliveryWorld) -> Submission:
    return world.runs[0]


def counts(world: DeliveryWorld) -> list[int]:
    return sorted(world.accepted.values())


@pytest.mark.parametrize("point", RECORD_POINTS)
@pytest.mark.parametrize("is_repeated", [True, False], ids=["message comes again", "message is lost"])
def test_a_crash_of_record_delivers_once_to_each_target(
    point: str, *, is_repeated: bool, world: DeliveryWorld, run: Submission
) -> None:
    assert not world.record(run, point)
    if is_repeated:
        assert world.record(run)
    world.settle()
    assert counts(world) == [1, 1, 1]


@pytest.mark.parametrize("point", WEBHOOK_POINTS[:3])
@pytest.mark.parametrize("is_repeated", [True, False], ids=["hint comes again", "hint is lost"])
def test_a_crash_of_deliver_sends_again_only_if_it_came_after_the_send(
    point: str, *, is_repeated: bool, world: DeliveryWorld, run: Submission
) -> None:
    world.record(run)
    for _ in range(3):
        world.webhook(0, point)
    if not is_repeated:
        world.hints.clear()
    world.settle()
    assert counts(world) == ([2, 2, 2] if point == "webhook.after_send" else [1, 1, 1])


def test_crash_while_a_delivery_waits_for_a_slot(world: DeliveryWorld, run: Submission) -> None:
    world.pipeline.guard_all()
    for endpoint in world.endpoints:
        for _ in range(endpoint.max_concurrency):
            world.hold(endpoint)
    world.record(run)
    for _ in range(3):
        world.webhook(0)
    # Two wait without a hint, for the others share no free slot. The third target had none, so one was left for it.
    assert (world.hints, counts(world)) == ([], [1])
    world.settle()
    assert counts(world) == [1, 1, 1]


def test_hints_that_are_lost_for_an_hour_cost_no_delivery(world: DeliveryWorld, run: Submission) -> None:
    world.record(run)
    for _ in range(6):
        world.hints.clear()
        world.pipeline.time.advance(600)
        world.sweep()
    assert world.sends == {}
    world.settle()
    assert counts(world) == [1, 1, 1]


def test_a_sweeper_that_rests_for_two_hours_costs_no_delivery(world: DeliveryWorld, run: Submission) -> None:
    for endpoint in world.endpoints:
        world.answers[endpoint.endpoint_id] = 503
    world.record(run)
    while world.hints:
        world.webhook(0)
    world.pipeline.time.advance(7_200)
    world.answers.clear()
    world.settle()
    assert counts(world) == [1, 1, 1]


def test_two_sweeps_at_once_and_a_crash_between_cost_no_delivery(world: DeliveryWorld, run: Submission) -> None:
    world.record(run)
    world.hints.clear()
    world.pipeline.time.advance(181)
    first, second = world.pipeline.new_sweep(), world.pipeline.new_sweep()
    for sweep, found in [(first, list(first.entries())), (second, list(second.entries()))]:
        assert len(found) == 3
        for entry in found:
            sweep.handle(entry)
    assert len(world.pipeline.hints()) == 3
    world.pipeline.time.advance(181)
    assert not world.sweep("sweep.mid_page")
    world.hints.clear()
    world.settle()
    assert counts(world) == [1, 1, 1]


def test_an_index_that_still_shows_a_finished_delivery(
    world: DeliveryWorld, run: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.record(run)
    world.pipeline.time.advance(181)
    stale = list(world.pipeline.new_sweep().entries())
    while world.hints:
        world.webhook(0)
    before = world.pipeline.aws.items("DeliveriesTable")
    for entry in stale:
        world.pipeline.new_sweep().handle(entry)
    assert world.pipeline.hints() == []
    assert world.pipeline.aws.items("DeliveriesTable") == before


def test_every_message_twice_early_and_concurrently(world: DeliveryWorld, run: Submission) -> None:
    world.answers = dict.fromkeys([*(endpoint.endpoint_id for endpoint in world.endpoints), "run"], 500)
    world.record(run)
    hints = [json.dumps(json.loads(hint)) for hint in world.hints]
    world.hints += hints
    for _ in range(6):
        world.meanwhile = lambda: world.webhook(-1)  # another worker, while the first one is sending
        world.webhook(0)
        world.hints += hints  # early: the retry is due in five seconds
    assert all(len(sends) == 1 for sends in world.sends.values())
    world.settle()
    assert counts(world) == [1, 1, 1]


def test_dead_hint_leaves_the_row_to_the_sweeper(world: DeliveryWorld, run: Submission) -> None:
    world.record(run)
    assert world.pipeline.dead_letters(*world.hints) == []
    world.hints.clear()
    world.settle()
    assert counts(world) == [1, 1, 1]


def test_a_sender_that_outlives_its_lease_records_nothing(world: DeliveryWorld, run: Submission) -> None:
    """Another takes over and delivers; the slow one's record is refused, so both sends are accounted for."""

    def meanwhile() -> None:
        world.pipeline.time.advance(61)
        world.sweep()
        while world.hints:
            world.webhook(0)

    world.record(run)
    world.meanwhile = meanwhile
    world.webhook(1)
    assert counts(world) == [1, 1, 2]
    assert sum(world.unrecorded.values()) == 1


# --- the answer of a write is lost, and the write was applied ----------------------------------


class Deaf:
    """A DynamoDB client that does the first call of a name and does not hear the answer."""

    def __init__(self, client: Any, name: str, is_meant: Callable[[dict[str, Any]], bool]) -> None:
        self._client = client
        self._name = name
        self._is_meant = is_meant
        self.lost = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(**arguments: Any) -> Any:
            answer = method(**arguments)
            if name == self._name and not self.lost and self._is_meant(arguments):
                self.lost += 1
                raise ReadTimeoutError(endpoint_url="https://dynamodb")
            return answer

        return call if name == self._name else method


def test_a_final_write_whose_answer_is_lost_sends_each_delivery_once(
    world: DeliveryWorld, run: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = world.pipeline
    deaf = Deaf(pipeline.aws.client("dynamodb"), "transact_write_items", lambda call: ":verdict" in str(call))
    monkeypatch.setattr(Env, "dynamodb", deaf)
    assert pipeline.record(pipeline.completed(run)) == [0]
    assert (deaf.lost, pipeline.row(run).verdict, len(world.deliveries())) == (1, "AC", 3)
    world.settle()
    assert counts(world) == [1, 1, 1]


def test_a_claim_whose_answer_is_lost_sends_each_delivery_once(world: DeliveryWorld, run: Submission) -> None:
    pipeline = world.pipeline
    pipeline.guard_all()
    world.record(run)
    deaf = Deaf(pipeline.aws.client("dynamodb"), "transact_write_items", lambda _: True)
    table = pipeline.aws.names["DeliveriesTable"]
    leases = Leases(table, deaf, pipeline.time, no_sleep)  # type: ignore[arg-type]
    claimer = changed(pipeline.deliverer.claimer, leases=leases)
    pipeline.use(changed(pipeline.deliverer, claimer=claimer))
    failed = [pipeline.webhook(hint) for hint in world.hints]
    world.hints.clear()
    assert (deaf.lost, failed.count([0]), counts(world)) == (1, 1, [1, 1])
    world.settle()
    assert counts(world) == [1, 1, 1]


def test_a_record_whose_answer_is_lost_sends_each_delivery_once(
    world: DeliveryWorld, run: Submission, way: str
) -> None:
    pipeline = world.pipeline
    world.record(run)
    write = "transact_write_items" if way == "guarded" else "update_item"
    deaf = Deaf(pipeline.aws.client("dynamodb"), write, lambda _: True)
    attempts = Attempts(pipeline.aws.names["DeliveriesTable"], deaf, pipeline.time, no_sleep)  # type: ignore[arg-type]
    pipeline.use(changed(pipeline.deliverer, attempts=attempts))
    failed = [pipeline.webhook(hint) for hint in world.hints]
    assert (deaf.lost, failed.count([0])) == (1, 1)
    for hint in world.hints:  # the message comes again
        assert pipeline.webhook(hint) == []
    world.hints.clear()
    assert counts(world) == [1, 1, 1]
    assert all(delivery.state is DeliveryState.DELIVERED for delivery in world.deliveries())
