"""Variables of a check: sealed at rest, sent to the runner, and shown nowhere."""

import json
from typing import Any

import pytest

from functions.checks.settings.store import CheckStore
from functions.clock import now_ms
from functions.handlers import sweep
from functions.webhooks.sealed_secrets import SecretBoxes, UnsealError
from tests.adapters.checks.check_world import PROGRAM, CheckWorld
from tests.adapters.pipeline import Context

TOKEN = "t0p-secret-value"


def requested(world: CheckWorld) -> Any:
    (message,) = world.aws.messages("BatchQueue")
    return message


def test_a_program_gets_its_variables_and_nobody_else_sees_them(
    world: CheckWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.endpoint("check.run.completed", "check.state.changed")
    check = world.create(schedule="rate(5 minutes)", env={"API_TOKEN": TOKEN})
    assert check["env"] == {"API_TOKEN": "***"}
    world.time.advance(300)
    world.schedule()
    message = requested(world)
    assert message["environment"] == {"API_TOKEN": TOKEN}
    assert message["secret_names"] == ["API_TOKEN"]
    world.send_again()
    world.run_programs()
    world.hints()
    assert world.statuses(check) == ["passed"]
    shown = json.dumps([world.show(check), world.runs(check), world.events()])
    stored = repr([world.aws.items(table) for table in ("ChecksTable", "SubmissionsTable", "DeliveriesTable")])
    assert TOKEN not in shown + stored + caplog.text


def test_a_variable_may_be_empty(world: CheckWorld) -> None:
    """KMS seals no empty text."""
    check = world.create(env={"DEBUG": "", "API_TOKEN": TOKEN})
    assert world.call("PATCH", f"/api/checks/{check['id']}", {"env": {"DEBUG": "***", "MODE": ""}}).status == 200
    assert world.call("POST", f"/api/checks/{check['id']}/run").status == 202
    world.hints()
    assert requested(world)["environment"] == {"DEBUG": "", "MODE": ""}


def test_the_row_of_a_run_keeps_its_variables_sealed_until_its_end(world: CheckWorld) -> None:
    world.create(schedule="rate(5 minutes)", env={"API_TOKEN": TOKEN})
    world.time.advance(300)
    world.schedule()
    (row,) = [item for item in world.aws.items("SubmissionsTable") if "status" in item]
    assert "environment_box" in row
    world.run_programs()
    (row,) = [item for item in world.aws.items("SubmissionsTable") if "status" in item]
    assert "environment_box" not in row


def test_the_values_of_a_check_open_for_no_other_check(world: CheckWorld) -> None:
    one, two = world.create(env={"API_TOKEN": TOKEN}), world.create(name="two")
    store, boxes = world.env[CheckStore], world.env[SecretBoxes]
    first, second = (store.get("project-of-tests", check["id"], with_source=True) for check in (one, two))
    assert first is not None
    assert second is not None
    box = first.env_boxes["API_TOKEN"]
    assert boxes.open(box, first.project_id, f"check:{first.check_id}", "environment") == TOKEN
    with pytest.raises(UnsealError):
        boxes.open(box, second.project_id, f"check:{second.check_id}", "environment")


def test_stars_keep_a_value_and_any_other_text_replaces_it(world: CheckWorld) -> None:
    check = world.create(env={"A": "first", "B": "second"})
    path = f"/api/checks/{check['id']}"
    assert world.call("PATCH", path, {"env": {"A": "***", "C": "third"}}).json["env"] == {"A": "***", "C": "***"}
    world.call("POST", f"{path}/run", {})
    world.hints()
    assert requested(world)["environment"] == {"A": "first", "C": "third"}
    assert world.call("PATCH", path, {"env": {"B": "***"}}).status == 422
    assert world.call("POST", "/api/checks", {**PROGRAM, "name": "new", "env": {"A": "***"}}).status == 422


def test_the_largest_variables_and_event_are_sealed_together(world: CheckWorld) -> None:
    check = world.create(env={"A": '"' * 1_240})
    event = {"text": "\\" * 340}
    assert world.call("POST", f"/api/checks/{check['id']}/run", {"event": event}).status == 202
    world.hints()
    environment = requested(world)["environment"]
    assert environment["A"] == '"' * 1_240
    assert json.loads(environment["RUSTBOX_EVENT"]) == event


def test_the_event_of_a_run_is_no_secret_and_bounded(world: CheckWorld) -> None:
    check = world.create()
    path = f"/api/checks/{check['id']}/run"
    assert world.call("POST", path, {"event": {"build": 1042}}).status == 202
    world.hints()
    message = requested(world)
    assert message["environment"] == {"RUSTBOX_EVENT": '{"build":1042}'}
    assert "secret_names" not in message
    assert world.call("POST", path, {"event": {"text": "x" * 1_400}}).status == 422
    assert world.call("POST", path, {"event": [1]}).status == 422


def test_the_sweeper_sends_a_lost_run_again_with_its_variables(world: CheckWorld) -> None:
    world.time.ms = now_ms() - 200_000  # the sweeper has the real clock
    check = world.create(env={"API_TOKEN": TOKEN})
    world.call("POST", f"/api/checks/{check['id']}/run", {"event": {"build": 1}})
    world.hints()
    lost = requested(world)
    world.aws.environment("SweepFunction")
    assert sweep.handler({"source": "schedule"}, Context()) == {"handled": 1, "failed": 0}  # type: ignore[arg-type]
    again = requested(world)
    assert again["execution_id"] != lost["execution_id"]
    assert (again["environment"], again["secret_names"]) == (lost["environment"], lost["secret_names"])
