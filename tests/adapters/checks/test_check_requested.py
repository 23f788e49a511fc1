"""`check.requested` on the project's bus runs checks, through the template's rule."""

import base64
import json
import threading
from typing import Any

import pytest

from functions.checks.runs.run import Run
from functions.checks.runs.start import EventStore
from functions.checks.settings.triggers import STDIN_MAX_BYTES
from functions.handlers import check_schedule as schedule
from functions.ids import new_id
from tests.adapters.aws_account import PROJECT_ID
from tests.adapters.checks.check_world import CheckWorld
from tests.adapters.pipeline import call, logged


def put(world: CheckWorld, **detail: Any) -> None:
    """Put the event as a service of the account does."""
    entry = {
        "Source": "deploy.pipeline",
        "DetailType": "check.requested",
        "Detail": json.dumps({"project_id": PROJECT_ID, **detail}),
        "EventBusName": world.aws.names["EventBus"],
    }
    assert world.aws.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def refused(world: CheckWorld) -> int:
    """Give what the rule sent to the entry point; return how many messages it refused."""
    bodies = tuple(json.dumps(message) for message in world.aws.messages("ChecksQueue"))
    assert bodies
    return len(call(schedule.handler, bodies))


def started(world: CheckWorld) -> list[Any]:
    """Let the rule's messages and the hints work; return the requests to the runner."""
    assert refused(world) == 0
    world.hints()
    return world.aws.messages("BatchQueue")


@pytest.mark.parametrize("by", ["check_id", "slug", "tag"])
def test_an_event_runs_the_checks_that_it_names_with_its_data(world: CheckWorld, by: str) -> None:
    check = world.create(slug="totals", tags=["deploy"])
    world.create(name="other", tags=["night"])
    put(world, **{by: {"check_id": check["id"], "slug": "totals", "tag": "deploy"}[by]}, event={"version": "1.4.2"})
    (message,) = started(world)
    assert message["environment"] == {"RUSTBOX_EVENT": '{"version":"1.4.2"}'}
    world.send_again()
    world.run_programs()
    world.hints()
    (run,) = world.runs(check)
    assert (run["kind"], run["status"]) == ("event", "passed")
    assert run["reason"].startswith("requested by the event ")
    assert world.show(check)["state"] == "up"


def test_a_tag_runs_every_check_that_has_it(world: CheckWorld) -> None:
    for number in range(5):
        world.create(name=f"check {number}", tags=["deploy"])
    put(world, tag="deploy")
    assert len(started(world)) == 5


def test_checks_with_a_tag_start_side_by_side(world: CheckWorld) -> None:
    """One after the other, 1,000 checks take longer than an invocation, and each repeat begins with the first."""
    for number in range(4):
        world.create(name=f"check {number}", tags=["deploy"])
    put(world, tag="deploy")
    together = threading.Barrier(4)
    events = world.env[EventStore]
    add_run = events.add_run

    def add_with_others(run: Run, event_id: str, *more: Any) -> str | None:
        together.wait(timeout=10)
        return add_run(run, event_id, *more)

    world.aws.monkeypatch.setattr(events, "add_run", add_with_others)
    assert len(started(world)) == 4


def test_an_event_runs_a_check_once_however_often_it_comes(world: CheckWorld) -> None:
    check = world.create(slug="totals")
    put(world, slug="totals")
    (message,) = world.aws.messages("ChecksQueue")
    for _ in range(3):  # a target may get an event more than once
        assert call(schedule.handler, (json.dumps(message),)) == []
    for _ in range(2):  # a producer may put it again; EventBridge then gives it another id
        put(world, slug="totals", event_id="deploy-1042")
    put(world, slug="totals", event_id="deploy-1043")
    world.hints()
    world.hints()
    assert len(world.aws.messages("BatchQueue")) == 3
    assert len(world.runs(check)) == 3


def test_the_id_of_an_event_is_free_again_after_a_day(world: CheckWorld) -> None:
    """DynamoDB deletes expired rows up to days later."""
    check = world.create(slug="totals")
    for _ in range(2):
        put(world, slug="totals", event_id="daily")
        assert refused(world) == 0
        world.time.advance(86_400)
    assert len(world.rows(check)) == 2


def test_a_check_gets_a_large_event_as_its_standard_input(world: CheckWorld) -> None:
    check = world.create(event_as="stdin", stdin="without an event", env={"A": "b"})
    event = {"files": ["é" * 100] * 60}
    put(world, check_id=check["id"], event=event)
    (message,) = started(world)
    assert json.loads(base64.b64decode(message["stdin_base64"])) == event
    assert message["environment"] == {"A": "b"}
    assert world.call("POST", f"/api/checks/{check['id']}/run").status == 202
    world.hints()
    (message,) = world.aws.messages("BatchQueue")
    assert base64.b64decode(message["stdin_base64"]) == b"without an event"
    answer = world.call("POST", f"/api/checks/{check['id']}/run", {"event": {"text": "x" * STDIN_MAX_BYTES}})
    assert (answer.status, answer.json["fields"][0]["field"]) == (422, "event")


def test_a_run_whose_event_is_too_large_leaves_a_row_that_says_so(world: CheckWorld) -> None:
    check = world.create()
    put(world, check_id=check["id"], event={"text": "x" * 2_000})
    assert started(world) == []
    (run,) = world.runs(check)
    assert run["status"] == "skipped"
    assert "more than 1,400 bytes of JSON, with its quotes escaped: set event_as to stdin" in run["reason"]


def test_an_event_that_fits_no_more_ends_its_run(world: CheckWorld) -> None:
    check = world.create(event_as="stdin")
    put(world, check_id=check["id"], event={"text": "x" * 2_000})
    assert refused(world) == 0
    assert world.call("PATCH", f"/api/checks/{check['id']}", {"event_as": "variable"}).status == 200
    world.hints()
    (run,) = world.runs(check)
    assert (run["status"], "1,400 bytes" in run["reason"]) == ("error", True)
    assert world.show(check)["state"] == "error"


def test_events_beyond_the_requests_of_an_hour_leave_one_skipped_run(world: CheckWorld) -> None:
    world.allow_requests(2)
    check = world.create(slug="totals")
    for text in ("a", "b", "c", "d", "x" * 2_000):
        put(world, slug="totals", event={"text": text})
    assert refused(world) == 0
    run, *others = sorted(world.runs(check), key=lambda run: str(run["status"]), reverse=True)
    assert (run["status"], [other["status"] for other in others]) == ("skipped", ["queued"] * 2)
    assert run["reason"].endswith("may request in an hour. Further events of this hour leave no run.")


def test_a_repeat_at_the_limit_of_an_hour_runs_nothing_and_counts_nothing(world: CheckWorld) -> None:
    world.allow_requests(2)
    check = world.create(slug="totals")
    for event_id in ("first", "first", "second", "first"):
        put(world, slug="totals", event_id=event_id)
    assert refused(world) == 0
    assert world.statuses(check) == ["queued"] * 2


def test_an_event_beyond_the_requests_of_an_hour_runs_when_it_comes_again_later(world: CheckWorld) -> None:
    world.allow_requests(1)
    check = world.create(slug="totals")
    for event_id in ("first", "second"):
        put(world, slug="totals", event_id=event_id)
    assert refused(world) == 0
    world.time.advance(3_600)
    put(world, slug="totals", event_id="second")
    assert refused(world) == 0
    assert sorted(world.statuses(check)) == ["queued", "queued", "skipped"]


def test_a_paused_check_takes_no_event(world: CheckWorld) -> None:
    check = world.create(slug="totals")
    world.call("POST", f"/api/checks/{check['id']}/pause")
    put(world, slug="totals")
    assert started(world) == []
    assert world.runs(check) == []


@pytest.mark.parametrize(
    ("detail", "problem"),
    [
        ({}, "needs one of check_id, slug and tag"),
        ({"slug": "totals", "tag": "deploy"}, "needs one of check_id, slug and tag"),
        ({"slug": "nobody"}, "the project has no such check"),
        ({"tag": "nobody"}, "the project has no such check"),
        ({"check_id": new_id()}, "the project has no such check"),
        ({"slug": "totals", "project_id": "another-project"}, "the project has no such check"),
        ({"slug": 7}, "wrong slug"),
        ({"slug": "totals", "event": [1]}, "wrong event"),
        ({"slug": "totals", "evnt": {}}, "wrong evnt"),
        ({"slug": "totals", "event_id": "x" * 300}, "wrong event_id"),
    ],
)
def test_an_event_that_names_no_check_becomes_a_dead_letter(
    world: CheckWorld, caplog: pytest.LogCaptureFixture, detail: dict[str, Any], problem: str
) -> None:
    check = world.create(slug="totals", tags=["deploy"])
    put(world, **detail)
    assert refused(world) == 1
    assert problem in logged(caplog)
    assert world.runs(check) == []


@pytest.mark.parametrize("body", ["x", "[]", "{}", '{"pk": 1}'])
def test_a_message_that_is_neither_hint_nor_event_becomes_a_dead_letter(world: CheckWorld, body: str) -> None:
    assert call(schedule.handler, (body,)) == [0]
    assert world.aws.messages("BatchQueue") == []


def test_the_rule_passes_no_other_event(world: CheckWorld) -> None:
    entry = {"Source": "rustbox", "DetailType": "check.run.completed", "Detail": "{}"}
    world.aws.client("events").put_events(Entries=[{**entry, "EventBusName": world.aws.names["EventBus"]}])
    assert world.aws.messages("ChecksQueue") == []
