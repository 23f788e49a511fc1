"""Every event is also put on the bus; an entry that it does not take is put again, or stays owed."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.event_log.bus import MAX_ENTRY_BYTES, SOURCE, Bus, BusRefusedError
from functions.event_log.model import Event
from functions.handlers import announce
from functions.submissions import completed_event
from functions.submissions.completed_event import MAX_BODY_BYTES
from functions.submissions.model import Submission
from functions.webhooks.vocabulary import EVENT_COMPLETED
from tests.adapters.aws_account import Aws
from tests.adapters.bus_watch import BusWatch, bus_answers, failed
from tests.adapters.pipeline import Context, Crash, Pipeline, crash_at, no_sleep, stream_record
from tests.submission_factory import SUBMISSION_ID
from tests.system.pages import blocks

pytestmark = pytest.mark.answered_by("moto")  # the engine's bus has no rules to watch it by

BODY = b'{"a":1}'
PROJECT = '{"project_id":"dev",'


def event_of(body: bytes) -> Event:
    return Event(SUBMISSION_ID, EVENT_COMPLETED, "dev", body, SUBMISSION_ID)


@pytest.fixture
def bus(aws: Aws) -> Bus:
    return Bus(aws.names["EventBus"], aws.client("events"), "https://api.example.com", no_sleep)


@pytest.fixture
def watch(aws: Aws) -> BusWatch:
    return BusWatch(aws)


def test_the_bus_gets_the_body_of_the_webhook(pipeline: Pipeline, watch: BusWatch) -> None:
    submission = pipeline.run()
    pipeline.webhook(*pipeline.hints())
    assert pipeline.announce(submission.submission_id) == []
    (seen,) = watch.seen()
    (request,) = pipeline.receiver.received
    assert (seen["source"], seen["detail-type"]) == ("rustbox", "submission.completed")
    assert seen["detail"] == {"project_id": submission.project_id, **json.loads(request.body)}
    assert "project_id" not in json.loads(request.body)


def test_the_rule_in_the_docs_matches_its_events(pipeline: Pipeline) -> None:
    (pattern,) = [block for block in blocks("docs/webhooks.md", "json") if '"detail-type"' in block]
    watch = BusWatch(pipeline.aws, pattern)
    failed_run, good_run = pipeline.submit(), pipeline.submit()
    pipeline.finish(good_run)
    assert pipeline.record(pipeline.completed(failed_run, "platform_failure")) == []
    assert pipeline.announce(good_run.submission_id, failed_run.submission_id) == []
    assert [seen["detail"]["id"] for seen in watch.seen()] == [failed_run.submission_id]


def test_rule_can_name_one_project(aws: Aws, bus: Bus) -> None:
    watch = BusWatch(aws, '{"source": ["rustbox"], "detail": {"project_id": ["dev"]}}')
    bus.publish_all([event_of(BODY), dataclasses.replace(event_of(BODY), event_id="x", project_id="other")])
    assert [seen["detail"] for seen in watch.seen()] == [{"project_id": "dev", "a": 1}]


def test_the_bus_gets_runs_without_webhooks(pipeline: Pipeline, watch: BusWatch) -> None:
    submission = pipeline.run(webhook_url=None, webhook_secret=None)
    assert pipeline.announce(submission.submission_id) == []
    (seen,) = watch.seen()
    assert seen["detail"]["id"] == submission.submission_id
    assert pipeline.aws.items("DeliveriesTable") == []


def test_bus_that_is_switched_off_gets_nothing(aws: Aws) -> None:
    with bus_answers(aws) as put:
        Bus("", aws.client("events")).publish(event_of(BODY))
    assert put == []


def test_entry_that_fails_is_put_again(bus: Bus, aws: Aws, watch: BusWatch) -> None:
    with bus_answers(aws, failed(), failed("InternalFailure")) as put:
        bus.publish(event_of(BODY))
    assert put == ['{"project_id":"dev","a":1}'] * 3
    assert [seen["detail"] for seen in watch.seen()] == [{"project_id": "dev", "a": 1}]


def test_an_entry_that_keeps_failing_raises_the_code_of_the_bus(bus: Bus, aws: Aws, watch: BusWatch) -> None:
    with bus_answers(aws, *[failed("NotAuthorizedForSource")] * 9) as put, pytest.raises(BusRefusedError) as refused:
        bus.publish(event_of(BODY))
    assert (str(refused.value), len(put), watch.seen()) == ("NotAuthorizedForSource", 4, [])


def test_call_that_fails_whole_is_repeated_by_botocore(bus: Bus, aws: Aws, watch: BusWatch) -> None:
    with bus_answers(aws, 500, 500) as put:
        bus.publish(event_of(BODY))
    assert (len(put), len(watch.seen())) == (3, 1)
    with bus_answers(aws, *[500] * 9), pytest.raises(ClientError):
        bus.publish(event_of(BODY))


def test_event_that_the_bus_refuses_is_repeated_alone(pipeline: Pipeline, watch: BusWatch) -> None:
    runs = [pipeline.submit() for _ in range(3)]
    for run in runs:
        pipeline.finish(run)
    with bus_answers(
        pipeline.aws,
        {"FailedEntryCount": 1, "Entries": [{"EventId": "a"}, {"ErrorCode": "X"}, {"EventId": "c"}]},
        *[failed()] * 3,
    ):
        repeat_from = pipeline.announce(*sorted(run.submission_id for run in runs))
    assert len(repeat_from) == 1
    pipeline.webhook(*pipeline.hints())
    assert len(pipeline.receiver.received) == 3  # webhooks do not wait for the bus


@pytest.mark.parametrize("code", ["MalformedDetail", "InvalidArgument"])
def test_event_that_the_bus_never_accepts_is_skipped_and_counted(
    pipeline: Pipeline, watch: BusWatch, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    bad, good = pipeline.submit(), pipeline.submit()
    pipeline.finish(bad)
    pipeline.finish(good)
    with bus_answers(pipeline.aws, *[failed(code)] * 9):
        assert pipeline.announce(bad.submission_id) == []
    assert '"EventSkipped":[1.0]' in capsys.readouterr().out
    assert pipeline.announce(good.submission_id) == []
    assert [seen["detail"]["id"] for seen in watch.seen()] == [good.submission_id]


def finish_two(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, render_bad: Callable[[], bytes]
) -> tuple[Submission, Submission]:
    """Finish two submissions, a bad one and a good one. The event of the bad one is what `render_bad` returns."""
    bad, good = pipeline.submit(), pipeline.submit()
    pipeline.finish(bad)
    pipeline.finish(good)
    render = completed_event.completed_body

    def rendered(row: Submission, *arguments: Any) -> bytes:
        return render_bad() if row.submission_id == bad.submission_id else render(row, *arguments)

    monkeypatch.setattr(completed_event, "completed_body", rendered)
    return bad, good


def test_row_that_cannot_be_rendered_does_not_block_the_others(
    pipeline: Pipeline, watch: BusWatch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> bytes:
        raise KeyError("a defect of ours")

    bad, good = finish_two(pipeline, monkeypatch, fail)
    assert pipeline.announce(bad.submission_id, good.submission_id) == []
    assert '"EventSkipped":[1.0]' in capsys.readouterr().out
    assert [seen["detail"]["id"] for seen in watch.seen()] == [good.submission_id]


def test_error_of_the_bus_fails_the_whole_batch(pipeline: Pipeline, watch: BusWatch) -> None:
    submission = pipeline.run()
    with bus_answers(pipeline.aws, *[500] * 9), pytest.raises(ClientError):
        pipeline.announce(submission.submission_id)
    assert pipeline.announce(submission.submission_id) == []
    assert [seen["detail"]["id"] for seen in watch.seen()] == [submission.submission_id]


def test_changed_row_that_is_not_final_or_was_deleted_is_not_put(pipeline: Pipeline, watch: BusWatch) -> None:
    pending, deleted = pipeline.submit(), pipeline.submit()
    pipeline.finish(deleted)
    pipeline.submissions.delete(pipeline.row(deleted))
    assert pipeline.announce(pending.submission_id, deleted.submission_id) == []
    assert watch.seen() == []


def test_records_of_claims_and_deletions_are_skipped(pipeline: Pipeline, watch: BusWatch) -> None:
    submission = pipeline.run()
    pk = f"SUBMISSION#{submission.submission_id}"
    records = [stream_record(0, "IDEMPOTENCY#dev#x", "CLAIM", "INSERT"), stream_record(1, pk, "SUBMISSION", "REMOVE")]
    assert announce.handler({"Records": records}, Context()) == {"batchItemFailures": []}  # type: ignore[arg-type]
    assert watch.seen() == []


def test_several_changes_of_one_row_are_one_event(pipeline: Pipeline, watch: BusWatch) -> None:
    submission = pipeline.run()
    assert pipeline.announce(*[submission.submission_id] * 3) == []
    assert len(watch.seen()) == 1


@pytest.mark.parametrize("point", ["announce.after_read", "announce.after_bus"])
def test_batch_whose_process_died_is_repeated(pipeline: Pipeline, watch: BusWatch, point: str) -> None:
    submission = pipeline.run()
    with crash_at(point), pytest.raises(Crash):
        pipeline.announce(submission.submission_id)
    assert pipeline.announce(submission.submission_id) == []
    assert {seen["detail"]["id"] for seen in watch.seen()} == {submission.submission_id}


# --- 1 MB --------------------------------------------------------------------------


def body_of(size_bytes: int, filler: str = "x") -> bytes:
    """A body of exactly that size whose output is most of it."""

    def make(stdout: str) -> bytes:
        output = {"stdout": stdout, "stderr": "é" * 6000}
        event = {"id": SUBMISSION_ID, "output": output, "stdout": "y" * 9000, "stderr": "", "metadata": {}}
        return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()

    rest = size_bytes - len(make(""))
    body = make(filler * (rest // len(filler.encode())) + "x" * (rest % len(filler.encode())))
    assert len(body) == size_bytes
    return body


OVERHEAD_BYTES = len(SOURCE) + len(EVENT_COMPLETED)
LARGEST_BYTES = MAX_ENTRY_BYTES - OVERHEAD_BYTES - len(PROJECT) + len("{")


@pytest.mark.parametrize("filler", ["x", "é", "😀"])
def test_largest_entry_is_put_whole_and_one_byte_more_is_cut(filler: str, bus: Bus, aws: Aws) -> None:
    with bus_answers(aws, *[{"FailedEntryCount": 0, "Entries": [{"EventId": "a"}]}] * 2) as put:
        bus.publish(event_of(body_of(LARGEST_BYTES, filler)))
        bus.publish(event_of(body_of(LARGEST_BYTES + 1, filler)))
    assert all(len(text.encode()) + OVERHEAD_BYTES <= MAX_ENTRY_BYTES for text in put)
    whole, detail = map(json.loads, put)
    assert "truncated_in_event" not in whole["output"]
    assert detail["output"]["truncated_in_event"] is True
    assert detail["result_url"] == f"https://api.example.com/api/result/{SUBMISSION_ID}"
    assert len(detail["output"]["stdout"].encode()) == 8192 - (8192 % len(filler.encode()))
    assert (detail["output"]["stderr"], detail["stdout"]) == ("é" * 4096, "y" * 8192)
    assert (detail["id"], detail["metadata"]) == (SUBMISSION_ID, {})


def test_the_largest_body_of_a_webhook_is_put_whole_except_where_256_kb_is_the_limit(
    bus: Bus, aws: Aws, watch: BusWatch
) -> None:
    event = event_of(body_of(MAX_BODY_BYTES))
    bus.publish(event)
    aws.monkeypatch.setattr(type(aws.client("events").meta), "partition", "aws-cn")
    bus.publish(event)
    whole, cut = (seen["detail"] for seen in watch.seen())
    assert "truncated_in_event" not in whole["output"]
    assert cut["output"]["truncated_in_event"] is True


def test_body_without_output_is_never_cut(bus: Bus, aws: Aws) -> None:
    body = json.dumps({"text": "x" * (MAX_ENTRY_BYTES - 100)}).encode()
    with bus_answers(aws) as put:
        bus.publish(event_of(body))
    assert put == [PROJECT + body.decode()[1:]]


def test_output_of_control_characters_is_cut_until_it_fits(bus: Bus, watch: BusWatch) -> None:
    streams = {"stdout": "\x01" * 9_000, "stderr": "\x01" * 9_000}
    body = json.dumps({"id": SUBMISSION_ID, "output": streams, **streams, "more": "x" * 900_000}).encode()
    bus.publish(event_of(body))
    (seen,) = watch.seen()
    assert {len(seen["detail"][name]) for name in streams} == {1_024}


def test_entry_that_is_too_large_even_when_cut_does_not_block_the_others(
    pipeline: Pipeline, watch: BusWatch, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """PutEvents would refuse the whole call, and the stream would repeat it for a day."""
    bad, good = finish_two(pipeline, monkeypatch, lambda: json.dumps({"text": "x" * MAX_ENTRY_BYTES}).encode())
    with bus_answers(pipeline.aws) as put:
        assert pipeline.announce(bad.submission_id, good.submission_id) == []
    assert len(put) == 1
    assert '"EventSkipped":[1.0]' in capsys.readouterr().out
    assert [seen["detail"]["id"] for seen in watch.seen()] == [good.submission_id]
