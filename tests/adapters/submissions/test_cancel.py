"""Cancel a submission at each moment of its life: real handlers and a real worker, recorded outcomes for the jail."""

import dataclasses
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from functions import failpoint
from functions.clock import now_ms
from functions.handlers import record, sweep
from functions.ids import new_id
from functions.submissions.accept import acceptance as start_module
from functions.submissions.cancellation import DUE_SECS
from functions.submissions.model import MARK_OF_CHECK, Status, Submission
from functions.submissions.runners import store as runner_store
from functions.submissions.runners.store import ControlObjects, control_key
from functions.submissions.store import SubmissionStore
from sandbox_runtime.worker import control as control_polls
from sandbox_runtime.worker import queue_intake
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.http_calls import Answer, get, post, send
from tests.adapters.pipeline import Context, Crash, call, crash_at
from tests.adapters.quota_usage import whole_usage
from tests.adapters.runner_system import Direct
from tests.adapters.submissions.direct_wiring import use
from tests.runner_doubles import EndlessSlot
from tests.submission_factory import golden
from tests.until import PATIENCE_SECS, until

PROGRAM = {"language": "python", "code": "print(42)"}


class World:
    """A project, the functions, and one worker whose programs run until they are stopped."""

    def __init__(self, aws: Aws, key: str, system: Direct) -> None:
        self.aws, self.key, self.system = aws, key, system
        self.begun = Event()
        self.store = SubmissionStore(aws.names["SubmissionsTable"], aws.client("dynamodb"))
        aws.monkeypatch.setattr(control_polls, "PERIOD_SECS", 0.05)

    def start(self, *, is_direct: bool) -> None:
        """Start the worker. `is_direct`: the functions call it over HTTP too."""
        self.system.start(lambda: EndlessSlot(self.begun.set), DRAIN_SECS="0")
        if is_direct:
            use(self.aws, self.system.port)

    def submit(self, **changes: Any) -> str:
        answer = post(self.key, PROGRAM | changes)
        assert answer.status == 202
        return str(answer.json["id"])

    def cancel(self, submission_id: str, kind: str = "result") -> Answer:
        return send(self.key, "POST", f"/api/{kind}/{submission_id}/cancel")

    def record(self) -> bool:
        """Record what the worker has sent; tell whether there was anything but heartbeats."""
        messages = self.aws.messages("CompletionsQueue")
        assert not messages or call(record.handler, tuple(map(json.dumps, messages))) == []
        return any(message["type"] != "runner_heartbeat" for message in messages)

    def row(self, submission_id: str) -> Submission:
        row = self.store.get(submission_id)
        assert row is not None
        return row

    def ended(self, submission_id: str) -> tuple[str | None, str]:
        """Wait for the end; return verdict and cause."""

        def is_final() -> bool:
            self.record()
            return self.row(submission_id).is_final

        until(is_final)
        row = self.row(submission_id)
        assert sum(item["sk"]["S"] == "EVENT" for item in self.aws.items("DeliveriesTable")) <= 1
        return row.verdict, row.result["cause"]

    def running(self, **changes: Any) -> str:
        """Submit a program, and wait until its row says that it runs."""
        submission_id = self.submit(**changes)
        assert self.begun.wait(PATIENCE_SECS)

        def is_running() -> bool:
            self.record()
            return self.row(submission_id).status is Status.RUNNING

        until(is_running)
        return submission_id

    def in_flight(self) -> int:
        return whole_usage(self.aws, PROJECT_ID).in_flight

    def is_idle(self) -> bool:
        """Whether the worker runs nothing."""
        return not self.system.worker._capacity.running


@pytest.fixture
def world(aws: Aws, project_key: str, system: Direct) -> Iterator[World]:
    yield World(aws, project_key, system)
    failpoint.set_hook(None)


@pytest.fixture(params=[True, False], ids=["direct", "control object"])
def both_ways(request: pytest.FixtureRequest, world: World) -> World:
    """A worker that is told over HTTP, or by its control object."""
    world.start(is_direct=request.param)
    return world


def test_a_running_program_is_stopped_and_its_output_is_kept(both_ways: World) -> None:
    submission_id = both_ways.running(webhook_url="https://hooks.example.com/x", webhook_secret="s")
    answer = both_ways.cancel(submission_id)
    body = answer.json
    assert (answer.status, "may still end by itself" in body.pop("message")) == (202, True)
    assert body == {"id": submission_id, "status": "running", "job_status": "running"}
    assert both_ways.in_flight() == 0
    assert both_ways.ended(submission_id) == ("SIG", "cancelled")
    final = both_ways.cancel(submission_id)
    assert (final.status, final.json["stdout"], final.json["signal"]) == (200, "42\n", 9)
    assert final.json == get(both_ways.key, f"/api/result/{submission_id}").json
    assert "cancelled_too_late" not in final.json
    assert [item["sk"]["S"] for item in both_ways.aws.items("DeliveriesTable")].count("EVENT") == 1


def test_a_second_cancel_changes_nothing(both_ways: World) -> None:
    submission_id = both_ways.running()
    assert [both_ways.cancel(submission_id).status for _ in range(2)] in ([202, 202], [202, 200])
    assert both_ways.ended(submission_id) == ("SIG", "cancelled")


def test_a_run_whose_start_is_not_recorded_yet_is_stopped_too(both_ways: World) -> None:
    submission_id = both_ways.submit()
    assert both_ways.begun.wait(PATIENCE_SECS)
    answer = both_ways.cancel(submission_id)
    if answer.status == 202:  # the runner was told, and its end comes
        assert both_ways.ended(submission_id) == ("SIG", "cancelled")
    else:  # nobody knew that it ran: the report of its start stops it, and its result is dropped
        assert both_ways.ended(submission_id) == ("IE", "cancelled_before_start")
    until(lambda: not both_ways.record() and both_ways.is_idle())
    assert both_ways.row(submission_id).is_final
    assert both_ways.in_flight() == 0


@pytest.mark.parametrize("is_direct", [True, False])
def test_a_queued_run_never_begins(world: World, monkeypatch: pytest.MonkeyPatch, *, is_direct: bool) -> None:
    monkeypatch.setattr(queue_intake, "OVER_AFTER", timedelta(0))
    if is_direct:
        world.start(is_direct=True)
        world.running()  # it has the only slot
    submission_id = world.submit()
    answer = world.cancel(submission_id)
    assert (answer.status, answer.json["verdict"], answer.json["status"]) == (200, "IE", "error")
    assert answer.json["result"]["cause"] == "cancelled_before_start"
    assert "stdout" not in answer.json or answer.json["stdout"] == ""
    assert world.in_flight() == int(is_direct)
    if not is_direct:
        world.start(is_direct=False)
        until(lambda: world.system.is_empty("BatchQueue"))
        assert not world.begun.is_set()
    assert world.ended(submission_id) == ("IE", "cancelled_before_start")


def test_a_cancel_between_row_and_message_ends_the_run_before_it_begins(world: World) -> None:
    statuses: list[int] = []

    def cancel_all(point: str) -> None:
        if point == "submit.before_send":
            failpoint.set_hook(None)
            (row,) = get(world.key, "/api/results").json["items"]
            statuses.append(world.cancel(row["id"]).status)

    failpoint.set_hook(cancel_all)
    submission_id = world.submit()
    assert statuses == [200]
    assert world.ended(submission_id) == ("IE", "cancelled_before_start")


def test_a_synchronous_run_is_stopped_and_its_client_gets_the_result(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_module, "ROW_AFTER_SECS", 0.01)
    world.start(is_direct=True)
    with ThreadPoolExecutor(1) as client:
        waiting = client.submit(post, world.key, PROGRAM, query={"wait": "20"})
        assert world.begun.wait(PATIENCE_SECS)
        (row,) = until(lambda: get(world.key, "/api/results").json["items"])
        assert world.cancel(row["id"]).status in {200, 202}
        answer = waiting.result(PATIENCE_SECS)
    assert (answer.status, answer.json["verdict"], answer.json["result"]["cause"]) == (200, "SIG", "cancelled")


def test_the_run_of_another_project_and_an_unknown_one_are_not_found(world: World) -> None:
    submission_id = world.submit()
    item = world.row(submission_id)
    assert send(None, "POST", f"/api/result/{submission_id}/cancel").status == 401
    assert world.cancel("7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a19").status == 404
    assert world.cancel("x").status == 400
    assert world.cancel(submission_id, "judge").status == 404  # a run is no judge run
    world.aws.client("dynamodb").update_item(
        TableName=world.aws.names["SubmissionsTable"],
        Key={"pk": {"S": f"SUBMISSION#{submission_id}"}, "sk": {"S": "SUBMISSION"}},
        UpdateExpression="SET project_id = :other",
        ExpressionAttributeValues={":other": {"S": "other"}},
    )
    assert world.cancel(submission_id).status == 404
    assert world.row(submission_id).status is item.status


@pytest.mark.parametrize(
    "point", ["cancel.after_mark", "cancel.before_tell", "cancel.after_tell", "complete.after_write"]
)
def test_a_cancel_that_crashes_is_finished_by_the_sweeper_or_a_repeat(world: World, point: str) -> None:
    submission_id = world.submit()
    with crash_at(point), pytest.raises(Crash):
        world.cancel(submission_id)
    world.aws.monkeypatch.setattr(sweep.ENV, "clock", lambda: now_ms() + (DUE_SECS + 1) * 1000)
    sweep.handler({"source": "schedule"}, Context())  # type: ignore[arg-type]
    assert world.ended(submission_id) == ("IE", "cancelled_before_start")
    assert world.cancel(submission_id).status == 200
    assert world.in_flight() == 0


def test_a_run_whose_runner_died_is_ended_by_the_sweeper_and_not_repeated(world: World) -> None:
    world.start(is_direct=False)
    submission_id = world.running()
    message = until(lambda: world.system.worker._running._running)  # the runner is about to die: nobody hears it again
    assert message
    world.aws.monkeypatch.setattr(control_polls.ControlPolls, "poll", lambda _self: None)
    assert world.cancel(submission_id).status == 202
    world.aws.monkeypatch.setattr(sweep.ENV, "clock", lambda: now_ms() + (DUE_SECS + 1) * 1000)
    sweep.handler({"source": "schedule"}, Context())  # type: ignore[arg-type]
    assert world.ended(submission_id) == ("SIG", "cancelled")
    assert world.aws.messages("BatchQueue") == []
    assert world.system.transport(world.system.settings()).is_over(submission_id)  # its message starts nothing


def test_a_run_that_ends_while_it_is_being_stopped_says_that_the_cancel_came_too_late(world: World) -> None:
    submission_id = world.submit()
    ids = {"submission_id": submission_id, "execution_id": world.row(submission_id).execution_id}
    started = golden("execution_started/v1.typical") | ids
    assert call(record.handler, (json.dumps(started),)) == []
    assert world.cancel(submission_id).status == 202
    ended = golden("execution_completed/v1.accepted") | ids
    assert call(record.handler, (json.dumps(ended),)) == []
    final = world.cancel(submission_id).json
    assert (final["verdict"], final["cancelled_too_late"]) == ("AC", True)
    assert get(world.key, f"/api/result/{submission_id}", query={"view": "compact"}).json["cancelled_too_late"]


def test_a_judge_run_whose_cases_all_ended_says_that_the_cancel_came_too_late(world: World) -> None:
    body = PROGRAM | {"cases": [{"stdin": "1", "expected": "42"}] * 2}
    run = send(world.key, "POST", "/api/judge", body, query={"wait": "false"}).json["id"]
    (message,) = world.aws.messages("BatchQueue")
    ids = {name: message[name] for name in ("submission_id", "execution_id", "language")}
    started = golden("execution_started/v1.typical") | ids
    assert call(record.handler, (json.dumps(started),)) == []
    assert world.cancel(run, "judge").status == 202
    ended = golden("judge_completed/v1.passed") | ids
    assert call(record.handler, (json.dumps(ended),)) == []
    final = world.cancel(run, "judge").json
    assert (final["status"], final["skipped"], final["cancelled_too_late"]) == ("completed", 0, True)


def test_the_deletion_of_a_waiting_run_with_network_says_that_it_is_cancelled(world: World) -> None:
    submission_id = world.submit()
    row = world.row(submission_id)
    world.store.delete(row)
    world.store.create(dataclasses.replace(row, network=("api.example.com:443",)), None)
    answer = get(world.key, f"/api/result/{submission_id}", method="DELETE")
    assert (answer.status, answer.json["error"]) == (409, "conflict")
    assert answer.json["message"].startswith("The run is cancelled")
    assert world.ended(submission_id) == ("IE", "cancelled_before_start")


def test_a_finished_run_keeps_its_result(world: World) -> None:
    submission_id = world.submit()
    assert world.cancel(submission_id).status == 200
    before = world.aws.items("SubmissionsTable")
    assert world.cancel(submission_id).status == 200
    assert world.aws.items("SubmissionsTable") == before


def test_deleting_a_running_program_stops_it_first(both_ways: World) -> None:
    submission_id = both_ways.running()
    with ThreadPoolExecutor(1) as client:
        deleted = client.submit(get, both_ways.key, f"/api/result/{submission_id}", method="DELETE")

        def is_done() -> bool:
            both_ways.record()
            return deleted.done()

        until(is_done)
    assert (deleted.result().status, deleted.result().json["deleted"]) == (200, True)
    assert both_ways.store.get(submission_id) is None
    assert both_ways.in_flight() == 0


def test_a_run_that_does_not_stop_is_not_deleted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.submissions.cancellation.END_SECS", 0.01)
    world.start(is_direct=False)
    submission_id = world.running()
    answer = get(world.key, f"/api/result/{submission_id}", method="DELETE")
    assert (answer.status, answer.json["error"]) == (409, "conflict")
    assert world.ended(submission_id) == ("SIG", "cancelled")


def test_a_deleted_run_that_has_just_begun_is_stopped(both_ways: World) -> None:
    submission_id = both_ways.submit()
    assert both_ways.begun.wait(PATIENCE_SECS)
    assert get(both_ways.key, f"/api/result/{submission_id}", method="DELETE").status == 200
    until(lambda: not both_ways.record() and both_ways.is_idle())
    assert both_ways.store.get(submission_id) is None


def test_a_judge_run_keeps_its_finished_cases_and_a_pending_one_never_begins(both_ways: World) -> None:
    body = PROGRAM | {"cases": [{"stdin": "1", "expected": "2"}, {"stdin": "2", "expected": "3"}]}
    running = send(both_ways.key, "POST", "/api/judge", body, query={"wait": "false"}).json["id"]
    assert both_ways.begun.wait(PATIENCE_SECS)
    until(lambda: (both_ways.record(), both_ways.row(running).status is Status.RUNNING)[1])
    assert both_ways.cancel(running, "judge").status == 202
    until(lambda: (both_ways.record(), both_ways.row(running).is_final)[1])
    final = both_ways.cancel(running, "judge")
    assert (final.status, final.json["status"]) == (200, "completed")
    assert final.json["error_message"] == "the judge run was cancelled"
    assert [case["outcome"] for case in final.json["results"]] == ["failed", "skipped"]
    assert final.json["results"][0]["cause"] == "cancelled"
    both_ways.system.worker.hold()
    pending = send(both_ways.key, "POST", "/api/judge", body | {"code": "2"}, query={"wait": "false"}).json["id"]
    never = both_ways.cancel(pending, "judge")
    assert (never.status, never.json["status"], never.json["skipped"]) == (200, "error", 2)


def test_the_check_that_waits_for_a_cancelled_run_is_told(world: World) -> None:
    of_check = {MARK_OF_CHECK: new_id(), "check_id": new_id(), "check_run": f"2026-11-24T12:00:00.000Z#{new_id()}"}
    submission_id = world.submit(metadata=of_check)
    assert world.cancel(submission_id).status == 200
    assert len(world.aws.messages("ChecksQueue")) == 1


def control_entries(aws: Aws, bucket: str) -> dict[str, int]:
    body = aws.client("s3").get_object(Bucket=bucket, Key=control_key("a node"))["Body"].read()
    return dict(json.loads(body)["cancelled"])


# On the engine alone: moto compares the ETag and writes the object in two steps, so parallel writers meet there.
def test_a_control_object_loses_no_cancel_of_parallel_writers(aws: Aws) -> None:
    control = ControlObjects(aws.names["PayloadsBucket"], lambda: aws.client("s3"), lambda: 0)
    with ThreadPoolExecutor(4) as writers:
        list(writers.map(lambda number: control.cancel("a node", str(number)), range(12)))
    assert set(control_entries(aws, control.bucket)) == set(map(str, range(12)))


@pytest.mark.answered_by("engine", "moto")
def test_a_control_object_names_recent_cancels_only(aws: Aws) -> None:
    now = [0]
    control = ControlObjects(aws.names["PayloadsBucket"], lambda: aws.client("s3"), lambda: now[0])
    for number in range(12):
        control.cancel("a node", str(number))
    assert set(control_entries(aws, control.bucket)) == set(map(str, range(12)))
    now[0] = 60_001
    control.cancel("a node", "later")
    assert set(control_entries(aws, control.bucket)) == {"later"}
    aws.monkeypatch.setattr(runner_store, "MOST_ENTRIES", 10)
    for number in range(10):
        now[0] += 1
        control.cancel("a node", str(number))
    assert len(control_entries(aws, control.bucket)) == 10
    assert "later" not in control_entries(aws, control.bucket)


def test_bytes_of_a_run_with_network_that_had_just_begun_count_after_its_cancel(world: World) -> None:
    submission_id = world.submit()
    row = world.row(submission_id)
    world.store.delete(row)
    world.store.create(dataclasses.replace(row, network=("api.example.com:443",)), None)
    assert world.cancel(submission_id).status == 200
    late = golden("execution_completed/v1.network") | {"submission_id": submission_id}
    assert call(record.handler, (json.dumps(late),)) == []
    counted = [item for item in world.aws.items("QuotasTable") if "bytes" in str(item)]
    assert str(late["evidence"]["network_bytes"]) in str(counted)
    assert world.ended(submission_id) == ("IE", "cancelled_before_start")
