"""Runners and their tokens over the administrator's API."""

import hashlib
import logging

import pytest

from functions.aws.clients import Clients
from functions.clock import now_ms, to_rfc3339
from functions.submissions.runners.store import REVOKED_KEPT_SECS, RunnerStore, RunnerTokenStore
from tests.adapters.aws_account import Aws
from tests.adapters.http_calls import admin
from tests.adapters.submissions.heartbeats import heartbeat
from tests.submission_factory import FakeTime

LISTENER, PIN = "10.0.0.5:7443", "sha256:" + "ab" * 32
PATH = "/api/admin/runner-tokens"


@pytest.fixture
def listens(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_LISTENER", LISTENER)
    monkeypatch.setenv("RUNNER_FINGERPRINT", PIN)


def report(aws: Aws, name: str, *, slots: int = 4, age_secs: int = 0) -> None:
    RunnerStore(aws.names["RunnersTable"], Clients.dynamodb()).put_heartbeat(
        heartbeat(name, sent_ms=now_ms() - age_secs * 1000, slots=slots)
    )


@pytest.mark.usefixtures("listens")
def test_a_token_is_shown_once_stored_hashed_and_revoked_for_good(
    aws: Aws, admin_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        made = admin(admin_key, "POST", PATH, {"name": "host-b"})
    assert made.status == 200
    token = made.json["token"]
    assert (made.json["listener"], made.json["fingerprint"], made.json["runner"]) == (LISTENER, PIN, None)
    assert token.startswith("rbrunner_host-b_")
    (row,) = [row for row in Clients.dynamodb().scan(TableName=aws.names["RunnersTable"])["Items"] if "digest" in row]
    assert token not in str(row)
    assert row["digest"]["S"] == hashlib.sha256(token.encode()).hexdigest()
    assert token not in caplog.text
    assert admin(admin_key, "POST", PATH, {"name": "host-b"}).status == 409
    report(aws, "host-b", slots=2)
    (listed,) = admin(admin_key, "GET", PATH).json["items"]
    assert (listed["name"], listed["revoked_at"], listed["runner"]["state"]) == ("host-b", None, "live")
    assert token not in str(listed)
    revoked = admin(admin_key, "DELETE", f"{PATH}/host-b")
    assert revoked.status == 200
    assert admin(admin_key, "DELETE", f"{PATH}/host-b").json == revoked.json
    again = admin(admin_key, "POST", PATH, {"name": "host-b"}).json
    assert again["token"] != token
    assert again["revoked_at"] is None


@pytest.mark.parametrize("name", ["", "Host", "a_b", "-a", "a" * 64, "../x", "local", None])
@pytest.mark.usefixtures("listens", "aws")
def test_a_name_is_that_of_a_host(admin_key: str, name: str | None) -> None:
    assert admin(admin_key, "POST", PATH, {"name": name}).status == 422
    if name and "/" not in name:
        assert admin(admin_key, "DELETE", f"{PATH}/{name}").status in {400, 404}


@pytest.mark.usefixtures("aws")
def test_a_deployment_without_a_listener_says_what_to_do(admin_key: str) -> None:
    refused = admin(admin_key, "POST", PATH, {"name": "host-b"})
    assert (refused.status, "RUSTBOX_RUNNER_LISTEN" in refused.json["message"]) == (409, True)
    assert admin(admin_key, "GET", PATH).json == {"items": []}


@pytest.mark.usefixtures("listens", "aws")
def test_tokens_are_bounded(admin_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.operations.api.MAX_TOKENS", 2)
    assert [admin(admin_key, "POST", PATH, {"name": f"h{number}"}).status for number in range(3)] == [200, 200, 409]
    admin(admin_key, "DELETE", f"{PATH}/h0")
    assert admin(admin_key, "POST", PATH, {"name": "h3"}).status == 200


def test_a_revoked_token_leaves_the_list_after_90_days(aws: Aws) -> None:
    time = FakeTime()
    tokens = RunnerTokenStore(aws.names["RunnersTable"], Clients.dynamodb(), time)
    tokens.create("host-b")
    tokens.revoke("host-b")
    assert [each.name for each in tokens.list_all()] == ["host-b"]
    time.ms += (REVOKED_KEPT_SECS + 1) * 1000
    assert tokens.list_all() == []


def test_all_runners_are_listed_by_name_with_their_state(aws: Aws, admin_key: str) -> None:
    report(aws, "b", slots=3)
    report(aws, "c", slots=0)
    report(aws, "a", age_secs=90)
    items = admin(admin_key, "GET", "/api/admin/runners").json["items"]
    assert [(each["node_id"], each["state"], each["slots"]) for each in items] == [
        ("a", "silent", 4),
        ("b", "live", 3),
        ("c", "draining", 0),
    ]
    assert items[0]["reported_at"] < to_rfc3339(now_ms() - 80_000)
