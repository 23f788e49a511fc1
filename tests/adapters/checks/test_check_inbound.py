"""Inbound events: calls signed by the official package run a check once; all others are refused alike."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from functions.ids import new_id
from tests.adapters.checks.check_world import CheckWorld
from tests.adapters.http_calls import Answer, call, event


@pytest.fixture
def check(world: CheckWorld) -> Any:
    return world.create(name="After a deployment", env={"API_TOKEN": "t0p-secret"})


@pytest.fixture
def secret(world: CheckWorld, check: Any) -> str:
    answer = world.call("POST", f"/api/checks/{check['id']}/secret")
    assert answer.json["url"] == f"/api/checks/{check['id']}/events"
    made: str = answer.json["secret"]
    return made


def signed(
    world: CheckWorld, check_id: str, secret: str, body: str, message_id: str = "msg_1", late_secs: int = 0
) -> Answer:
    moment = datetime.fromtimestamp(world.time.ms / 1000, UTC) - timedelta(seconds=late_secs)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, moment, body),
        "content-type": "application/json",
    }
    return sent(check_id, headers, body)


def sent(check_id: str, headers: dict[str, str], body: str) -> Answer:
    return call(event("POST", f"/api/checks/{check_id}/events", headers=headers, body=body))


def test_a_signed_event_runs_the_check_with_its_data(world: CheckWorld, check: Any, secret: str) -> None:
    answer = signed(world, check["id"], secret, '{"version": "1.4.2"}')
    assert (answer.status, answer.json["kind"], answer.json["status"]) == (202, "event", "queued")
    world.hints()
    (message,) = world.aws.messages("BatchQueue")
    assert message["environment"] == {
        "API_TOKEN": "t0p-secret",
        "RUSTBOX_EVENT": '{"version":"1.4.2"}',
        "RUSTBOX_EVENT_ID": "msg_1",
        "RUSTBOX_EVENT_TYPE": "",
    }
    world.send_again()
    world.run_programs()
    world.hints()
    assert world.statuses(check) == ["passed"]
    assert world.show(check)["state"] == "up"


def test_a_repeated_event_runs_once(world: CheckWorld, check: Any, secret: str) -> None:
    answers = []
    for _ in range(3):
        answers.append(signed(world, check["id"], secret, "{}"))
        world.time.advance(60)  # a retry has a new timestamp, and the same id
        world.settle()
    assert {answer.json["id"] for answer in answers} == {world.runs(check)[0]["id"]}
    assert world.statuses(check) == ["passed"]
    signed(world, check["id"], secret, "{}", "msg_2")
    world.settle()
    assert world.statuses(check) == ["passed", "passed"]


def test_a_secret_opens_its_own_check_only(world: CheckWorld, check: Any, secret: str) -> None:
    """Without a secret, and with that of another check, a call is refused as if there were no such check."""
    other = world.create(name="other")
    other_secret = world.call("POST", f"/api/checks/{other['id']}/secret").json["secret"]
    refused = [
        signed(world, check["id"], other_secret, "{}"),
        signed(world, new_id(), secret, "{}"),
        signed(world, world.create(name="no secret")["id"], secret, "{}"),
        sent(check["id"], {"content-type": "application/json"}, "{}"),
    ]
    assert [answer.status for answer in refused] == [401] * len(refused)
    assert len({answer.raw for answer in refused}) == 1
    assert world.runs(check) == []


def test_a_new_secret_ends_the_one_before(world: CheckWorld, check: Any, secret: str) -> None:
    newer = world.call("POST", f"/api/checks/{check['id']}/secret").json["secret"]
    assert signed(world, check["id"], secret, "{}").status == 401
    assert signed(world, check["id"], newer, "{}").status == 202


def test_a_deleted_check_takes_no_event(world: CheckWorld, check: Any, secret: str) -> None:
    world.call("DELETE", f"/api/checks/{check['id']}")
    assert signed(world, check["id"], secret, "{}").status == 401


@pytest.mark.parametrize(("body", "status"), [("[1]", 422), ("{", 400), (json.dumps({"text": "x" * 1_400}), 422)])
def test_a_genuine_call_with_a_wrong_body_is_refused_and_runs_nothing(
    world: CheckWorld, check: Any, secret: str, body: str, status: int
) -> None:
    assert signed(world, check["id"], secret, body).status == status
    assert world.runs(check) == []


def test_the_secret_is_stored_sealed(world: CheckWorld, check: Any, secret: str) -> None:
    assert secret not in repr(world.aws.items("ChecksTable"))


def test_signed_calls_count_among_the_requests_of_an_hour(world: CheckWorld, check: Any, secret: str) -> None:
    world.allow_requests(1)
    assert signed(world, check["id"], secret, "{}").status == 202
    refused = signed(world, check["id"], secret, "{}", "msg_2")
    assert (refused.status, refused.json["error"]) == (429, "rate_limited")
    assert len(world.runs(check)) == 1


def test_a_repeat_at_the_limit_of_an_hour_answers_with_the_first_run(
    world: CheckWorld, check: Any, secret: str
) -> None:
    world.allow_requests(2)
    first = signed(world, check["id"], secret, "{}")
    repeat = signed(world, check["id"], secret, "{}")
    assert signed(world, check["id"], secret, "{}", "msg_2").status == 202  # the repeat used up nothing
    last = signed(world, check["id"], secret, "{}")
    assert [(again.status, again.json["id"]) for again in (repeat, last)] == [(202, first.json["id"])] * 2
