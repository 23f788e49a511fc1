import pytest

from functions.aws.clients import Clients
from functions.aws.dynamodb.items import key
from functions.clock import now_ms
from functions.submissions.runners import store as runner_store
from functions.submissions.runners.store import RunnerStore, SeenRunner
from infra.local.processes.runner_process import NODE_ID, mark_ended, mark_gone
from tests.adapters.aws_account import Aws
from tests.adapters.submissions.heartbeats import heartbeat
from tests.submission_factory import START_MS, FakeTime

pytestmark = pytest.mark.answered_by("engine", "moto")


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
    mark_ended(aws.names["RunnersTable"], now_ms())
    store.put_heartbeat(late)
    assert {seen.heartbeat.node_id for seen in store.list_recent() if seen.is_live} == {"other"}
    store.put_heartbeat(heartbeat(NODE_ID, now_ms()))
    assert {seen.heartbeat.node_id for seen in store.list_recent() if seen.is_live} == {"other", NODE_ID}


def test_a_runner_of_another_host_that_is_gone_is_not_live_until_it_reports_again(aws: Aws) -> None:
    store = RunnerStore(aws.names["RunnersTable"], Clients.dynamodb())
    hour_ahead = now_ms() + 3_600_000  # by the clock of that host
    for sent in (heartbeat("host-b", hour_ahead), heartbeat("drained", now_ms(), slots=0), heartbeat("other")):
        store.put_heartbeat(sent)
    for name in ("host-b", "drained", "unknown"):
        mark_gone(aws.names["RunnersTable"], name, "its connections are closed")
    seen = {seen.heartbeat.node_id: (seen.is_live, seen.heartbeat.problem) for seen in store.list_recent()}
    assert seen["host-b"] == (False, "its connections are closed")
    assert seen["drained"] == (False, None)
    store.put_heartbeat(heartbeat("host-b", hour_ahead + 1))
    assert {seen.heartbeat.node_id for seen in store.list_recent() if seen.is_live} >= {"host-b"}


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


# --- the summary, which readers need ---------------------------------------------------------------------------------


def groups(store: RunnerStore) -> list[tuple[str, int, int, bool]]:
    """(Node of the latest heartbeat, slots, age, whether it is live) of each group."""
    return [(seen.heartbeat.node_id, seen.heartbeat.slots, seen.age_ms, seen.is_live) for seen in store.list_groups()]


def reads(store: RunnerStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each time that the rows of all runners are read."""
    noted: list[str] = []
    read = store.list_recent
    monkeypatch.setattr(store, "list_recent", lambda: noted.append("rows") or read())  # type: ignore[func-returns-value]
    return noted


def test_runners_that_report_the_same_are_one_group(store: RunnerStore, time: FakeTime) -> None:
    store.put_heartbeat(heartbeat("a", slots=4))
    time.advance(5)
    store.put_heartbeat(heartbeat("b", time.ms, slots=8))
    store.put_heartbeat(heartbeat("c", time.ms).changed(isolation_mode="permissive"))
    assert sorted(groups(store)) == [("b", 12, 0, True), ("c", 4, 0, True)]
    time.advance(1)
    assert {age_ms for _, _, age_ms, _ in groups(store)} == {1_000}


def test_a_summary_ages_like_the_heartbeats_in_it(store: RunnerStore, time: FakeTime) -> None:
    store.put_heartbeat(heartbeat())
    for secs, live in ((59.999, True), (0.001, False), (86_339.999, False)):
        time.advance(secs)
        ((_, _, _, is_live),) = groups(store)
        assert is_live is live
    time.advance(0.001)
    assert groups(store) == []


def test_a_runner_that_drains_or_dies_leaves_the_live_group_and_its_language_stays(
    store: RunnerStore, time: FakeTime
) -> None:
    for node_id in ("a", "b", "c"):
        store.put_heartbeat(heartbeat(node_id))
    time.advance(30)
    store.put_heartbeat(heartbeat("a", time.ms, slots=0))
    assert sorted(groups(store)) == [("a", 0, 0, False), ("b", 8, 30_000, True)]
    time.advance(30)
    store.put_heartbeat(heartbeat("b", time.ms))
    assert sorted(groups(store)) == [("a", 0, 30_000, False), ("b", 4, 0, True)]
    assert all(seen.heartbeat.languages for seen in store.list_groups())


def test_readers_read_no_runner_rows(store: RunnerStore, time: FakeTime, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        store.put_heartbeat(heartbeat(f"runner-{number}", time.ms))
    noted = reads(store, monkeypatch)
    assert groups(store) == [("runner-0", 120, 0, True)]
    assert store.recent()[0].heartbeat.slots == 120
    assert noted == []


def test_heartbeats_without_a_summary_are_read_from_their_rows(aws: Aws, store: RunnerStore) -> None:
    store.put_heartbeat(heartbeat("a"))
    store.put_heartbeat(heartbeat("b"))
    aws.client("dynamodb").delete_item(TableName=store.table_name, Key=key("RUNNERS", "SUMMARY"))
    assert [slots for _, slots, _, _ in groups(store)] == [8]


@pytest.mark.answered_by("engine")
def test_a_large_fleet_renews_the_summary_seldom(
    store: RunnerStore, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_store, "MS_FOR_EACH", 1_000)
    for number in range(51):  # from now on a summary lasts for a second
        store.put_heartbeat(heartbeat(f"runner-{number:02}", time.ms))
    noted = reads(store, monkeypatch)
    for number in range(4):
        store.put_heartbeat(heartbeat(f"later-{number}", time.ms))
        time.advance(1)
    assert len(noted) == 1  # the second one after a second; its 53 runners pause it for three seconds
    assert sum(slots for _, slots, _, _ in groups(store)) == 53 * 4
    store.put_heartbeat(heartbeat("later-0", time.ms))
    assert len(noted) == 2
    assert sum(slots for _, slots, _, _ in groups(store)) == 55 * 4


def test_a_slow_process_does_not_undo_the_summary_of_a_later_one(
    aws: Aws, store: RunnerStore, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = store.list_recent

    def read_slowly() -> list[SeenRunner]:
        monkeypatch.setattr(store, "list_recent", read)
        seen = read()
        other = RunnerStore(aws.names["RunnersTable"], Clients.dynamodb(), FakeTime(time.ms + 1))
        other.put_heartbeat(heartbeat("b", time.ms, slots=0))
        return seen

    store.put_heartbeat(heartbeat("b", time.ms - 1))
    monkeypatch.setattr(store, "list_recent", read_slowly)
    store.put_heartbeat(heartbeat("a", time.ms))
    assert sorted(groups(store))[:1] == [("a", 4, 0, True)]
    assert [is_live for node_id, _, _, is_live in groups(store) if node_id == "b"] == [False]


@pytest.mark.answered_by("engine")
def test_a_summary_stays_small_for_any_reports(store: RunnerStore, time: FakeTime, aws: Aws) -> None:
    for number in range(40):
        time.advance(0.001)
        odd = {"toolchains": {f"language {part}": f"{number} {'x' * 90}" for part in range(40)}}
        store.put_heartbeat(heartbeat(f"runner-{number}", time.ms).changed(**odd))
    (summary,) = [item for item in aws.items("RunnersTable") if item["pk"]["S"] == "RUNNERS"]
    assert len(summary["groups"]["S"]) <= 100_000
    assert groups(store)[0][0] == "runner-39"


@pytest.mark.answered_by("engine")
def test_runners_that_cannot_work_do_not_push_a_live_one_out_of_the_summary(store: RunnerStore, time: FakeTime) -> None:
    store.put_heartbeat(heartbeat("live"))
    for number in range(60):
        time.ms += 100
        reason = f"slot {number}: ".ljust(2_000, "x")
        unable = heartbeat(f"unable-{number}", time.ms, slots=0).changed(problem=reason)
        store.put_heartbeat(unable)
    seen = {runner.heartbeat.node_id for runner in store.list_groups()}
    assert "live" in seen
    assert "unable-59" in seen
    assert "unable-0" not in seen
