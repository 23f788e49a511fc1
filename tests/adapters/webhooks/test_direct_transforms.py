"""A sound program runs directly while its sender waits, and has neither row nor message."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from events.completed import ExecutionCompleted
from events.requested import ExecutionRequested
from functions.projects.model import Quota
from functions.submissions.direct import RunnerSlowError, RunnerUnavailableError, runner_client
from functions.submissions.transforms import PAUSE_MS, SLOW_MS, SLOW_SECS
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.endpoints.model import Endpoint
from tests.adapters.pipeline import Crash, Pipeline, crash_at
from tests.adapters.transform_programs import (
    PROGRAM,
    add_project,
    completion,
    prove,
    requests,
    send_all,
    write_bodies,
)


class Runner:
    """Answers as a runner does over HTTP. `respond`: makes the answer, or raises."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.respond: Callable[[dict[str, Any]], str] = lambda each: completion(each, b'{"body": ["direct"]}')

    def start(self, message: ExecutionRequested, _correlation_id: str | None, _wait_secs: float) -> "Runner":
        self.asked.append(json.loads(message.serialise()))
        return self

    def finish(self) -> ExecutionCompleted:
        return ExecutionCompleted.parse(self.respond(self.asked[-1]))


@pytest.fixture
def runner(pipeline: Pipeline) -> Runner:
    add_project(pipeline)
    runner = Runner()
    pipeline.env.provide(runner_client, lambda _: runner)
    return runner


def endpoint_of(pipeline: Pipeline, **settings: Any) -> Endpoint:
    endpoint = pipeline.endpoint(transform=PROGRAM, **settings)
    prove(pipeline, endpoint)
    return endpoint


def bodies(pipeline: Pipeline, endpoint: Endpoint) -> list[bytes]:
    return [each.body for each in pipeline.sent_to(endpoint)]


def raising(error: Exception) -> Callable[[dict[str, Any]], str]:
    def respond(_request: dict[str, Any]) -> str:
        raise error

    return respond


def in_flight(pipeline: Pipeline) -> set[str]:
    return {text for item in pipeline.aws.items("QuotasTable") for text in item.get("in_flight", {}).get("SS", ())}


def test_one_hint_runs_signs_and_sends(pipeline: Pipeline, runner: Runner) -> None:
    endpoint = endpoint_of(pipeline)
    run = pipeline.run(webhook_url=None)
    send_all(pipeline)
    assert bodies(pipeline, endpoint) == [b'["direct"]']
    assert [each["priority"] for each in runner.asked] == ["batch"]
    assert pipeline.state(run, endpoint.endpoint_id) is DeliveryState.DELIVERED
    assert (pipeline.hints(), requests(pipeline), in_flight(pipeline)) == ([], [], set())
    rows = {item["pk"]["S"] for item in pipeline.aws.items("SubmissionsTable")}
    assert f"SUBMISSION#{runner.asked[0]['submission_id']}" not in rows


def test_a_program_that_fails_blocks_its_delivery_and_is_not_waited_for_again(
    pipeline: Pipeline, runner: Runner
) -> None:
    endpoint = endpoint_of(pipeline)
    runner.respond = lambda each: completion(each, b"", verdict="RE")
    run = pipeline.run(webhook_url=None)
    send_all(pipeline)
    assert pipeline.state(run, endpoint.endpoint_id) is DeliveryState.BLOCKED
    pipeline.time.advance(5)
    pipeline.run(webhook_url=None)
    send_all(pipeline)
    assert len(requests(pipeline)) == 1
    assert (len(runner.asked), bodies(pipeline, endpoint)) == (1, [])


def test_a_new_program_is_not_waited_for(pipeline: Pipeline, runner: Runner) -> None:
    endpoint = pipeline.endpoint(transform=PROGRAM)
    for _ in range(100):
        pipeline.run(webhook_url=None)
    send_all(pipeline)
    assert write_bodies(pipeline) == 1, "a burst of events begins one run of it"
    assert runner.asked == []
    send_all(pipeline)
    assert bodies(pipeline, endpoint) == [b'{"was":"submission.completed"}']


@pytest.mark.parametrize("point", ["transform.after_answer", "transform.after_end", "webhook.after_send"])
def test_a_sender_that_dies_loses_nothing_and_keeps_one_body(pipeline: Pipeline, runner: Runner, point: str) -> None:
    endpoint = endpoint_of(pipeline)
    runner.respond = lambda each: completion(each, json.dumps({"body": [len(runner.asked)]}).encode())
    run = pipeline.run(webhook_url=None)
    hints = pipeline.hints()
    with crash_at(point), pytest.raises(Crash):
        pipeline.webhook(*hints)
    pipeline.webhook(*hints)
    pipeline.sweep(after_secs=130)  # the hint that follows is delayed, and this queue has the real time
    send_all(pipeline)
    assert pipeline.state(run, endpoint.endpoint_id) is DeliveryState.DELIVERED
    assert len(set(bodies(pipeline, endpoint))) == 1
    assert requests(pipeline) == []


@pytest.mark.parametrize(
    ("error", "secs"), [(RunnerUnavailableError("503"), PAUSE_MS / 1000), (RunnerSlowError("late"), SLOW_MS / 1000)]
)
def test_without_an_answer_it_goes_to_the_queue_for_a_while(
    pipeline: Pipeline, runner: Runner, error: Exception, secs: float
) -> None:
    endpoint = endpoint_of(pipeline)
    good, runner.respond = runner.respond, raising(error)
    for after_secs, asked in ((0, 1), (secs / 2, 1), (secs, 2)):
        pipeline.time.advance(after_secs)
        pipeline.run(webhook_url=None)
        send_all(pipeline)
        assert len(runner.asked) == asked
        write_bodies(pipeline)
        send_all(pipeline)
        runner.respond = good
    assert bodies(pipeline, endpoint) == [b'{"was":"submission.completed"}'] * 2 + [b'["direct"]']


def test_a_slow_program_holds_no_sender(pipeline: Pipeline, runner: Runner) -> None:
    endpoint_of(pipeline)

    def slow(request: dict[str, Any]) -> str:
        message = json.loads(completion(request, b'{"body": [1]}'))
        return json.dumps(message | {"metrics": message["metrics"] | {"wall_time_secs": SLOW_SECS + 0.1}})

    runner.respond = slow
    for _ in range(3):
        pipeline.run(webhook_url=None)
    send_all(pipeline)
    assert (len(runner.asked), len(requests(pipeline))) == (1, 2)


def test_large_output_goes_to_the_queue(pipeline: Pipeline, runner: Runner) -> None:
    endpoint = endpoint_of(pipeline)

    def large(request: dict[str, Any]) -> str:
        message = json.loads(completion(request))
        key = f"outputs/{request['submission_id']}/{request['execution_id']}/stdout"
        return json.dumps(message | {"stdout": {"size_bytes": 300_000, "object_key": key}})

    runner.respond = large
    pipeline.run(webhook_url=None)
    send_all(pipeline)
    assert write_bodies(pipeline) == 1
    send_all(pipeline)
    assert len(bodies(pipeline, endpoint)) == 1
    before = len(runner.asked)
    pipeline.run(webhook_url=None)
    send_all(pipeline)
    assert len(runner.asked) == before, "for a while no sender waits for what runs twice"


def test_an_end_that_meets_a_deletion_writes_no_body_and_releases_the_quota(pipeline: Pipeline, runner: Runner) -> None:
    endpoint = endpoint_of(pipeline)
    run = pipeline.run(webhook_url=None)

    def deleted(request: dict[str, Any]) -> str:
        pipeline.deliveries.cancel_event(run.submission_id)
        return completion(request, b'{"body": [1]}')

    runner.respond = deleted
    send_all(pipeline)
    assert pipeline.state(run, endpoint.endpoint_id) is DeliveryState.CANCELLED
    assert [item for item in pipeline.aws.items("DeliveriesTable") if "body_zlib" in item] == []
    assert (in_flight(pipeline), bodies(pipeline, endpoint)) == (set(), [])


def test_without_quota_no_runner_is_asked(pipeline: Pipeline, runner: Runner) -> None:
    add_project(pipeline, "small", Quota(per_minute=1, per_day=100, in_flight=5))
    endpoint = endpoint_of(pipeline, project_id="small")
    for _ in range(3):
        pipeline.run(webhook_url=None, project_id="small")
    send_all(pipeline)
    assert len(runner.asked) == len(bodies(pipeline, endpoint)) == 1


def test_an_ordered_endpoint_keeps_its_order(pipeline: Pipeline, runner: Runner) -> None:
    endpoint = endpoint_of(pipeline, ordered=True)
    runner.respond = lambda each: completion(each, json.dumps({"body": [len(runner.asked)]}).encode())
    runs = []
    for _ in range(3):
        runs.append(pipeline.run(webhook_url=None).submission_id)
        pipeline.time.advance(0.01)
    pipeline.webhook(*reversed(pipeline.hints()))
    send_all(pipeline)
    assert [each.webhook_id for each in pipeline.sent_to(endpoint)] == runs
