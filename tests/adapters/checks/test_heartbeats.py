"""Heartbeats: a job elsewhere reports with pings, and its silence is the state late."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from functions.checks.pings import KEPT_BODIES, Signal, SignalKind, take_ping
from functions.checks.runs.store import RunStore
from functions.checks.settings.store import MOST_IN_A_MINUTE
from functions.checks.state import State
from functions.handlers import check_schedule as schedule
from functions.handlers import checks
from tests.adapters.aws_account import PROJECT_ID
from tests.adapters.checks.check_world import MINUTE, CheckWorld
from tests.adapters.http_calls import Answer, call, event
from tests.adapters.pipeline import Crash, crash_at

HEARTBEAT = {"kind": "heartbeat", "name": "Backup", "schedule": "rate(1 hour)", "grace_minutes": 10}
HOUR = 3600


def heartbeat(world: CheckWorld, **changes: Any) -> Any:
    answer = world.call("POST", "/api/checks", {**HEARTBEAT, **changes})
    assert answer.status == 200, answer.json
    return answer.json


def ping_url(world: CheckWorld, check: Any) -> str:
    return str(world.call("POST", f"/api/checks/{check['id']}/ping-url").json["url"])


def ping(url: str, method: str = "GET", body: str | bytes | None = None) -> str:
    answer = call(event(method, url, body=body))
    assert answer.status == 200
    return answer.raw.decode()


def test_silence_is_late_and_a_ping_brings_it_back(world: CheckWorld) -> None:
    world.endpoint("check.state.changed", "check.run.missed")
    check = heartbeat(world)
    url = ping_url(world, check)
    assert ping(url) == "OK"
    world.settle(HOUR + 9 * MINUTE)
    assert world.show(check)["state"] == "up"
    world.settle(2 * MINUTE)
    shown = world.show(check)
    assert shown["state"] == "late"
    assert world.statuses(check) == ["passed", "missed"]
    assert world.runs(check)[0]["reason"] == "no ping came by 2026-11-24T13:10:00+00:00"
    assert [each["type"] for each in world.events()] == ["check.run.missed", "check.state.changed"]
    assert ping(url) == "OK"
    world.settle()
    assert world.show(check)["state"] == "up"
    back = world.events()[-1]
    assert (back["previous_state"], back["state"]) == ("late", "up")
    assert "machine reaches this service" in world.events()[1]["next"]
    assert back["outage_secs"] > 0


def test_each_missed_time_is_one_row_however_often_the_schedule_fires(world: CheckWorld) -> None:
    check = heartbeat(world)
    ping(ping_url(world, check))
    for _ in range(3):
        world.settle(HOUR)
        world.schedule()
    assert world.statuses(check) == ["passed", "missed", "missed"]


def test_a_heartbeat_that_never_got_a_ping_is_late(world: CheckWorld) -> None:
    check = heartbeat(world)
    world.settle(HOUR + 11 * MINUTE)
    assert world.show(check)["state"] == "late"


@pytest.mark.parametrize(
    ("word", "status", "reason"),
    [
        ("", "passed", ""),
        ("/0", "passed", ""),
        ("/fail", "failed", "the job reported a failure"),
        ("/3", "failed", "the job ended with exit code 3"),
        ("/255", "failed", "the job ended with exit code 255"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_ping_ends_a_run(world: CheckWorld, method: str, word: str, status: str, reason: str) -> None:
    check = heartbeat(world)
    assert ping(ping_url(world, check) + word, method) == "OK"
    (run,) = world.runs(check)
    assert (run["status"], run["reason"], run["body_url"]) == (status, reason, None)
    assert world.show(check)["state"] == {"passed": "up", "failed": "failing"}[status]


NO_WORDS = ("/256", "/-1", "/logs", "/start/1", "/٣", "/00000")
NO_SLUGS = ("/backup/backup", "/backup/1/1", "/other", "/other/log", "/Backup")


@pytest.mark.parametrize("word", NO_WORDS + NO_SLUGS)
def test_a_word_that_no_ping_has_is_refused(world: CheckWorld, word: str) -> None:
    url = ping_url(world, heartbeat(world))
    assert call(event("GET", url + word)).status == 404


def test_a_log_is_in_the_history_and_changes_no_state(world: CheckWorld) -> None:
    """https://healthchecks.io/docs/http_api/: it signals neither success nor failure."""
    world.endpoint("check.run.completed", "check.state.changed")
    check = heartbeat(world)
    url = ping_url(world, check)
    before = world.show(check)
    assert ping(url + "/log", "POST", "half way") == "OK"
    (run,) = world.runs(check)
    assert (run["status"], run["reason"]) == ("skipped", "the job sent a log")
    assert world.call("GET", run["body_url"]).raw == b"half way"
    assert {**world.show(check), "updated_at": ""} == {**before, "updated_at": ""}
    world.settle(HOUR + 11 * MINUTE)
    assert world.show(check)["state"] == "late"
    assert [each["type"] for each in world.events()] == ["check.state.changed"]  # of the silence
    answers = [ping(url + "/log") for _ in range(20)]
    assert answers.count("OK") == MOST_IN_A_MINUTE


@pytest.mark.parametrize(
    ("end", "status"), [("", "passed"), ("/0", "passed"), ("/fail", "failed"), ("/3", "failed"), ("/log", "skipped")]
)
def test_an_address_with_the_slug_is_that_of_the_token(world: CheckWorld, end: str, status: str) -> None:
    check = heartbeat(world)
    url = f"{ping_url(world, check)}/backup"
    query = {"create": "1", "rid": "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"}  # as runitor sends them
    answer = call(event("POST", url + end, body="b", query=query))
    assert (answer.status, answer.raw) == (200, b"OK")
    assert world.statuses(check) == [status]
    world.call("POST", f"/api/checks/{check['id']}/pause")
    assert ping(url + end) == "OK (not counted)"


def test_a_slug_with_another_token_is_refused_as_if_there_were_no_such_check(world: CheckWorld) -> None:
    heartbeat(world)
    other = ping_url(world, heartbeat(world, name="Other"))
    answers = [call(event("GET", path)) for path in (f"{other}/backup", f"/api/pings/{'a' * 32}/backup/log")]
    assert [answer.status for answer in answers] == [404, 404]
    assert answers[0].json["message"] == answers[1].json["message"]
    assert all(row["pk"]["S"].partition("#")[0] != "RUNS" for row in world.aws.items("ChecksTable"))


def test_a_job_that_started_has_the_grace_to_end(world: CheckWorld) -> None:
    check = heartbeat(world)
    url = ping_url(world, check)
    ping(url + "/start")
    world.settle(5 * MINUTE)
    ping(url)
    (run,) = world.runs(check)
    assert (run["wall_time_secs"], run["started_at"]) == (300.0, "2026-11-24T12:00:00.000Z")
    ping(url + "/start")
    world.settle(11 * MINUTE)
    assert world.show(check)["state"] == "late"


def test_a_cron_schedule_expects_pings_at_its_times(world: CheckWorld) -> None:
    world.time.advance(13 * HOUR)
    check = heartbeat(world, schedule="cron(30 2 * * ? *)", timezone="Europe/Berlin", grace_minutes=30)
    assert world.show(check)["next_runs"][0] == "2026-11-25T03:00:00+01:00"
    world.settle(HOUR)
    assert world.show(check)["state"] == "late"


def test_the_body_of_a_ping_is_kept_up_to_its_limit(world: CheckWorld) -> None:
    check = heartbeat(world)
    url = ping_url(world, check)
    ping(url + "/1", "POST", b"\xff" + b"x" * 20_000)
    world.time.advance(1)
    ping(url, "POST", "fine <b>")
    newest, first = world.runs(check)
    kept = world.call("GET", first["body_url"])
    assert kept.raw.decode() == "\ufffd" + "x" * 10_239
    assert kept.headers["x-content-type-options"] == "nosniff"
    assert world.call("GET", newest["body_url"]).raw == b"fine <b>"
    assert world.call("GET", newest["body_url"] + "0").status == 404
    assert call(event("GET", newest["body_url"])).status == 401


def test_only_the_latest_bodies_are_kept(world: CheckWorld) -> None:
    check = heartbeat(world)
    url = ping_url(world, check)
    for _ in range(KEPT_BODIES + 1):
        assert ping(url, "POST", "body") == "OK"
        world.time.advance(MINUTE)
    rows = [row for row in world.aws.items("ChecksTable") if row["pk"]["S"].startswith("PINGS#")]
    assert len(rows) == KEPT_BODIES
    assert world.call("GET", f"/api/checks/{check['id']}/pings/1").status == 404


def test_an_unknown_token_gets_the_answer_of_a_paused_check(world: CheckWorld) -> None:
    check = heartbeat(world)
    url = ping_url(world, check)
    world.call("POST", f"/api/checks/{check['id']}/pause")
    before = world.aws.items("ChecksTable")

    def shown(path: str) -> tuple[int, bytes, dict[str, str]]:
        answer: Answer = call(event("GET", path))
        return answer.status, answer.raw, dict(answer.headers)

    paused = shown(url)
    assert paused[:2] == (200, b"OK (not counted)")
    assert [shown(f"/api/pings/{token}") for token in ("a" * 32, "x", "é" * 32)] == [paused] * 3
    assert world.aws.items("ChecksTable") == before


def test_a_new_token_replaces_the_one_before_and_only_its_hash_is_kept(world: CheckWorld) -> None:
    check = heartbeat(world)
    old, new = ping_url(world, check), ping_url(world, check)
    assert (ping(old), ping(new)) == ("OK (not counted)", "OK")
    stored = json.dumps(world.aws.items("ChecksTable"), default=repr)
    for url in (old, new):
        assert url.rpartition("/")[2] not in stored
    assert new.rpartition("/")[2] not in json.dumps(world.show(check))
    world.call("DELETE", f"/api/checks/{check['id']}")
    assert ping(new) == "OK (not counted)"
    assert not [row for row in world.aws.items("ChecksTable") if row["pk"]["S"].startswith("PING#")]


def test_a_flood_of_pings_writes_no_more_than_the_limit(world: CheckWorld) -> None:
    check = heartbeat(world)
    url = ping_url(world, check)
    answers = [ping(url + ("/fail", "", "/start")[number % 3], "POST", "x") for number in range(50)]
    assert answers.count("OK") == MOST_IN_A_MINUTE
    assert len(world.runs(check)) <= MOST_IN_A_MINUTE
    world.time.advance(MINUTE)
    assert ping(url) == "OK"


def test_pings_at_the_same_time_count_no_more_than_the_limit(world: CheckWorld) -> None:
    check = heartbeat(world)
    made = event("GET", ping_url(world, check))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: call(made), range(40)))
    assert {answer.status for answer in answers} <= {200, 503}  # 503: the others were faster, repeat it
    counted = sum(answer.raw == b"OK" for answer in answers)
    assert 1 <= counted == len(world.runs(check)) <= MOST_IN_A_MINUTE


def test_a_ping_between_a_missed_time_and_its_step_wins(world: CheckWorld) -> None:
    """The step of the missed run comes last: it must not make a check late whose job has reported since."""
    check = heartbeat(world)
    url = ping_url(world, check)
    world.time.advance(HOUR + 11 * MINUTE)
    with crash_at("check.after_schedule"), pytest.raises(Crash):
        schedule.serve(world.env, next(iter(world.env[RunStore].due(world.time.ms))))
    ping(url)
    world.settle(2 * MINUTE)
    assert sorted(world.statuses(check)) == ["missed", "passed"]
    assert world.show(check)["state"] == "up"


def test_a_ping_whose_process_died_is_published_by_the_schedule(world: CheckWorld) -> None:
    world.endpoint("check.run.completed")
    check = heartbeat(world)
    url = ping_url(world, check)
    with crash_at("ping.after_add"), pytest.raises(Crash):
        take_ping(checks.ENV, url.rpartition("/")[2], Signal(SignalKind.SUCCESS), b"")
    world.settle(MINUTE)
    assert [each["status"] for each in world.events()] == ["passed"]
    assert world.show(check)["state"] == State.UP


def test_a_heartbeat_has_no_program(world: CheckWorld) -> None:
    refused = world.call("POST", "/api/checks", {**HEARTBEAT, "language": "python", "code": "print(1)", "retries": 1})
    assert [field["field"] for field in refused.json["fields"]] == ["language", "code", "retries"]
    assert (
        world.call("POST", "/api/checks", {"kind": "heartbeat", "name": "a"}).json["fields"][0]["field"] == "schedule"
    )
    missing = world.call("POST", "/api/checks", {"name": "a"}).json["fields"]
    assert [field["field"] for field in missing] == ["language", "code"]
    check = heartbeat(world)
    assert world.call("POST", f"/api/checks/{check['id']}/run").status == 409
    changed = world.call("PATCH", f"/api/checks/{check['id']}", {"kind": "program"})
    assert changed.json["fields"][0]["field"] == "kind"
    assert world.call("PATCH", f"/api/checks/{check['id']}", {"grace_minutes": 5}).json["grace_minutes"] == 5
    assert world.show(check)["language"] is None
    program = world.create()
    assert world.call("POST", f"/api/checks/{program['id']}/ping-url").status == 409


def test_a_request_on_the_bus_for_its_tag_starts_nothing(world: CheckWorld) -> None:
    check = heartbeat(world, tags=["nightly"])
    detail = {"project_id": PROJECT_ID, "tag": "nightly"}
    schedule.handle(world.env, json.dumps({"detail-type": "check.requested", "id": "1", "detail": detail}))
    assert world.runs(check) == []


def test_a_schedule_that_is_over_is_never_late_again(world: CheckWorld) -> None:
    check = heartbeat(world, schedule="cron(0 13 24 11 ? 2026)")
    url = ping_url(world, check)
    world.time.advance(HOUR + MINUTE)
    ping(url)
    assert world.show(check)["next_runs"] == []
    world.settle(3 * HOUR)
    assert world.statuses(check) == ["passed"]


def test_resuming_gives_a_whole_period(world: CheckWorld) -> None:
    check = heartbeat(world)
    world.call("POST", f"/api/checks/{check['id']}/pause")
    world.settle(3 * HOUR)
    assert world.show(check)["state"] == "paused"
    world.call("POST", f"/api/checks/{check['id']}/resume")
    world.settle(HOUR)
    assert world.show(check)["state"] == "new"
    world.settle(11 * MINUTE)
    assert world.show(check)["state"] == "late"


def test_uptime_counts_missed_pings(world: CheckWorld) -> None:
    check = heartbeat(world)
    ping(ping_url(world, check))
    world.settle(HOUR + 11 * MINUTE)
    assert world.show(check)["statistics"]["uptime_7d"] == 0.5


def test_a_wrong_encoding_is_an_empty_body(world: CheckWorld) -> None:
    check = heartbeat(world)
    made = event("POST", ping_url(world, check), body=base64.b64decode("AAAA"))
    made["body"] = "%%%"
    assert call(made).raw == b"OK"
    assert world.runs(check)[0]["body_url"] is None
