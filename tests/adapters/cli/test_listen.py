"""`rustbox listen`, `trigger` and `events` against a scripted service."""

import json
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from rustbox_cli.commands.events import kept_secret, sign
from tests.adapters.cli.invocation import Rustbox
from tests.adapters.scripted_service import Reply, Service

ID = "0d4b6a34-58a1-4d4c-b1c5-7b0f5e1f9c02"
EVENT = {
    "id": ID,
    "type": "submission.completed",
    "timestamp": "2026-11-24T12:00:00.000Z",
    "submission_id": ID,
    "data": {"type": "submission.completed", "n": 1},
}


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def polled(*cursors: str) -> Reply:
    items = [EVENT | {"reason": "event", "cursor": cursor} for cursor in cursors]
    return Reply(200, {"items": items, "cursor": cursors[-1] if cursors else "start", "missed": 0})


REFUSED = Reply(401, {"error": "unauthorized", "message": "This API key was revoked."})


def test_a_signature_is_that_of_standard_webhooks() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    assert sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_the_secret_is_kept_readable_for_its_owner_only(config: Path, rustbox: Rustbox) -> None:
    secret, path = kept_secret()
    assert kept_secret() == (secret, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert rustbox("listen", "--show-secret").stdout == f"{secret}\n"
    Webhook(secret)
    path.write_text("whsec_!!\n")
    broken = rustbox("listen", "--show-secret")
    assert (broken.exit_code, "delete the file" in broken.stderr) == (78, True)


def test_each_poll_commits_handled_events_and_the_end_commits_the_rest(service: Service, rustbox: Rustbox) -> None:
    service.will(polled(), polled("a", "b"), polled("c"), REFUSED, polled())
    shown = rustbox("listen", "--print-only", "--consumer", "mine", "--event", "x", "--event", "y")
    assert shown.exit_code == 77
    assert [json.loads(line) for line in shown.stdout.splitlines()] == [EVENT["data"]] * 3
    queries = [asked.query for asked in service.asked]
    assert [query.get("cursor") for query in queries] == [None, "start", "b", "c", "c"]
    assert {query["type"] for query in queries} == {"x,y"}
    assert queries[0] == {
        "consumer": "mine",
        "from": "latest",
        "include": "replays,tests",
        "limit": "20",
        "type": "x,y",
        "wait": "0",
    }
    assert [query.get("wait") for query in queries] == ["0", "20", "20", "20", None]


def test_a_listener_waits_for_a_service_that_is_away(
    service: Service, rustbox: Rustbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("rustbox_cli.commands.events.time.sleep", waited.append)
    fault = Reply(500, {"error": "internal", "message": "An internal error."})
    service.will(fault, fault, polled("a"), REFUSED, polled())
    shown = rustbox("listen", "--print-only")
    assert (shown.exit_code, waited, shown.stdout.count("\n")) == (77, [1.0, 2.0], 1)
    assert "An internal error. (500 internal) Trying again in 1 s." in shown.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--forward-to", "http://127.0.0.1:1/", "--print-only"),
        ("--forward-to", "localhost:3000"),
        ("--forward-to", "ftp://localhost/"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_asked(
    service: Service, rustbox: Rustbox, arguments: tuple[str, ...]
) -> None:
    assert rustbox("listen", *arguments).exit_code == 2
    assert service.asked == []


def test_a_sample_is_triggered(service: Service, rustbox: Rustbox) -> None:
    service.will(Reply(200, EVENT))
    assert ID in rustbox("trigger", "submission.completed").stdout
    (asked,) = service.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/api/event-samples", {"type": "submission.completed"})


def test_events_types_and_consumers_are_shown(service: Service, rustbox: Rustbox) -> None:
    service.will(Reply(200, {"items": [EVENT], "next_cursor": None}))
    assert ID in rustbox("events", "list", "--event", "a", "--event", "b", "--undelivered", "--oldest-first").stdout
    assert service.asked[0].query == {"type": "a,b", "delivered": "false", "order": "asc", "limit": "50"}
    service.will(Reply(200, EVENT))
    assert ID in (shown := rustbox("events", "show", ID).stdout)
    assert '"n": 1' in shown
    service.will(Reply(200, {"items": [{"type": "a.b", "description": "It happened"}], "next_cursor": None}))
    assert "It happened" in rustbox("events", "types").stdout
    consumer = {"name": "mine", "cursor": "c", "behind": 3, "created_at": "x", "last_polled_at": "y"}
    service.will(Reply(200, {"items": [consumer], "next_cursor": None}))
    assert rustbox("events", "consumers").stdout.splitlines()[1].split() == ["mine", "3", "y", "x"]
    service.will(Reply(200, {"name": "mine", "deleted": True}))
    assert rustbox("events", "forget", "mine", "--yes").exit_code == 0
    assert (service.asked[-1].method, service.asked[-1].path) == ("DELETE", "/api/event-consumers/mine")
