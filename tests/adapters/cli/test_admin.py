"""The commands `rustbox admin` against a scripted service."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from functions.operations.purge import QUEUE_NAMES
from tests.adapters.cli.invocation import Rustbox
from tests.adapters.scripted_service import Reply, Service
from tests.submission_factory import SUBMISSION_ID as ID

EVENTS = Path(__file__).parents[3] / "events" / "webhook"
QUERY = 'SOURCE logGroups(namePrefix: ["rustbox-dev-"]) | filter correlation_id = "own-id"'
TRACE: dict[str, Any] = {
    "id": ID,
    "project_id": "dev",
    "correlation_id": "own-id",
    "row": {"status": "completed", "verdict": "AC", "node_id": "runner-1\x1b[2J"},
    "event_stored": True,
    "deliveries": [
        {
            "endpoint_id": "run",
            "state": "retrying",
            "attempts_made": 1,
            "next_attempt_at": "2026-11-24T12:05:00.000Z",
            "lease_until": None,
            "parked": False,
            "attempts": [],
        }
    ],
    "history": [{"at": "2026-11-24T12:00:00.000Z", "what": "attempt 1", "detail": "run: 500"}],
    "logs": {"query": QUERY, "from_secs": 1, "to_secs": 2},
}


def test_a_trace_shows_history_deliveries_and_where_the_log_lines_are(service: Service, rustbox: Rustbox) -> None:
    service.will(Reply(200, TRACE))
    ended = rustbox("admin", "trace", ID)
    assert ended.exit_code == 0, ended.stderr
    (asked,) = service.asked
    assert (asked.method, asked.path) == ("GET", f"/api/admin/submissions/{ID}")
    assert asked.headers["x-admin-key"] == "admin_local_development_only"
    for text in (
        "own-id",
        "attempt 1",
        "run: 500",
        "retrying",
        "make up",
        f"docker logs rustbox-runner 2>&1 | grep {ID}",
    ):
        assert text in ended.stdout
    assert "\x1b" not in ended.stdout


def test_the_trace_of_a_deployed_service_has_commands_for_a_shell(
    service: Service, rustbox: Rustbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rustbox_cli.api.Session.is_local", lambda _session: False)
    service.will(Reply(200, TRACE))
    (line,) = [line for line in rustbox("admin", "trace", ID).stdout.splitlines() if "start-query" in line]
    words = shlex.split(line.strip().removeprefix("ID=$(").removesuffix(")"))
    assert words[words.index("--query-string") + 1] == QUERY
    assert words[words.index("--start-time") + 1 : words.index("--start-time") + 4] == ["1", "--end-time", "2"]


def test_a_trace_as_json_is_the_answer(service: Service, rustbox: Rustbox) -> None:
    service.will(Reply(200, TRACE))
    assert json.loads(rustbox("admin", "trace", ID, "--json").stdout) == TRACE


def test_a_redrive_is_repeated_until_nothing_is_left(service: Service, rustbox: Rustbox) -> None:
    service.will(*(Reply(200, {"queue": "batch", "moved": moved, "left": left}) for moved, left in ((9, 4), (4, 0))))
    ended = rustbox("admin", "redrive", "batch", "--json")
    assert json.loads(ended.stdout) == {"queue": "batch", "moved": 13, "left": 0}
    assert [call.path for call in service.asked] == ["/api/admin/dead-letters/batch/redrive"] * 2


def test_a_redrive_ends_when_nothing_can_be_moved(service: Service, rustbox: Rustbox) -> None:
    service.will(Reply(200, {"queue": "batch", "moved": 0, "left": 2}))
    assert json.loads(rustbox("admin", "redrive", "batch", "--json").stdout)["left"] == 2
    assert rustbox("admin", "redrive", "orders").exit_code == 2


def test_changes_are_a_table_with_fields_and_addresses(service: Service, rustbox: Rustbox) -> None:
    data = json.loads((EVENTS / "project_changed.v1.administrator.json").read_text())
    changed = {"id": ID, "type": "project.changed", "timestamp": data["timestamp"], "submission_id": None}
    page = {"items": [changed | {"data": data}], "next_cursor": None}
    service.will(Reply(200, page), Reply(200, page))
    shown, as_json = rustbox("admin", "changes", "--since", "2d"), rustbox("admin", "changes", "--json")
    assert (shown.exit_code, json.loads(as_json.stdout)["items"]) == (0, page["items"])
    for text in ("key.issued", "dev", data["address"], "rights"):
        assert text in shown.stdout
    asked = service.asked[0]
    assert (asked.method, asked.path.partition("?")[0]) == ("GET", "/api/admin/changes")
    assert asked.headers["x-admin-key"] == "admin_local_development_only"


@pytest.mark.parametrize("queue", QUEUE_NAMES)
def test_every_queue_with_dead_letters_can_be_redriven(service: Service, rustbox: Rustbox, queue: str) -> None:
    service.will(Reply(200, {"queue": queue, "moved": 0, "left": 0}))
    assert rustbox("admin", "redrive", queue).exit_code == 0


def test_a_drain_sends_the_runners_token_to_the_runner_alone(
    service: Service, rustbox: Rustbox, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("t" * 40 + "\n")
    service.will(Reply(202, {"status": "draining"}), Reply(401, {"error": "unauthorized"}), Reply(404, {}))
    ended = rustbox("admin", "drain", service.url, "--token-file", str(token))
    assert (ended.exit_code, ended.stdout) == (0, "The runner finishes its current runs and accepts no new ones.\n")
    (asked,) = service.asked
    assert (asked.method, asked.path, asked.headers["authorization"]) == ("POST", "/v1/drain", "Bearer " + "t" * 40)
    assert asked.headers.get("x-admin-key") is None
    assert rustbox("admin", "drain", service.url, "--token-file", str(token)).exit_code == 77
    assert rustbox("admin", "drain", service.url, "--token-file", str(token)).exit_code == 70


def test_a_token_is_not_sent_unencrypted_unless_allowed(rustbox: Rustbox, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t" * 40)
    ended = rustbox("admin", "drain", "http://192.0.2.1:8080", "--token-file", str(token))
    assert ended.exit_code == 78
    assert "not encrypted" in ended.stderr


def _purged(submissions: int, running: int, *, complete: bool, checks: int = 0) -> Reply:
    deleted = {"submissions_deleted": submissions, "endpoints_deleted": 0, "checks_deleted": checks}
    body = {**deleted, "submissions_running": running}
    return Reply(200, {"project_id": "dev", **body, "complete": complete})


def test_a_purge_asks_first_and_goes_on_until_nothing_is_left(service: Service, rustbox: Rustbox) -> None:
    assert rustbox("admin", "purge", "dev").exit_code == 2
    assert service.asked == []
    service.will(_purged(100, 0, complete=False), _purged(50, 0, complete=False), _purged(0, 0, complete=True))
    ended = rustbox("admin", "purge", "dev", "--yes", "--json")
    found = json.loads(ended.stdout)
    assert (ended.exit_code, found["submissions_deleted"], found["complete"]) == (0, 150, True)


def test_a_purge_goes_on_after_a_call_that_had_time_for_checks_only(service: Service, rustbox: Rustbox) -> None:
    service.will(_purged(0, 0, complete=False, checks=300), _purged(5, 0, complete=False), _purged(0, 0, complete=True))
    ended = rustbox("admin", "purge", "dev", "--yes", "--json")
    found = json.loads(ended.stdout)
    assert (ended.exit_code, found["checks_deleted"], found["submissions_deleted"]) == (0, 300, 5)


def test_a_purge_goes_on_after_a_call_in_which_a_check_changed(service: Service, rustbox: Rustbox) -> None:
    service.will(_purged(0, 0, complete=False), _purged(0, 0, complete=False, checks=1), _purged(0, 0, complete=True))
    ended = rustbox("admin", "purge", "dev", "--yes", "--json")
    assert (ended.exit_code, json.loads(ended.stdout)["checks_deleted"]) == (0, 1)


def test_a_purge_says_that_submissions_still_run(service: Service, rustbox: Rustbox) -> None:
    service.will(_purged(1, 2, complete=False), _purged(0, 2, complete=False))
    ended = rustbox("admin", "purge", "dev", "--yes")
    assert ended.exit_code == 75
    assert "2 submissions still run" in ended.stderr


# --- runners ------------------------------------------------------------------------------------------------------

PIN = "sha256:" + "ab" * 32
RUNNER = {"node_id": "host-b", "state": "live", "slots": 4, "slots_busy": 1, "version": "0.1.0"} | dict.fromkeys(
    ("reported_at", "problem")
)
TOKEN = {"name": "host-b", "created_at": "2026-11-30T08:00:00.000Z", "revoked_at": None, "runner": RUNNER}


@pytest.mark.parametrize(
    ("listener", "fingerprint", "command"),
    [
        (
            "10.0.0.5:7443",
            PIN,
            f"RUSTBOX_SERVER=10.0.0.5:7443 RUSTBOX_FINGERPRINT={PIN} RUSTBOX_RUNNER_TOKEN_FILE=FILE",
        ),
        ("0.0.0.0:7443", None, "RUSTBOX_SERVER=ADDRESS_OF_THIS_MACHINE:7443 RUSTBOX_RUNNER_TOKEN_FILE=FILE"),
    ],
)
def test_a_new_token_is_shown_on_a_line_with_the_command_for_its_host(
    service: Service, rustbox: Rustbox, listener: str, fingerprint: str | None, command: str
) -> None:
    token = f"rbrunner_host-b_{'0' * 64}"
    service.will(Reply(200, {**TOKEN, "token": token, "listener": listener, "fingerprint": fingerprint}))
    ended = rustbox("admin", "runner-tokens", "create", "host-b")
    assert ended.stdout.splitlines()[0] == token
    assert f"sudo make runner {command}" in ended.stdout
    assert service.asked[-1].path == "/api/admin/runner-tokens"


def test_runners_and_tokens_are_tables(service: Service, rustbox: Rustbox) -> None:
    service.will(Reply(200, {"items": [TOKEN, {**TOKEN, "name": "unused", "runner": None}]}))
    listed = rustbox("admin", "runner-tokens", "list").stdout
    assert [line.split()[0] for line in listed.splitlines()[1:]] == ["host-b", "unused"]
    service.will(Reply(200, {"items": [RUNNER]}))
    assert "host-b" in rustbox("admin", "runners").stdout
    service.will(Reply(200, {**TOKEN, "revoked_at": "2026-11-30T09:00:00.000Z"}))
    assert "2026-11-30T09" in rustbox("admin", "runner-tokens", "revoke", "host-b", "--yes").stdout
