"""The status of a commit: set at the end of a run that a GitHub event started, with a token that nobody sees."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from functions.checks.runs.report import send_report
from functions.checks.runs.run import Commit, RunKind, new_run
from functions.checks.runs.store import RunStore
from functions.checks.settings.store import CheckStore
from functions.handlers import deliver, webhooks
from functions.ids import new_id
from functions.webhooks.deliveries.store import DeliveryStore
from tests.adapters.aws_account import PROJECT_ID
from tests.adapters.checks.check_world import CheckWorld, breaks, prints
from tests.adapters.checks.inbound_senders import SENDERS
from tests.adapters.hook_receiver import HookReceiver
from tests.adapters.http_calls import Answer, event, send
from tests.adapters.http_calls import call as call_http
from tests.adapters.pipeline import call, logged

TOKEN = "ghp_very-hidden-token"
COMMIT = Commit("octo-org/hello", "6dcb09b5b57875f334f61aebed695e2e4193db5e")
PATH = f"/repos/{COMMIT.repository}/statuses/{COMMIT.sha}"
FAILS = [{"type": "stdout", "equals": "43"}, {"type": "verdict", "equals": "AC"}]


@pytest.fixture
def github(world: CheckWorld) -> Iterator[HookReceiver]:
    """A GitHub on this machine, and the sender of webhooks."""
    world.aws.environment("EndpointsFunction")
    world.aws.monkeypatch.setenv("STAGE", "local")
    world.aws.monkeypatch.setenv("ALLOW_INSECURE_WEBHOOK_TARGETS", "true")
    world.aws.monkeypatch.setenv("WEBHOOK_RETRY_SECS", "0,0,60")
    world.aws.monkeypatch.setenv("WEBHOOK_SENDERS", "8")
    for module in (deliver, webhooks):
        module.ENV.forget()
        world.aws.monkeypatch.setattr(module.ENV, "clock", world.time)
    receiver = HookReceiver()
    receiver.always(201)
    with receiver.running():
        yield receiver


def api_url(receiver: HookReceiver) -> str:
    return receiver.url_of("").partition("?")[0]


def reporting(world: CheckWorld, github: HookReceiver, **changes: Any) -> Any:
    """Create a check that reports to a GitHub."""
    status = {"token": TOKEN, "api_url": api_url(github), "context": "rustbox/tests"}
    return world.create(report={"github_status": status}, **changes)


def pushed(world: CheckWorld, check: Any, commit: Commit | None = COMMIT) -> None:
    """Start a run as a signed push does."""
    stored = world.env[CheckStore].get(PROJECT_ID, check["id"])
    assert stored is not None
    run = new_run(stored, RunKind.EVENT, world.time(), world.time(), new_id())
    world.env[RunStore].add_run(replace(run, commit=commit))
    world.settle()


def sent(world: CheckWorld) -> list[Any]:
    """Give the hints of deliveries to their entry point; return its failures."""
    bodies = tuple(json.dumps(message) for message in world.aws.messages("DeliveriesQueue"))
    return list(call(deliver.handler, bodies)) if bodies else []


def test_a_signed_push_sets_the_status_of_its_commit(world: CheckWorld, github: HookReceiver) -> None:
    check = reporting(world, github)
    secret = world.call("POST", f"/api/checks/{check['id']}/secret", {"verify": "github"}).json["secret"]
    body = json.dumps({"repository": {"full_name": COMMIT.repository}, "after": COMMIT.sha})
    headers = SENDERS["github"].sign(secret, body, 0, "delivery-1")
    assert call_http(event("POST", f"/api/checks/{check['id']}/events", headers=headers, body=body)).status == 202
    world.settle()
    assert sent(world) == []
    (request,) = github.received
    assert request.path == PATH


def test_the_end_of_a_run_sets_the_status_of_its_commit(world: CheckWorld, github: HookReceiver) -> None:
    check = reporting(world, github)
    pushed(world, check)
    assert sent(world) == []
    (request,) = github.received
    assert request.path == PATH
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["accept"] == "application/vnd.github+json"
    assert "webhook-signature" not in request.headers
    assert json.loads(request.body) == {
        "state": "success",
        "description": "The check passed.",
        "context": "rustbox/tests",
        "target_url": f"{world.env.settings.public_base_url}/#/checks/{check['id']}",
    }


@pytest.mark.parametrize(
    ("answer", "changes", "state", "description"),
    [
        (prints("a secret"), {"assertions": FAILS}, "failure", "The check failed. 1 of 2 assertions do not hold."),
        (breaks, {}, "error", "The platform could not run the check."),
    ],
)
def test_a_status_says_how_a_run_ended_and_nothing_of_its_output(
    world: CheckWorld, github: HookReceiver, answer: Any, changes: Any, state: str, description: str
) -> None:
    world.answer = answer
    pushed(world, reporting(world, github, **changes))
    sent(world)
    (request,) = github.received
    status = json.loads(request.body)
    assert (status["state"], status["description"]) == (state, description)
    assert b"secret" not in request.body


def test_a_muted_and_a_paused_check_report_all_the_same_and_send_no_event(
    world: CheckWorld, github: HookReceiver
) -> None:
    world.endpoint("check.run.completed")
    check = reporting(world, github, muted_until="2099-01-01T00:00:00Z")
    pushed(world, check)
    world.call("POST", f"/api/checks/{check['id']}/pause")
    pushed(world, check)
    sent(world)
    assert [request.path for request in github.received] == [PATH, PATH]
    assert [event["type"] for event in world.events()] == ["check.report", "check.report"]


def test_a_502_is_retried_and_the_delivery_has_both_attempts(world: CheckWorld, github: HookReceiver) -> None:
    github.answers = [(502, {}, b"bad gateway"), (201, {}, b"{}")]
    pushed(world, reporting(world, github))
    sent(world)
    sent(world)
    assert [request.body for request in github.received] == [github.received[0].body] * 2
    (listed,) = deliveries(world)
    assert (listed["type"], listed["endpoint_id"], listed["state"]) == ("check.report", "run", "delivered")
    shown = send(world.key, "GET", f"/api/deliveries/{listed['id']}").json
    assert [attempt["status_code"] for attempt in shown["attempts"]] == [502, 201]


def test_a_final_report_is_replayed_with_its_token(world: CheckWorld, github: HookReceiver) -> None:
    pushed(world, reporting(world, github))
    sent(world)
    (listed,) = deliveries(world)
    path = f"/api/deliveries/{listed['id']}/replay"
    assert send(world.key, "POST", path).status == 409
    wrong = send(world.key, "POST", path, {"webhook_secret": "two\nlines"})
    assert (wrong.status, wrong.json["fields"][0]["field"]) == (422, "webhook_secret")
    assert send(world.key, "POST", path, {"webhook_secret": "ghp_new"}).status == 202
    sent(world)
    assert [request.headers["authorization"] for request in github.received] == [f"Bearer {TOKEN}", "Bearer ghp_new"]


def test_a_report_is_sent_once_however_often_its_step_is_repeated(world: CheckWorld, github: HookReceiver) -> None:
    check = reporting(world, github)
    pushed(world, check)
    (run,) = world.rows(check)
    stored = world.env[CheckStore].get(PROJECT_ID, check["id"], with_source=True)
    assert stored is not None
    send_report(world.env, stored, run)
    sent(world)
    assert len(github.received) == 1


def test_without_a_commit_or_the_setting_nothing_is_reported(world: CheckWorld, github: HookReceiver) -> None:
    pushed(world, reporting(world, github), None)
    pushed(world, world.create(name="Other"), COMMIT)
    sent(world)
    assert (github.received, deliveries(world)) == ([], [])


def test_a_report_is_in_no_list_of_events_and_is_shown_by_its_id(world: CheckWorld, github: HookReceiver) -> None:
    pushed(world, reporting(world, github))
    (listed,) = deliveries(world)
    types = [event["type"] for event in send(world.key, "GET", "/api/events").json["items"]]
    assert "check.report" not in types
    shown = send(world.key, "GET", f"/api/events/{listed['webhook_id']}").json
    assert shown["data"]["request"]["context"] == "rustbox/tests"
    assert TOKEN not in repr(shown)


def test_a_purge_finds_reports_that_are_not_sent_yet(
    world: CheckWorld, github: HookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A fresh hint is sent without a look at its row.
    monkeypatch.setattr("functions.webhooks.sending.deliverer.FRESH_HINT_MS", -1)
    pushed(world, reporting(world, github))
    assert world.env[DeliveryStore].delete_others(PROJECT_ID) == 3  # report, new state and creation of the check
    sent(world)
    assert github.received == []
    assert [one["state"] for one in deliveries(world)] == ["cancelled"]


def test_the_token_is_sealed_hidden_and_kept(
    world: CheckWorld, github: HookReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    check = reporting(world, github)
    assert check["report"]["github_status"]["token"] == "***"
    changed = change(world, check, token="***", api_url=api_url(github), context="other")
    assert changed.json["report"]["github_status"] == {"token": "***", "api_url": api_url(github), "context": "other"}
    pushed(world, check)
    rows = repr([world.aws.items(table) for table in ("ChecksTable", "DeliveriesTable", "SubmissionsTable")])
    for text in (rows, logged(caplog), repr(world.show(check))):
        assert TOKEN not in text
    sent(world)
    (request,) = github.received
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert world.call("PATCH", f"/api/checks/{check['id']}", {"report": None}).json["report"] is None


def test_the_token_of_one_address_is_not_sent_to_another(world: CheckWorld, github: HookReceiver) -> None:
    check = reporting(world, github)
    moved = change(world, check, token="***", api_url="https://github.example.com/api/v3")
    assert (moved.status, moved.json["fields"][0]["field"]) == (422, "report.github_status.token")
    assert change(world, check, token="new", api_url="https://github.example.com/api/v3").status == 200


def change(world: CheckWorld, check: Any, **status: Any) -> Answer:
    return world.call("PATCH", f"/api/checks/{check['id']}", {"report": {"github_status": status}})


def deliveries(world: CheckWorld) -> list[Any]:
    items: list[Any] = send(world.key, "GET", "/api/deliveries").json["items"]
    return items
