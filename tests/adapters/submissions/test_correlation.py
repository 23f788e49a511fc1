"""One correlation id in every log line of a submission, from its request to its webhook."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, cast

import pytest

from functions.clock import MS_PER_SEC, now_ms
from functions.submissions.store import SubmissionStore
from functions.telemetry import logger
from sandbox_runtime.log import JsonFormatter
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.http_calls import REQUEST_ID, get, post
from tests.adapters.pipeline import Pipeline
from tests.adapters.runner_system import Direct
from tests.adapters.submissions.direct_wiring import use
from tests.runner_doubles import RecordedSlot, requested
from tests.submission_factory import new_submission
from tests.until import until

PROGRAM = {"language": "c", "code": "int main(void) { return 0; }"}
OWN_ID = "1-67891233-abcdef012345678912345678"


class Lines(io.StringIO):
    """Collects JSON lines."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[dict[str, Any]] = []

    def write(self, text: str) -> int:
        self.all.extend(json.loads(line) for line in text.splitlines())
        return len(text)

    def of(self, submission_id: str) -> dict[str, set[str]]:
        """The correlation ids of a submission's lines, by service."""
        found: dict[str, set[str]] = {}
        for line in self.all:
            if line.get("submission_id") == submission_id:
                found.setdefault(line["service"], set()).add(line["correlation_id"])
        return found


@pytest.fixture
def lines(aws: Aws) -> Iterator[Lines]:
    """The lines of the functions and of the runner."""
    made = Lines()
    of_functions = [
        cast("logging.StreamHandler[Any]", logger(name).registered_handler)
        for name in ("submit", "record", "webhook", "sweep", "result")
    ]
    before = [handler.setStream(made) for handler in of_functions]
    of_runner = logging.StreamHandler(made)
    of_runner.setFormatter(JsonFormatter())
    runner = logging.getLogger("sandbox_runtime")
    level = runner.level
    runner.addHandler(of_runner)
    runner.setLevel("INFO")
    yield made
    runner.removeHandler(of_runner)
    runner.setLevel(level)
    for handler, stream in zip(of_functions, before, strict=True):
        handler.setStream(stream)


def _record_and_deliver(pipeline: Pipeline, messages: list[dict[str, Any]]) -> None:
    pipeline.time.ms = now_ms() + MS_PER_SEC
    for message in messages:
        assert pipeline.record(json.dumps(message)) == []
    assert pipeline.webhook(*pipeline.hints()) == []


def test_every_line_of_a_queued_run_carries_the_clients_request_id(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline, lines: Lines
) -> None:
    pipeline.endpoint(project_id=PROJECT_ID)
    system.start(RecordedSlot)
    answer = post(project_key, PROGRAM, request_id=OWN_ID)
    assert answer.headers["x-request-id"] == OWN_ID
    _record_and_deliver(pipeline, until(lambda: system.of_type("execution_completed")))
    expected = {key: {OWN_ID} for key in ("submit", "runner", "record", "webhook")}
    until(lambda: lines.of(answer.json["id"]) == expected)


def test_every_line_of_a_direct_run_carries_the_gateways_id_if_the_client_sends_none(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline, lines: Lines
) -> None:
    pipeline.endpoint(project_id=PROJECT_ID)
    system.start(RecordedSlot)
    use(aws, system.port)
    answer = post(project_key, PROGRAM, query={"wait": "true"})
    assert (answer.status, answer.headers["x-request-id"]) == (200, REQUEST_ID)
    _record_and_deliver(pipeline, [])
    expected = {key: {REQUEST_ID} for key in ("submit", "runner", "webhook")}
    until(lambda: lines.of(answer.json["id"]) == expected)


@pytest.mark.parametrize("given", ["", "with space", "a" * 129, 'quote"', "line\nbreak", "\u00e9"])
def test_a_malformed_request_id_is_not_taken_over(aws: Aws, project_key: str, given: str) -> None:
    answer = post(project_key, PROGRAM, request_id=given)
    assert answer.headers["x-request-id"] == REQUEST_ID
    (item,) = [item for item in aws.items("SubmissionsTable") if item["sk"]["S"] == "SUBMISSION"]
    assert item["correlation_id"] == {"S": REQUEST_ID}


def test_lines_of_a_failed_request_carry_its_id_and_later_ones_do_not(
    aws: Aws, project_key: str, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patched:
        patched.setattr(SubmissionStore, "create", fail)
        assert post(project_key, PROGRAM, request_id=OWN_ID).status == 500
    (line,) = [line for line in lines.all if line["message"] == "Request failed"]
    assert (line["correlation_id"], line["request_id"]) == (OWN_ID, REQUEST_ID)
    logger("submit").warning("outside of any request")
    assert "correlation_id" not in lines.all[-1]
    assert get(project_key, "/api/results").headers["x-request-id"] == REQUEST_ID


def test_log_lines_of_failures_behind_the_queues_name_their_submission(
    aws: Aws, pipeline: Pipeline, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = pipeline.submit(correlation_id=OWN_ID)
    completed = pipeline.completed(row, correlation_id=OWN_ID)

    def fail(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patched:
        patched.setattr("functions.submissions.completion.Recorder.apply", fail)
        assert pipeline.record(completed) == [0]
        assert pipeline.dead_letters(completed) == [0]
    assert pipeline.dead_letters(completed) == []
    (hint,) = pipeline.hints()
    with monkeypatch.context() as patched:
        patched.setattr("functions.webhooks.sending.deliverer.Deliverer.deliver", fail)
        assert pipeline.webhook(hint) == [0]
    told = {line["message"]: (line.get("correlation_id"), line["submission_id"]) for line in lines.all}
    own = row.submission_id
    assert told["Completion not recorded"] == (OWN_ID, own)
    assert told["Dead letter not settled"][1] == told["Dead letter settled"][1] == own
    assert told["Delivery not attempted because of an internal error"] == (OWN_ID, own)


@pytest.mark.parametrize(
    "body", ["no json", "[]", "{}", '{"submission_id": "not-an-id", "type": "execution_completed"}']
)
def test_a_dead_letter_without_a_submission_names_none(pipeline: Pipeline, lines: Lines, body: str) -> None:
    assert pipeline.dead_letters(body) == []
    assert "submission_id" not in lines.all[-1]


def _sent_again(aws: Aws, pipeline: Pipeline, **changes: Any) -> dict[str, Any]:
    """Sweep a late row; return the raw message of its new execution."""
    row = new_submission(due_at_ms=pipeline.time() - MS_PER_SEC, **changes)
    pipeline.submissions.create(row, None)
    pipeline.sweep()
    answer = aws.client("sqs").receive_message(QueueUrl=aws.names["BatchQueue"], MessageAttributeNames=["All"])
    (message,) = answer["Messages"]
    return cast("dict[str, Any]", message)


def test_the_sweeper_sends_the_id_along(aws: Aws, pipeline: Pipeline) -> None:
    message = _sent_again(aws, pipeline, correlation_id=OWN_ID)
    assert message["MessageAttributes"]["correlation_id"]["StringValue"] == OWN_ID
    assert "correlation_id" not in json.loads(message["Body"])  # a runner of the revision before refuses unknown keys


def test_a_row_of_the_revision_before_is_run_under_its_own_id(
    aws: Aws, pipeline: Pipeline, system: Direct, lines: Lines
) -> None:
    message = _sent_again(aws, pipeline)
    assert "MessageAttributes" not in message
    system.start(RecordedSlot)
    system.put(message["Body"], "BatchQueue")
    (completed,) = until(lambda: system.of_type("execution_completed"))
    assert "correlation_id" not in completed
    _record_and_deliver(pipeline, [completed])
    own = completed["submission_id"]
    until(lambda: lines.of(own) == {"runner": {own}, "record": {own}})


@pytest.mark.parametrize("attribute", ["with space", "a" * 129])
def test_a_runner_passes_over_a_malformed_id(system: Direct, attribute: str) -> None:
    system.start(RecordedSlot)
    request = requested()
    system.aws.client("sqs").send_message(
        QueueUrl=system.aws.names["InteractiveQueue"],
        MessageBody=request.serialise(),
        MessageAttributes={"correlation_id": {"DataType": "String", "StringValue": attribute}},
    )
    assert "correlation_id" not in system.completion(request)
