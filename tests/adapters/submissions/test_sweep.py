"""`sweep` handles late due rows, and dead letters end as IE."""

import json
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from events.requested import ExecutionRequested
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.table import DUE_SHARDS
from functions.aws.payloads import Payloads
from functions.clock import to_rfc3339
from functions.ids import new_id
from functions.submissions.model import Completion, Status, Submission
from functions.submissions.sweeper import RESERVE_MS, TAKEN_MS, Sweep
from functions.webhooks.deliveries.model import FIRST_HINTED_MS, HINTED_MS, Delivery, DeliveryState
from functions.webhooks.deliveries.store import delivery_row
from tests.adapters.pipeline import Context, Crash, Pipeline, crash_at
from tests.submission_factory import EXECUTION_ID, START_MS, golden

HOUR_SECS = 3600


def started(submission: Submission, execution_id: str = EXECUTION_ID) -> str:
    message = golden("execution_started/v1.typical")
    return json.dumps(message | {"submission_id": submission.submission_id, "execution_id": execution_id})


def requested(submission: Submission) -> str:
    return json.dumps(golden("execution_requested/v1.minimal") | {"submission_id": submission.submission_id})


def oldest_due_ages(capsys: pytest.CaptureFixture[str]) -> list[float]:
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    metrics = [line for line in logged if "OldestDueAge" in line]
    assert all(line["service"] == "sweep" for line in metrics)
    assert all(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]] for line in metrics)
    return [line["OldestDueAge"][0] for line in metrics]


def fill(pipeline: Pipeline, queue: str) -> None:
    """Let somebody else's message wait in a queue."""
    pipeline.aws.client("sqs").send_message(QueueUrl=pipeline.aws.names[queue], MessageBody="{}")


# --- nothing to do ---------------------------------------------------------------


def test_quiet_sweep_reports_an_age_of_zero(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.submit()
    pipeline.submit(webhook_url=None, webhook_secret=None)
    assert pipeline.sweep() == {"handled": 0, "failed": 0}
    assert oldest_due_ages(capsys) == [0]


def test_stale_index_entry_is_passed_over(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    submission = pipeline.run()
    pipeline.webhook(*pipeline.hints())
    stale_submissions = {submission.submission_id[-1]: [(submission.submission_id, START_MS)]}
    monkeypatch.setattr(
        pipeline.submissions,
        "due",
        lambda shard, _now, _limit: (
            stale_submissions.get(f"{int(shard.removeprefix('DUE#')):x}", []) if shard in DUE_SHARDS else []
        ),
    )
    before = pipeline.row(submission), pipeline.delivery(submission)
    assert pipeline.sweep() == {"handled": 1, "failed": 0}
    assert (pipeline.row(submission), pipeline.delivery(submission)) == before


def test_row_deleted_since_is_passed_over(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    pipeline.time.advance(121)
    sweep = pipeline.new_sweep()
    (entry,) = sweep.entries()
    assert pipeline.submissions.delete(submission)
    sweep.handle(entry)
    assert pipeline.aws.items("SubmissionsTable") == []
    assert pipeline.aws.messages("BatchQueue") == []


# --- pending ---------------------------------------------------------------------


def test_pending_submission_whose_message_was_lost_is_sent_again(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    submission = pipeline.submit(limits={"memory_mb": 64, "cpu_time_secs": 1.5}, stdin=b"1 2\n")
    assert pipeline.sweep(after_secs=121) == {"handled": 1, "failed": 0}
    (message,) = pipeline.aws.messages("BatchQueue")
    sent = ExecutionRequested.parse(json.dumps(message))
    row = pipeline.row(submission)
    assert (sent.submission_id, sent.project_id, sent.language.value) == (submission.submission_id, "dev", "python")
    assert (sent.code, sent.stdin) == (b"print(42)\n", b"1 2\n")
    assert message["limits"] == {"memory_mb": 64, "cpu_time_secs": 1.5}
    assert sent.execution_id == row.execution_id != EXECUTION_ID
    assert (row.status, row.redrives) == (Status.PENDING, 1)
    assert row.due_at_ms == pipeline.time.ms + 120_000
    assert oldest_due_ages(capsys) == [1.0]


def test_interactive_submission_goes_to_its_own_queue(pipeline: Pipeline) -> None:
    pipeline.submit(priority="interactive")
    fill(pipeline, "BatchQueue")
    pipeline.sweep(after_secs=121)
    assert len(pipeline.aws.messages("InteractiveQueue")) == 1


def test_input_in_the_bucket_is_sent_again_whole(pipeline: Pipeline) -> None:
    submission = pipeline.submit(code=None, stdin=None, input_key="later")
    pipeline.payloads.put_input(submission.submission_id, b"print(1)", b"x" * 200_000)
    pipeline.sweep(after_secs=121)
    (message,) = pipeline.aws.messages("BatchQueue")
    assert ExecutionRequested.parse(json.dumps(message)).stdin == b"x" * 200_000


def test_submission_whose_input_is_gone_ends_as_ie(pipeline: Pipeline) -> None:
    submission = pipeline.submit(code=None, stdin=None, input_key="gone")
    pipeline.sweep(after_secs=121)
    row = pipeline.row(submission)
    assert (row.status, row.result["cause"]) == (Status.ERROR, "ie_not_run")


def test_all_lost_messages_come_back_in_one_sweep(pipeline: Pipeline) -> None:
    submissions = [pipeline.submit() for _ in range(40)]
    assert pipeline.sweep(after_secs=121) == {"handled": 40, "failed": 0}
    sent = {message["submission_id"] for message in pipeline.aws.messages("BatchQueue")}
    assert sent == {submission.submission_id for submission in submissions}


def accepted(pipeline: Pipeline, secs: float, **changes: Any) -> Submission:
    """A pending submission that was accepted so many seconds after the start."""
    at_ms = START_MS + round(secs * 1000)
    return pipeline.submit(created_at=to_rfc3339(at_ms), due_at_ms=at_ms + 120_000, **changes)


def redrives(pipeline: Pipeline, *submissions: Submission) -> list[int]:
    return [pipeline.row(submission).redrives for submission in submissions]


def test_submissions_that_wait_in_a_busy_queue_are_left_alone_but_the_first(pipeline: Pipeline) -> None:
    first, second = accepted(pipeline, 0), accepted(pipeline, 0.1)
    fill(pipeline, "BatchQueue")
    pipeline.sweep(after_secs=121)
    assert redrives(pipeline, first, second) == [1, 0]
    row = pipeline.row(second)
    assert (row.execution_id, row.due_at_ms) == (EXECUTION_ID, pipeline.time.ms + TAKEN_MS)
    assert len(pipeline.aws.messages("BatchQueue")) == 2


def test_the_next_sweep_looks_at_a_submission_again(pipeline: Pipeline) -> None:
    accepted(pipeline, 0)
    second, later = accepted(pipeline, 0.1), accepted(pipeline, 0.2)
    fill(pipeline, "BatchQueue")
    pipeline.sweep(after_secs=121)
    pipeline.finish(later)
    accepted(pipeline, 0.05)  # so that another one is the first of the next sweep
    pipeline.sweep(after_secs=60)
    assert redrives(pipeline, second) == [1]


@pytest.mark.answered_by("engine", "moto")
def test_a_lost_message_is_found_in_a_busy_queue_once_a_later_run_has_begun(pipeline: Pipeline) -> None:
    first, lost = accepted(pipeline, 0), accepted(pipeline, 1)
    later, waiting = accepted(pipeline, 2), accepted(pipeline, 3)
    pipeline.record(started(later))
    fill(pipeline, "BatchQueue")
    pipeline.sweep(after_secs=124)
    assert redrives(pipeline, first, lost, waiting) == [1, 1, 0]


def test_a_message_that_a_finished_run_has_overtaken_is_lost_too(pipeline: Pipeline) -> None:
    accepted(pipeline, 0)
    lost = [accepted(pipeline, 1 + number / 100) for number in range(30)]
    pipeline.finish(accepted(pipeline, 2))
    fill(pipeline, "BatchQueue")
    pipeline.sweep(after_secs=123)
    assert set(redrives(pipeline, *lost)) == {1}


def test_runs_of_another_project_or_queue_have_not_overtaken_a_submission(pipeline: Pipeline) -> None:
    accepted(pipeline, 0)
    second = accepted(pipeline, 1)
    pipeline.finish(accepted(pipeline, 2, project_id="other"))
    pipeline.finish(accepted(pipeline, 2, priority="interactive"))
    fill(pipeline, "BatchQueue")
    pipeline.sweep(after_secs=123)
    assert redrives(pipeline, second) == [0]


def test_the_only_submission_of_a_project_is_sent_again_where_others_keep_the_queue_busy(pipeline: Pipeline) -> None:
    others = [accepted(pipeline, 0, project_id="other") for _ in range(3)]
    lost = accepted(pipeline, 1)
    fill(pipeline, "BatchQueue")
    pipeline.sweep(after_secs=122)
    assert redrives(pipeline, lost) == [1]
    assert sum(redrives(pipeline, *others)) == 1


def test_a_submission_is_sent_again_once_in_an_interval(pipeline: Pipeline) -> None:
    submission = accepted(pipeline, 0)
    fill(pipeline, "BatchQueue")
    found = []
    for _ in range(6):
        pipeline.sweep(after_secs=61)
        found += redrives(pipeline, submission)
    assert found == [0, 1, 1, 2, 2, 3]


def test_a_run_that_was_accepted_before_the_second_message_says_nothing_about_it(pipeline: Pipeline) -> None:
    lost = accepted(pipeline, 1)
    pipeline.finish(accepted(pipeline, 2))
    accepted(pipeline, 0)
    fill(pipeline, "BatchQueue")
    pipeline.sweep(after_secs=123)
    assert redrives(pipeline, lost) == [1]
    accepted(pipeline, 0.5)
    pipeline.sweep(after_secs=121)
    assert redrives(pipeline, lost) == [1]


def test_a_queue_whose_messages_are_all_received_counts_as_empty(pipeline: Pipeline) -> None:
    submissions = [accepted(pipeline, 0), accepted(pipeline, 1)]
    fill(pipeline, "BatchQueue")
    sqs = pipeline.aws.client("sqs")
    assert sqs.receive_message(QueueUrl=pipeline.aws.names["BatchQueue"], VisibilityTimeout=600)["Messages"]
    pipeline.sweep(after_secs=122)
    assert redrives(pipeline, *submissions) == [1, 1]


def test_pending_for_six_hours_ends_as_ie_with_a_webhook(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    fill(pipeline, "BatchQueue")
    pipeline.sweep(after_secs=6 * HOUR_SECS + 1)
    row = pipeline.row(submission)
    assert (row.status, row.verdict, row.result["cause"]) == (Status.ERROR, "IE", "ie_not_run")
    assert row.result["error_message"]
    pipeline.webhook(*pipeline.hints())
    (request,) = pipeline.receiver.received
    assert json.loads(request.body)["result"]["cause"] == "ie_not_run"


def test_late_completion_does_not_overwrite_that_end(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    pipeline.sweep(after_secs=6 * HOUR_SECS + 1)
    pipeline.finish(submission)
    assert pipeline.row(submission).verdict == "IE"


# --- running ---------------------------------------------------------------------


def test_run_within_its_budget_is_left_alone(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    pipeline.record(started(submission))
    assert pipeline.sweep(after_secs=96) == {"handled": 0, "failed": 0}


def test_overdue_run_is_handled_again_and_then_ends_as_ie(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    pipeline.record(started(submission))
    pipeline.sweep(after_secs=98)
    (message,) = pipeline.aws.messages("BatchQueue")
    row = pipeline.row(submission)
    assert (row.status, row.execution_id) == (Status.RUNNING, message["execution_id"])
    assert message["execution_id"] != EXECUTION_ID
    assert row.due_at_ms == pipeline.time.ms + 97_000
    pipeline.sweep(after_secs=98)
    row = pipeline.row(submission)
    assert (row.status, row.result["cause"]) == (Status.ERROR, "ie_supervisor_failure")
    assert pipeline.aws.messages("BatchQueue") == []


def test_run_after_a_lost_message_still_gets_its_second_try(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    pipeline.sweep(after_secs=121)
    (message,) = pipeline.aws.messages("BatchQueue")
    pipeline.record(started(submission, message["execution_id"]))
    pipeline.sweep(after_secs=98)
    assert pipeline.row(submission).status is Status.RUNNING
    assert len(pipeline.aws.messages("BatchQueue")) == 1


def test_second_try_that_completes_is_the_result(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    pipeline.record(started(submission))
    pipeline.sweep(after_secs=98)
    pipeline.finish(submission)
    assert pipeline.row(submission).verdict == "AC"
    pipeline.sweep(after_secs=98)
    assert pipeline.row(submission).verdict == "AC"


def over(pipeline: Pipeline) -> list[str]:
    """Return the submissions that runners do not start."""
    found = pipeline.aws.client("s3").list_objects_v2(Bucket=pipeline.aws.names["PayloadsBucket"])
    return [one["Key"].removeprefix("deleted/") for one in found.get("Contents", []) if one["Key"][:8] == "deleted/"]


@pytest.mark.parametrize("place", [None, "complete.after_write", "complete.after_hint"])
def test_runners_do_not_start_copies_of_a_run_that_is_final(pipeline: Pipeline, place: str | None) -> None:
    submission, once = pipeline.submit(), pipeline.submit()
    pipeline.time.advance(121)
    pipeline.finish(once)  # in time, and without a copy: it costs nothing more
    pipeline.sweep()
    assert over(pipeline) == []
    if place is not None:
        with crash_at(place), pytest.raises(Crash):
            pipeline.finish(submission)
    pipeline.finish(submission)
    assert pipeline.row(submission).verdict == "AC"
    assert over(pipeline) == [submission.submission_id]


def test_a_run_is_final_although_the_bucket_takes_no_mark(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    submission = pipeline.submit()
    pipeline.sweep(after_secs=121)

    def fail(*_: Any) -> None:
        raise ClientError({"Error": {"Code": "SlowDown", "Message": "hidden"}}, "PutObject")

    monkeypatch.setattr(Payloads, "mark_over", fail)
    pipeline.finish(submission)
    assert pipeline.row(submission).verdict == "AC"
    (warning,) = (entry.message for entry in caplog.records if entry.levelname == "WARNING")
    assert warning.startswith("A copy of a finished run may start")


# --- fan-out and deliveries --------------------------------------------------------


def test_hint_that_was_never_sent_is_sent_by_the_sweeper(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    with crash_at("complete.after_write"), pytest.raises(Crash):
        pipeline.record(pipeline.completed(submission))
    pipeline.sweep(after_secs=HINTED_MS / 1000)
    pipeline.webhook(*pipeline.hints())
    assert pipeline.state(submission) is DeliveryState.DELIVERED


def test_delivery_whose_hint_was_lost_is_hinted_again(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    submission = pipeline.run()
    pipeline.hints()
    assert pipeline.sweep(after_secs=700) == {"handled": 1, "failed": 0}
    assert oldest_due_ages(capsys) == [700.0]
    pipeline.hints()
    assert pipeline.sweep(after_secs=HINTED_MS / 1000 - 1) == {"handled": 0, "failed": 0}  # its hint may still come
    assert oldest_due_ages(capsys) == [0]
    pipeline.sweep(after_secs=1)
    assert oldest_due_ages(capsys) == [880.0]  # the due key moved, the age did not
    pipeline.webhook(*pipeline.hints())
    assert pipeline.state(submission) is DeliveryState.DELIVERED
    assert pipeline.sweep(after_secs=60) == {"handled": 0, "failed": 0}


def test_hinted_delivery_is_hinted_once_a_sweep_and_not_by_two_at_once(pipeline: Pipeline) -> None:
    pipeline.run()
    pipeline.hints()
    pipeline.time.advance(HINTED_MS / 1000)
    first, second = pipeline.new_sweep(), pipeline.new_sweep()
    entries = list(first.entries()), list(second.entries())
    for sweep, found in zip((first, second), entries, strict=True):
        for entry in found:
            sweep.handle(entry)
    assert len(pipeline.hints()) == 1
    pipeline.sweep(after_secs=HINTED_MS / 1000 + 0.001)
    assert len(pipeline.hints()) == 1


def test_long_retry_is_found_by_the_sweeper_when_it_is_due(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    pipeline.with_schedule(0, 1800)
    pipeline.receiver.always(500)
    pipeline.finish(submission)
    pipeline.webhook(*pipeline.hints())
    pipeline.sweep(after_secs=1799)
    assert pipeline.hints() == []
    pipeline.sweep(after_secs=1)
    pipeline.webhook(*pipeline.hints())
    assert pipeline.state(submission) is DeliveryState.EXHAUSTED


def test_send_whose_worker_died_is_tried_again_after_its_lease(pipeline: Pipeline) -> None:
    pipeline.guard_all()
    submission = pipeline.run()
    with crash_at("webhook.after_claim"), pytest.raises(Crash):
        pipeline.webhook(*pipeline.hints())
    pipeline.sweep(after_secs=59)
    assert pipeline.hints() == []
    pipeline.sweep(after_secs=2)
    pipeline.webhook(*pipeline.hints())
    assert pipeline.state(submission) is DeliveryState.DELIVERED
    assert len(pipeline.attempts(submission)) == 1


# --- bounds ------------------------------------------------------------------------


def test_sweep_stops_while_there_is_time_and_the_next_goes_on(pipeline: Pipeline) -> None:
    for _ in range(10):
        pipeline.submit()
    pipeline.time.advance(121)
    assert pipeline.sweep(Context(remaining_ms=RESERVE_MS + 3_500, step_ms=1000)) == {"handled": 3, "failed": 0}
    assert pipeline.sweep() == {"handled": 7, "failed": 0}


def test_oldest_rows_come_first_across_shards_and_kinds(pipeline: Pipeline) -> None:
    ages = [30, 10, 50, 20, 40]
    for age in ages:
        pipeline.submit(due_at_ms=START_MS - age * 1000)
    late = pipeline.submit()
    pipeline.time.ms = START_MS - 35_000 - FIRST_HINTED_MS
    pipeline.finish(late)
    pipeline.time.ms = START_MS
    dues = [entry.due_at_ms for entry in pipeline.new_sweep().entries()]
    assert dues == [START_MS - age * 1000 for age in (50, 40, 35, 30, 20, 10)]


def test_row_that_cannot_be_handled_does_not_hold_up_the_others(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    broken = pipeline.submit(language="cobol", due_at_ms=START_MS - 1)
    others = [pipeline.submit() for _ in range(3)]
    assert pipeline.sweep(after_secs=121) == {"handled": 4, "failed": 1}
    assert "Due row not handled; it is due again in a minute" in [entry.message for entry in caplog.records]
    sent = {message["submission_id"] for message in pipeline.aws.messages("BatchQueue")}
    assert sent == {submission.submission_id for submission in others}
    assert pipeline.row(broken).due_at_ms != START_MS - 1


def test_crashed_sweep_leaves_the_rest_to_the_next(pipeline: Pipeline) -> None:
    submissions = [pipeline.submit() for _ in range(6)]
    pipeline.time.advance(121)
    with crash_at("sweep.mid_page"), pytest.raises(Crash):
        pipeline.sweep()
    assert len(pipeline.aws.messages("BatchQueue")) == 1
    pipeline.sweep()
    assert len(pipeline.aws.messages("BatchQueue")) == 5
    assert [pipeline.row(submission).redrives for submission in submissions] == [1] * 6


@pytest.mark.parametrize("place", ["sweep.after_take", "sweep.after_redrive"])
def test_row_that_a_crashed_sweep_had_taken_is_due_again(place: str, pipeline: Pipeline) -> None:
    pipeline.submit()
    pipeline.time.advance(121)
    with crash_at(place), pytest.raises(Crash):
        pipeline.sweep()
    assert pipeline.aws.messages("BatchQueue") == []
    pipeline.sweep(after_secs=max(TAKEN_MS / 1000, 120))
    assert len(pipeline.aws.messages("BatchQueue")) == 1


# --- dead letters --------------------------------------------------------------------


def test_dead_submission_that_never_began_is_sent_again_for_six_hours(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    submission = pipeline.submit()
    caplog.clear()
    for sent in range(1, 4):
        assert pipeline.dead_letters(requested(submission)) == []
        pipeline.sweep(after_secs=121)
        (message,) = pipeline.aws.messages("BatchQueue")
        row = pipeline.row(submission)
        assert (row.status, row.redrives, row.execution_id) == (Status.PENDING, sent, message["execution_id"])
    assert [entry.__dict__["how"] for entry in caplog.records] == ["pending"] * 3
    pipeline.time.advance(6 * HOUR_SECS)
    assert pipeline.dead_letters(requested(submission)) == []
    assert pipeline.row(submission).result["cause"] == "ie_not_run"


def test_dead_submission_that_began_ends_as_ie_with_a_webhook(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    pipeline.record(started(submission))
    assert pipeline.dead_letters(requested(submission)) == []
    row = pipeline.row(submission)
    assert (row.status, row.verdict, row.result["cause"]) == (Status.ERROR, "IE", "ie_supervisor_failure")
    pipeline.webhook(*pipeline.hints())
    assert pipeline.state(submission) is DeliveryState.DELIVERED


def test_dead_submission_that_ran_after_all_keeps_its_result(pipeline: Pipeline) -> None:
    submission = pipeline.run()
    before = pipeline.row(submission)
    assert pipeline.dead_letters(requested(submission)) == []
    assert pipeline.row(submission) == before


def test_dead_submission_that_was_deleted_is_acknowledged(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    assert pipeline.submissions.delete(submission)
    assert pipeline.dead_letters(requested(submission)) == []
    assert pipeline.aws.items("SubmissionsTable") == []


def test_broken_request_with_a_readable_id_ends_as_ie_if_it_began(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    pipeline.record(started(submission))
    body = json.dumps({"type": "execution_requested", "submission_id": submission.submission_id})
    assert pipeline.dead_letters(body) == []
    assert pipeline.row(submission).verdict == "IE"


def test_dead_completion_is_recorded_after_all(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    assert pipeline.dead_letters(pipeline.completed(submission)) == []
    assert pipeline.row(submission).verdict == "AC"
    assert len(pipeline.hints()) == 1


@pytest.mark.parametrize("changes", [{"integrity": "perfect"}, {"stdout": {}}, {"version": 9}, {"type": "unheard_of"}])
def test_unreadable_completion_with_a_readable_id_ends_as_ie(changes: dict[str, Any], pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    assert pipeline.dead_letters(pipeline.completed(submission, **changes)) == []
    row = pipeline.row(submission)
    assert (row.status, row.result["cause"]) == (Status.ERROR, "ie_supervisor_failure")


def test_unreadable_start_leaves_the_submission_to_its_due_key(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    body = json.dumps({"type": "execution_started", "submission_id": submission.submission_id})
    assert pipeline.dead_letters(body) == []
    assert pipeline.row(submission).status is Status.PENDING


@pytest.mark.parametrize(
    "body",
    [
        *("", "not json", "[1]", "null", '{"submission_id":7}', '{"type":"runner_heartbeat"}'),
        *('{"type":["x"],"submission_id":""}', '{"type":"execution_requested"}'),
    ],
)
def test_unreadable_dead_letter_is_logged_and_acknowledged(
    body: str, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    assert pipeline.dead_letters(body) == []
    assert [entry.__dict__["how"] for entry in caplog.records] == ["unreadable"]


def test_dead_hint_is_acknowledged_since_the_row_is_still_due(pipeline: Pipeline) -> None:
    submission = pipeline.run()
    (hint,) = pipeline.hints()
    assert pipeline.dead_letters(hint) == []
    pipeline.sweep(after_secs=HINTED_MS / 1000)
    pipeline.webhook(*pipeline.hints())
    assert pipeline.state(submission) is DeliveryState.DELIVERED


def test_dead_letter_that_cannot_be_settled_now_comes_again(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pipeline.submit(), pipeline.submit()
    pipeline.record(started(first), started(second))
    update = pipeline.submissions.final_update

    def failing(row: Submission, done: Completion, *, only_pending: bool = False) -> Any:
        if row.submission_id == first.submission_id:
            raise ConnectionError
        return update(row, done, only_pending=only_pending)

    monkeypatch.setattr(pipeline.submissions, "final_update", failing)
    assert pipeline.dead_letters(requested(first), requested(second)) == [0]
    assert pipeline.row(second).verdict == "IE"


# --- fairness between projects ---------------------------------------------------------


def owe(pipeline: Pipeline, project_id: str, due_at_ms: int, count: int = 1) -> list[str]:
    """Put retries that are due, as many as that."""
    made = []
    client = pipeline.aws.client("dynamodb")
    for _ in range(count):
        event_id = new_id()
        delivery = Delivery(
            event_id=event_id,
            endpoint_id="run",
            project_id=project_id,
            submission_id=event_id,
            state=DeliveryState.RETRYING,
            attempt=1,
            next_at_ms=due_at_ms - HINTED_MS,
            created_at=to_rfc3339(due_at_ms),
        )
        item = to_item(delivery_row(delivery, due_at_ms // 1000 + 86_400))
        client.put_item(TableName=pipeline.aws.names["DeliveriesTable"], Item=item)
        made.append(event_id)
    return made


def test_many_due_rows_of_one_project_do_not_hold_up_the_retry_of_another(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep has time for a twentieth of the flood only; the other's row, the youngest of all, is in it."""
    monkeypatch.setattr("functions.submissions.sweeper.PAGE_PER_SHARD", 5)
    owe(pipeline, "flood", START_MS - 60_000, 600)
    (victim,) = owe(pipeline, "victim", START_MS - 1)
    handled = pipeline.sweep(Context(remaining_ms=RESERVE_MS + 30_500, step_ms=1000))["handled"]
    assert handled == 30
    hinted = [json.loads(hint)["event_id"] for hint in pipeline.hints()]
    assert (len(hinted), victim in hinted) == (30, True)


def test_a_row_waits_for_the_whole_flood_if_projects_do_not_take_turns(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.submissions.sweeper.PAGE_PER_SHARD", 5)
    monkeypatch.setattr("functions.submissions.sweeper.FAIR_FROM", 10**9)
    owe(pipeline, "flood", START_MS - 60_000, 600)
    (victim,) = owe(pipeline, "victim", START_MS - 1)
    pipeline.sweep(Context(remaining_ms=RESERVE_MS + 30_500, step_ms=1000))
    assert victim not in [json.loads(hint)["event_id"] for hint in pipeline.hints()]


def test_more_threads_handle_a_large_backlog_each_row_once(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.submissions.sweeper.ALONE_ROWS", 5)
    owed = owe(pipeline, "flood", START_MS - 60_000, 60)
    threads = set()
    act = Sweep.handle

    def noted(self: Sweep, entry: Any) -> None:
        threads.add(threading.get_ident())
        act(self, entry)

    monkeypatch.setattr(Sweep, "handle", noted)
    assert pipeline.sweep() == {"handled": 60, "failed": 0}
    assert sorted(json.loads(hint)["event_id"] for hint in pipeline.hints()) == sorted(owed)
    assert len(threads) > 1
