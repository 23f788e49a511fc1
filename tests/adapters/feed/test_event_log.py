"""The event log and its consumers: nothing is lost, skipped or reordered, whatever crashes or commits late."""

import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from functions import failpoint
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.transaction import RowsContendedError
from functions.errors import ConflictError
from functions.event_log.log import MOST_ORDERED, ConsumerLimitError, ConsumerStore, EventLog, head_key, page_sk
from functions.event_log.model import LOG_MS, MAX_CONSUMERS, Event, Reason
from functions.event_log.rows import event_row, new_row
from functions.feed.poll import AT_WORK, Poll, PollRequest
from functions.ids import new_id
from functions.submissions.results.results import Deletion
from functions.webhooks.vocabulary import ALERT_EVENTS
from tests.adapters.feed.event_world import EventWorld, ids_of
from tests.adapters.pipeline import Crash, crash_at, no_sleep

DAY_SECS = 86_400
_CLOCK = threading.Lock()

pytestmark = pytest.mark.answered_by("engine", "moto")


def test_a_project_without_a_consumer_writes_nothing_for_the_log(world: EventWorld) -> None:
    world.run()
    assert [item["pk"]["S"] for item in world.pipeline.aws.items("DeliveriesTable")] == []


def test_a_consumer_gets_the_events_since_its_first_poll_in_order_and_with_the_webhooks_bytes(
    world: EventWorld,
) -> None:
    world.run()
    assert world.poll().events == ()
    endpoint = world.pipeline.endpoint()
    runs = []
    for _ in range(3):
        runs.append(world.run().submission_id)
        world.pipeline.time.advance(1)
    polled = world.poll()
    assert ids_of(polled) == runs
    assert [placed.position for placed, _ in polled.events] == [1, 2, 3]
    world.pipeline.webhook(*world.pipeline.hints())
    sent = {request.webhook_id: request.body for request in world.pipeline.sent_to(endpoint)}
    assert sent == {event.event_id: event.body for _, event in polled.events}


def test_events_come_again_until_they_are_committed(world: EventWorld) -> None:
    world.poll()
    runs = [world.run().submission_id for _ in range(3)]
    first = world.poll(limit=2)
    assert sorted(ids_of(first) + ids_of(world.poll(position=first.position))) == sorted(runs)
    assert ids_of(world.poll()) == ids_of(world.poll(position=2))
    assert world.poll(position=3).events == ()
    assert world.poll().events == ()


def test_an_older_cursor_never_moves_a_consumer_back(world: EventWorld) -> None:
    world.poll()
    for _ in range(3):
        world.run()
    assert len(world.poll().events) == 3
    world.poll(position=3)
    assert [placed.position for placed, _ in world.poll(position=1).events] == [2, 3]  # of a slower process
    assert world.poll().events == ()


@pytest.mark.answered_by("engine")
def test_every_consumer_gets_the_same_order(world: EventWorld) -> None:
    world.poll("a")
    world.poll("b")
    for number in range(40):
        world.publish(number)
        if number % 7 == 0:
            world.poll("a", limit=1)
    assert world.drain("a") == world.drain("b") == world.drain("c", from_start=True)


def test_an_entry_that_another_poll_orders_meanwhile_is_in_the_answer(
    world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.poll("mine")
    world.poll("other")
    published = world.publish(1)
    own_read = EventLog._new_entries

    def read_after_the_other_poll(log: EventLog, *arguments: str) -> object:
        monkeypatch.setattr(EventLog, "_new_entries", own_read)
        world.poll("other")
        return own_read(log, *arguments)

    monkeypatch.setattr(EventLog, "_new_entries", read_after_the_other_poll)
    assert ids_of(world.poll("mine")) == [published]


def test_a_transaction_that_commits_late_gets_a_late_position(world: EventWorld) -> None:
    """Its entry has an older time than entries that were polled before it committed."""
    world.poll()
    late = Event(new_id(), "check.state.changed", "dev", b'{"timestamp": "t"}')
    old_row = new_row(late, world.pipeline.time())
    world.pipeline.time.advance(30)
    early = world.publish(1)
    assert ids_of(world.poll()) == [early]
    world.poll(position=1)
    client, table = world.pipeline.aws.client("dynamodb"), world.pipeline.aws.names["DeliveriesTable"]
    client.put_item(TableName=table, Item=to_item(old_row))
    client.put_item(TableName=table, Item=to_item(_event_row(late)))
    assert [placed.position for placed, _ in world.poll().events] == [2]
    assert ids_of(world.poll()) == [late.event_id]


def _event_row(event: Event) -> dict[str, Any]:
    return event_row(event, 4_000_000_000)


POINTS = ("order.after_read", "order.after_write", "consumer.after_create")


@pytest.mark.answered_by("engine")
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("after", range(3))
def test_a_poll_that_crashes_anywhere_loses_nothing(world: EventWorld, point: str, after: int) -> None:
    published: list[str] = []
    got: list[str] = []
    position: int | None = None
    world.poll("other")
    with crash_at(point, after=after):
        for number in range(MOST_ORDERED + 30):
            published.append(world.publish(number))
            if number % 10 == 0:
                try:
                    polled = world.poll("mine", position=position, from_start=True, limit=7)
                except Crash:
                    continue
                got += ids_of(polled)
                position = polled.position
    while True:
        polled = world.poll("mine", position=position, from_start=True)
        if not polled.events:
            break
        got += ids_of(polled)
        position = polled.position
    assert got == published


def test_a_consumer_that_dies_before_each_commit_gets_everything_at_least_once_and_in_order(world: EventWorld) -> None:
    world.poll()
    published = [world.publish(number) for number in range(25)]
    handled: list[str] = []
    while True:
        polled = world.poll(limit=4)
        again = world.poll(limit=4)  # it died, and its successor has no cursor
        assert again == polled
        if not polled.events:
            break
        handled += ids_of(polled)
        world.poll(position=polled.position, limit=1)  # commits; then it dies with the answer unread
    assert handled == published


def publish_some(world: EventWorld, own: list[str], start: int) -> None:
    for number in range(start, start + 25):
        with _CLOCK:  # no thread sets the time back
            world.pipeline.time.ms += 1
        own.append(world.publish(number))


def drain_until(world: EventWorld, name: str, got: list[str], is_over: threading.Event) -> None:
    position: int | None = None
    while True:
        was_over = is_over.is_set()
        polled = world.poll(name, position=position, limit=10)
        got += ids_of(polled)
        position = polled.position
        if was_over and not polled.events:
            return


@pytest.mark.answered_by("engine")  # moto is for one thread
def test_many_writers_and_pollers_at_once_lose_and_reorder_nothing(world: EventWorld) -> None:
    """Every consumer sees one order in which each event is once, and each writer's events in its order."""
    got: dict[str, list[str]] = {f"consumer-{number}": [] for number in range(3)}
    for name in got:
        world.poll(name)
    written: list[list[str]] = [[] for _ in range(4)]
    is_over = threading.Event()
    with ThreadPoolExecutor(7) as pool:
        readers = [pool.submit(drain_until, world, name, own, is_over) for name, own in got.items()]
        writers = [pool.submit(publish_some, world, own, 1000 * n) for n, own in enumerate(written)]
        for writer in writers:
            writer.result()
        is_over.set()
        for reader in readers:
            reader.result()
    order = got["consumer-0"]
    assert all(own == order for own in got.values())
    assert sorted(order) == sorted(event_id for own in written for event_id in own)
    for own in written:
        assert [event_id for event_id in order if event_id in own] == own


BACKLOG = 3 * MOST_ORDERED + 10


def publish_backlog(world: EventWorld, count: int = BACKLOG) -> list[str]:
    published = []
    for number in range(count):
        world.pipeline.time.ms += 1
        published.append(world.publish(number))
    return published


@pytest.mark.answered_by("engine")  # moto is for one thread
def test_one_of_many_polls_orders_a_backlog_and_the_others_wait_for_its_pages(
    world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"consumer-{number}" for number in range(8)]
    for name in names:
        world.poll(name)
    published = publish_backlog(world)
    append, appended = EventLog._append, list[bool]()

    def count(log: EventLog, *arguments: Any, **options: Any) -> Any:
        after = append(log, *arguments, **options)
        appended.append(after is not None)
        return after

    monkeypatch.setattr(EventLog, "_append", count)
    together = threading.Barrier(len(names))

    def drain(name: str) -> list[str]:
        together.wait()
        return world.drain(name)

    with ThreadPoolExecutor(len(names)) as pool:
        got = list(pool.map(drain, names))
    assert got == [published] * len(names)
    assert appended == [True] * 4  # no transaction was in vain


@pytest.mark.answered_by("engine")
def test_a_poll_reads_the_pages_of_another_that_still_orders(world: EventWorld) -> None:
    world.poll("mine")
    world.poll("other")
    published = publish_backlog(world)
    seen: list[list[str]] = []

    def poll_meanwhile(point: str) -> None:
        if point == "order.after_write":
            failpoint.set_hook(None)
            seen.append(ids_of(world.poll("other", limit=200)))
            hurried = Poll(world.env, no_sleep, itertools.count(step=9).__next__)
            with pytest.raises(RowsContendedError):  # an empty answer would say that nothing follows
                hurried.poll("dev", PollRequest("other", position=MOST_ORDERED))

    failpoint.set_hook(poll_meanwhile)
    assert ids_of(world.poll("mine", limit=200)) == published[:200]
    assert seen == [published[:MOST_ORDERED]]
    assert world.drain("other") == published[MOST_ORDERED:]


@pytest.mark.answered_by("engine")
def test_another_poll_goes_on_when_the_one_that_orders_has_died(world: EventWorld) -> None:
    world.poll("mine")
    published = publish_backlog(world, MOST_ORDERED + 10)
    with crash_at("order.after_write"), pytest.raises(Crash):
        world.poll("mine")
    slept: list[float] = []

    def sleep(secs: float) -> None:
        slept.append(secs)
        world.pipeline.time.advance(secs)

    world.polls = Poll(world.env, sleep)
    assert world.drain("mine") == published
    assert len(set(slept)) > 1  # random pauses


@pytest.mark.answered_by("engine")
def test_a_lease_of_a_clock_that_runs_ahead_holds_nobody_up(world: EventWorld) -> None:
    world.poll("mine")
    published = publish_backlog(world, MOST_ORDERED + 10)
    world.pipeline.aws.client("dynamodb").update_item(
        TableName=world.pipeline.aws.names["DeliveriesTable"],
        Key=head_key("dev"),
        UpdateExpression="SET ordering_until_ms = :until",
        ExpressionAttributeValues=to_item({":until": world.pipeline.time() + 600_000}),
    )
    assert world.drain("mine") == published


@pytest.mark.answered_by("engine")
def test_few_polls_of_a_process_work_at_a_time(world: EventWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"consumer-{number}" for number in range(2 * AT_WORK)]
    for name in names:
        world.poll(name)
    published = publish_backlog(world, 5)
    world.poll(names[0])
    read, lock, together, inside = EventLog.read, threading.Lock(), threading.Barrier(AT_WORK), [0]
    seen: list[int] = []

    def read_together(log: EventLog, *arguments: Any) -> Any:
        with lock:
            inside[0] += 1
            seen.append(inside[0])
        together.wait()
        try:
            return read(log, *arguments)
        finally:
            with lock:
                inside[0] -= 1

    monkeypatch.setattr(EventLog, "read", read_together)
    with ThreadPoolExecutor(len(names)) as pool:
        assert list(pool.map(lambda name: ids_of(world.poll(name)), names)) == [published] * len(names)
    assert max(seen) == AT_WORK


@pytest.mark.answered_by("engine")
def test_a_poll_reads_only_the_pages_of_its_answer(world: EventWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.poll("mine")
    published = publish_backlog(world)
    world.poll("mine")
    client = world.pipeline.aws.client("dynamodb")
    query, pages = client.query, list[Any]()

    def count(**request: Any) -> Any:
        answer = query(**request)
        pages.extend(item for item in answer["Items"] if item["pk"]["S"].startswith("LOG#"))
        return answer

    monkeypatch.setattr(client, "query", count)
    assert ids_of(world.poll("mine", limit=100)) == published[:100]
    assert len(pages) == 2


def test_a_crash_of_record_leaves_run_and_entry_together(world: EventWorld) -> None:
    world.poll()
    for point in ("complete.before_write", "complete.after_write", "complete.after_hint"):
        submission = world.pipeline.submit(webhook_url=None)
        with crash_at(point), pytest.raises(Crash):
            world.pipeline.finish(submission)
        is_final = world.pipeline.row(submission).is_final
        position = world.log.head("dev").last
        assert (submission.submission_id in ids_of(world.poll(position=position))) == is_final
        world.pipeline.finish(submission)
        assert ids_of(world.poll(position=position)) == [submission.submission_id]


def test_a_page_that_is_not_visible_yet_is_waited_for(world: EventWorld) -> None:
    world.poll("a")
    published = []
    for number in range(3):
        published.append(world.publish(number))
        world.log.order("dev")
    client, table = world.pipeline.aws.client("dynamodb"), world.pipeline.aws.names["DeliveriesTable"]
    for hidden in (1, 2):
        (page,) = [row for row in world.rows("LOG#") if row["sk"]["S"] == page_sk(hidden)]
        client.delete_item(TableName=table, Key={"pk": page["pk"], "sk": page["sk"]})
        position = hidden - 1
        assert ids_of(world.poll("a", position=0)) == published[:position]
        stopped = world.poll("a", position=position)
        assert (stopped.events, stopped.position, stopped.missed) == ((), position, 0)
        client.put_item(TableName=table, Item=page)
    assert ids_of(world.poll("a", position=0)) == published


def test_an_event_whose_row_is_not_visible_yet_is_waited_for_and_not_for_ever(world: EventWorld) -> None:
    world.poll()
    published = [world.publish(number) for number in range(3)]
    client, table = world.pipeline.aws.client("dynamodb"), world.pipeline.aws.names["DeliveriesTable"]
    (row,) = world.rows(f"EVENT#{published[1]}")
    client.delete_item(TableName=table, Key={"pk": row["pk"], "sk": row["sk"]})
    first = world.poll()
    assert (ids_of(first), first.position) == (published[:1], 1)
    assert world.poll(position=1).position == 1
    client.put_item(TableName=table, Item=row)
    assert ids_of(world.poll()) == published[1:]
    client.delete_item(TableName=table, Key={"pk": row["pk"], "sk": row["sk"]})
    world.pipeline.time.advance(61)
    assert ids_of(world.poll()) == published[2:]


@pytest.mark.answered_by("engine")
def test_a_filter_looks_past_other_events_and_commits_them(world: EventWorld) -> None:
    world.poll()
    for number in range(30):
        world.publish(number)
    run = world.run().submission_id
    polled = world.poll(types=frozenset({"submission.completed"}))
    assert (ids_of(polled), polled.position) == ([run], 31)
    assert world.poll(types=frozenset({"endpoint.disabled"})).position == 31


def test_replays_and_tests_come_only_to_consumers_that_want_them(world: EventWorld) -> None:
    world.poll("plain")
    world.poll("all")
    sample = Event(new_id(), "webhook.test", "dev", b'{"timestamp": "t"}')
    assert world.writer.add_test(sample)
    run = world.run()
    endpoint_run = world.run(webhook_url=world.pipeline.receiver.url)
    delivery = world.pipeline.delivery(endpoint_run)
    assert delivery is not None
    (action,) = world.writer.replay_actions(delivery)
    world.pipeline.aws.client("dynamodb").transact_write_items(TransactItems=[action])
    assert sorted(world.drain("plain")) == sorted([run.submission_id, endpoint_run.submission_id])
    reasons = frozenset({Reason.TEST, Reason.REPLAY})
    polled = world.poll("all", reasons=reasons)
    assert sorted(placed.entry.reason for placed, _ in polled.events) == ["event", "event", "replay", "test"]
    assert ids_of(polled).count(endpoint_run.submission_id) == 2


def test_the_event_of_a_deleted_submission_is_skipped(world: EventWorld) -> None:
    world.poll()
    gone, kept = world.run(), world.run()
    pipeline = world.pipeline
    pipeline.env[Deletion].delete(pipeline.row(gone))
    polled = world.poll()
    assert (ids_of(polled), polled.position, polled.missed) == ([kept.submission_id], 2, 0)


def test_a_page_holds_at_most_4_mib_and_the_rest_follows(world: EventWorld) -> None:
    world.poll()
    runs = []
    for number in range(20):
        event_id = f"{number:08x}-0000-4000-8000-000000000000"
        body = json.dumps({"type": "check.state.changed", "timestamp": "t", "text": "x" * 250_000}).encode()
        world.pipeline.outbox.publish(Event(event_id, "check.state.changed", "dev", body))
        runs.append(event_id)
    first = world.poll()
    assert len(first.events) == 16
    assert ids_of(first) + ids_of(world.poll(position=first.position)) == runs


def test_entries_expire_and_a_late_consumer_learns_how_many(world: EventWorld) -> None:
    world.poll("busy")
    world.poll("late")
    for number in range(3):
        world.publish(number)
    assert len(world.drain("busy")) == 3
    world.pipeline.time.advance(10 * DAY_SECS)
    world.poll("late")  # alive, and commits nothing
    new = world.publish(9)
    assert world.drain("busy") == [new]
    world.pipeline.time.advance(5 * DAY_SECS)
    polled = world.poll("late")
    assert (ids_of(polled), polled.missed) == ([new], 3)
    assert ids_of(world.poll("fresh", from_start=True)) == [new]


def test_a_consumer_that_nobody_polls_expires_and_the_log_ends_with_it(world: EventWorld) -> None:
    world.poll()
    world.pipeline.time.advance(LOG_MS // 1000 + DAY_SECS + 1)
    world.run()
    assert world.rows("UNORDERED#") == []
    assert world.consumers.list_all("dev") == []
    assert world.poll(position=0).events == ()  # its process comes back: it is made anew
    run = world.run().submission_id
    assert ids_of(world.poll()) == [run]


def test_a_poll_keeps_the_log_going(world: EventWorld) -> None:
    world.poll()
    for _ in range(4):
        world.pipeline.time.advance(7 * DAY_SECS)
        world.poll()
    run = world.run().submission_id
    assert ids_of(world.poll()) == [run]


def test_deleting_the_last_consumer_ends_the_log_at_once(world: EventWorld) -> None:
    world.poll("a")
    world.poll("b")
    assert world.consumers.delete("dev", "a")
    assert not world.consumers.delete("dev", "a")
    world.run()
    assert len(world.rows("UNORDERED#")) == 1
    assert world.consumers.delete("dev", "b")
    world.run()
    assert len(world.rows("UNORDERED#")) == 1


@pytest.mark.answered_by("engine")  # moto is for one thread
def test_a_project_has_a_limited_number_of_consumers_also_when_they_come_at_once(world: EventWorld) -> None:
    for number in range(MAX_CONSUMERS - 1):
        world.poll(f"c{number}")
    refused: list[str] = []

    def create(name: str) -> None:
        try:
            world.consumers.create("dev", name, 0)
        except ConsumerLimitError:
            refused.append(name)

    threads = [threading.Thread(target=create, args=(f"late-{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 2
    assert len(world.consumers.list_all("dev")) == MAX_CONSUMERS
    with pytest.raises(ConflictError, match="at most 20 consumers"):
        world.poll("one-more")
    assert world.poll("one-more", project_id="other").events == ()


def test_two_first_polls_of_one_name_make_one_consumer(world: EventWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    original = ConsumerStore._version

    def other_first(self: ConsumerStore, project_id: str) -> str | None:
        version = original(self, project_id)
        monkeypatch.setattr(ConsumerStore, "_version", original)
        world.consumers.create("dev", "mine", 0)
        return version

    monkeypatch.setattr(ConsumerStore, "_version", other_first)
    made = world.consumers.create("dev", "mine", 5)
    assert made == world.consumers.get("dev", "mine")
    assert made.position == 0


def test_a_cursor_from_another_time_is_refused(world: EventWorld) -> None:
    world.poll()
    world.run()
    world.poll()
    with pytest.raises(ConflictError, match="ahead of this project's event log"):
        world.poll(position=2)
    assert len(world.poll(position=0).events) == 1


def test_another_project_gets_nothing(world: EventWorld) -> None:
    world.poll(project_id="other")
    world.poll()
    world.run()
    assert world.poll(project_id="other", consumer="mine").events == ()
    assert len(world.poll().events) == 1


def test_alerts_come_to_the_log_and_to_the_list(world: EventWorld) -> None:
    """Each goes there in the transaction that stores it."""
    world.poll()
    pipeline = world.pipeline
    pipeline.with_schedule(0)
    pipeline.receiver.answers = [(500, {}, b"")]
    run = pipeline.submit()
    pipeline.finish(run)
    pipeline.webhook(*pipeline.hints())
    pipeline.sweep()
    polled = world.poll(types=ALERT_EVENTS)
    (event,) = (event for _, event in polled.events)
    assert json.loads(event.body)["last_delivery_id"] == f"{run.submission_id}.run"
    listed = [item for item in pipeline.aws.items("DeliveriesTable") if item["pk"]["S"] == "EVENTS#dev"]
    assert [item["type"]["S"] for item in listed] == ["delivery.exhausted"]
