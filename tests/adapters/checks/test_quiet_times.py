"""Quiet times: a check runs, and what its state became is told once afterwards."""

import pytest

from tests.adapters.checks.check_world import MINUTE, CheckWorld, prints
from tests.adapters.http_calls import call, event
from tests.adapters.pipeline import Crash, crash_at

HOUR = 3600
QUIET = {"schedule": "cron(30 12 * * ? *)", "minutes": 60}
FAILS = {"schedule": "rate(10 minutes)", "assertions": [{"type": "stdout", "equals": "42"}]}


def states(world: CheckWorld) -> list[tuple[str, str]]:
    return [(each["previous_state"], each["state"]) for each in world.events() if each["type"] == "check.state.changed"]


def test_the_state_is_told_once_when_it_is_no_longer_quiet(world: CheckWorld) -> None:
    world.endpoint("check.state.changed", "check.run.completed")
    check = world.create(**FAILS, quiet=[QUIET])
    world.answer = prints("42")
    world.settle(25 * MINUTE)
    world.answer = prints("43")
    world.settle(60 * MINUTE)
    assert world.show(check)["state"] == "failing"
    assert states(world) == []
    assert {each["type"] for each in world.events()} == {"check.run.completed"}
    world.settle(6 * MINUTE)
    assert states(world) == [("up", "failing")]
    world.settle(60 * MINUTE)
    assert states(world) == [("up", "failing")]


def test_a_daily_check_that_runs_only_in_its_quiet_time_is_told_afterwards(world: CheckWorld) -> None:
    world.endpoint("check.state.changed")
    daily = {"schedule": "cron(45 12 * * ? *)", "spread_minutes": 0, "assertions": FAILS["assertions"]}
    check = world.create(**daily, quiet=[QUIET])
    world.answer = prints("43")
    world.settle(100 * MINUTE)
    assert world.statuses(check) == ["failed"]
    assert states(world) == [("new", "failing")]


def test_nothing_is_told_if_the_state_is_that_of_before(world: CheckWorld) -> None:
    world.endpoint("check.state.changed")
    check = world.create(**FAILS, quiet=[QUIET])
    world.answer = prints("42")
    world.settle(25 * MINUTE)
    world.answer = prints("43")
    world.settle(20 * MINUTE)
    assert world.show(check)["state"] == "failing"
    world.answer = prints("42")
    world.settle(2 * HOUR)
    assert states(world) == []


@pytest.mark.parametrize("point", ["check.after_publish", "check.after_follow", "check.before_settle"])
def test_a_process_that_dies_loses_no_state(world: CheckWorld, point: str) -> None:
    world.endpoint("check.state.changed")
    world.create(**FAILS, quiet=[QUIET])
    world.answer = prints("43")
    world.settle(29 * MINUTE)
    assert states(world) == [("new", "failing")]
    world.answer = prints("42")
    world.settle(MINUTE)
    world.run_programs()
    for _ in range(3):
        with crash_at(point):
            try:
                world.hints()
                world.schedule()
            except Crash:
                pass
        world.time.advance(2 * MINUTE)
    world.settle(90 * MINUTE)
    assert states(world) == [("new", "failing"), ("failing", "up")]


def test_a_tag_is_quiet_for_all_its_checks(world: CheckWorld) -> None:
    world.endpoint("check.state.changed")
    world.create(**FAILS, tags=["database"])
    body = {"tags": {"database": [QUIET]}}
    answer = world.call("PUT", "/api/quiet-times", body)
    assert answer.json == {"tags": {"database": [{**QUIET, "timezone": "UTC"}]}}
    assert world.call("GET", "/api/quiet-times").json == answer.json
    world.answer = prints("43")
    world.settle(29 * MINUTE)
    assert states(world) == [("new", "failing")]
    world.answer = prints("42")
    world.settle(40 * MINUTE)
    assert states(world) == [("new", "failing")]
    world.settle(30 * MINUTE)
    assert states(world) == [("new", "failing"), ("failing", "up")]


def test_a_heartbeat_is_quiet_too(world: CheckWorld) -> None:
    world.endpoint("check.state.changed")
    made = {"kind": "heartbeat", "name": "Backup", "schedule": "rate(10 minutes)", "grace_minutes": 1, "quiet": [QUIET]}
    check = world.call("POST", "/api/checks", made).json
    url = world.call("POST", f"/api/checks/{check['id']}/ping-url").json["url"]
    world.settle(25 * MINUTE)
    assert states(world) == [("new", "late")]
    world.settle(10 * MINUTE)
    call(event("GET", url + "/fail"))
    world.settle(MINUTE)
    assert states(world) == [("new", "late")]
    world.settle(60 * MINUTE)
    assert states(world) == [("new", "late"), ("late", "failing")]


def test_followers_start_once_for_a_run_of_a_quiet_time(world: CheckWorld) -> None:
    world.create(**FAILS, slug="first", quiet=[QUIET | {"minutes": 6000}])
    follower = world.create(name="second", trigger={"type": "check", "slug": "first", "statuses": ["failed"]})
    world.answer = prints("43")
    world.time.advance(31 * MINUTE)
    world.settle(MINUTE)
    first = len(world.runs(follower))
    assert first == 1
    world.call(
        "PATCH",
        "/api/checks/" + world.call("GET", "/api/checks", query={"slug": "first"}).json["items"][0]["id"],
        {"schedule": None},
    )
    world.settle()
    world.time.advance(6000 * MINUTE)
    for _ in range(3):
        world.settle(MINUTE)
    assert len(world.runs(follower)) == first


def test_the_rows_that_wait_for_the_end_are_not_done_before(world: CheckWorld) -> None:
    world.create(**FAILS, quiet=[QUIET])
    world.answer = prints("43")
    world.time.advance(31 * MINUTE)
    world.settle(MINUTE)
    assert world.schedule()["due"] == 0
