"""Fan-outs done many at a time: each run is on the bus once, whatever refuses, repeats, races or dies."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.projects.quota import Quota
from functions.submissions.backlog import GATHERED_LATE_MS
from functions.submissions.gathered_store import GatheredStore
from functions.submissions.gathering_lease import LEASE_MS
from functions.submissions.model import GATHERED_SHARDS, Fanout, Submission, idempotency_pk
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.event_bus import MAX_ENTRY_BYTES
from tests.adapters.bus_watch import BusWatch, bus_answers
from tests.adapters.pipeline import Crash, Pipeline, crash_at, pipeline, receiver
from tests.submission_factory import completion

__all__ = ["pipeline", "receiver"]

POINTS = ("gathering.after_take", "fanout.after_release", "fanout.after_bus", "fanout.before_done")
PLENTY = Quota(1_000, 1_000, 1_000)


@pytest.fixture
def watch(pipeline: Pipeline) -> BusWatch:
    return BusWatch(pipeline.aws)


def ended(pipeline: Pipeline, stdout: bytes = b"42\n", **changes: Any) -> Submission:
    """A run that was answered directly, with its place let go of."""
    row = pipeline.submit(**{"webhook_url": None, "webhook_secret": None} | changes)
    done = completion(stdout=stdout, stdout_size_bytes=len(stdout))
    final = pipeline.submissions.commit_final(row.submission_id, done, is_gathered=True)
    assert final is not None
    return final


def ids(watch: BusWatch) -> list[str]:
    return sorted(entry["detail"]["id"] for entry in watch.seen())


def fanouts(pipeline: Pipeline, rows: list[Submission]) -> set[Fanout | None]:
    return {pipeline.row(row).fanout for row in rows}


def test_all_that_are_due_are_put_once_and_owe_nothing_then(pipeline: Pipeline, watch: BusWatch) -> None:
    rows = [ended(pipeline, project_id=f"project-{number % 3}") for number in range(23)]
    with bus_answers(pipeline.aws) as put:
        assert pipeline.gather() == []
    assert len(put) == 23
    assert ids(watch) == sorted(row.submission_id for row in rows)
    assert fanouts(pipeline, rows) == {Fanout.DONE}
    assert [row for row in rows if pipeline.row(row).due_at_ms is not None] == []
    assert pipeline.gather() == []
    assert pipeline.sweep()["driven"] == 0
    assert watch.seen() == []


def test_more_than_one_round_of_rows_is_done_in_one_go(pipeline: Pipeline, watch: BusWatch) -> None:
    rows = [ended(pipeline) for _ in range(130)]
    assert pipeline.gather() == []
    assert fanouts(pipeline, rows) == {Fanout.DONE}
    seen = [name for _ in range(20) for name in ids(watch)]
    assert sorted(seen) == sorted(row.submission_id for row in rows)


def test_rows_of_other_ways_are_not_touched(pipeline: Pipeline, watch: BusWatch) -> None:
    other = pipeline.submit()
    assert pipeline.submissions.commit_final(other.submission_id, completion()) is not None
    before = pipeline.row(other)
    assert pipeline.gather() == []
    assert pipeline.row(other) == before
    assert watch.seen() == []


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_loses_nothing_and_the_sweeper_ends_it(pipeline: Pipeline, watch: BusWatch, point: str) -> None:
    rows = [ended(pipeline) for _ in range(5)]
    with crash_at(point), pytest.raises(Crash):
        pipeline.gather()
    assert pipeline.gather() == []  # nobody else begins while the other may be at it
    assert fanouts(pipeline, rows) == {Fanout.PENDING}
    before = ids(watch)
    pipeline.time.advance(GATHERED_LATE_MS / 1000 + 1)
    pipeline.sweep()
    assert fanouts(pipeline, rows) == {Fanout.DONE}
    names = sorted(row.submission_id for row in rows)
    assert (before, ids(watch)) == ([] if point in POINTS[:2] else names, names)


def test_the_lease_of_one_that_died_ends(pipeline: Pipeline, watch: BusWatch) -> None:
    row = ended(pipeline)
    with crash_at("gathering.after_take"), pytest.raises(Crash):
        pipeline.gather()
    pipeline.time.advance(LEASE_MS / 1000 + 1)
    assert pipeline.gather() == []
    assert (fanouts(pipeline, [row]), ids(watch)) == ({Fanout.DONE}, [row.submission_id])


def test_the_sweeper_leaves_young_rows_to_the_gathering(pipeline: Pipeline, watch: BusWatch) -> None:
    row = ended(pipeline)
    pipeline.time.advance(GATHERED_LATE_MS / 1000 - 1)
    assert pipeline.sweep()["driven"] == 0
    assert (fanouts(pipeline, [row]), watch.seen()) == ({Fanout.PENDING}, [])


def test_many_at_the_same_time_put_each_once(pipeline: Pipeline, watch: BusWatch) -> None:
    pipeline.aws.make_tables_atomic()
    rows = [ended(pipeline) for _ in range(40)]
    with ThreadPoolExecutor(6) as threads:
        assert [future.result() for future in [threads.submit(pipeline.gather) for _ in range(6)]] == [[]] * 6
    assert fanouts(pipeline, rows) == {Fanout.DONE}
    seen = [name for _ in range(8) for name in ids(watch)]
    assert sorted(seen) == sorted(row.submission_id for row in rows)


def test_a_reminder_that_comes_meanwhile_is_not_lost(pipeline: Pipeline, watch: BusWatch) -> None:
    rows = [ended(pipeline)]
    due = GatheredStore.due

    def due_then_one_more(store: GatheredStore, *rest: int) -> list[Submission]:
        found = due(store, *rest)
        if len(rows) == 1:
            rows.append(ended(pipeline))
            assert pipeline.gather() == []  # the lease is taken: it only leaves word
            assert fanouts(pipeline, rows) == {Fanout.PENDING}
        return found

    pipeline.aws.monkeypatch.setattr(GatheredStore, "due", due_then_one_more)
    assert pipeline.gather() == []
    assert fanouts(pipeline, rows) == {Fanout.DONE}
    assert ids(watch) == sorted(row.submission_id for row in rows)


def test_one_whose_lease_was_taken_over_does_not_let_go_of_it(pipeline: Pipeline) -> None:
    lease = pipeline.gathering.lease
    assert lease.take("slow")
    pipeline.time.advance(LEASE_MS / 1000 + 1)
    assert lease.take("next")
    assert lease.give_up("slow")
    lease.abandon("slow")
    assert not lease.take("third")
    assert not lease.give_up("next")  # the third one left word
    assert lease.give_up("next")
    assert lease.take("third")


def test_after_its_time_it_stops_and_lets_go(pipeline: Pipeline) -> None:
    rows = [ended(pipeline) for _ in range(130)]
    moments = iter([0.0, 0.0, 99.0])
    hurried = dataclasses.replace(pipeline.gathering, monotonic=lambda: next(moments))
    hurried.fan_out_all()
    assert fanouts(pipeline, rows) == {Fanout.DONE, Fanout.PENDING}
    assert pipeline.gather() == []
    assert fanouts(pipeline, rows) == {Fanout.DONE}


def test_a_row_deleted_since_the_index_was_written_is_no_error(pipeline: Pipeline, watch: BusWatch) -> None:
    kept, gone, late = (ended(pipeline) for _ in range(3))
    due = GatheredStore.due

    def due_then_lose(store: GatheredStore, *rest: int) -> list[Submission]:
        found = due(store, *rest)
        pipeline.submissions.delete(late)
        return found

    stale = [(gone.submission_id, pipeline.time())]
    assert pipeline.submissions.delete(gone)
    list_due = pipeline.submissions.due

    def old_index(_client: object, _table: object, shard: str, *rest: int) -> list[tuple[str, int]]:
        return list_due(shard, *rest) + (stale if shard == GATHERED_SHARDS[0] else [])

    pipeline.aws.monkeypatch.setattr(GatheredStore, "due", due_then_lose)
    pipeline.aws.monkeypatch.setattr("functions.submissions.gathered_store.list_due", old_index)
    assert pipeline.gather() == []
    assert pipeline.row(kept).fanout is Fanout.DONE
    assert pipeline.submissions.get(late.submission_id) is None
    assert ids(watch) == sorted([kept.submission_id, late.submission_id])


def test_rows_that_a_transaction_holds_are_finished_after_it(pipeline: Pipeline) -> None:
    rows = [ended(pipeline) for _ in range(3)]
    reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}, {"Code": "None"}]
    client, refusals = pipeline.aws.client("dynamodb"), [reasons, reasons]

    def refuse(**_: object) -> None:
        if refusals:
            error = {"Error": {"Code": "TransactionCanceledException", "Message": ""}}
            raise ClientError(error | {"CancellationReasons": refusals.pop()}, "TransactWriteItems")  # type: ignore[arg-type]

    client.meta.events.register("before-call.dynamodb.TransactWriteItems", refuse)
    try:
        assert pipeline.gather() == []
    finally:
        client.meta.events.unregister("before-call.dynamodb.TransactWriteItems", refuse)
    assert refusals == []
    assert fanouts(pipeline, rows) == {Fanout.DONE}


def test_an_entry_that_the_bus_refuses_stays_due_and_the_others_do_not(pipeline: Pipeline, watch: BusWatch) -> None:
    rows = [ended(pipeline) for _ in range(3)]
    refused = {"FailedEntryCount": 1, "Entries": [{"EventId": "1"}, {"ErrorCode": "Busy"}, {"EventId": "3"}]}
    again = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "Busy"}]}
    with bus_answers(pipeline.aws, refused, again, again, again) as put:
        assert pipeline.gather() == [0]
    (left,) = [row for row in rows if pipeline.row(row).fanout is Fanout.PENDING]
    assert [json.loads(text)["id"] for text in put[3:]] == [left.submission_id] * 3
    pipeline.time.advance(GATHERED_LATE_MS / 1000 + 1)
    pipeline.sweep()
    assert (fanouts(pipeline, rows), ids(watch)) == ({Fanout.DONE}, [left.submission_id])


def test_a_bus_that_is_down_leaves_all_of_them_due(pipeline: Pipeline, watch: BusWatch) -> None:
    rows = [ended(pipeline) for _ in range(3)]
    with bus_answers(pipeline.aws, *[500] * 9):
        assert pipeline.gather() == [0]
    assert fanouts(pipeline, rows) == {Fanout.PENDING}
    pipeline.time.advance(GATHERED_LATE_MS / 1000 + 1)
    assert pipeline.gather() == []
    assert (fanouts(pipeline, rows), len(ids(watch))) == ({Fanout.DONE}, 3)


def test_no_call_of_the_bus_has_more_bytes_than_it_takes(pipeline: Pipeline, watch: BusWatch) -> None:
    rows = [ended(pipeline, stdout=b"x" * 60_000) for _ in range(7)]  # a body has them twice
    calls: list[int] = []
    hooks = pipeline.aws.client("events").meta.events

    def measure(params: dict[str, Any], **_: object) -> None:
        entries = json.loads(params["body"])["Entries"]
        calls.append(sum(len(entry["Source"] + entry["DetailType"] + entry["Detail"]) for entry in entries))

    hooks.register("before-call.eventbridge.PutEvents", measure)
    try:
        assert pipeline.gather() == []
    finally:
        hooks.unregister("before-call.eventbridge.PutEvents", measure)
    assert len(calls) == 4
    assert max(calls) <= MAX_ENTRY_BYTES
    assert fanouts(pipeline, rows) == {Fanout.DONE}
    assert ids(watch) == sorted(row.submission_id for row in rows)


def test_what_is_not_plain_gets_a_whole_fan_out(pipeline: Pipeline, watch: BusWatch) -> None:
    endpoint = pipeline.endpoint(project_id="heard")
    plain, cut = ended(pipeline), ended(pipeline, stdout=b"\x00" * 60_000)
    heard = ended(pipeline, project_id="heard")
    hooked = ended(pipeline, webhook_url=pipeline.receiver.url, webhook_secret="s" * 20)
    assert pipeline.gather() == []
    rows = [plain, cut, heard, hooked]
    assert fanouts(pipeline, rows) == {Fanout.DONE}
    assert ids(watch) == sorted(row.submission_id for row in rows)
    assert pipeline.state(heard, endpoint.endpoint_id) is DeliveryState.PENDING
    assert pipeline.state(hooked) is DeliveryState.PENDING
    assert (pipeline.delivery(plain), pipeline.delivery(cut)) == (None, None)


def test_a_place_that_is_still_held_is_let_go_of(pipeline: Pipeline) -> None:
    rows = [
        pipeline.submit(webhook_url=None, webhook_secret=None, idempotency_pk=idempotency_pk("dev", str(number)))
        for number in range(3)
    ]
    running = pipeline.submit(webhook_url=None, webhook_secret=None)
    for row in (*rows, running):
        pipeline.quotas.take(row.quota_claim, PLENTY)
    pipeline.quotas.release(rows[0].quota_claim)
    for row in rows:
        assert pipeline.submissions.commit_final(row.submission_id, completion(), is_gathered=True)
    assert pipeline.quotas.usage("dev", "judge").in_flight == 3
    assert pipeline.gather() == []
    assert pipeline.quotas.usage("dev", "judge").in_flight == 1
    pipeline.quotas.release(running.quota_claim)
    for row in rows:  # their keys are free as well
        pipeline.quotas.take(row.quota_claim, PLENTY)


def test_a_table_that_is_down_fails_the_message(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    row = ended(pipeline)

    def throttled(*_: Any, **__: Any) -> Any:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "busy"}}, "AnyOperation")

    with monkeypatch.context() as patch:
        patch.setattr(type(pipeline.endpoints), "exist", throttled)
        assert pipeline.gather() == [0]
    assert pipeline.row(row).fanout is Fanout.PENDING


def test_dead_reminders_are_left_to_the_sweeper(pipeline: Pipeline) -> None:
    row = ended(pipeline)
    assert pipeline.dead_letters('{"type":"fanouts_due","version":1}') == []
    assert pipeline.row(row).fanout is Fanout.PENDING
    pipeline.time.advance(GATHERED_LATE_MS / 1000 + 1)
    pipeline.sweep()
    assert pipeline.row(row).fanout is Fanout.DONE


def test_a_stranger_s_reminder_drives_nothing_but_what_is_due(pipeline: Pipeline) -> None:
    pending = pipeline.submit()
    row = ended(pipeline)
    body = {"type": "fanouts_due", "version": 1, "submission_id": pending.submission_id, "shard": "DUE#1"}
    assert pipeline.record(json.dumps(body)) == []
    assert pipeline.row(row).fanout is Fanout.DONE
    assert pipeline.row(pending) == replace(pending, webhook_secret=None)
