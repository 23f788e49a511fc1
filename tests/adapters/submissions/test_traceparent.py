"""The client's `traceparent` comes back with every webhook of its run."""

import json

import pytest

from functions.clock import MS_PER_SEC, now_ms
from functions.webhooks.deliveries.publication import Hint
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.http_calls import post
from tests.adapters.pipeline import Pipeline
from tests.adapters.runner_system import Direct
from tests.adapters.submissions.direct_wiring import use
from tests.runner_doubles import RecordedSlot
from tests.until import until

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PROGRAM = {"language": "c", "code": "int main(void) { return 0; }"}


def traces(pipeline: Pipeline) -> list[str | None]:
    """Send what is due; return the header of every request that the receiver got."""
    pipeline.time.ms = now_ms() + MS_PER_SEC
    assert pipeline.webhook(*pipeline.hints()) == []
    return [request.headers.get("traceparent") for request in pipeline.receiver.received]


def test_webhooks_of_a_queued_run_carry_the_trace_of_its_request(
    system: Direct, project_key: str, pipeline: Pipeline
) -> None:
    pipeline.endpoint(project_id=PROJECT_ID)
    system.start(RecordedSlot)
    assert post(project_key, PROGRAM, traceparent=TRACE).status == 202
    for message in until(lambda: system.of_type("execution_completed")):
        assert pipeline.record(json.dumps(message)) == []
    assert traces(pipeline) == [TRACE]


def test_webhooks_of_a_direct_run_carry_the_traceparent(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    pipeline.endpoint(project_id=PROJECT_ID, headers={"traceparent": "mine"})
    system.start(RecordedSlot)
    use(aws, system.port)
    assert post(project_key, PROGRAM, query={"wait": "true"}, traceparent=TRACE).status == 200
    assert traces(pipeline) == [TRACE]


@pytest.mark.parametrize(
    "given",
    [
        *("", "x", TRACE.upper(), TRACE + "-00", TRACE + "\n", TRACE.replace("00-4b", "ff-4b")),
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
    ],
)
def test_a_malformed_trace_is_ignored(aws: Aws, project_key: str, given: str) -> None:
    assert post(project_key, PROGRAM, traceparent=given).status == 202
    (item,) = [item for item in aws.items("SubmissionsTable") if item["sk"]["S"] == "SUBMISSION"]
    assert "traceparent" not in item


@pytest.mark.parametrize("trace", [None, TRACE])
def test_a_runs_own_url_gets_the_traceparent_at_each_attempt_also_from_a_hint_without_a_copy(
    pipeline: Pipeline, trace: str | None
) -> None:
    pipeline.receiver.answers = [(500, {}, b""), (200, {}, b"")]
    submission = pipeline.run(traceparent=trace)
    pipeline.webhook(*pipeline.hints())
    pipeline.time.advance(5)
    pipeline.webhook(Hint(submission.submission_id, "run", "dev").text)
    assert [request.headers.get("traceparent") for request in pipeline.receiver.received] == [trace, trace]


def test_a_hint_without_a_trace_is_sent_without_one(pipeline: Pipeline) -> None:
    pipeline.finish(pipeline.submit(traceparent=TRACE))
    (hint,) = map(json.loads, pipeline.hints())
    del hint["new"]["traceparent"]
    assert pipeline.webhook(json.dumps(hint)) == []
    assert [request.headers.get("traceparent") for request in pipeline.receiver.received] == [None]
