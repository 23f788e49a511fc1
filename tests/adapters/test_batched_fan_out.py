"""Batched fan-outs: each run is on the bus once, despite refusals, repeats, races and crashes."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.projects.quota import Quota
from functions.submissions.backlog import BATCH_LATE_MS
from functions.submissions.batch_lease import LEASE_MS
from functions.submissions.batch_store import BatchStore
from functions.submissions.model import BATCH_SHARDS, Fanout, Submission, idempotency_pk
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


def final_run(pipeline: Pipeline, stdout: bytes = b"42\n", **changes: Any) -> Submission:
    """A directly answered run whose quota was released."""
    row = pipeline.submit(**{"webhook_url": None, "webhook_secret": None} | changes)
    done = completion(stdout=stdout, stdout_size_bytes=len(stdout))
    final = pipeline.submissions.commit_final(row.submission_id, done, is_batched=True)
    assert final is not None
    return final


def ids(watch: BusWatch) -> list[str]:
    return sorted(entry["detail"]["id"] for entry in watch.seen())


def fanouts(pipeline: Pipeline, rows: list[Submission]) -> set[Fanout | None]:
    return {pipeline.row(row).fanout for row in rows}


def test_due_rows_are_put_on_the_bus_once_and_marked_done(pipeline: Pipeline, watch: BusWatch) -> None:
    rows = [final_run(pipeline, project_id=f"project-{number % 3}") for number in range(23)]
    with bus_answers(pipeline.aws) as put:
        assert pipeline.run_batch() == []
    assert len(put) == 23
    assert ids(watch) == sorted(row.submission_id for row in rows)
    assert fanouts(pipeline, rows) == {Fanout.DONE}
    assert [row for row in rows if pipeline.row(row).due_at_ms is not None] == []
    assert pipeline.run_batch() == []
    assert pipeline.sweep()["driven"] == 0
    assert watch.seen() == []


def test_one_batch_handles_more_rows_than_one_page(pipeline: Pipeline, watch: BusWatch) -> None:
    rows = [final_run(pipeline) for _ in range(130)]
    assert pipeline.run_batch() == []
    assert fanouts(pipeline, rows) == {Fanout.DONE}
    seen = [name for _ in range(20) for name in ids(watch)]
    assert sorted(seen) == sorted(row.submission_id for row in rows)


def test_a_batch_does_not_touch_other_final_rows(pipeline: Pipeline, watch: BusWatch) -> None:
    other = pipeline.submit()
    assert pipeline.submissions.commit_final(other.submission_id, completion()) is not None
    before = pipeline.row(other)
    assert pipeline.run_batch() == []
    assert pipeline.row(other) == before
    assert watch.seen() == []


@pytest.mark.parametrize("point", POINTS)
def test_after_a_crash_the_sweeper_makes_the_fan_outs(pipeline: Pipeline, watch: BusWatch, point: str) -> None:
    rows = [final_run(pipeline) for _ in range(5)]
    with crash_at(point), pytest.raises(Crash):
        pipeline.run_batch()
    assert pipeline.run_batch() == []  # no second batch while the first may be running
    assert fanouts(pipeline, rows) == {Fanout.PENDING}
    before = ids(watch)
    pipeline.time.advance(BATCH_LATE_MS / 1000 + 1)
    pipeline.sweep()
    assert fanouts(pipeline, rows) == {Fanout.DONE}
    names = sorted(row.submission_id for row in rows)
    assert (before, ids(watch)) == ([] if point in POINTS[:2] else names, names)


def test_the_lease_of_a_crashed_batch_expires(pipeline: Pipeline, watch: BusWatch) -> None:
    row = final_run(pipeline)
    with crash_at("gathering.after_take"), pytest.raises(Crash):
        pipeline.run_batch()
    pipeline.time.advance(LEASE_MS / 1000 + 1)
    assert pipeline.run_batch() == []
    assert (fanouts(pipeline, [row]), ids(watch)) == ({Fanout.DONE}, [row.submission_id])


def test_the_sweeper_leaves_young_rows_to_the_batch(pipeline: Pipeline, watch: BusWatch) -> None:
    row = final_run(pipeline)
    pipeline.time.advance(BATCH_LATE_MS / 1000 - 1)
    assert pipeline.sweep()["driven"] == 0
    assert (fanouts(pipeline, [row]), watch.seen()) == ({Fanout.PENDING}, [])


def test_concurrent_batches_put_each_event_once(pipeline: Pipeline, watch: BusWatch) -> None:
    pipeline.aws.make_tables_atomic()
    rows = [final_run(pipeline) for _ in range(40)]
    with ThreadPoolExecutor(6) as threads:
        assert [future.result() for future in [threads.submit(pipeline.run_batch) for _ in range(6)]] == [[]] * 6
    assert fanouts(pipeline, rows) == {Fanout.DONE}
    seen = [name for _ in range(8) for name in ids(watch)]
    assert sorted(seen) == sorted(row.submission_id for row in rows)


def test_a_trigger_during_a_batch_is_not_lost(pipeline: Pipeline, watch: BusWatch) -> None:
    rows = [final_run(pipeline)]
    due = BatchStore.due

    def due_then_one_more(store: BatchStore, *rest: int) -> list[Submission]:
        found = due(store, *rest)
        if len(rows) == 1:
            rows.append(final_run(pipeline))
            assert pipeline.run_batch() == []  # the lease is held: it only sets `again`
            assert fanouts(pipeline, rows) == {Fanout.PENDING}
        return found

    pipeline.aws.monkeypatch.setattr(BatchStore, "due", due_then_one_more)
    assert pipeline.run_batch() == []
    assert fanouts(pipeline, rows) == {Fanout.DONE}
    assert ids(watch) == sorted(row.submission_id for row in rows)


def test_a_former_owner_cannot_release_the_lease(pipeline: Pipeline) -> None:
    lease = pipeline.batched.lease
    assert lease.acquire("slow")
    pipeline.time.advance(LEASE_MS / 1000 + 1)
    assert lease.acquire("next")
    assert lease.release("slow")
    lease.force_release("slow")
    assert not lease.acquire("third")
    assert not lease.release("next")  # the third one has set `again`
    assert lease.release("next")
    assert lease.acquire("third")


def test_a_batch_stops_and_releases_the_lease_at_its_time_limit(pipeline: Pipeline) -> None:
    rows = [final_run(pipeline) for _ in range(130)]
    moments = iter([0.0, 0.0, 99.0])
    hurried = dataclasses.replace(pipeline.batched, monotonic=lambda: next(moments))
    hurried.fan_out_due()
    assert fanouts(pipeline, rows) == {Fanout.DONE, Fanout.PENDING}
    assert pipeline.run_batch() == []
    assert fanouts(pipeline, rows) == {Fanout.DONE}


def test_a_row_deleted_since_the_index_was_written_is_no_error(pipeline: Pipeline, watch: BusWatch) -> None:
    kept, gone, late = (final_run(pipeline) for _ in range(3))
    due = BatchStore.due

    def due_then_lose(store: BatchStore, *rest: int) -> list[Submission]:
        found = due(store, *rest)
        pipeline.submissions.delete(late)
        return found

    stale = [(gone.submission_id, pipeline.time())]
    assert pipeline.submissions.delete(gone)
    list_due = pipeline.submissions.due

    def old_index(_client: object, _table: object, shard: str, *rest: int) -> list[tuple[str, int]]:
        return list_due(shard, *rest) + (stale if shard == BATCH_SHARDS[0] else [])

    pipeline.aws.monkeypatch.setattr(BatchStore, "due", due_then_lose)
    pipeline.aws.monkeypatch.setattr("functions.submissions.batch_store.list_due", old_index)
    assert pipeline.run_batch() == []
    assert pipeline.row(kept).fanout is Fanout.DONE
    assert pipeline.submissions.get(late.submission_id) is None
    assert ids(watch) == sorted([kept.submission_id, late.submission_id])


def test_rows_with_a_transaction_conflict_are_marked_done_by_a_retry(pipeline: Pipeline) -> None:
    rows = [final_run(pipeline) for _ in range(3)]
    reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}, {"Code": "None"}]
    client, refusals = pipeline.aws.client("dynamodb"), [reasons, reasons]

    def refuse(**_: object) -> None:
        if refusals:
            error = {"Error": {"Code": "TransactionCanceledException", "Message": ""}}
            raise ClientError(error | {"CancellationReasons": refusals.pop()}, "TransactWriteItems")  # type: ignore[arg-type]

    client.meta.events.register("before-call.dynamodb.TransactWriteItems", refuse)
    try:
        assert pipeline.run_batch() == []
    finally:
        client.meta.events.unregister("before-call.dynamodb.TransactWriteItems", refuse)
    assert refusals == []
    assert fanouts(pipeline, rows) == {Fanout.DONE}


def test_only_an_entry_that_the_bus_refuses_stays_due(pipeline: Pipeline, watch: BusWatch) -> None:
    rows = [final_run(pipeline) for _ in range(3)]
    refused = {"FailedEntryCount": 1, "Entries": [{"EventId": "1"}, {"ErrorCode": "Busy"}, {"EventId": "3"}]}
    again = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "Busy"}]}
    with bus_answers(pipeline.aws, refused, again, again, again) as put:
        assert pipeline.run_batch() == [0]
    (left,) = [row for row in rows if pipeline.row(row).fanout is Fanout.PENDING]
    assert [json.loads(text)["id"] for text in put[3:]] == [left.submission_id] * 3
    pipeline.time.advance(BATCH_LATE_MS / 1000 + 1)
    pipeline.sweep()
    assert (fanouts(pipeline, rows), ids(watch)) == ({Fanout.DONE}, [left.submission_id])


def test_rows_stay_due_while_the_bus_is_down(pipeline: Pipeline, watch: BusWatch) -> None:
    rows = [final_run(pipeline) for _ in range(3)]
    with bus_answers(pipeline.aws, *[500] * 9):
        assert pipeline.run_batch() == [0]
    assert fanouts(pipeline, rows) == {Fanout.PENDING}
    pipeline.time.advance(BATCH_LATE_MS / 1000 + 1)
    assert pipeline.run_batch() == []
    assert (fanouts(pipeline, rows), len(ids(watch))) == ({Fanout.DONE}, 3)


def test_no_call_exceeds_the_byte_limit_of_the_bus(pipeline: Pipeline, watch: BusWatch) -> None:
    rows = [final_run(pipeline, stdout=b"x" * 60_000) for _ in range(7)]  # a body contains stdout twice
    calls: list[int] = []
    hooks = pipeline.aws.client("events").meta.events

    def measure(params: dict[str, Any], **_: object) -> None:
        entries = json.loads(params["body"])["Entries"]
        calls.append(sum(len(entry["Source"] + entry["DetailType"] + entry["Detail"]) for entry in entries))

    hooks.register("before-call.eventbridge.PutEvents", measure)
    try:
        assert pipeline.run_batch() == []
    finally:
        hooks.unregister("before-call.eventbridge.PutEvents", measure)
    assert len(calls) == 4
    assert max(calls) <= MAX_ENTRY_BYTES
    assert fanouts(pipeline, rows) == {Fanout.DONE}
    assert ids(watch) == sorted(row.submission_id for row in rows)


def test_rows_with_deliveries_or_cut_output_get_a_complete_fan_out(pipeline: Pipeline, watch: BusWatch) -> None:
    endpoint = pipeline.endpoint(project_id="heard")
    plain, cut = final_run(pipeline), final_run(pipeline, stdout=b"\x00" * 60_000)
    heard = final_run(pipeline, project_id="heard")
    hooked = final_run(pipeline, webhook_url=pipeline.receiver.url, webhook_secret="s" * 20)
    assert pipeline.run_batch() == []
    rows = [plain, cut, heard, hooked]
    assert fanouts(pipeline, rows) == {Fanout.DONE}
    assert ids(watch) == sorted(row.submission_id for row in rows)
    assert pipeline.state(heard, endpoint.endpoint_id) is DeliveryState.PENDING
    assert pipeline.state(hooked) is DeliveryState.PENDING
    assert (pipeline.delivery(plain), pipeline.delivery(cut)) == (None, None)


def test_a_batch_releases_runs_that_are_still_in_flight(pipeline: Pipeline) -> None:
    rows = [
        pipeline.submit(webhook_url=None, webhook_secret=None, idempotency_pk=idempotency_pk("dev", str(number)))
        for number in range(3)
    ]
    running = pipeline.submit(webhook_url=None, webhook_secret=None)
    for row in (*rows, running):
        pipeline.quotas.charge(row.quota_claim, PLENTY)
    pipeline.quotas.release(rows[0].quota_claim)
    for row in rows:
        assert pipeline.submissions.commit_final(row.submission_id, completion(), is_batched=True)
    assert pipeline.quotas.usage("dev", "judge").in_flight == 3
    assert pipeline.run_batch() == []
    assert pipeline.quotas.usage("dev", "judge").in_flight == 1
    pipeline.quotas.release(running.quota_claim)
    for row in rows:  # their keys are free as well
        pipeline.quotas.charge(row.quota_claim, PLENTY)


def test_a_table_that_is_down_fails_the_message(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    row = final_run(pipeline)

    def throttled(*_: Any, **__: Any) -> Any:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "busy"}}, "AnyOperation")

    with monkeypatch.context() as patch:
        patch.setattr(type(pipeline.endpoints), "has_any", throttled)
        assert pipeline.run_batch() == [0]
    assert pipeline.row(row).fanout is Fanout.PENDING


def test_a_dead_trigger_leaves_its_rows_to_the_sweeper(pipeline: Pipeline) -> None:
    row = final_run(pipeline)
    assert pipeline.dead_letters('{"type":"fanouts_due","version":1}') == []
    assert pipeline.row(row).fanout is Fanout.PENDING
    pipeline.time.advance(BATCH_LATE_MS / 1000 + 1)
    pipeline.sweep()
    assert pipeline.row(row).fanout is Fanout.DONE


def test_a_forged_trigger_handles_due_rows_only(pipeline: Pipeline) -> None:
    pending = pipeline.submit()
    row = final_run(pipeline)
    body = {"type": "fanouts_due", "version": 1, "submission_id": pending.submission_id, "shard": "DUE#1"}
    assert pipeline.record(json.dumps(body)) == []
    assert pipeline.row(row).fanout is Fanout.DONE
    assert pipeline.row(pending) == replace(pending, webhook_secret=None)
