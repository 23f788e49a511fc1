"""`rustbox checks` about checks of the service, by their slugs."""

import json
from pathlib import Path

import pytest

from tests.adapters.checks.check_world import CheckWorld, prints
from tests.adapters.checks.commands import Rustbox
from tests.adapters.http_calls import call, event

ASSERTS = {"assertions": [{"type": "stdout", "equals": "42"}]}


def test_list_shows_states_and_next_times(rustbox: Rustbox, world: CheckWorld) -> None:
    assert rustbox("list").stderr == "There are no checks. `rustbox checks init` begins a file.\n"
    world.create(slug="totals", schedule="rate(1 hour)", tags=["x"])
    world.time.advance(1)
    world.create(slug="other")
    lines = rustbox("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["SLUG", "other", "totals"]
    assert "2026-11-24T13:00:00+00:00" in lines[2]
    assert [each["slug"] for each in json.loads(rustbox("list", "--tag", "x", "--json").stdout)["items"]] == ["totals"]


def test_show_has_the_check_and_its_runs(rustbox: Rustbox, world: CheckWorld) -> None:
    world.create(slug="totals", **ASSERTS)
    assert rustbox("run", "totals", "--no-wait").exit_code == 0
    world.settle()
    world.settle()
    shown = rustbox("show", "totals").stdout
    assert "manual" in shown
    assert "print(42)" not in shown
    assert json.loads(rustbox("show", "totals", "--json").stdout)["runs"][0]["kind"] == "manual"


def test_run_waits_and_ends_with_1_if_it_fails(rustbox: Rustbox, world: CheckWorld) -> None:
    world.create(slug="totals", **ASSERTS)
    world.answer = prints("42")
    passed = rustbox("run", "totals")
    assert (passed.exit_code, passed.stdout.splitlines()[-1]) == (0, "totals passed")
    world.answer = prints("13")
    failed = rustbox("run", "totals")
    assert failed.exit_code == 1
    assert failed.stdout.endswith("totals failed\n    stdout equals: expected 42, got 13\n")
    assert world.call("GET", "/api/checks").json["items"][0]["state"] == "failing"


def test_pause_resume_mute_and_delete(rustbox: Rustbox, world: CheckWorld) -> None:
    check = world.create(slug="totals", schedule="rate(1 hour)")
    assert rustbox("pause", "totals").stdout == "totals is paused.\n"
    assert world.show(check)["state"] == "paused"
    assert rustbox("resume", "totals").stdout == "totals runs on its schedule again.\n"
    assert world.show(check)["state"] == "new"
    assert rustbox("mute", "totals", "--until", "2h").stdout.startswith("totals is muted until 2")
    assert world.show(check)["muted_until"] is not None
    assert rustbox("mute", "totals", "--off").stdout == "totals sends events again.\n"
    assert world.show(check)["muted_until"] is None
    assert rustbox("mute", "totals").exit_code == 2
    assert rustbox("delete", "totals").exit_code == 2
    assert rustbox("delete", "totals", "--yes").stdout == "totals is deleted.\n"
    assert world.call("GET", "/api/checks").json["items"] == []


@pytest.mark.parametrize("command", ["show", "run", "pause", "resume", "delete", "ping-url", "trigger"])
def test_an_unknown_slug_names_the_one_that_was_meant(rustbox: Rustbox, world: CheckWorld, command: str) -> None:
    world.create(slug="totals")
    ended = rustbox(command, "total")
    assert (ended.exit_code, ended.stderr) == (66, "rustbox: The project has no check total.\n  Did you mean totals?\n")


def test_trigger_takes_slugs_or_a_tag(rustbox: Rustbox, world: CheckWorld) -> None:
    world.create(slug="a", tags=["x"])
    world.create(slug="b")
    assert [line.split()[0] for line in rustbox("trigger", "a", "b").stdout.splitlines()] == ["a", "b"]
    assert rustbox("trigger", "--tag", "x").stdout.startswith("a started: run ")
    assert rustbox("trigger").exit_code == 2
    assert rustbox("trigger", "a", "--tag", "x").exit_code == 2


def test_init_begins_a_file_that_is_valid_and_runs(rustbox: Rustbox, world: CheckWorld) -> None:
    assert json.loads(rustbox("init", "--json").stdout) == {"written": ["checks.yaml", "answer.py"]}
    assert rustbox("validate").stdout == "checks.yaml: 1 check is valid.\n"
    again = rustbox("init")
    assert (again.exit_code, again.stderr.splitlines()[0]) == (65, "rustbox: checks.yaml is there already.")
    assert rustbox("apply").exit_code == 0
    world.answer = prints("42\n")
    assert rustbox("run", "answer").exit_code == 0
    commented = Path("checks.yaml").read_text().replace("  # - slug", "  - slug").replace("  #   ", "    ")
    Path("other.yaml").write_text(commented)
    assert rustbox("validate", "other.yaml").stdout == "other.yaml: 2 checks are valid.\n"


def test_a_heartbeat_in_a_file_gets_its_address_from_a_command(rustbox: Rustbox, world: CheckWorld) -> None:
    Path("checks.yaml").write_text(
        "defaults: {retries: 1, tags: [nightly]}\n"
        "checks: [{slug: backup, kind: heartbeat, schedule: rate(1 day), quiet: [{schedule: 0 2 * * *, minutes: 5}]}]\n"
    )
    applied = rustbox("apply")
    assert (applied.exit_code, applied.stdout) == (0, "+ create check backup\n"), applied.stderr
    assert rustbox("plan").exit_code == 0
    url = rustbox("ping-url", "backup").stdout.strip()
    assert url.startswith("http://127.0.0.1:")
    assert call(event("GET", "/api/" + url.partition("/api/")[2])).raw == b"OK"
    assert "up" in rustbox("list").stdout
    assert rustbox("run", "backup").exit_code == 65
    assert rustbox("test").stdout == "0 passed, 0 failed\n"
    Path("checks.yaml").write_text(
        "checks: [{slug: backup, kind: heartbeat, schedule: rate(1 day), grace_minutes: 5}]\n"
    )
    assert rustbox("apply").stdout == "~ update check backup\n"


def test_a_misspelt_command_is_named(rustbox: Rustbox) -> None:
    assert "Did you mean pause?" in rustbox("pauze", "a").stderr
