"""Runs of other checks, and submissions, start checks. Chains end, and loops are refused."""

import base64
import json
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from functions.checks.runs.hints import CheckHints
from functions.checks.runs.store import RunStore
from functions.checks.settings import trigger_rows
from functions.checks.settings.triggers import MAX_CHAIN
from functions.handlers import announce
from functions.handlers import check_schedule as schedule
from functions.ids import new_id
from tests.adapters.aws_account import PROJECT_ID
from tests.adapters.checks.check_world import CheckWorld, breaks, prints
from tests.adapters.http_calls import post
from tests.adapters.pipeline import Context, Crash, call, crash_at, stream_record

PROGRAM = {"language": "python", "code": "print(1)"}


def after(slug: str, **more: Any) -> dict[str, Any]:
    return {"trigger": {"type": "check", "slug": slug, **more}}


def on_submission(**metadata: str) -> dict[str, Any]:
    return {"trigger": {"type": "submission", "metadata": metadata}}


def run_now(world: CheckWorld, check: Any, **body: Any) -> None:
    assert world.call("POST", f"/api/checks/{check['id']}/run", body).status == 202
    for _ in range(2 * MAX_CHAIN + 4):
        world.hints()
        world.run_programs()


def statuses_of(world: CheckWorld, *checks: Any) -> list[list[str]]:
    return [world.statuses(check) for check in checks]


# --- runs of checks ---------------------------------------------------------------------------------------------------


def test_a_finished_run_starts_the_checks_that_follow_with_its_data(world: CheckWorld) -> None:
    source = world.create(slug="import")
    report = world.create(name="report", event_as="stdin", **after("import"))
    other = world.create(name="other", **after("report"))
    unrelated = world.create(name="unrelated", tags=["import"])
    run_now(world, source)
    assert statuses_of(world, source, report, other, unrelated) == [["passed"]] * 3 + [[]]
    (first,), (run,) = world.runs(source), world.runs(report)
    assert run["kind"] == "event"
    assert run["reason"] == f"after the run {first['id']} of import"


def test_a_program_gets_the_run_that_started_it(world: CheckWorld) -> None:
    source = world.create(slug="import")
    world.create(name="report", event_as="stdin", **after("import"))
    world.call("POST", f"/api/checks/{source['id']}/run")
    world.hints()
    world.run_programs()
    for _ in range(2):
        world.hints()
    (message,) = world.aws.messages("BatchQueue")
    (run,) = world.runs(source)
    assert json.loads(base64.b64decode(message["stdin_base64"])) == {
        "type": "check.run.completed",
        "check_id": source["id"],
        "check_slug": "import",
        "run_id": run["id"],
        "status": "passed",
        "verdict": "AC",
        "submission_id": run["submission_id"],
    }


def test_only_the_wanted_endings_start_a_check(world: CheckWorld) -> None:
    source = world.create(slug="import", assertions=[{"type": "stdout", "contains": "42"}])
    good = world.create(name="good", **after("import", statuses=["passed", "flaky"]))
    bad = world.create(name="bad", **after("import", statuses=["failed"]))
    broken = world.create(name="broken", **after("import", statuses=["error"]))
    world.answer = prints("13")
    run_now(world, source)
    assert statuses_of(world, source, good, bad, broken) == [["failed"], [], ["passed"], []]
    world.answer = breaks
    run_now(world, source)
    assert statuses_of(world, good, bad, broken) == [[], ["passed"], ["error"]]


def test_a_muted_run_starts_others_and_a_test_or_a_missed_run_does_not(world: CheckWorld) -> None:
    world.endpoint("check.run.completed", "check.run.missed")
    source = world.create(slug="import", schedule="rate(5 minutes)", muted_until="2027-01-01T00:00:00Z", missed="skip")
    report = world.create(name="report", muted_until="2027-01-01T00:00:00Z", **after("import"))
    run_now(world, source)
    assert statuses_of(world, source, report) == [["passed"], ["passed"]]
    run_now(world, source, affects_state=False)
    assert statuses_of(world, report) == [["passed"]]
    world.time.advance(3600 + 250)  # the latest run is late too
    world.settle()
    assert set(world.statuses(source)) == {"passed", "missed"}
    assert statuses_of(world, report) == [["passed"]]
    assert list(world.env[RunStore].due(world.time.ms)) == []
    assert world.events() == []


def test_a_paused_check_follows_nobody(world: CheckWorld) -> None:
    source, report = world.create(slug="import"), world.create(name="report")
    world.call("PATCH", f"/api/checks/{report['id']}", after("import"))
    world.call("POST", f"/api/checks/{report['id']}/pause")
    run_now(world, source)
    assert world.statuses(report) == []


@pytest.mark.parametrize("point", ["check.after_settle", "check.after_publish", "check.after_follow"])
def test_a_crash_at_the_end_of_a_run_starts_each_follower_once(world: CheckWorld, point: str) -> None:
    source, report = world.create(slug="import"), world.create(name="report")
    world.call("PATCH", f"/api/checks/{report['id']}", after("import"))
    world.call("POST", f"/api/checks/{source['id']}/run")
    world.hints()
    world.run_programs()
    with crash_at(point), pytest.raises(Crash):
        world.hints()
    world.settle(300)
    assert statuses_of(world, source, report) == [["passed"], ["passed"]]
    assert set(world.submissions_of_runs().values()) == {1}


# --- chains and loops -------------------------------------------------------------------------------------------------


def refusal(answer: Any) -> str:
    assert answer.status == 422
    (problem,) = answer.json["fields"]
    assert problem["field"] == "trigger.slug"
    return str(problem["message"])


def test_a_loop_is_refused_with_its_checks(world: CheckWorld) -> None:
    first = world.create(slug="first")
    world.create(slug="second", **after("first"))
    third = world.create(slug="third", **after("second"))
    said = refusal(world.call("PATCH", f"/api/checks/{first['id']}", after("third")))
    assert "would start one another without end: first ← third ← second ← first." in said
    assert "first ← first" in refusal(world.call("PATCH", f"/api/checks/{first['id']}", after("first")))
    renamed = {"slug": "fourth", **after("fourth")}
    assert "fourth ← fourth" in refusal(world.call("PATCH", f"/api/checks/{third['id']}", renamed))
    new = {"name": "self", "slug": "self", **PROGRAM, **after("self")}
    assert "self ← self" in refusal(world.call("POST", "/api/checks", new))
    assert world.call("PATCH", f"/api/checks/{third['id']}", after("first")).status == 200


def test_an_unknown_check_is_refused(world: CheckWorld) -> None:
    said = refusal(world.call("POST", "/api/checks", {"name": "a", **PROGRAM, **after("nobody")}))
    assert said == "The project has no check nobody. Create it first."


def test_an_eleventh_check_in_a_chain_is_refused(world: CheckWorld) -> None:
    world.create(slug="check-1")
    for number in range(2, MAX_CHAIN + 1):
        world.create(slug=f"check-{number}", **after(f"check-{number - 1}"))
    said = refusal(world.call("POST", "/api/checks", {"name": "more", **PROGRAM, **after(f"check-{MAX_CHAIN}")}))
    assert said == "At most 10 checks follow one another."


def test_a_loop_that_two_changes_close_at_once_ends(world: CheckWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both changes read the triggers before the other one wrote."""
    first = world.create(slug="first")
    second = world.create(slug="second", **after("first"))
    monkeypatch.setattr("functions.checks.settings.changes.chain_problem", lambda *_: None)
    assert world.call("PATCH", f"/api/checks/{first['id']}", after("second")).status == 200
    run_now(world, first)
    world.settle(300)
    assert sum(len(world.statuses(check)) for check in (first, second)) == MAX_CHAIN + 1
    (last,) = (run for run in world.runs(first) if run["status"] == "skipped")
    assert "more than 10 checks follow one another: look for a loop" in last["reason"]


def test_a_check_that_others_follow_keeps_its_slug_until_they_change(world: CheckWorld) -> None:
    source = world.create(slug="import")
    report = world.create(name="report", **after("import"))
    path, said = f"/api/checks/{source['id']}", "These checks follow import: report. Change their triggers first."
    for answer in (world.call("DELETE", path), world.call("PATCH", path, {"slug": "fetch"})):
        assert (answer.status, answer.json["message"]) == (409, said)
    assert world.call("PATCH", path, {"name": "Import"}).status == 200
    assert world.call("PATCH", f"/api/checks/{report['id']}", {"trigger": None}).status == 200
    assert world.call("PATCH", path, {"slug": "fetch"}).status == 200
    assert world.call("DELETE", path).status == 200


def test_a_deleted_check_leaves_no_trigger(world: CheckWorld) -> None:
    source = world.create(slug="import")
    report = world.create(name="report", **after("import"))
    assert world.call("DELETE", f"/api/checks/{report['id']}").status == 200
    assert world.call("DELETE", f"/api/checks/{source['id']}").status == 200
    assert [item for item in world.aws.items("ChecksTable") if item["pk"]["S"].startswith("TRIGGERS#")] == []


# --- submissions ------------------------------------------------------------------------------------------------------


def submit(world: CheckWorld, **metadata: str) -> str:
    answer = post(world.key, {**PROGRAM, "metadata": metadata})
    assert answer.status == 202
    world.run_programs()
    return str(answer.json["id"])


def announced(*submission_ids: str) -> None:
    """Give the stream's records of changed submissions to their entry point."""
    records = [stream_record(place, f"SUBMISSION#{each}", "SUBMISSION") for place, each in enumerate(submission_ids)]
    answer = announce.handler({"Records": records}, Context())  # type: ignore[arg-type]
    assert answer == {"batchItemFailures": []}


def test_a_submission_with_the_metadata_starts_a_check_once(world: CheckWorld) -> None:
    check = world.create(event_as="stdin", **on_submission(suite="nightly", branch="main"))
    for metadata in ({}, {"suite": "nightly"}, {"suite": "nightly", "branch": "x"}):
        announced(submit(world, **metadata))
    assert world.hints() == 0
    wanted = submit(world, suite="nightly", branch="main", commit="1a2b")
    for _ in range(3):  # the row changes again, and the stream may repeat
        announced(wanted)
    for _ in range(2):
        world.hints()
    (message,) = world.aws.messages("BatchQueue")
    assert json.loads(base64.b64decode(message["stdin_base64"])) == {
        "type": "submission.completed",
        "submission_id": wanted,
        "language": "python",
        "verdict": "AC",
        "metadata": {"suite": "nightly", "branch": "main", "commit": "1a2b"},
    }
    (run,) = world.runs(check)
    assert (run["kind"], run["reason"]) == ("event", f"after the submission {wanted}")


def test_many_checks_of_one_submission_are_spread_over_messages(
    world: CheckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One message with all of them would not be served within one invocation, and would be repeated from its start."""
    monkeypatch.setattr(trigger_rows, "CHECKS_PER_MESSAGE", 2)
    made = [world.create(name=f"check {number}", **on_submission(suite="nightly")) for number in range(5)]
    announced(submit(world, suite="nightly"))
    assert world.hints() == 3
    assert [len(world.rows(check)) for check in made] == [1] * 5


def test_messages_that_an_invocation_has_no_time_for_come_again(world: CheckWorld) -> None:
    made = [world.create(name=f"check {number}", **on_submission(suite=str(number))) for number in range(3)]
    announced(*[submit(world, suite=str(number)) for number in range(3)])
    bodies = tuple(json.dumps(message) for message in world.aws.messages("ChecksQueue"))
    context = Context(schedule.RESERVE_MS + 2_500, step_ms=1_000)
    assert call(lambda event, _: schedule.handler(event, context), bodies) == [2]  # type: ignore[arg-type]
    assert [len(world.rows(check)) for check in made] == [1, 1, 0]
    assert call(schedule.handler, bodies[2:]) == []
    assert [len(world.rows(check)) for check in made] == [1, 1, 1]


def test_metadata_that_is_too_large_for_the_variable_is_left_out(world: CheckWorld) -> None:
    world.create(**on_submission(suite="nightly"))
    wanted = submit(world, suite="nightly", more="x" * 1_500)
    announced(wanted)
    for _ in range(2):
        world.hints()
    (message,) = world.aws.messages("BatchQueue")
    event = json.loads(message["environment"]["RUSTBOX_EVENT"])
    assert (event["submission_id"], "metadata" in event) == (wanted, False)


def test_a_run_of_a_check_is_no_submission_that_starts_one(world: CheckWorld) -> None:
    """Else a check could start itself, through the metadata of its runs."""
    check = world.create()
    world.call("PATCH", f"/api/checks/{check['id']}", on_submission(check_id=check["id"]))
    run_now(world, check)
    (run,) = world.runs(check)
    announced(run["submission_id"])
    assert world.hints() == 0


def test_a_submission_of_another_project_starts_nothing(world: CheckWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.create(**on_submission(suite="nightly"))
    message = {"project_id": "another", "submission_id": "s", "check_ids": [], "data": {}}
    for check_ids in ([], [world.create(name="b")["id"]]):
        assert call(schedule.handler, (json.dumps({**message, "check_ids": check_ids}),)) == []
    assert world.aws.messages("BatchQueue") == []


def test_a_changed_check_is_not_started_any_more(world: CheckWorld) -> None:
    check = world.create(**on_submission(suite="nightly"))
    announced(submit(world, suite="nightly"))
    world.call("PATCH", f"/api/checks/{check['id']}", {"trigger": None})
    world.hints()
    assert world.runs(check) == []


def test_a_queue_that_does_not_answer_makes_the_stream_repeat(
    world: CheckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = world.create(**on_submission(suite="nightly"))
    wanted = submit(world, suite="nightly")

    def fail(*_: object) -> None:
        raise EndpointConnectionError(endpoint_url="queue")

    with monkeypatch.context() as patched:
        patched.setattr(CheckHints, "_send", fail)
        with pytest.raises(EndpointConnectionError):
            announced(wanted)
    announced(wanted)
    world.hints()
    assert len(world.runs(check)) == 1


def test_a_trigger_of_a_newer_revision_holds_up_no_other(world: CheckWorld) -> None:
    check = world.create(**on_submission(suite="nightly"))
    newer = {"pk": f"TRIGGERS#{PROJECT_ID}", "sk": new_id(), "slug": "newer", "trigger": '{"type":"moon"}'}
    table = world.aws.names["ChecksTable"]
    world.aws.client("dynamodb").put_item(TableName=table, Item={name: {"S": text} for name, text in newer.items()})
    announced(submit(world, suite="nightly"))
    world.hints()
    assert len(world.runs(check)) == 1


def test_triggers_are_read_again_after_15_s(world: CheckWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    announced(submit(world, suite="nightly"))
    check = world.create(**on_submission(suite="nightly"))
    announced(submit(world, suite="nightly"))
    assert world.hints() == 0
    monkeypatch.setattr(trigger_rows, "FRESH_MS", 0)
    announce.ENV.forget()
    announced(submit(world, suite="nightly"))
    world.hints()
    assert len(world.runs(check)) == 1


def test_a_stage_without_its_bus_refuses_triggers_of_submissions(
    world: CheckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENT_BUS_NAME", "")
    answer = world.call("POST", "/api/checks", {"name": "a", **PROGRAM, **on_submission(suite="nightly")})
    assert answer.status == 422
    assert "UseEventBus" in answer.json["fields"][0]["message"]
