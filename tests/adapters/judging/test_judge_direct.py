"""The direct path of judge runs: the row is there first, and whatever a runner answers, the judge run ends once."""

import json
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest

from functions.aws import clients
from functions.aws.clients import Clients
from functions.handlers import judge as judge_handler
from functions.submissions import direct
from functions.submissions.direct import DirectRunners
from functions.submissions.model import Status
from tests.adapters.aws_account import Aws
from tests.adapters.http_calls import get
from tests.adapters.judging.judge_world import Runner, completed, judge, progress, requested, result
from tests.adapters.pipeline import Pipeline
from tests.submission_factory import golden
from tests.until import PATIENCE_SECS

PARAMETER = "/rustbox/runner-token"
ANSWER = completed("ID")


@pytest.fixture(autouse=True)
def _connections(aws: Aws) -> Iterator[None]:
    yield
    runner = judge_handler.ENV[DirectRunners].runner
    while runner is not None and runner.connections._kept:
        runner.connections._kept.pop()[1].close()


def use(aws: Aws, port: int) -> None:
    """Tell the handler where the runner is."""
    clients._secrets.drop(PARAMETER)
    Clients.ssm().put_parameter(Name=PARAMETER, Value="token", Type="SecureString", Overwrite=True)
    for name, value in {
        "RUNNER_URL": f"http://127.0.0.1:{port}",
        "ALLOW_RUNNER_HTTP": "true",
        "RUNNER_TOKEN_PARAMETER": PARAMETER,
    }.items():
        aws.monkeypatch.setenv(name, value)
    judge_handler.ENV.forget()


def only_row(aws: Aws) -> dict[str, Any]:
    (item,) = [item for item in aws.items("SubmissionsTable") if item["sk"]["S"] == "SUBMISSION"]
    return item


def test_the_answer_of_a_runner_is_the_answer_and_nothing_is_queued(
    aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    runner = Runner((200, ANSWER))
    with runner.running() as port:
        use(aws, port)
        answer = judge(project_key, wait=None)
    assert (answer.status, answer.json["passed"], answer.json["failed"]) == (200, 1, 1)
    assert aws.messages("InteractiveQueue") == []
    (asked,) = runner.asked
    assert asked["type"] == "judge_requested"
    assert asked["judging"]["cases"][0]["stdin_base64"] == "MSAyCg=="
    assert get(project_key, f"/api/judge/{answer.json['id']}").json == answer.json


def test_a_program_that_does_not_compile_is_answered_with_200(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    cases = [{"stdin": str(number)} for number in range(len(golden("judge_completed/v1.compile_error")["cases"]))]
    message = golden("judge_completed/v1.compile_error") | {"submission_id": "ID"}
    with Runner((200, json.dumps(message))).running() as port:
        use(aws, port)
        answer = judge(project_key, wait=None, language=message["language"], cases=cases)
    assert (answer.status, answer.json["status"], answer.json["skipped"]) == (200, "completed", len(cases))
    assert (answer.json["all_passed"], answer.json["compile"]["verdict"]) == (False, "RE")


def test_the_row_is_there_before_the_runner_is_asked(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    seen: list[str] = []

    class Looking(Runner):
        def answer(self, asked: dict[str, Any]) -> tuple[int, bytes] | None:
            row = pipeline.submissions.get(asked["submission_id"])
            assert row is not None
            seen.append(row.status)
            return super().answer(asked)

    with Looking((200, ANSWER)).running() as port:
        use(aws, port)
        assert judge(project_key, wait=None).status == 200
    assert seen == [Status.PENDING]


@pytest.mark.parametrize(
    "answer",
    [
        (503, '{"error": "draining"}'),
        (400, '{"error": "bad_request"}'),
        (200, "not json"),
        (200, completed("ID", [result(0)])),
        (200, json.dumps(golden("execution_completed/v1.accepted"))),
        (200, None),
    ],
)
def test_a_runner_that_does_not_judge_leaves_the_judge_run_to_the_queue(
    aws: Aws, project_key: str, pipeline: Pipeline, answer: tuple[int, str | None]
) -> None:
    """The last one is killed in the middle; the one with 400 is older and knows no judge runs."""
    with Runner(answer).running() as port:
        use(aws, port)
        waited = judge(project_key, wait="0.3")
    assert waited.status == 408
    asked = requested(aws, "InteractiveQueue")
    assert asked.submission_id == waited.json["id"]
    assert "asked_directly" not in only_row(aws)
    assert pipeline.record(completed(asked.submission_id, execution_id=asked.execution_id)) == []
    assert get(project_key, f"/api/judge/{asked.submission_id}").json["passed"] == 1


def test_a_judge_run_that_outlasts_the_call_goes_on_and_is_not_queued(
    aws: Aws, project_key: str, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "ANSWER_SECS", 1.0)  # it must have noted the start by then
    may_end = Event()

    class Slow(Runner):
        def answer(self, asked: dict[str, Any]) -> tuple[int, bytes] | None:
            self.asked.append(asked)
            pipeline.submissions.mark_started(
                asked["submission_id"], asked["execution_id"], "runner-1", "2026-11-24T12:00:00.000Z"
            )
            assert pipeline.record(progress(asked["submission_id"], asked["execution_id"], result(0))) == []
            may_end.wait(PATIENCE_SECS)
            return None

    slow = Slow()
    with slow.running() as port:
        use(aws, port)
        waited = judge(project_key, wait="2.5")
        may_end.set()
    assert (waited.status, waited.json["status"], waited.json["finished"]) == (408, "running", 1)
    assert aws.messages("InteractiveQueue") == []
    run = waited.json["id"]
    assert judge(project_key, wait="false").json["id"] == run
    assert pipeline.record(completed(run, execution_id=slow.asked[0]["execution_id"])) == []
    assert get(project_key, f"/api/judge/{run}").json["passed"] == 1
    assert len(slow.asked) == 1


def test_a_runner_that_never_reports_again_is_replaced_by_the_sweeper(
    aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    """It took the request and was never heard of: no start, no progress, no result."""
    with Runner((200, None)).running() as port:
        use(aws, port)
        run = judge(project_key, wait="0.3").json["id"]
    first = requested(aws, "InteractiveQueue")
    pipeline.time.ms = judge_handler.ENV.clock()
    pipeline.submissions.mark_started(run, first.execution_id, "runner-1", "2026-11-24T12:00:00.000Z")
    pipeline.time.ms += 3_600_000
    assert pipeline.sweep()["failed"] == 0
    second = requested(aws, "InteractiveQueue")
    assert second.execution_id != first.execution_id
    assert pipeline.record(completed(run, execution_id=second.execution_id)) == []
    assert pipeline.record(completed(run, [result(0), result(1)], execution_id=first.execution_id)) == []
    assert get(project_key, f"/api/judge/{run}").json["passed"] == 1
