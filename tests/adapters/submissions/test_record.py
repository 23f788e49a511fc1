"""`record`: what runners report becomes the one final state, whatever comes twice, late, broken or for nobody."""

import base64
import dataclasses
import json
from typing import Any

import pytest

from functions.aws.payloads import PayloadMissingError
from functions.submissions.model import Status
from functions.submissions.runners.store import RunnerStore
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.deliveries.publication import Hint
from tests.adapters.pipeline import Crash, Pipeline, crash_at, logged
from tests.submission_factory import START_MS, golden

OTHER_EXECUTION = "99999999-58a1-4d4c-b1c5-7b0f5e1f9c02"


def started(submission_id: str) -> str:
    return json.dumps(golden("execution_started/v1.typical") | {"submission_id": submission_id})


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        "[]",
        '{"type":"execution_completed"}',
        '{"type":"execution_requested"}',
        json.dumps(golden("execution_completed/v1.accepted") | {"submission_id": "../../x"}),
        json.dumps(golden("execution_completed/v1.accepted") | {"execution_id": OTHER_EXECUTION, "version": 2}),
    ],
)
def test_poison_message_fails_alone(body: str, pipeline: Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    submission = pipeline.submit()
    assert pipeline.record(body, pipeline.completed(submission)) == [0]
    assert pipeline.row(submission).status is Status.COMPLETED
    assert [entry.message for entry in caplog.records].count("Completion not recorded") == 1


@pytest.mark.parametrize(
    "key",
    [
        f"outputs/7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11/{OTHER_EXECUTION}/stdout",
        "outputs/00000000-3b1c-4c59-9a52-0f7f3b2f8a11/0d4b6a34-58a1-4d4c-b1c5-7b0f5e1f9c02/stdout",
        "inputs/7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11",
    ],
)
def test_output_key_of_another_run_is_refused(key: str, pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    body = pipeline.completed(submission, stdout={"size_bytes": 1, "object_key": key})
    assert pipeline.record(body) == [0]
    assert pipeline.row(submission).status is Status.PENDING


def test_start_makes_a_pending_submission_running_and_due_after_its_budget(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    assert pipeline.record(started(submission.submission_id)) == []
    row = pipeline.row(submission)
    assert (row.status, row.node_id) == (Status.RUNNING, "runner-1")
    assert row.due_at_ms == START_MS + (30 + 7 + 60) * 1000


def test_late_start_does_not_touch_a_final_submission(pipeline: Pipeline) -> None:
    submission = pipeline.run()
    before = pipeline.row(submission)
    assert pipeline.record(started(submission.submission_id)) == []
    assert pipeline.row(submission) == before


def test_completion_is_committed_and_fanned_out(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    submission = pipeline.run()
    row = pipeline.row(submission)
    assert (row.status, row.verdict, row.stdout, row.stderr) == (Status.COMPLETED, "AC", b"42\n", b"")
    assert row.due_at_ms is None
    assert row.evidence == golden("execution_completed/v1.accepted")["evidence"]
    (hint,) = map(Hint.parse, pipeline.hints())
    assert (hint.event_id, hint.endpoint_id, hint.project_id) == (submission.submission_id, "run", "dev")
    delivery = pipeline.delivery(submission)
    assert delivery is not None
    assert (hint.host, hint.new) == ("127.0.0.1", dataclasses.replace(delivery, due_at_ms=None, body_digest=b""))
    event = pipeline.deliveries.get_event(submission.submission_id)
    assert event is not None
    assert hint.body == event.body
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counted = [line for line in logged if "ExecutionCompleted" in line]
    assert [(line["verdict"], line["language"]) for line in counted] == [("AC", "python")]
    assert counted[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service", "verdict"]]
    assert [line["QueueDelay"] for line in logged if "QueueDelay" in line] == [[12.0]]


def test_an_operator_may_pay_for_metrics_by_language(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("METRICS_BY_LANGUAGE", "true")
    pipeline.run()
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (counted,) = [line for line in logged if "ExecutionCompleted" in line]
    assert counted["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service", "verdict", "language"]]


def test_submission_without_a_webhook_owes_nothing(pipeline: Pipeline) -> None:
    submission = pipeline.run(webhook_url=None, webhook_secret=None)
    assert pipeline.row(submission).due_at_ms is None
    assert pipeline.aws.items("DeliveriesTable") == []
    assert pipeline.hints() == []


def test_platform_failure_ends_as_error(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    assert pipeline.record(pipeline.completed(submission, "platform_failure")) == []
    row = pipeline.row(submission)
    assert (row.status, row.verdict, row.metrics) == (Status.ERROR, "IE", None)
    event = pipeline.deliveries.get_event(submission.submission_id)
    assert event is not None
    assert json.loads(event.body)["status"] == "error"


def test_a_cancelled_run_has_a_verdict_and_is_no_failure_of_the_platform(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped, unstarted = pipeline.submit(), pipeline.submit()
    killed = {"verdict": "SIG", "cause": "cancelled", "exit_code": None, "signal": 9, "actor": "judge"}
    result = golden("execution_completed/v1.accepted")["result"]
    assert pipeline.record(pipeline.completed(stopped, result=result | killed)) == []
    never = golden("execution_completed/v1.platform_failure")["result"] | {"cause": "cancelled_before_start"}
    assert pipeline.record(pipeline.completed(unstarted, "platform_failure", result=never)) == []
    assert (pipeline.row(stopped).status, pipeline.row(stopped).verdict) == (Status.COMPLETED, "SIG")
    assert (pipeline.row(unstarted).status, pipeline.row(unstarted).verdict) == (Status.ERROR, "IE")
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counted = [line["verdict"] for line in logged if "ExecutionCompleted" in line]
    assert counted == ["SIG", "cancelled_before_start"]


def test_second_completion_changes_nothing(pipeline: Pipeline) -> None:
    submission = pipeline.run()
    pipeline.webhook(*pipeline.hints())
    before, rows = pipeline.row(submission), pipeline.aws.items("DeliveriesTable")
    assert pipeline.record(pipeline.completed(submission, "out_of_memory"), pipeline.completed(submission)) == []
    assert pipeline.row(submission) == before
    assert pipeline.aws.items("DeliveriesTable") == rows
    assert pipeline.hints() == []


def test_output_that_comes_after_the_deletion_is_removed(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    execution_id = golden("execution_completed/v1.accepted")["execution_id"]
    keys = [
        pipeline.payloads.put_output(submission.submission_id, execution_id, name, b"late")
        for name in ("stdout", "stderr")
    ]
    streams: dict[str, Any] = {
        name: {"size_bytes": 4, "object_key": key} for name, key in zip(("stdout", "stderr"), keys, strict=True)
    }
    body = pipeline.completed(submission, **streams)
    assert pipeline.submissions.delete(submission)
    assert pipeline.record(body) == []
    for key in keys:
        with pytest.raises(PayloadMissingError):
            pipeline.payloads.get_output(submission.submission_id, key)


def test_completion_of_a_deleted_submission_is_acknowledged(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    assert pipeline.submissions.delete(submission)
    assert pipeline.record(pipeline.completed(submission)) == []
    assert pipeline.aws.items("SubmissionsTable") == []
    assert pipeline.aws.items("DeliveriesTable") == []


def test_repeated_message_sends_the_hint_that_a_crash_prevented(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.webhooks.deliveries.publication.REPEATED_DELAY_MS", 0)
    submission = pipeline.submit()
    with crash_at("complete.after_write"), pytest.raises(Crash):
        pipeline.record(pipeline.completed(submission))
    assert (pipeline.state(submission), pipeline.hints()) == (DeliveryState.PENDING, [])
    pipeline.finish(submission)
    assert len(pipeline.hints()) == 1


def test_output_too_large_for_a_row_moves_to_the_bucket(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    large, small = b"x" * 70_000, b"e" * 30_000
    streams: dict[str, Any] = {
        "stdout": {"size_bytes": len(large), "base64": base64.b64encode(large).decode()},
        "stderr": {"size_bytes": len(small), "base64": base64.b64encode(small).decode()},
    }
    assert pipeline.record(pipeline.completed(submission, **streams)) == []
    row = pipeline.row(submission)
    assert (row.stdout, row.stdout_size_bytes, row.stderr, row.stderr_size_bytes) == (None, 70_000, small, 30_000)
    assert row.stdout_key is not None
    assert pipeline.payloads.get_output(row.submission_id, row.stdout_key) == large


def test_event_holds_output_that_the_runner_put_into_the_bucket(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    message = golden("execution_completed/v1.large_output")
    key = pipeline.payloads.put_output(submission.submission_id, message["execution_id"], "stdout", b"y" * 100_000)
    body = pipeline.completed(submission, "large_output", stdout={"size_bytes": 100_000, "object_key": key})
    assert pipeline.record(body) == []
    event = pipeline.deliveries.get_event(submission.submission_id)
    assert event is not None
    assert json.loads(event.body)["stdout"] == "y" * 100_000


def test_event_does_not_wait_for_output_that_is_gone(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    message = golden("execution_completed/v1.large_output")
    key = f"outputs/{submission.submission_id}/{message['execution_id']}/stdout"
    assert pipeline.record(pipeline.completed(submission, stdout={"size_bytes": 9, "object_key": key})) == []
    assert pipeline.state(submission) is DeliveryState.PENDING


def test_heartbeat_is_kept(pipeline: Pipeline) -> None:
    assert pipeline.record(json.dumps(golden("runner_heartbeat/v1.strict"))) == []
    (seen,) = RunnerStore(
        pipeline.aws.names["RunnersTable"], pipeline.aws.client("dynamodb"), pipeline.time
    ).list_recent()
    assert seen.heartbeat.node_id == "runner-1"


def test_runner_that_cannot_work_is_logged_and_counted(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    unable = golden("runner_heartbeat/v1.unable")
    assert pipeline.record(json.dumps(unable)) == []
    (line,) = (record for record in caplog.records if record.message == "Runner cannot work")
    assert line.__dict__["problem"] == unable["problem"]
    assert '"RunnerUnable":[1.0]' in capsys.readouterr().out


def test_log_holds_neither_url_nor_secret_nor_output(pipeline: Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    submission = pipeline.submit()
    pipeline.record(pipeline.completed(submission), pipeline.completed(submission, result={"verdict": "hidden-text"}))
    text = logged(caplog)
    assert submission.submission_id in text
    for hidden in ("very-hidden", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "hidden-text", "NDIK"):
        assert hidden not in text


def test_warnings_of_the_compiler_are_in_the_result_and_its_event(pipeline: Pipeline) -> None:
    submission, quiet = pipeline.submit(language="c"), pipeline.submit()
    assert pipeline.record(pipeline.completed(submission, "compiler_warning"), pipeline.completed(quiet)) == []
    row = pipeline.row(submission)
    assert row.compilation is not None
    assert row.compilation["stderr"].startswith("solution.c:1:12: warning: implicit declaration")
    assert pipeline.webhook(*pipeline.hints()) == []
    bodies = [json.loads(request.body) for request in pipeline.receiver.received]
    shown = {body["id"]: body.get("compile") for body in bodies}
    assert shown == {submission.submission_id: row.compilation, quiet.submission_id: None}


def test_endless_warnings_of_an_attacked_runner_are_cut(pipeline: Pipeline) -> None:
    submission = pipeline.submit(language="c")
    many = base64.b64encode(b"w" * 300_000).decode()
    message = pipeline.completed(submission, "compiler_warning", compile_stderr_base64=many)
    assert pipeline.record(message) == []
    assert pipeline.row(submission).compilation == {"stderr": "w" * 16_384}
