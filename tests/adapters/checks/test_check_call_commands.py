"""`rustbox checks` about signed calls, quiet times of tags, and the status page."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.adapters.checks.check_world import CheckWorld
from tests.adapters.checks.commands import Rustbox
from tests.adapters.http_calls import call, event

BODY = b'{"after": "1"}'


def signed(secret: str, delivery: str) -> dict[str, str]:
    digest = hmac.digest(secret.encode(), BODY, hashlib.sha256).hex()
    return {"x-hub-signature-256": f"sha256={digest}", "x-github-delivery": delivery, "x-github-event": "push"}


def sends(url: str, secret: str, delivery: str) -> int:
    return call(event("POST", "/api/" + url.partition("/api/")[2], body=BODY, headers=signed(secret, delivery))).status


def test_a_secret_is_shown_once_and_ends_the_one_before(rustbox: Rustbox, world: CheckWorld) -> None:
    world.create(slug="deploy")
    made = json.loads(rustbox("secret", "deploy", "--verify", "github", "--json").stdout)
    assert sends(made["url"], made["secret"], "d-1") == 202
    shown = rustbox("secret", "deploy").stdout
    assert ("github" in shown, made["url"] in shown, made["secret"] in shown) == (True, True, False)
    again = json.loads(rustbox("secret", "deploy", "--rotate", "--json").stdout)
    assert again["verification"] == {"verify": "github"}
    assert sends(made["url"], made["secret"], "d-2") == 401
    assert sends(made["url"], again["secret"], "d-2") == 202


@pytest.mark.parametrize("options", [(), ("--rotate",)])
def test_the_first_secret_needs_no_scheme(rustbox: Rustbox, world: CheckWorld, options: tuple[str, ...]) -> None:
    check = world.create(slug="deploy")
    made = json.loads(rustbox("secret", "deploy", *options, "--json").stdout)
    assert made["verification"] == {"verify": "standard"}
    moment = datetime.fromtimestamp(world.time.ms // 1000, UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(world.time.ms // 1000),
        "webhook-signature": Webhook(made["secret"]).sign("msg_1", moment, "{}"),
    }
    shown = rustbox("secret", "deploy").stdout  # the secret stays as it is, and is not shown again
    assert ("standard" in shown, made["secret"] in shown) == (True, False)
    assert call(event("POST", f"/api/checks/{check['id']}/events", body="{}", headers=headers)).status == 202


def test_a_rotation_keeps_the_options_of_hmac(rustbox: Rustbox, world: CheckWorld) -> None:
    world.create(slug="other")
    options = ("--header", "X-Signature", "--prefix", "v=", "--encoding", "base64", "--id-header", "X-Id")
    made = json.loads(rustbox("secret", "other", "--verify", "hmac", *options, "--json").stdout)
    again = json.loads(rustbox("secret", "other", "--rotate", "--json").stdout)
    assert again["verification"] == made["verification"]
    assert again["secret"] != made["secret"]


def test_the_secret_of_a_sender_comes_from_a_file(rustbox: Rustbox, world: CheckWorld) -> None:
    world.create(slug="charges")
    secret = "whsec_" + "a" * 32
    Path("secret").write_text(secret + "\n")
    missing = rustbox("secret", "charges", "--verify", "stripe")
    assert (missing.exit_code, "Required with stripe" in missing.stderr) == (65, True)
    made = rustbox("secret", "charges", "--verify", "stripe", "--secret", "secret", "--json")
    assert json.loads(made.stdout)["secret"] == secret


@pytest.mark.parametrize(
    "arguments", [("--verify", "github", "--rotate"), ("--header", "X-Id"), ("--secret", "-"), ("--verify", "gihub")]
)
def test_options_that_say_nothing_together_are_refused(
    rustbox: Rustbox, world: CheckWorld, arguments: tuple[str, ...]
) -> None:
    world.create(slug="deploy")
    assert rustbox("secret", "deploy", *arguments).exit_code == 2


def test_calls_are_listed_with_their_outcomes(rustbox: Rustbox, world: CheckWorld) -> None:
    world.create(slug="deploy")
    assert "`rustbox checks secret deploy` shows the address" in rustbox("calls", "deploy").stderr
    made = json.loads(rustbox("secret", "deploy", "--verify", "github", "--json").stdout)
    sends(made["url"], made["secret"], "d-1")
    world.time.advance(1)
    sends(made["url"], "wrong", "d-2")
    lines = rustbox("calls", "deploy").stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["OUTCOME", "refused", "ran"]
    assert ("does not fit" in lines[1], "d-1" in lines[2]) == (True, True)
    refused, ran = json.loads(rustbox("calls", "deploy", "--json").stdout)["items"]
    assert (refused["outcome"], ran["outcome"], ran["id"] in lines[2]) == ("refused", "ran", True)
    assert rustbox("calls", "deploy", "--again", ran["id"]).stdout.startswith("deploy started: run ")
    assert "signed call push d-1, again" in rustbox("show", "deploy").stdout
    missing = rustbox("calls", "deploy", "--again", refused["id"])
    assert (missing.exit_code, "No such call ran" in missing.stderr) == (66, True)


@pytest.mark.parametrize("command", ["secret", "calls"])
def test_an_unknown_slug_names_the_one_that_was_meant(rustbox: Rustbox, world: CheckWorld, command: str) -> None:
    world.create(slug="totals")
    assert "Did you mean totals?" in rustbox(command, "total").stderr


def test_quiet_times_of_tags_are_added_and_removed(rustbox: Rustbox, world: CheckWorld) -> None:
    assert rustbox("quiet-times", "list").stderr == "No tag has quiet times.\n"
    sunday = ("cron(0 2 ? * SUN *)", "--minutes", "120")
    for _ in range(2):  # repeating it is safe
        assert rustbox("quiet-times", "add", "database", *sunday).exit_code == 0
    rustbox("quiet-times", "add", "database", "cron(0 3 * * ? *)", "--minutes", "5", "--timezone", "Europe/Berlin")
    rustbox("quiet-times", "add", "web", *sunday)
    lines = rustbox("quiet-times", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["TAG", "database", "database", "web"]
    assert rustbox("quiet-times", "remove", "database", "--schedule", "cron(0 3 * * ? *)").exit_code == 0
    assert rustbox("quiet-times", "remove", "web").exit_code == 0
    assert world.call("GET", "/api/quiet-times").json == {
        "tags": {"database": [{"schedule": "cron(0 2 ? * SUN *)", "minutes": 120, "timezone": "UTC"}]}
    }
    missing = rustbox("quiet-times", "remove", "web")
    assert (missing.exit_code, "no such quiet time" in missing.stderr) == (66, True)
    refused = rustbox("quiet-times", "add", "web", "rate(1 hour)", "--minutes", "5")
    assert (refused.exit_code, "tags.web[0].schedule" in refused.stderr) == (65, True)


def test_the_status_page_is_set_shown_and_turned_off(rustbox: Rustbox, world: CheckWorld) -> None:
    assert rustbox("status-page", "show").exit_code == 66
    world.create(slug="site")
    world.create(slug="backup")
    made = json.loads(rustbox("status-page", "set", "site", "backup", "--title", "Example", "--json").stdout)
    assert made["url"].startswith("http://127.0.0.1:")
    assert call(event("GET", "/status/" + made["url"].partition("/status/")[2])).status == 200
    assert rustbox("status-page", "set", "backup", "--title", "Example", "--with-output").exit_code == 0
    shown = json.loads(rustbox("status-page", "show", "--json").stdout)
    assert shown == {"title": "Example", "checks": ["backup"], "shows_output": True, "url": made["url"]}
    assert made["url"] in rustbox("status-page", "show").stdout
    assert rustbox("status-page", "delete").exit_code == 2
    assert rustbox("status-page", "delete", "--yes").stdout == "The status page is off.\n"
    assert rustbox("status-page", "show").exit_code == 66
