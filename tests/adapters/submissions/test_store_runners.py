import pytest

from functions.aws.clients import Clients
from functions.clock import now_ms, to_rfc3339
from functions.messages.wire import RunnerHeartbeat
from functions.submissions.runner_store import RunnerStore
from infra.local.runner_liveness import NODE_ID, mark_ended
from tests.adapters.aws_account import Aws
from tests.submission_factory import START_MS, FakeTime, golden

pytestmark = pytest.mark.answered_by("engine", "moto")


def heartbeat(node_id: str = "runner-1", sent_ms: int = START_MS, slots: int = 4) -> RunnerHeartbeat:
    message = RunnerHeartbeat.model_validate(golden("runner_heartbeat/v1.strict"), strict=False)
    return message.model_copy(update={"node_id": node_id, "sent_at": to_rfc3339(sent_ms), "slots": slots})


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def store(aws: Aws, time: FakeTime) -> RunnerStore:
    return RunnerStore(aws.names["RunnersTable"], Clients.dynamodb(), time)


def test_the_last_heartbeat_of_each_node_is_kept(store: RunnerStore, time: FakeTime) -> None:
    store.put_heartbeat(heartbeat("a"))
    store.put_heartbeat(heartbeat("b"))
    time.advance(20)
    store.put_heartbeat(heartbeat("a", time.ms, slots=7))
    assert [(seen.heartbeat.node_id, seen.heartbeat.slots, seen.age_ms) for seen in store.list_recent()] == [
        ("a", 7, 0),
        ("b", 4, 20_000),
    ]


def test_a_heartbeat_out_of_order_does_not_undo_a_later_one(store: RunnerStore) -> None:
    store.put_heartbeat(heartbeat(sent_ms=START_MS, slots=7))
    store.put_heartbeat(heartbeat(sent_ms=START_MS - 20_000, slots=4))
    (seen,) = store.list_recent()
    assert seen.heartbeat.slots == 7


def test_a_runner_is_live_for_a_minute_and_known_for_a_day(store: RunnerStore, time: FakeTime) -> None:
    store.put_heartbeat(heartbeat())
    for secs, live in ((59.999, True), (0.001, False), (86_339.999, False)):
        time.advance(secs)
        (seen,) = store.list_recent()
        assert seen.is_live is live
    time.advance(0.001)
    assert store.list_recent() == []


def test_a_runner_without_slots_is_not_live_but_its_languages_are_known(store: RunnerStore) -> None:
    store.put_heartbeat(heartbeat(slots=0))
    (seen,) = store.list_recent()
    assert not seen.is_live
    assert seen.heartbeat.languages


def test_a_local_runner_that_has_ended_is_not_live_even_if_its_last_heartbeat_comes_late(aws: Aws) -> None:
    store = RunnerStore(aws.names["RunnersTable"], Clients.dynamodb())
    late = heartbeat(NODE_ID, now_ms() - 1_000)
    for sent in (heartbeat(NODE_ID, now_ms() - 2_000), heartbeat("other", now_ms())):
        store.put_heartbeat(sent)
    mark_ended(aws.names["RunnersTable"])
    store.put_heartbeat(late)
    assert {seen.heartbeat.node_id for seen in store.list_recent() if seen.is_live} == {"other"}
    store.put_heartbeat(heartbeat(NODE_ID, now_ms()))
    assert {seen.heartbeat.node_id for seen in store.list_recent() if seen.is_live} == {"other", NODE_ID}


def test_an_old_heartbeat_that_arrives_now_is_old(store: RunnerStore) -> None:
    store.put_heartbeat(heartbeat(sent_ms=START_MS - 3_600_000))
    (seen,) = store.list_recent()
    assert not seen.is_live


def test_a_clock_that_is_fast_makes_no_runner_immortal(store: RunnerStore, time: FakeTime) -> None:
    store.put_heartbeat(heartbeat(sent_ms=START_MS + 86_400_000))
    time.advance(60)
    (seen,) = store.list_recent()
    assert not seen.is_live


def test_the_recent_list_is_read_again_after_three_seconds(store: RunnerStore, time: FakeTime) -> None:
    assert store.recent() == []
    store.put_heartbeat(heartbeat())
    time.advance(2.9)
    assert store.recent() == []
    time.advance(0.1)
    assert [seen.heartbeat.node_id for seen in store.recent()] == ["runner-1"]
