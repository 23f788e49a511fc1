"""The routes of /api/checks and /api/badges."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions.aws.clients import Clients
from functions.checks.runs import start
from functions.checks.runs.run import RunKind, new_run
from functions.checks.runs.store import RunStore
from functions.checks.settings.requests import file_schema
from functions.checks.settings.store import Check, CheckStore
from functions.http.json_body import LIST_MAX_BYTES
from functions.ids import new_id
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from tests.adapters.aws_account import PROJECT_ID
from tests.adapters.checks.check_world import PROGRAM, CheckWorld
from tests.adapters.http_calls import Answer, get, send

if TYPE_CHECKING:
    from functions.checks.evaluation import AssertionResult


def test_the_next_times_of_a_schedule_are_shown_in_its_zone(world: CheckWorld) -> None:
    def times(**query: str) -> Answer:
        return world.call("GET", "/api/schedules", query=query)

    shown = times(schedule="cron(30 2 * * ? *)", timezone="Europe/Berlin").json["times"]
    assert (len(shown), shown[0]) == (5, "2026-11-25T02:30:00+01:00")
    assert times(schedule="rate(5 minutes)").json["times"][0] == "2026-11-24T12:05:00+00:00"
    wrong = [times(schedule="every day"), times(schedule="0 2 * * *", timezone="Mars"), times()]
    assert [(each.status, each.json["fields"][0]["field"]) for each in wrong] == [
        (422, "schedule"),
        (422, "timezone"),
        (422, "schedule"),
    ]


def test_the_answer_of_a_creation_shows_the_next_five_runs_in_the_zone(world: CheckWorld) -> None:
    check = world.create(schedule="cron(30 2 * * ? *)", timezone="Europe/Berlin", spread_minutes=0)
    assert check["next_runs"] == [f"2026-11-{day}T02:30:00+01:00" for day in range(25, 30)]
    assert check["state"] == "new"
    assert check["slug"] == "nightly-totals"
    none = {"p50_wall_secs": None, "p95_wall_secs": None, "uptime_7d": None, "uptime_30d": None}
    assert world.show(check) == {**check, "statistics": none}


def test_a_nightly_check_is_spread_by_default_and_a_frequent_one_is_not(world: CheckWorld) -> None:
    assert world.create(schedule="0 0 * * *")["spread_minutes"] == 10
    assert world.create(name="often", schedule="rate(5 minutes)")["spread_minutes"] == 0
    assert "spread_minutes" not in world.create(name="by hand")


def test_a_slug_belongs_to_one_check(world: CheckWorld) -> None:
    first = world.create(slug="totals")
    assert world.call("POST", "/api/checks", {**PROGRAM, "slug": "totals"}).status == 409
    second = world.create(slug="other")
    assert world.call("PATCH", f"/api/checks/{second['id']}", {"slug": "totals"}).status == 409
    assert world.call("PATCH", f"/api/checks/{first['id']}", {"slug": "sums"}).status == 200
    assert world.call("PATCH", f"/api/checks/{second['id']}", {"slug": "totals"}).json["slug"] == "totals"


def test_a_change_keeps_all_other_settings_and_null_resets(world: CheckWorld) -> None:
    assertions = [{"type": "json", "path": "$.a", "equals": None}, {"type": "exit_code", "equals": 0}]
    check = world.create(schedule="rate(1 hour)", assertions=assertions, limits={"memory_mb": 64}, stdin="7", retries=2)
    changed = world.call("PATCH", f"/api/checks/{check['id']}", {"name": "Renamed", "retries": None}).json
    expected = {**check, "name": "Renamed", "retries": 0, "updated_at": changed["updated_at"]}
    assert changed == expected
    assert world.show(check).items() >= expected.items()


def test_a_new_schedule_moves_the_next_run(world: CheckWorld) -> None:
    check = world.create(schedule="0 0 * * *")
    changed = world.call("PATCH", f"/api/checks/{check['id']}", {"schedule": "rate(5 minutes)"}).json
    assert changed["spread_minutes"] == 0
    assert changed["next_runs"][0] == "2026-11-24T12:05:00+00:00"


def test_a_paused_check_has_no_next_run_until_it_is_resumed(world: CheckWorld) -> None:
    check = world.create(schedule="rate(5 minutes)")
    paused = world.call("POST", f"/api/checks/{check['id']}/pause").json
    assert (paused["state"], paused["next_runs"]) == ("paused", [])
    assert world.call("PATCH", f"/api/checks/{check['id']}", {"schedule": "rate(1 hour)"}).json["next_runs"] == []
    world.settle(3 * 3600)
    assert world.runs(check) == []
    resumed = world.call("POST", f"/api/checks/{check['id']}/resume").json
    assert (resumed["state"], resumed["next_runs"][0]) == ("new", "2026-11-24T16:00:00+00:00")
    world.settle()
    assert world.runs(check) == []  # the times of the pause are not missed


def test_lists_are_filtered_and_paged(world: CheckWorld) -> None:
    for number in range(5):
        world.time.advance(1)
        world.create(name=f"check {number}", tags=["deploy"] if number % 2 else [])
    page = world.call("GET", "/api/checks", query={"limit": "3"}).json
    rest = world.call("GET", "/api/checks", query={"limit": "3", "cursor": page["next_cursor"]}).json
    names = [check["name"] for check in page["items"] + rest["items"]]
    assert names == [f"check {number}" for number in (4, 3, 2, 1, 0)]
    assert rest["next_cursor"] is None
    assert "code" not in page["items"][0]
    tagged = world.call("GET", "/api/checks", query={"tag": "deploy"}).json["items"]
    assert [check["name"] for check in tagged] == ["check 3", "check 1"]
    assert len(world.call("GET", "/api/checks", query={"slug": "check-2"}).json["items"]) == 1
    assert world.call("GET", "/api/checks", query={"state": "up"}).json["items"] == []
    assert world.call("GET", "/api/checks", query={"state": "great"}).status == 400


def test_a_deleted_check_leaves_its_slug_and_its_badge(world: CheckWorld) -> None:
    check = world.create()
    assert world.call("DELETE", f"/api/checks/{check['id']}").json == {"id": check["id"], "deleted": True}
    assert world.call("GET", f"/api/checks/{check['id']}").status == 404
    assert world.call("DELETE", f"/api/checks/{check['id']}").status == 404
    assert get(None, check["badge_url"]).status == 404
    assert world.create()["slug"] == check["slug"]


def test_a_check_whose_slug_changes_meanwhile_is_deleted_with_its_new_slug(world: CheckWorld) -> None:
    check = world.create(slug="totals")
    path, delete, others = f"/api/checks/{check['id']}", CheckStore.delete, list[Any]()

    def delete_after_a_change(store: CheckStore, seen: Check, *also: Any) -> bool:
        if not others:
            world.call("PATCH", path, {"slug": "sums"})
            others.append(world.create(slug="totals"))
        return delete(store, seen, *also)

    world.aws.monkeypatch.setattr(CheckStore, "delete", delete_after_a_change)
    assert world.call("DELETE", path).status == 200
    assert world.call("POST", "/api/checks", {**PROGRAM, "slug": "totals"}).status == 409
    assert world.create(slug="sums")["slug"] == "sums"


def test_another_project_sees_nothing(world: CheckWorld) -> None:
    check = world.create()
    store = ProjectStore(world.aws.names["ProjectsTable"], Clients.dynamodb())
    store.create_project(Project("others", "Others"))
    key = store.issue_key("others", api_key="rb_live_of_others")
    path = f"/api/checks/{check['id']}"
    calls: list[tuple[str, str, Any]] = [
        ("GET", path, None),
        ("PATCH", path, {"name": "mine"}),
        ("DELETE", path, None),
        ("POST", f"{path}/run", {}),
        ("POST", f"{path}/pause", None),
        ("POST", f"{path}/resume", None),
        ("GET", f"{path}/runs", None),
    ]
    for method, where, body in calls:
        assert send(key, method, where, body).status == 404
        assert send(None, method, where, body).status == 401
    assert send(key, "GET", "/api/checks").json["items"] == []
    assert world.show(check).items() >= check.items()


@pytest.mark.parametrize("path", ["", "/run", "/pause", "/resume", "/runs"])
def test_an_unknown_check_is_not_found(world: CheckWorld, path: str) -> None:
    method = "GET" if path in {"", "/runs"} else "POST"
    assert world.call(method, f"/api/checks/{new_id()}{path}").status == 404
    assert world.call(method, f"/api/checks/nightly{path}").status == 400


def test_a_badge_shows_the_state_to_everybody(world: CheckWorld) -> None:
    check = world.create(name="<Totals & more>", slug="totals")
    picture = get(None, check["badge_url"])
    assert picture.headers["Content-Type"] == "image/svg+xml"
    assert picture.headers["cache-control"] == "public, max-age=60"
    assert b"&lt;Totals &amp; more&gt;" in picture.raw
    assert get(None, check["badge_url"].replace(".svg", ".json")).json["state"] == "new"
    assert get(None, check["badge_url"].replace(".svg", "/shields")).json["message"] == "new"


def test_everybody_gets_the_schema_of_the_file(world: CheckWorld) -> None:
    answer = get(None, "/api/schemas/checks.json")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.json == file_schema()


def test_a_wrong_badge_is_not_found(world: CheckWorld) -> None:
    check = world.create()
    for name in (check["badge_url"].replace(".svg", ".png"), "/api/badges/x.svg", f"/api/badges/{'a' * 32}.svg"):
        assert get(None, name).status == 404
    assert get(None, f"/api/badges/{check['id']}/shields").status == 404


def test_the_largest_program_fits(world: CheckWorld) -> None:
    check = world.create(code="x" * 65_536, stdin="y" * 262_144)
    assert world.show(check)["stdin"] == "y" * 262_144
    body = {**PROGRAM, "name": "more", "code": "x" * 65_537}
    assert world.call("POST", "/api/checks", body).status == 400


def every_item(world: CheckWorld, path: str) -> list[Any]:
    """Read a list page by page. Each answer fits into Lambda's response, in which it is a JSON string."""
    items: list[Any] = []
    query = {"limit": "100"}
    while True:
        answer = world.call("GET", path, query=query)
        assert answer.status == 200
        assert len(json.dumps(answer.raw.decode())) <= LIST_MAX_BYTES + 100_000
        items += answer.json["items"]
        if answer.json["next_cursor"] is None:
            return items
        query["cursor"] = answer.json["next_cursor"]


def test_a_page_of_runs_with_the_longest_results_fits_into_the_response_of_lambda(world: CheckWorld) -> None:
    check = world.create()
    stored = world.env[CheckStore].get(PROJECT_ID, check["id"])
    assert stored is not None
    result: AssertionResult = {
        "assertion": "\U0001f600" * 256,
        "expected": "\U0001f600" * 256,
        "actual": "\U0001f600" * 256,
        "passed": True,
    }
    for number in range(101):
        run = new_run(stored, RunKind.MANUAL, world.time.ms + number, world.time.ms, new_id())
        world.env[RunStore].add_run(replace(run, results=(result,) * 21))
    ids = [run["id"] for run in every_item(world, f"/api/checks/{check['id']}/runs")]
    assert len(ids) == len(set(ids)) == 101


def test_a_page_of_checks_with_the_largest_settings_fits_into_the_response_of_lambda(world: CheckWorld) -> None:
    assertions = [{"type": "stdout", "contains": '"' * 4_000}] * 4
    for number in range(101):
        world.create(name=f"check {number}", assertions=assertions)
    assert len({check["id"] for check in every_item(world, "/api/checks")}) == 101


def test_requests_beyond_those_of_an_hour_are_refused_until_it_is_over(world: CheckWorld) -> None:
    world.allow_requests(3)
    check, other = world.create(), world.create(name="other")
    paths = [f"/api/checks/{found['id']}/run" for found in (check, other, check, other)]
    answers = [world.call("POST", path) for path in paths]
    assert [answer.status for answer in answers] == [202, 202, 202, 429]
    refused = answers[-1]
    assert refused.json["error"] == "rate_limited"
    assert "3 runs of checks in an hour" in refused.json["message"]
    assert 0 < int(refused.headers["retry-after"]) <= 3_600
    assert refused.headers["ratelimit-limit"] == "3"
    assert len(world.rows(other)) == 1
    world.time.advance(int(refused.headers["retry-after"]))
    assert world.call("POST", paths[-1]).status == 202


def test_the_quota_of_a_minute_sets_the_requests_of_an_hour(world: CheckWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "MAX_CHECKS", 1)
    check = world.create()
    assert [world.call("POST", f"/api/checks/{check['id']}/run").status for _ in range(3)] == [202] * 3
