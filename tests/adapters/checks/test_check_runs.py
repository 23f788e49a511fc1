"""Scheduled times become runs, runs become submissions, and their results move the state of the check."""

import base64
import dataclasses
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from functions import failpoint
from functions.aws.clients import Clients
from functions.aws.dynamodb.items import to_item
from functions.checks.keys import outage_key, runs_pk
from functions.checks.runs.hints import CheckHints
from functions.checks.runs.run import scheduled_run_id
from functions.checks.runs.steps import RunSteps
from functions.checks.runs.store import RunStore
from functions.checks.settings.store import MOST_OUTAGES, CheckStore
from functions.clock import from_rfc3339, to_rfc3339
from functions.handlers import check_schedule as schedule
from functions.ids import new_id
from functions.projects.model import Project, Quota
from functions.projects.store import ProjectStore
from tests.adapters.aws_account import PROJECT_ID
from tests.adapters.checks.check_world import MINUTE, CheckWorld, breaks, passes, prints
from tests.adapters.http_calls import post, send
from tests.adapters.pipeline import Context, Crash, crash_at
from tests.submission_factory import final_submission, golden

HOUR = 3600
SCHEMA = json.loads((Path(__file__).parents[3] / "events/webhook/check_state_changed.v1.schema.json").read_text())
POINTS = (
    *("check.before_schedule", "check.after_schedule", "check.after_lease", "submit.after_take", "submit.after_create"),
    *("submit.before_send", "submit.after_send", "check.after_accept", "check.after_start", "check.before_settle"),
    *("check.after_settle", "publish.after_rows", "publish.after_hint", "publish.after_bus", "check.after_publish"),
)


def five_minutely(world: CheckWorld, **changes: Any) -> Any:
    return world.create(schedule="rate(5 minutes)", **changes)


def test_a_scheduled_time_runs_the_program_and_the_check_is_up(world: CheckWorld) -> None:
    check = five_minutely(world, assertions=[{"type": "stdout", "equals": "42"}])
    world.settle(5 * 60)
    assert world.statuses(check) == ["passed"]
    shown = world.show(check)
    assert shown["state"] == "up"
    run = world.runs(check)[0]
    assert run["scheduled_at"] == "2026-11-24T12:05:00.000Z"
    assert [result["passed"] for result in run["assertions"]] == [True, True]
    assert shown["last_run"]["run_id"] == run["id"]
    result = send(world.key, "GET", f"/api/result/{run['submission_id']}").json
    assert result["metadata"]["check_id"] == check["id"]


def test_a_submission_of_a_client_becomes_no_run_by_its_idempotency_key(world: CheckWorld) -> None:
    """The id of a run follows from its check and its time, so a client that may only run programs can know it."""
    check = five_minutely(world, assertions=[{"type": "stdout", "equals": "42"}])
    run_id = scheduled_run_id(check["id"], from_rfc3339("2026-11-24T12:05:00.000Z"))
    key, program = f"check:{run_id}:0", {"language": "python", "code": "print('all is well')"}
    forged = post(world.key, program, idempotency_key=key).json["id"]
    world.settle(5 * 60)
    (run,) = world.runs(check)
    assert (run["id"], run["status"]) == (run_id, "passed")
    assert run["submission_id"] != forged


def test_a_program_that_ends_before_its_run_is_noted_ends_the_run_at_once(world: CheckWorld) -> None:
    """The hint of its end comes too early: the run has no submission yet."""
    check = five_minutely(world)
    ended: list[int] = []

    def end_program(point: str) -> None:
        if point == "check.after_accept":
            ended.extend((world.run_programs(), world.hints()))

    world.time.advance(5 * 60)
    failpoint.set_hook(end_program)
    try:
        world.schedule()
        world.hints()
    finally:
        failpoint.set_hook(None)
    assert ended == [1, 1]
    assert world.statuses(check) == ["passed"]
    summaries = [item["summary"]["S"] for item in world.aws.items("SubmissionsTable") if "summary" in item]
    assert [summary.startswith('{"source":"check"') for summary in summaries] == [True]


def test_a_check_fails_with_a_reason_and_recovers(world: CheckWorld) -> None:
    world.endpoint()
    check = five_minutely(world, assertions=[{"type": "stdout", "contains": "42"}])
    world.settle(5 * 60)
    world.answer = prints("13\n")
    world.settle(10 * 60)
    assert world.show(check)["state"] == "failing"
    world.answer = passes
    world.settle(5 * 60)
    failing, recovered = world.events()
    assert (failing["previous_state"], failing["state"]) == ("up", "failing")
    assert [result["actual"] for result in failing["failed"]] == ["13\n"]
    assert "-42" in failing["difference"]
    assert "+13" in failing["difference"]
    assert failing["since"] == "2026-11-24T12:10:00.000Z"
    assert failing["submission_id"] == world.runs(check)[2]["submission_id"]
    assert (recovered["state"], recovered["outage_secs"]) == ("up", 600)
    assert world.statuses(check) == ["passed", "failed", "failed", "passed"]


def test_events_of_every_run_go_to_endpoints_that_name_them(world: CheckWorld) -> None:
    world.endpoint("check.run.completed", "check.run.missed")
    five_minutely(world, grace_minutes=1)
    world.settle(5 * 60)
    world.time.advance(20 * 60)
    world.settle()
    types = Counter(event["type"] for event in world.events())
    assert types == {"check.run.completed": 2, "check.run.missed": 3}


def told(world: CheckWorld) -> set[str]:
    """Endpoints that a delivery is for."""
    keys = (item["sk"]["S"] for item in world.aws.items("DeliveriesTable"))
    return {sk.removeprefix("DELIVERY#") for sk in keys if sk.startswith("DELIVERY#")}


def test_only_the_endpoints_of_notify_get_the_event(world: CheckWorld) -> None:
    wanted, other = world.endpoint("check.run.completed"), world.endpoint("check.run.completed")
    five_minutely(world, notify=[wanted])
    world.settle(5 * 60)
    assert told(world) == {wanted}
    assert send(world.key, "DELETE", f"/api/webhooks/{wanted}").status == 200
    world.settle(5 * 60)
    assert told(world) == {wanted, other}  # nobody of `notify` is left: better all than nobody


def test_the_age_of_the_oldest_check_is_a_metric_of_each_minute(
    world: CheckWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """`OldestCheckAlarm` tells of a large one, and of none at all."""
    five_minutely(world)
    world.time.advance(5 * 60 + 240)
    world.schedule()
    world.schedule()
    lines = (json.loads(line) for line in capsys.readouterr().out.splitlines() if "OldestCheckAge" in line)
    assert [line["OldestCheckAge"] for line in lines] == [[240.0], [0.0]]


def test_a_reminder_comes_while_the_outage_lasts(world: CheckWorld) -> None:
    world.endpoint()
    five_minutely(world, assertions=[{"type": "stdout", "equals": "13"}], remind_hours=1)
    world.settle(125 * 60)
    assert [event["is_reminder"] for event in world.events()] == [False, True, True]


def test_a_run_that_passes_at_its_second_attempt_is_flaky(world: CheckWorld) -> None:
    world.endpoint()
    check = five_minutely(world, retries=2, assertions=[{"type": "stdout", "equals": "42"}])
    world.time.advance(5 * 60)
    world.answer = prints("13")
    world.settle()
    world.answer = passes
    world.settle(60)
    run = world.runs(check)[0]
    assert (run["status"], run["attempt"]) == ("flaky", 1)
    assert world.show(check)["state"] == "flaky"
    assert [event["state"] for event in world.events()] == ["flaky"]


def test_a_run_that_fails_at_every_attempt_raises_one_alert(world: CheckWorld) -> None:
    world.endpoint()
    check = five_minutely(world, retries=2, assertions=[{"type": "stdout", "equals": "42"}])
    world.answer = prints("13")
    world.settle(9 * 60)
    run = world.runs(check)[0]
    assert (run["status"], run["attempt"]) == ("failed", 2)
    assert [event["state"] for event in world.events()] == ["failing"]
    assert sum(world.submissions_of_runs().values()) == 3


def test_a_fault_of_the_platform_is_an_error_and_no_failure(world: CheckWorld) -> None:
    check = five_minutely(world)
    world.answer = breaks
    world.settle(5 * 60)
    assert world.show(check)["state"] == "error"
    assert world.runs(check)[0]["assertions"] == []


def test_a_check_that_should_fail_passes_if_it_does(world: CheckWorld) -> None:
    check = five_minutely(world, should_fail=True, assertions=[{"type": "stdout", "equals": "13"}])
    world.settle(5 * 60)
    assert world.statuses(check) == ["passed"]


def test_a_muted_check_writes_history_and_sends_nothing(world: CheckWorld) -> None:
    world.endpoint()
    check = five_minutely(world, assertions=[{"type": "stdout", "equals": "13"}], muted_until="2026-11-24T13:00:00Z")
    world.settle(10 * 60)
    assert world.statuses(check) == ["failed", "failed"]
    assert world.events() == []


def test_an_alarm_links_to_the_runbook_of_its_check(world: CheckWorld) -> None:
    runbook = "https://wiki.example.com/runbooks/totals"
    world.endpoint("check.state.changed")
    world.answer = prints("13")
    check = world.create(assertions=[{"type": "stdout", "equals": "42"}], runbook_url=runbook)
    other = world.create(name="Other", assertions=[{"type": "stdout", "equals": "42"}])
    assert (check["runbook_url"], other["runbook_url"]) == (runbook, None)
    for each in (check, other):
        world.call("POST", f"/api/checks/{each['id']}/run")
    for _ in range(3):
        world.settle()
    by_check = {event["check_id"]: event for event in world.events()}
    assert by_check[check["id"]]["runbook_url"] == runbook
    assert "runbook_url" not in by_check[other["id"]]
    Draft202012Validator(SCHEMA).validate(by_check[check["id"]])
    Draft202012Validator(SCHEMA).validate(by_check[other["id"]])


def test_a_time_during_a_run_is_skipped_and_says_so(world: CheckWorld) -> None:
    check = five_minutely(world)
    world.time.advance(5 * 60)
    world.schedule()
    world.time.advance(5 * 60)
    world.schedule()
    assert world.statuses(check) == ["running", "skipped"]
    assert world.runs(check)[1]["id"] in world.runs(check)[0]["reason"]
    world.settle(5 * 60)
    assert world.statuses(check) == ["passed", "skipped", "passed"]


def test_slots_may_overlap_if_the_check_allows_it(world: CheckWorld) -> None:
    check = five_minutely(world, overlap="allow")
    for _ in range(2):
        world.time.advance(5 * 60)
        world.schedule()
    assert world.statuses(check) == ["running", "running"]


@pytest.mark.parametrize(("missed", "last"), [("run_latest", "passed"), ("skip", "missed")])
def test_the_slots_of_a_three_hour_outage_have_a_row_each(world: CheckWorld, missed: str, last: str) -> None:
    check = world.create(schedule="rate(1 minute)", missed=missed)
    world.settle(60)
    # No run is on time when the schedule is back, four minutes after a scheduled time.
    world.call("PATCH", f"/api/checks/{check['id']}", {"schedule": "0/30 * * * *"})
    world.time.advance(3 * HOUR + 4 * 60)
    world.settle()
    assert world.statuses(check) == ["passed"] + ["missed"] * 5 + [last]
    assert world.show(check)["state"] == ("up" if last == "passed" else "late")
    assert "late" in world.runs(check)[1]["reason"]


def test_more_slots_than_a_transaction_holds_are_missed_one_row_each(world: CheckWorld) -> None:
    check = world.create(schedule="rate(1 minute)")
    world.time.advance(5 * HOUR)
    world.settle()
    statuses = world.statuses(check)
    assert statuses == ["missed"] * 299 + ["passed"]
    assert len({run.scheduled_ms for run in world.rows(check)}) == 300


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("step", ["schedule", "hints"])
def test_a_crash_at_any_step_leaves_one_run_with_one_submission_and_one_event(
    world: CheckWorld, point: str, step: str
) -> None:
    world.endpoint("check.state.changed", "check.run.completed")
    check = five_minutely(world, assertions=[{"type": "stdout", "equals": "13"}])
    world.time.advance(5 * 60)
    with crash_at(point) as reached:
        for work in (world.schedule, world.run_programs, world.hints if step == "hints" else world.schedule):
            try:
                work()
            except Crash:
                break
            world.time.advance(130 if step == "schedule" and work is world.run_programs else 0)
    world.time.ms = world.time.ms // 60_000 * 60_000
    while world.statuses(check)[:1] != ["failed"] or not world.rows(check)[-1].is_settled:
        world.time.advance(60)
        assert world.time.ms < 1_795_521_600_000 + 20 * 60_000
        world.schedule()
        world.send_again()
        world.run_programs()
        world.hints()
    first = world.rows(check)[-1]
    assert world.submissions_of_runs()[first.run_id] == 1
    of_first = [event["type"] for event in world.events() if event["run_id"] == first.run_id]
    assert of_first == ["check.run.completed", "check.state.changed"]
    assert point in reached or step == "schedule"
    times = [run.scheduled_ms for run in world.rows(check)]
    assert len(times) == len(set(times))


def test_the_schedule_and_the_hints_may_come_twice(world: CheckWorld) -> None:
    check = five_minutely(world)
    world.time.advance(5 * 60)
    for _ in range(3):
        world.schedule()
    hints = [(run.run_id, run) for run in world.rows(check)]
    world.run_programs()
    for _ in range(3):
        for _, run in hints:
            world.env[RunSteps].step(run, has_ended=True)
    world.hints()
    assert world.statuses(check) == ["passed"]
    assert list(world.submissions_of_runs().values()) == [1]


def test_a_lost_hint_is_found_by_the_schedule(world: CheckWorld) -> None:
    check = five_minutely(world)
    world.time.advance(5 * 60)
    world.schedule()
    world.run_programs()
    world.aws.messages("ChecksQueue")
    world.time.advance(120)
    world.schedule()
    assert world.statuses(check) == ["passed"]


@pytest.mark.parametrize("ahead_from", ["creation", "run"])
@pytest.mark.parametrize("schedule", ["rate(5 minutes)", "*/5 * * * *"])
def test_a_check_runs_in_time_again_after_a_clock_that_ran_ahead(
    world: CheckWorld, schedule: str, ahead_from: str
) -> None:
    begun = world.time.ms
    if ahead_from == "creation":
        world.time.ms += 6 * HOUR * 1000
    check = world.create(schedule=schedule)
    if ahead_from == "run":
        world.time.ms += 6 * HOUR * 1000
    world.settle(6 * MINUTE)
    world.time.ms = begun + 30 * MINUTE * 1000
    world.settle(11 * MINUTE)
    times = [run["scheduled_at"][11:16] for run in world.runs(check) if run["status"] == "passed"]
    assert [time for time in times if time < "13:00"] == ["12:40", "12:35"]
    assert len(times) == 3 if ahead_from == "creation" else len(times) >= 3


def test_a_run_that_a_clock_ahead_has_claimed_goes_on_when_it_is_right_again(world: CheckWorld) -> None:
    check = five_minutely(world)
    begun = world.time.ms
    world.time.ms += 6 * HOUR * 1000
    world.schedule()
    (open_run,) = [run for run in world.rows(check) if run.status.value == "running"]
    world.time.ms = begun + MINUTE * 1000
    world.aws.messages("ChecksQueue")  # the hint of its end is lost
    world.run_programs()
    world.aws.messages("ChecksQueue")
    world.settle(2 * MINUTE)
    (found,) = [run for run in world.rows(check) if run.run_id == open_run.run_id]
    assert found.status.value == "passed"


def test_a_full_quota_delays_a_run_and_the_grace_ends_the_delay(world: CheckWorld) -> None:
    store = ProjectStore(world.aws.names["ProjectsTable"], Clients.dynamodb())
    store.create_project(Project(PROJECT_ID, "Tests", quotas={"judge": Quota(1, 1, 1)}))
    first, second = five_minutely(world, name="a"), five_minutely(world, name="b", grace_minutes=3)
    world.settle(5 * 60)
    statuses = sorted(world.statuses(first) + world.statuses(second))
    assert statuses == ["passed", "queued"]
    (queued,) = [run for check in (first, second) for run in world.runs(check) if run["status"] == "queued"]
    assert re.match(r"waits until 20\d\d-\d\d-\d\d.*: The quota of the judge profile", queued["reason"]), queued
    world.settle(4 * 60)
    statuses = world.statuses(first) + world.statuses(second)
    assert "passed" in statuses
    waiting = next(run for check in (first, second) for run in world.runs(check) if run["status"] != "passed")
    assert "quota" in waiting["reason"] or "per day" in waiting["reason"], waiting


def test_a_run_that_waited_for_the_quota_says_so_no_more_when_it_starts(world: CheckWorld) -> None:
    store = ProjectStore(world.aws.names["ProjectsTable"], Clients.dynamodb())
    store.create_project(Project(PROJECT_ID, "Tests", quotas={"judge": Quota(1, 100, 10)}))
    checks = five_minutely(world, name="a"), five_minutely(world, name="b")
    world.settle(5 * 60)
    assert sum(run["reason"].startswith("waits until ") for check in checks for run in world.runs(check)) == 1
    world.settle(3 * 60)
    first_runs = [world.runs(check)[-1] for check in checks]
    assert [(run["status"], run["reason"]) for run in first_runs] == [("passed", "")] * 2


def test_a_run_that_waits_for_the_quota_is_tried_less_and_less_often(world: CheckWorld) -> None:
    store = ProjectStore(world.aws.names["ProjectsTable"], Clients.dynamodb())
    store.create_project(Project(PROJECT_ID, "Tests", quotas={"judge": Quota(100, 100, 1)}))
    assert post(world.key, {"language": "python", "code": "print(1)"}).status == 202  # and stays in flight
    check = world.create(grace_minutes=720)
    assert world.call("POST", f"/api/checks/{check['id']}/run").status == 202
    for late_secs, least_secs in ((0, 1), (3 * HOUR, HOUR * 3 // 10)):
        world.time.advance(late_secs)
        world.schedule()
        (run,) = world.rows(check)
        assert run.status.value == "queued"
        assert least_secs <= ((run.due_at_ms or 0) - world.time.ms) // 1000 < least_secs + 30


def test_a_failing_check_runs_more_often_until_it_recovers(world: CheckWorld) -> None:
    check = world.create(
        schedule="0 * * * *", faster_while_failing="rate(5 minutes)", assertions=[{"type": "stdout", "equals": "42"}]
    )
    world.answer = prints("13")
    world.settle(HOUR + 10 * 60)
    assert world.statuses(check) == ["failed"] * 3
    world.answer = passes
    world.settle(5 * 60)
    assert world.statuses(check)[-1] == "passed"
    runs = len(world.runs(check))
    world.settle(40 * 60)
    assert len(world.runs(check)) <= runs + 1


def test_the_figures_count_runs_that_say_something_about_the_program(world: CheckWorld) -> None:
    check = five_minutely(world)
    world.settle(15 * 60)
    world.answer = prints("13")
    world.call("PATCH", f"/api/checks/{check['id']}", {"assertions": [{"type": "stdout", "equals": "42"}]})
    world.settle(5 * 60)
    world.answer = breaks
    world.settle(5 * 60)
    world.call("POST", f"/api/checks/{check['id']}/run", {"affects_state": False})
    world.settle()
    shown = world.show(check)["statistics"]
    assert shown == {"p50_wall_secs": 0.011, "p95_wall_secs": 0.011, "uptime_7d": 0.75, "uptime_30d": 0.75}


def test_a_run_on_request_needs_no_schedule_and_a_test_changes_no_state(world: CheckWorld) -> None:
    check = world.create()
    path = f"/api/checks/{check['id']}/run"
    answer = world.call("POST", path, {"affects_state": False})
    assert (answer.status, answer.json["status"], answer.json["kind"]) == (202, "queued", "manual")
    world.hints()
    world.run_programs()
    world.hints()
    assert world.statuses(check) == ["passed"]
    assert world.show(check)["state"] == "new"
    world.time.advance(1)
    assert world.call("POST", path).status == 202
    world.settle()
    assert world.show(check)["state"] == "up"


def test_the_runs_of_a_disabled_project_wait_and_are_missed(world: CheckWorld) -> None:
    check = five_minutely(world, grace_minutes=6)
    registry = ProjectStore(world.aws.names["ProjectsTable"], Clients.dynamodb())
    before = registry.get(PROJECT_ID)
    assert before is not None
    registry.change(before, before.project, enabled=False)
    world.settle(20 * 60)
    assert world.rows(check)[-1].status.value == "missed"
    assert "disabled" in world.rows(check)[-1].reason
    assert world.submissions_of_runs() == {}


@pytest.mark.parametrize(("verdict", "cause"), [("SIG", "cancelled"), ("IE", "cancelled_before_start")])
def test_a_cancelled_run_is_not_repeated_and_says_nothing_about_the_program(
    world: CheckWorld, verdict: str, cause: str
) -> None:
    result = golden("execution_completed/v1.accepted")["result"]
    world.answer = lambda _program: {"result": result | {"verdict": verdict, "cause": cause, "actor": "judge"}}
    check = five_minutely(world, retries=2)
    world.settle(11 * MINUTE)
    runs = world.runs(check)
    assert {(run["status"], run["reason"]) for run in runs} == {("error", "the run was cancelled")}
    assert len(world.submissions_of_runs()) == len(runs) == sum(world.submissions_of_runs().values())


def test_the_run_of_a_deleted_check_ends(world: CheckWorld) -> None:
    check = five_minutely(world)
    world.time.advance(5 * 60)
    world.schedule()
    assert world.call("DELETE", f"/api/checks/{check['id']}").status == 200
    world.settle(3 * 60)
    assert world.statuses(check) == ["skipped"]
    assert list(world.env[RunStore].due(world.time.ms + 10**12)) == []


def test_a_change_between_acceptance_and_its_note_runs_the_program_once(world: CheckWorld) -> None:
    check = five_minutely(world)
    world.time.advance(5 * 60)
    with crash_at("check.after_accept"), pytest.raises(Crash):
        world.schedule()
    assert world.call("PATCH", f"/api/checks/{check['id']}", {"code": "print(43)"}).status == 200
    world.settle(2 * 60)
    assert world.statuses(check) == ["passed"]
    assert list(world.submissions_of_runs().values()) == [1]


def test_metadata_of_a_clients_own_submission_ends_no_run(world: CheckWorld) -> None:
    check = five_minutely(world)
    world.time.advance(5 * 60)
    world.schedule()
    run = world.rows(check)[0]
    own = {"check_id": check["id"], "check_run_id": run.run_id, "check_run": run.position}
    waiting = world.aws.messages("BatchQueue")
    post(world.key, {"language": "python", "code": "print(1)", "metadata": own})
    assert world.run_programs() == 1
    assert world.hints() == 1
    assert world.statuses(check) == ["running"]
    assert len(waiting) == 1


@pytest.mark.parametrize("check_run", ["", "x", "x" * 1_500, "2026-11-24T12:05:00.000Z#\ud800", "é"])
def test_metadata_that_names_no_run_sends_no_hint(world: CheckWorld, check_run: str) -> None:
    own = {"check_id": "3f0c5a3e-8d7b-4b52-9a3c-6e2d4f8b7c03", "check_run": check_run}
    world.env[CheckHints].send_ended(final_submission(metadata=own))
    world.env[CheckHints].send_ended(final_submission(metadata={"check_run": check_run}))
    assert world.aws.messages("ChecksQueue") == []


def test_a_backlog_of_one_project_does_not_hold_up_another(world: CheckWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "THREADS", 1)
    check = world.create()
    for _ in range(20):
        assert world.call("POST", f"/api/checks/{check['id']}/run").status == 202
    world.time.advance(1)
    first = world.rows(check)[0]
    other = dataclasses.replace(first, project_id="another", run_id=new_id(), due_at_ms=world.time.ms)
    world.env[RunStore].add_run(other)
    context = Context(schedule.RESERVE_MS + 2_500, step_ms=1_000)  # for two rows
    schedule.handler({"source": "schedule"}, context)  # type: ignore[arg-type]
    served = world.env[RunStore].get_run(runs_pk("another", check["id"]), other.position)
    assert served is not None
    assert (served.status.value, served.reason) == ("skipped", "the check was deleted")
    assert Counter(world.statuses(check)) == {"queued": 19, "running": 1}


def test_a_time_that_has_run_does_not_run_again_with_a_larger_spread(world: CheckWorld) -> None:
    checks = [world.create(name=f"check {number}", schedule="1 12 * * *", spread_minutes=0) for number in range(20)]
    world.settle(MINUTE)
    before = [world.rows(check) for check in checks]
    assert {run.status.value for runs in before for run in runs} == {"passed"}
    for check in checks:
        assert world.call("PATCH", f"/api/checks/{check['id']}", {"spread_minutes": 60}).status == 200
    world.settle(HOUR)
    assert [world.rows(check) for check in checks] == before


def test_nightly_checks_start_spread_over_ten_minutes(world: CheckWorld) -> None:
    for number in range(100):
        world.create(name=f"check {number}", schedule="0 0 * * *")
    world.time.ms += 12 * HOUR * 1000 - 60_000
    started = []
    for _ in range(12):
        world.schedule()
        started.append(world.run_programs())
        world.hints()
        world.time.advance(60)
    assert sum(started) == 100
    assert max(started) < 30


def test_a_run_whose_check_changes_meanwhile_has_settings_and_program_of_one_time(world: CheckWorld) -> None:
    check = world.create()
    assert world.call("POST", f"/api/checks/{check['id']}/run").status == 202
    client, changes = world.aws.client("dynamodb"), [{"language": "c", "code": "int main() { return 0; }"}]
    get_item = client.get_item

    def get_then_change(**request: Any) -> Any:
        answer = get_item(**request)
        if changes and request["Key"]["sk"]["S"].startswith("CHECK#"):
            assert world.call("PATCH", f"/api/checks/{check['id']}", changes.pop()).status == 200
        return answer

    world.aws.monkeypatch.setattr(client, "get_item", get_then_change)
    world.hints()
    (message,) = world.aws.messages("BatchQueue")
    program = base64.b64decode(message["code_base64"]).decode()
    assert (message["language"], program) == ("c", "int main() { return 0; }")


def test_outages_are_listed_newest_first_with_the_one_that_lasts(world: CheckWorld) -> None:
    check = world.create(schedule="rate(5 minutes)", assertions=[{"type": "stdout", "equals": "42"}])
    path = f"/api/checks/{check['id']}/outages"
    made_at = world.show(check)["created_at"]
    assert world.call("GET", path).json == {"items": [], "complete_since": made_at, "observed": []}
    for text in ("43", "42", "44"):
        world.answer = prints(text)
        world.settle(6 * MINUTE)
    lasting, ended = world.call("GET", path).json["items"]
    assert (lasting["state"], lasting["until"], ended["state"]) == ("failing", None, "failing")
    assert made_at < ended["since"] < ended["until"] < lasting["since"]
    assert world.call("GET", path).json["observed"] == [{"since": ended["since"], "until": None}]


def test_a_pause_ends_an_outage_which_stays_in_the_list(world: CheckWorld) -> None:
    check = world.create(schedule="rate(5 minutes)", assertions=[{"type": "stdout", "equals": "42"}])
    path = f"/api/checks/{check['id']}/outages"
    world.answer = prints("43")
    world.settle(6 * MINUTE)
    (lasting,) = world.call("GET", path).json["items"]
    world.call("POST", f"/api/checks/{check['id']}/pause")
    listed = world.call("GET", path).json
    (ended,) = listed["items"]
    assert lasting["until"] is None
    assert ended == {**lasting, "until": world.show(check)["state_since"]}
    assert listed["observed"] == [{"since": ended["since"], "until": ended["until"]}]


def test_a_check_of_an_earlier_version_is_observed_since_it_was_made(world: CheckWorld) -> None:
    check = world.create(schedule="rate(5 minutes)")
    world.settle(6 * MINUTE)
    stored = world.env[CheckStore].get(PROJECT_ID, check["id"])
    assert stored is not None
    old = dataclasses.replace(stored, standing=dataclasses.replace(stored.standing, observed=()))
    made_ms = from_rfc3339(old.created_at)
    assert old.observed((), made_ms + 1) == ((made_ms, made_ms + 1),)


def test_the_list_says_since_when_it_is_complete(world: CheckWorld) -> None:
    check = world.create(schedule="rate(5 minutes)")
    own = world.show(check)
    for minute in range(MOST_OUTAGES + 5):
        since_ms = from_rfc3339(own["created_at"]) + minute * 60_000
        values: dict[str, Any] = {"since_ms": since_ms, "until_ms": since_ms + 1, "state": "failing", "ttl": 1 << 33}
        key = outage_key(PROJECT_ID, check["id"], to_rfc3339(since_ms))
        Clients.dynamodb().put_item(TableName=world.aws.names["ChecksTable"], Item={**key, **to_item(values)})
    listed = world.call("GET", f"/api/checks/{check['id']}/outages").json
    assert len(listed["items"]) == MOST_OUTAGES
    assert listed["complete_since"] == listed["items"][-1]["since"] > own["created_at"]
