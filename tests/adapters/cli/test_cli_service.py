"""Commands about the service and its submissions, addresses, suggestions and waits."""

import io
import json
import sys

import pytest

from rustbox_cli.output import show_table
from tests.adapters.cli.invocation import Rustbox
from tests.adapters.scripted_service import Reply, Service
from tests.submission_factory import SUBMISSION_ID as ID

ITEM = {
    "id": ID,
    "status": "completed",
    "verdict": "AC",
    "language": "python",
    "timestamps": {"created_at": "2026-11-24T12:00:00.000Z"},
}
HEALTH = {"status": "ok", "enforcement_mode": "strict", "workers": 4, "queue_depth": 0, "node_id": "runner-1"}


def test_results_are_listed_with_their_filters(service: Service, rustbox: Rustbox) -> None:
    service.will(Reply(200, {"items": [ITEM, {**ITEM, "status": "pending"}], "next_cursor": None}))
    shown = rustbox("results", "--verdict", "AC", "--limit", "2")
    assert (shown.exit_code, shown.stdout.count(ID)) == (0, 2)
    assert service.asked[0].query == {"verdict": "AC", "limit": "2"}
    service.will(Reply(200, {"items": [ITEM], "next_cursor": None}))
    assert json.loads(rustbox("results", "--json").stdout) == {"items": [ITEM]}


def test_a_submission_is_deleted_after_a_confirmation(service: Service, rustbox: Rustbox) -> None:
    assert rustbox("delete", ID).exit_code == 2
    assert service.asked == []
    service.will(Reply(200, {"id": ID, "deleted": True}))
    assert rustbox("delete", ID, "--yes").stdout == f"{ID} deleted\n"
    assert (service.asked[0].method, service.asked[0].path) == ("DELETE", f"/api/result/{ID}")


def test_languages_are_listed_with_their_toolchains(service: Service, rustbox: Rustbox) -> None:
    service.will(Reply(200, [{"name": "c", "toolchains": ["gcc 14.2.0", "gcc 13.1.0"]}]))
    assert rustbox("languages").stdout.splitlines()[1].split() == ["c", "gcc", "14.2.0,", "gcc", "13.1.0"]


@pytest.mark.parametrize(("workers", "code"), [(4, 0), (0, 69)])
def test_health_fails_without_a_live_runner(service: Service, rustbox: Rustbox, workers: int, code: int) -> None:
    service.will(Reply(200, {**HEALTH, "workers": workers}))
    shown = rustbox("health")
    assert (shown.exit_code, "no runner is live" in shown.stderr) == (code, bool(code))
    assert "strict" in shown.stdout


@pytest.mark.parametrize(("typed", "meant"), [("reslt", "result"), ("webhook", "webhooks"), ("langauges", "languages")])
def test_a_misspelt_command_gets_a_suggestion(rustbox: Rustbox, typed: str, meant: str) -> None:
    refused = rustbox(typed)
    assert (refused.exit_code, meant in refused.stderr.partition("Did you mean")[2]) == (2, True)


@pytest.mark.parametrize(
    ("status", "reason"), [(429, "A quota of the project is used up"), (503, "The service is busy")]
)
def test_a_wait_is_announced_with_its_length(service: Service, rustbox: Rustbox, status: int, reason: str) -> None:
    busy = Reply(status, {"error": "rate_limited", "message": "Full."}, {"retry-after": "7"})
    service.will(busy, Reply(202, {"id": ID, "status": "pending"}))
    done = rustbox("submit", "-", "-l", "python", stdin="print(1)")
    assert done.stderr == f"rustbox: {reason}; trying again in 7 s.\n"
    assert done.stdout == f"{ID}\n"


def test_a_refused_key_names_its_variable(service: Service, rustbox: Rustbox, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Reply(401, {"error": "unauthorized", "message": "This API key is unknown."})
    service.will(refused)
    assert "RUSTBOX_API_KEY is not set, so the development key was sent" in rustbox("result", ID).stderr
    monkeypatch.setenv("RUSTBOX_API_KEY", "rb_live_hidden")
    service.will(refused)
    shown = rustbox("result", ID)
    assert (shown.exit_code, "Check RUSTBOX_API_KEY." in shown.stderr, "hidden" in shown.stderr) == (77, True, False)


def test_the_address_comes_from_either_variable_or_the_port_of_the_local_stack(
    service: Service, rustbox: Rustbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUSTBOX_URL")
    monkeypatch.setenv("RUSTBOX_BASE_URL", service.url)
    service.will(Reply(200, HEALTH))
    assert rustbox("health").exit_code == 0
    monkeypatch.delenv("RUSTBOX_BASE_URL")
    monkeypatch.setenv("PORT", service.url.rpartition(":")[2])
    service.will(Reply(200, HEALTH))
    assert rustbox("health").exit_code == 0


@pytest.mark.parametrize("width", [20, 40, 60, 200])
def test_a_terminal_of_any_width_shows_ids_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    show_table(("ID", "URL", "PROJECT ID"), [(ID, "https://example.com/" + "x" * 60, "p" * 36)], "nothing")
    shown = capsys.readouterr().out
    assert ID in shown
    assert "p" * 36 in shown


def test_a_standard_output_that_is_no_terminal_gets_one_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(sys.stdout, io.TextIOBase)
    show_table(("ID", "URL"), [(ID, "x" * 500)], "nothing")
    assert len(capsys.readouterr().out.splitlines()) == 2
