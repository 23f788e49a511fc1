"""Groups: calls with one key are one run after silence, or run in order, on each way that starts a check."""

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from functions.checks import keys
from functions.checks.runs import groups
from functions.checks.runs.groups import MOST_WAITING, GroupStore, wake
from functions.checks.runs.hints import CheckHints
from functions.checks.runs.store import Due, RunStore
from functions.checks.settings.store import CheckStore
from functions.clock import to_rfc3339
from functions.handlers import check_schedule as schedule
from functions.handlers import checks
from tests.adapters.aws_account import PROJECT_ID
from tests.adapters.checks.check_world import CheckWorld, prints
from tests.adapters.checks.commands import Rustbox
from tests.adapters.http_calls import Answer, call, event
from tests.adapters.pipeline import Crash, crash_at

PUSH = {"key": "$.ref", "debounce_secs": 10, "most_secs": 60}
IN_ORDER = {"key": "$.ref", "at_most": 1}
MAIN = {"ref": "refs/heads/main"}


class Grouped:
    """A check with groups, and the ways that start it."""

    def __init__(self, world: CheckWorld, group: dict[str, Any], **settings: Any) -> None:
        self.world, self.count = world, 0
        self.check = world.create(name="build", slug="build", group=group, **settings)
        self.path = f"/api/checks/{self.check['id']}"
        self.secret = world.call("POST", f"{self.path}/secret", {"verify": "github"}).json["secret"]

    def push(self, ref: str = "refs/heads/main", call_id: str | None = None, **more: Any) -> Answer:
        """Call it as GitHub does."""
        self.count += 1
        self.world.time.ms += 1  # so that the history has an order
        return self.send(json.dumps({"ref": ref, "number": self.count, **more}), call_id)

    def send(self, body: str, call_id: str | None = None) -> Answer:
        headers = {
            "x-hub-signature-256": f"sha256={hmac.digest(self.secret.encode(), body.encode(), hashlib.sha256).hex()}",
            "x-github-delivery": call_id or f"call-{self.count}",
            "x-github-event": "push",
        }
        return call(event("POST", f"{self.path}/events", headers=headers, body=body))

    def request(self, **data: Any) -> Answer:
        self.world.time.ms += 1
        return self.world.call("POST", f"{self.path}/run", {"event": data} if data else {})

    def change(self, **settings: Any) -> None:
        answer = self.world.call("PATCH", self.path, settings)
        assert answer.status == 200, answer.json

    def groups(self) -> list[Any]:
        items: list[Any] = self.world.call("GET", f"{self.path}/groups").json["items"]
        return items

    def statuses(self) -> list[str]:
        return self.world.statuses(self.check)

    def after(self, secs: float) -> list[str]:
        """Let time pass, and the schedule fire; return the statuses."""
        self.world.time.advance(secs)
        self.world.schedule()
        return self.statuses()

    def finish(self) -> list[str]:
        """Run what was submitted, and what follows."""
        while self.world.run_programs() + self.world.hints():
            pass
        return self.statuses()


def of_bus(grouped: Grouped, number: int) -> None:
    world = grouped.world
    world.time.ms += 1
    detail = {"project_id": PROJECT_ID, "slug": "build", "event": MAIN, "event_id": f"bus-{number}"}
    message = json.dumps({"detail-type": "check.requested", "id": f"id-{number}", "detail": detail})
    schedule.handle(world.env, message)


def of_another_check(grouped: Grouped, _number: int) -> None:
    world = grouped.world
    (source,) = [each for each in world.call("GET", "/api/checks").json["items"] if each["slug"] == "import"]
    world.call("POST", f"/api/checks/{source['id']}/run")
    for _ in range(2):
        world.hints()
        world.run_programs()
    world.hints()


WAYS: dict[str, tuple[Callable[[Grouped, int], object], dict[str, Any]]] = {
    "a signed call": (lambda grouped, _: grouped.push(), PUSH),
    "a request": (lambda grouped, _: grouped.request(**MAIN), PUSH),
    "an event of the bus": (of_bus, PUSH),
    "another check": (of_another_check, {**PUSH, "key": "$.check_slug"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_calls_that_come_close_together_are_one_run_of_the_latest(world: CheckWorld, way: str) -> None:
    world.create(slug="import")
    call_once, group = WAYS[way]
    grouped = Grouped(world, group, event_as="stdin", trigger={"type": "check", "slug": "import"})
    for number in range(3):
        call_once(grouped, number)
        world.time.advance(5)
    assert grouped.statuses() == ["superseded", "superseded", "queued"]
    assert grouped.after(6) == ["superseded", "superseded", "running"]
    assert grouped.finish() == ["superseded", "superseded", "passed"]
    assert grouped.groups() == []
    first, second, third = reversed(world.runs(grouped.check))
    assert [run["group_key"] for run in (first, second, third)] == [
        "import" if way == "another check" else "refs/heads/main"
    ] * 3
    assert first["reason"] == f"superseded by the run {second['id']}, of a later call with the same key"


def test_a_call_that_runs_again_is_a_call_of_its_group(world: CheckWorld) -> None:
    grouped = Grouped(world, PUSH)
    grouped.push()
    grouped.after(11)
    grouped.finish()
    (logged,) = world.call("GET", f"{grouped.path}/calls").json["items"]
    for _ in range(2):
        assert world.call("POST", f"{grouped.path}/calls/{logged['id']}/run").status == 202
        world.time.advance(1)
    assert grouped.statuses() == ["passed", "superseded", "queued"]


def test_the_program_gets_the_latest_call_and_the_others_lose_their_bodies(world: CheckWorld) -> None:
    grouped = Grouped(world, PUSH)
    grouped.push()
    grouped.push(filling="x" * 80_000)
    grouped.push()
    grouped.after(11)
    assert [run.call is None for run in world.rows(grouped.check)] == [False, True, True]
    (message,) = world.aws.messages("BatchQueue")
    assert json.loads(base64.b64decode(message["stdin_base64"])) == {**MAIN, "number": 3}


def test_calls_without_end_run_after_most_secs(world: CheckWorld) -> None:
    grouped = Grouped(world, PUSH)
    started: list[int] = []
    began = world.time.ms
    for _ in range(26):  # two minutes and more of calls every five seconds
        grouped.push()
        world.time.advance(5)
        world.schedule()
        grouped.finish()
        ended = grouped.statuses().count("passed")
        started += [world.time.ms - began] * (ended - len(started))
    assert [round(ms, -3) for ms in started] == [60_000, 120_000]


def test_calls_of_other_keys_wait_for_themselves(world: CheckWorld) -> None:
    grouped = Grouped(world, PUSH)
    grouped.push("refs/heads/a")
    world.time.advance(6)
    grouped.push("refs/heads/b")
    assert grouped.after(5) == ["running", "queued"]
    assert grouped.after(5) == ["running", "running"]


def test_calls_of_a_key_run_in_order_one_at_a_time(world: CheckWorld) -> None:
    grouped = Grouped(world, IN_ORDER)
    answers = [grouped.push() for _ in range(4)]
    grouped.push("refs/heads/other")
    world.hints()
    ids = [answer.json["id"] for answer in answers]
    mine, other = sorted(grouped.groups(), key=lambda group: len(group["waiting"]), reverse=True)
    assert (mine["key"], mine["unfinished"], mine["waiting"]) == ("refs/heads/main", ids[:1], ids[1:])
    assert (other["waiting"], other["leaves_at"], mine["leaves_at"]) == ([], None, None)
    order = []
    while unfinished := [run for run in world.runs(grouped.check) if run["status"] == "running" and run["id"] in ids]:
        order += [run["id"] for run in unfinished]
        world.run_programs()
        world.hints()  # the end of one starts the next
        world.hints()
    assert order == ids
    assert grouped.groups() == []


def test_at_most_n_counts_runs_with_their_retries(world: CheckWorld) -> None:
    grouped = Grouped(world, {**IN_ORDER, "at_most": 2}, retries=1, assertions=[{"type": "stdout", "equals": "1"}])
    for _ in range(3):
        grouped.push()
    world.hints()
    world.answer = prints("0")
    world.run_programs()
    world.hints()
    assert [run["attempt"] for run in world.runs(grouped.check)] == [0, 1, 1]
    assert len(grouped.groups()[0]["unfinished"]) == 2
    world.settle(600)
    assert grouped.statuses() == ["failed"] * 3


def test_a_debounced_call_waits_for_the_runs_before_it_and_the_latest_wins(world: CheckWorld) -> None:
    grouped = Grouped(world, PUSH)
    grouped.push()
    assert grouped.after(11) == ["running"]
    for _ in range(3):
        grouped.push()
        grouped.after(50)
    assert grouped.statuses() == ["running", "superseded", "superseded", "queued"]
    assert grouped.groups()[0]["leaves_at"] is None
    assert grouped.finish() == ["passed", "superseded", "superseded", "passed"]


def test_a_hundred_calls_of_a_key_wait_and_the_next_is_told_the_way_out(world: CheckWorld) -> None:
    grouped = Grouped(world, IN_ORDER)
    for number in range(MOST_WAITING + 1):
        assert grouped.request(**MAIN).status == 202, number
    refused = grouped.push()
    assert (refused.status, refused.json["error"], refused.headers["retry-after"]) == (429, "rate_limited", "30")
    assert "100 calls with the key 'refs/heads/main' wait already. Raise group.at_most (1)" in refused.json["message"]
    assert grouped.push("refs/heads/other").status == 202
    of_bus(grouped, 1)
    assert world.runs(grouped.check)[0]["status"] == "skipped"
    assert "wait already" in world.runs(grouped.check)[0]["reason"]
    grouped.change(group={**IN_ORDER, "at_most": 100})
    grouped.request(**MAIN)
    world.hints()
    assert len(grouped.groups()[0]["unfinished"]) in {1, 100}
    world.settle(180)
    assert world.call("GET", f"{grouped.path}/groups").json["items"] == []


def test_a_caller_with_a_flood_of_keys_is_refused_and_other_checks_are_not(world: CheckWorld) -> None:
    world.aws.monkeypatch.setattr(groups, "MOST_KEYS", 20)
    grouped = Grouped(world, PUSH)
    other = world.create(name="other", group=PUSH)
    answers = [grouped.push(f"refs/heads/{number}") for number in range(40)]
    assert [answer.status for answer in answers] == [202] * 20 + [429] * 20
    assert "20 keys of this check have calls that wait or run" in answers[-1].json["message"]
    assert grouped.push("refs/heads/7").status == 202  # a key that it knows
    assert world.call("POST", f"/api/checks/{other['id']}/run", {"event": MAIN}).status == 202
    world.settle(120)
    assert grouped.push("refs/heads/new").status == 202


# --- keys -------------------------------------------------------------------------------------------------------------

ODD = {
    "a half character": '{"ref": "\\ud800"}',
    "two bytes and a null": '{"ref": "\\u0000\\u202e"}',
    "huge": json.dumps({"ref": "k" * 200_000}),
    "another huge": json.dumps({"ref": "k" * 200_000 + "!"}),
    "composed": json.dumps({"ref": "é"}),
    "decomposed": json.dumps({"ref": "e\u0301"}),
    "empty": '{"ref": ""}',
    "a text of one": '{"ref": "1"}',
    "one": '{"ref": 1}',
    "true": '{"ref": true}',
    "a huge number": '{"ref": 1e308}',
    "infinite": '{"ref": 1e999}',
}


def test_odd_keys_are_groups_of_their_own_in_rows_of_their_own_size(world: CheckWorld) -> None:
    grouped = Grouped(world, IN_ORDER)
    for number, (name, body) in enumerate(ODD.items()):
        assert grouped.send(body, f"odd-{number}").status == 202, name
    assert grouped.send('{"ref": 1.0}', "1.0").status == 202
    found = grouped.groups()
    assert len(found) == len(ODD)
    assert [len(group["waiting"]) for group in found].count(1) == 1  # 1 and 1.0
    assert max(len(group["key"]) for group in found) == 200


NO_KEY = ['{"ref": null}', "{}", "[]", "1", "not JSON", '{"ref": {"a": 1}}', '{"ref": ["a"]}', "", "[" * 100_000]


def test_calls_without_a_value_are_one_group(world: CheckWorld) -> None:
    grouped = Grouped(world, IN_ORDER)
    for number, body in enumerate(NO_KEY):
        assert grouped.send(body, str(number)).status == 202, body[:20]
    grouped.request()
    (group,) = grouped.groups()
    assert (group["key"], len(group["unfinished"]), len(group["waiting"])) == ("", 1, len(NO_KEY))


def test_without_a_key_all_calls_of_the_check_are_one_group(world: CheckWorld) -> None:
    grouped = Grouped(world, {})
    grouped.push("refs/heads/a")
    grouped.push("refs/heads/b")
    (group,) = grouped.groups()
    assert (group["key"], len(group["unfinished"]), len(group["waiting"])) == ("", 1, 1)


def test_all_wrong_settings_of_a_group_are_answered_at_once(world: CheckWorld) -> None:
    wrong = {"key": "ref", "debounce_secs": 0, "most_secs": 901, "at_most": 101, "other": 1}
    answer = world.call("POST", "/api/checks", {"name": "a", "language": "python", "code": "1", "group": wrong})
    assert answer.status == 422
    names = {field["field"] for field in answer.json["fields"]}
    assert names == {"group.key", "group.debounce_secs", "group.most_secs", "group.at_most", "group.other"}


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"most_secs": 60}, "Only with debounce_secs."),
        ({"debounce_secs": 10, "most_secs": 9}, "Must be at least debounce_secs (10)."),
    ],
)
def test_times_that_do_not_fit_together_are_refused(world: CheckWorld, group: dict[str, int], message: str) -> None:
    answer = world.call("POST", "/api/checks", {"name": "a", "language": "python", "code": "1", "group": group})
    assert answer.json["fields"] == [{"field": "group.most_secs", "message": message}]


def test_a_heartbeat_has_no_groups(world: CheckWorld) -> None:
    body = {"name": "a", "kind": "heartbeat", "schedule": "rate(1 day)", "group": IN_ORDER}
    answer = world.call("POST", "/api/checks", body)
    assert [field["field"] for field in answer.json["fields"]] == ["group"]


# --- messages, crashes and clocks -------------------------------------------------------------------------------------


def test_a_delayed_message_wakes_a_group_at_its_second_and_a_queue_needs_none(world: CheckWorld) -> None:
    sent: list[Any] = []
    grouped = Grouped(world, PUSH)
    hints = CheckHints(schedule.ENV)
    hints._client.meta.events.register("provide-client-params.sqs.SendMessage", lambda params, **_: sent.append(params))
    grouped.push()
    (waiting,) = world.rows(grouped.check)
    sent.clear()
    world.time.ms += 1_700
    hints.try_send(waiting)
    (message,) = sent
    assert (message["DelaySeconds"], message["MessageGroupId"]) == (9, PROJECT_ID)
    assert json.loads(message["MessageBody"])["pk"] == keys.groups_pk(PROJECT_ID, grouped.check["id"])
    grouped.change(group=IN_ORDER)
    grouped.request(ref="other")
    grouped.request(ref="other")
    sent.clear()
    hints.try_send(world.rows(grouped.check)[0])
    assert sent == []


def test_a_project_with_many_due_groups_holds_up_no_other(world: CheckWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    grouped = Grouped(world, PUSH)
    for number in range(30):
        grouped.request(ref=number)
    world.time.advance(11)
    rows = list(world.env[RunStore].due(world.time.ms))
    assert ({row.is_group for row in rows}, {row.project_id for row in rows}) == ({True}, {PROJECT_ID})
    other = Due(keys.groups_pk("other", grouped.check["id"]), "0" * 64, world.time.ms)
    monkeypatch.setattr(RunStore, "due", lambda *_: [*rows, other])
    served: list[str] = []
    monkeypatch.setattr(schedule, "THREADS", 1)
    monkeypatch.setattr(schedule, "serve", lambda _env, row: served.append(row.project_id))
    world.schedule()
    assert (len(served), served.index("other")) == (31, 1)


def test_only_the_message_of_the_newest_call_is_sent_again(world: CheckWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each message of a group that is called all the time multiplies until the group leaves."""
    grouped = Grouped(world, {**PUSH, "debounce_secs": 2})
    sent: list[int] = []
    monkeypatch.setattr(CheckHints, "send_group", lambda *arguments: sent.append(arguments[4]))
    grouped.push()
    world.time.advance(1)
    grouped.push()
    (earlier, newest), pk = sent, keys.groups_pk(PROJECT_ID, grouped.check["id"])
    check = world.env[CheckStore].get(PROJECT_ID, grouped.check["id"])
    assert check is not None
    (group,) = world.env[GroupStore].page(check, 2, None).rows
    sent.clear()
    world.time.ms += 1_000
    for due_at_ms in (0, earlier, newest):
        assert wake(world.env, pk, group.name, due_at_ms) == []
    assert sent == [newest]
    assert group.due_at_ms == newest


def test_a_key_that_is_never_without_calls_shows_the_oldest_that_waits(world: CheckWorld) -> None:
    grouped = Grouped(world, IN_ORDER)
    for _ in range(3):
        grouped.push()
        world.time.advance(60)
    world.hints()
    world.run_programs()
    world.hints()
    (shown,) = grouped.groups()
    waiting = [row for row in world.rows(grouped.check) if row.run_id in shown["waiting"]]
    assert shown["waiting_since"] == to_rfc3339(min(row.scheduled_ms for row in waiting))


def test_without_messages_the_minute_starts_the_runs(world: CheckWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> None:
        raise EndpointConnectionError(endpoint_url="queue")

    grouped = Grouped(world, PUSH)
    monkeypatch.setattr(CheckHints, "_send", lost)
    assert grouped.push().status == 202
    assert grouped.after(60) == ["running"]


def test_a_repeat_of_a_waiting_call_sends_its_message_again(world: CheckWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    grouped = Grouped(world, PUSH)
    sent: list[str] = []
    monkeypatch.setattr(CheckHints, "send_group", lambda *arguments: sent.append(arguments[3]))
    first = grouped.push(call_id="same")
    second = grouped.push(call_id="same")
    assert first.json["id"] == second.json["id"]
    assert (grouped.statuses(), len(sent)) == (["queued"], 2)


@pytest.mark.parametrize("point", ["check.before_wake", "check.after_wake", "check.after_lease", "check.after_accept"])
def test_a_crash_on_the_way_out_of_a_group_loses_no_call_and_runs_none_twice(world: CheckWorld, point: str) -> None:
    grouped = Grouped(world, PUSH)
    grouped.push()
    grouped.push()
    world.time.advance(11)
    with crash_at(point), pytest.raises(Crash):
        world.schedule()
    world.settle(200)
    assert grouped.statuses() == ["superseded", "passed"]
    assert set(world.submissions_of_runs().values()) == {1}
    assert grouped.groups() == []


@pytest.mark.parametrize("point", ["check.before_settle", "check.after_settle", "check.after_publish"])
def test_a_crash_at_the_end_of_a_run_lets_the_next_start_once(world: CheckWorld, point: str) -> None:
    grouped = Grouped(world, IN_ORDER)
    for _ in range(3):
        grouped.push()
    world.hints()
    world.run_programs()
    with crash_at(point), pytest.raises(Crash):
        world.hints()
    world.settle(400)
    assert grouped.statuses() == ["passed"] * 3
    assert set(world.submissions_of_runs().values()) == {1}
    assert grouped.groups() == []


def test_a_call_between_the_reading_and_the_writing_of_a_group_is_not_lost(
    world: CheckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    grouped = Grouped(world, PUSH)
    grouped.push()
    world.time.advance(11)
    write = GroupStore.write
    raced: list[int] = []

    def race(store: GroupStore, step: Any) -> bool:
        if not raced:
            raced.append(grouped.push().status)
        return write(store, step)

    monkeypatch.setattr(GroupStore, "write", race)
    world.schedule()
    assert grouped.statuses() == ["superseded", "queued"]
    assert grouped.after(11) == ["superseded", "running"]


def test_a_version_without_groups_that_ended_a_run_blocks_nothing_for_long(
    world: CheckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    grouped = Grouped(world, IN_ORDER)
    for _ in range(2):
        grouped.push()
    world.hints()
    monkeypatch.setattr(GroupStore, "release", lambda *_: groups.Step())
    world.run_programs()
    world.hints()
    assert grouped.statuses() == ["passed", "queued"]
    assert grouped.after(groups.BLOCKED_MS / 1000 + 1) == ["passed", "running"]


def test_a_clock_that_ran_ahead_holds_no_call_back(world: CheckWorld) -> None:
    grouped = Grouped(world, PUSH)
    world.time.ms += 3_600_000
    grouped.push()
    world.schedule()
    world.time.ms -= 3_600_000
    world.schedule()
    assert grouped.after(11) == ["running"]


# --- changes, pauses and deletions while calls wait -------------------------------------------------------------------


def test_a_change_of_the_times_applies_to_calls_that_wait(world: CheckWorld) -> None:
    grouped = Grouped(world, {**PUSH, "debounce_secs": 50})
    grouped.push()
    grouped.change(group=PUSH)
    grouped.push()
    assert grouped.after(11) == ["superseded", "running"]


def test_calls_that_wait_in_order_stay_until_one_replaces_them(world: CheckWorld) -> None:
    grouped = Grouped(world, IN_ORDER)
    for _ in range(3):
        grouped.push()
    grouped.change(group=PUSH)
    grouped.push()
    world.hints()
    assert grouped.statuses() == ["running", "superseded", "superseded", "queued"]
    assert grouped.after(11) == ["running", "superseded", "superseded", "queued"]
    assert grouped.finish() == ["passed", "superseded", "superseded", "passed"]


def test_without_groups_again_all_calls_that_wait_run(world: CheckWorld) -> None:
    grouped = Grouped(world, IN_ORDER)
    for _ in range(60):
        grouped.request(**MAIN)
    world.hints()
    grouped.change(group=None)
    world.settle(200)
    assert grouped.statuses() == ["passed"] * 60
    assert grouped.groups() == []


def test_a_changed_program_is_the_one_that_runs(world: CheckWorld) -> None:
    grouped = Grouped(world, PUSH)
    grouped.push()
    grouped.change(code="print('new')")
    grouped.after(11)
    (message,) = world.aws.messages("BatchQueue")
    assert base64.b64decode(message["code_base64"]) == b"print('new')"


def test_a_paused_check_runs_the_calls_that_wait_and_keeps_its_state(world: CheckWorld) -> None:
    grouped = Grouped(world, IN_ORDER)
    for _ in range(2):
        grouped.push()
    world.call("POST", f"{grouped.path}/pause")
    world.settle(200)
    assert grouped.statuses() == ["passed", "passed"]
    assert world.show(grouped.check)["state"] == "paused"


@pytest.mark.parametrize("group", [PUSH, IN_ORDER])
def test_a_deleted_check_runs_nothing_more_and_leaves_no_group(world: CheckWorld, group: dict[str, Any]) -> None:
    grouped = Grouped(world, group)
    for _ in range(3):
        grouped.push()
    world.hints()
    assert world.call("DELETE", grouped.path).status == 200
    world.settle(200)
    rows = [row for row in world.aws.items("ChecksTable") if row["pk"]["S"].startswith(keys.GROUPS)]
    assert rows == []
    assert {run.status.value for run in world.rows(grouped.check)} <= {"superseded", "skipped"}
    assert list(world.env[RunStore].due(world.time.ms)) == []


# --- what groups cost -------------------------------------------------------------------------------------------------


def units_of(world: CheckWorld, group: dict[str, Any] | None, calls: int) -> float:
    """Return the write units of the checks table for so many calls, one run after the other, until all have ended."""
    units: list[float] = []

    def ask(params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def count(parsed: dict[str, Any], **_: Any) -> None:
        consumed = parsed.get("ConsumedCapacity", [])
        parts = consumed if isinstance(consumed, list) else [consumed]
        table = world.aws.names["ChecksTable"]
        units.extend(each["CapacityUnits"] for each in parts if each["TableName"] == table)

    grouped = Grouped(world, group)  # type: ignore[arg-type]  # none is what a plain check has
    names = [f"dynamodb.{each}" for each in ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")]
    events = [
        each.meta.events for each in {id(env.dynamodb): env.dynamodb for env in (schedule.ENV, checks.ENV)}.values()
    ]
    for each, name in itertools.product(events, names):
        each.register(f"provide-client-params.{name}", ask, unique_id=f"ask {name}")
        each.register(f"after-call.{name}", count, unique_id=f"count {name}")
    for _ in range(calls):
        grouped.push()
    world.time.advance(11)
    world.schedule()
    grouped.finish()
    for each, name in itertools.product(events, names):
        each.unregister(f"provide-client-params.{name}", unique_id=f"ask {name}")
        each.unregister(f"after-call.{name}", unique_id=f"count {name}")
    assert grouped.statuses().count("passed") in {1, calls}
    return sum(units)


UNITS = {
    # Settings of a group, number of calls: write units of the checks table, as docs/checks.md has them.
    ("plain", 1): 30,
    ("plain", 10): 291,
    ("in order", 1): 34,
    ("in order", 10): 369,
    ("after silence", 1): 42,
    ("after silence", 10): 159,
}


@pytest.mark.parametrize(("name", "calls"), UNITS)
def test_a_grouped_call_writes_as_many_units_as_the_page_says(world: CheckWorld, name: str, calls: int) -> None:
    group = {"plain": None, "in order": IN_ORDER, "after silence": PUSH}[name]
    # A row near a kibibyte is larger or smaller by the digits of its times.
    assert units_of(world, group, calls) == pytest.approx(UNITS[name, calls], abs=3)


# --- the command line, and checks as code -----------------------------------------------------------------------------


def test_the_command_shows_what_waits_and_which_calls_were_superseded(world: CheckWorld, rustbox: Rustbox) -> None:
    grouped = Grouped(world, PUSH)
    for _ in range(2):
        grouped.push("refs/heads/\u202e\x1b[31m")
    shown = rustbox("groups", "build")
    assert shown.exit_code == 0, shown.stderr
    assert "\x1b" not in shown.stdout
    (group,) = json.loads(rustbox("groups", "build", "--json").stdout)["items"]
    assert (group["key"], len(group["waiting"])) == ("refs/heads/\u202e\x1b[31m", 1)
    assert "superseded by the run" in rustbox("show", "build").stdout
    grouped.after(11)
    grouped.finish()
    assert "No call waits or runs." in rustbox("groups", "build").stdout + rustbox("groups", "build").stderr


def test_a_file_of_checks_has_groups(world: CheckWorld, rustbox: Rustbox, tmp_path: Path) -> None:
    checks_file, program = tmp_path / "checks.yaml", tmp_path / "build.py"
    program.write_text("print(42)\n", encoding="utf-8")
    text = "checks: [{slug: build, file: build.py, group: {key: $.ref, debounce_secs: %s, most_secs: 60}}]\n"
    checks_file.write_text(text % 0, encoding="utf-8")
    assert rustbox("validate").exit_code != 0
    checks_file.write_text(text % 10, encoding="utf-8")
    assert rustbox("apply").exit_code == 0
    planned = rustbox("plan")
    assert planned.exit_code == 0, planned.stdout
    (check,) = world.call("GET", "/api/checks").json["items"]
    assert check["group"] == {"key": "$.ref", "debounce_secs": 10, "most_secs": 60}
    checks_file.write_text(text % 20, encoding="utf-8")
    assert rustbox("plan").exit_code == 2
