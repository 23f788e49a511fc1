"""`rustbox checks` over HTTP against the real entry points."""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml  # type: ignore[import-untyped]  # no stubs are installed

from tests.adapters.checks.check_world import CheckWorld, breaks, passes, prints
from tests.adapters.checks.commands import Rustbox

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "checks"


def write(*checks: dict[str, Any], code: str = "print(42)\n", **whole: Any) -> None:
    Path("a.py").write_text(code)
    found = [{"file": "a.py", **check} for check in checks]
    Path("checks.yaml").write_text(yaml.safe_dump({"checks": found, **whole}))


def listed(world: CheckWorld) -> list[str]:
    return sorted(check["slug"] for check in world.call("GET", "/api/checks").json["items"])


FULL = {
    "slug": "full",
    "name": "Full",
    "schedule": "cron(30 2 * * ? *)",
    "timezone": "Europe/Berlin",
    "limits": {"memory_mb": 64, "wall_time_secs": 2},
    "assertions": [{"type": "json", "path": "$.a", "equals": None}, {"type": "stdout", "contains": "4"}],
    "fail_after": {"of": 3},
    "retries": 2,
    "tags": ["deploy", "b"],
    "events": ["push", "pull_request.opened"],
    "match": {"$.ref": "refs/heads/main", "$.forced": False},
    "muted_until": "2027-01-31T12:00:00+01:00",
    "faster_while_failing": "rate(5 minutes)",
}


def test_apply_twice_changes_nothing(rustbox: Rustbox, world: CheckWorld) -> None:
    write(FULL, {"slug": "small"})
    first = rustbox("apply")
    assert (first.exit_code, first.stdout) == (0, "+ create check full\n+ create check small\n"), first.stderr
    before = [world.call("GET", "/api/checks").json]
    again = rustbox("apply")
    assert (again.exit_code, again.stdout, again.stderr) == (0, "", "Nothing to change.\n")
    assert [world.call("GET", "/api/checks").json] == before
    assert rustbox("plan").exit_code == 0


def test_plan_is_refused_where_apply_is(rustbox: Rustbox, world: CheckWorld) -> None:
    write({"slug": "a"}, {"slug": "b"})
    assert rustbox("apply").exit_code == 0
    write({"slug": "a", "retries": 1}, {"slug": "b", "network": {"allow": ["db.example.com"]}})
    planned = rustbox("plan")
    assert planned.exit_code == 77
    assert planned.stdout.splitlines()[0] == "~ update check a"
    assert planned.stderr.splitlines()[1].startswith("rustbox: check b: This project may not reach db.example.com:443.")
    applied = rustbox("apply")
    assert (applied.exit_code, applied.stderr) == (77, planned.stderr.partition("\n")[2])
    write(
        {"slug": "c", "network": {"allow": ["db.example.com"]}},
        {"slug": "d", "trigger": {"type": "check", "slug": "c"}},
    )
    assert (rustbox("plan").exit_code, listed(world)) == (77, ["a", "b"])
    write({"slug": "c"}, {"slug": "d", "trigger": {"type": "check", "slug": "c"}})
    assert rustbox("plan").exit_code == 2  # d follows a check of the same plan


def test_plan_shows_a_readable_difference_and_ends_with_2(rustbox: Rustbox, world: CheckWorld) -> None:
    write(FULL, {"slug": "gone"})
    rustbox("apply")
    before = world.call("GET", "/api/checks").json
    write({**FULL, "retries": 0, "schedule": "rate(1 hour)", "tags": []}, {"slug": "new"}, code="print(43)\n")
    planned = rustbox("plan")
    assert planned.exit_code == 2
    assert planned.stdout.splitlines() == [
        "~ update check full",
        "    retries: 2 → 0",
        '    schedule: "cron(30 2 * * ? *)" → "rate(1 hour)"',
        '    tags: ["deploy", "b"] → []',
        "    code:",
        "      @@ -1 +1 @@",
        "      -print(42)",
        "      +print(43)",
        "+ create check new",
        "    name: new",
        "    schedule: none, it runs on request",
        "  keep 1 check: not in the file; --prune removes, --verbose lists",
    ]
    listing = rustbox("plan", "--verbose").stdout.splitlines()
    assert listing[-2:] == ["  keep check gone", "    not in the file; --prune removes it"]
    assert planned.stderr == "1 to create, 1 to update\n"
    assert world.call("GET", "/api/checks").json == before


def test_checks_that_follow_one_another_are_applied_in_their_order(rustbox: Rustbox, world: CheckWorld) -> None:
    def after(slug: str) -> dict[str, Any]:
        return {"trigger": {"type": "check", "slug": slug}}

    write({"slug": "report", **after("import")}, {"slug": "mail", **after("report")}, {"slug": "import"})
    applied = rustbox("apply")
    assert applied.stdout == "+ create check import\n+ create check report\n+ create check mail\n", applied.stderr
    assert rustbox("plan").exit_code == 0
    write({"slug": "report"}, {"slug": "mail", **after("report")}, {"slug": "import", **after("report")})
    turned = rustbox("apply")
    assert turned.stdout == "~ update check report\n~ update check import\n", turned.stderr
    write({"slug": "import", **after("import")})
    refused = rustbox("apply")
    assert (refused.exit_code, "import ← import" in refused.stderr) == (65, True), refused.stderr
    write({"slug": "other"})
    pruned = rustbox("apply", "--prune")
    assert (
        pruned.stdout == "+ create check other\n- remove check mail\n- remove check import\n- remove check report\n"
    ), pruned.stderr
    assert listed(world) == ["other"]


def test_a_setting_that_leaves_the_file_gets_its_default(rustbox: Rustbox, world: CheckWorld) -> None:
    write(FULL)
    rustbox("apply")
    write({"slug": "full", "name": "Full"})
    assert rustbox("apply").exit_code == 0
    check = world.call("GET", "/api/checks").json["items"][0]
    assert (check["schedule"], check["retries"], check["limits"], check["assertions"]) == (None, 0, None, [])
    assert check["muted_until"] is not None  # people mute a check in an outage: a file without it leaves it alone
    assert rustbox("plan").exit_code == 0


def test_a_renamed_check_keeps_its_history(rustbox: Rustbox, world: CheckWorld) -> None:
    write({"slug": "totals", "name": "Old"})
    rustbox("apply")
    check = world.call("GET", "/api/checks").json["items"][0]
    world.call("POST", f"/api/checks/{check['id']}/run")
    for _ in range(3):
        world.settle()
    write({"slug": "totals", "name": "New"})
    assert rustbox("apply").stdout == "~ update check totals\n"
    renamed = world.call("GET", "/api/checks").json["items"][0]
    assert (renamed["name"], renamed["id"]) == ("New", check["id"])
    assert [run["status"] for run in world.runs(renamed)] == ["passed"]


def test_only_prune_removes_a_check(rustbox: Rustbox, world: CheckWorld) -> None:
    write({"slug": "a"}, {"slug": "b"})
    rustbox("apply")
    write({"slug": "b"})
    assert rustbox("plan").exit_code == 0
    assert rustbox("apply").exit_code == 0
    assert listed(world) == ["a", "b"]
    assert rustbox("plan", "--prune").exit_code == 2
    assert rustbox("apply", "--prune").stdout == "- remove check a\n"
    assert listed(world) == ["b"]


def test_variables_come_from_the_environment_and_are_never_shown(
    rustbox: Rustbox, world: CheckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"slug": "a", "env": {"TOKEN": "$MY_TOKEN", "PRICE": "$$5"}})
    assert rustbox("plan").exit_code == 2  # a plan needs no secret
    refused = rustbox("apply")
    assert (refused.exit_code, refused.stderr.splitlines()[0]) == (
        78,
        "rustbox: check a: env.TOKEN needs MY_TOKEN in the environment.",
    )
    monkeypatch.setenv("MY_TOKEN", "very-secret")
    sent = rustbox("apply")
    assert sent.exit_code == 0
    assert rustbox("plan").exit_code == 0  # the service hides the values, so the names are compared
    assert rustbox("apply", "--send-env").stdout == "~ update check a\n"
    write({"slug": "a", "env": {"TOKEN": "$MY_TOKEN"}})
    shown = rustbox("plan").stdout
    assert "env: PRICE, TOKEN → TOKEN" in shown
    assert rustbox("apply").exit_code == 0
    assert world.call("GET", "/api/checks").json["items"][0]["env"] == {"TOKEN": "***"}
    assert "very-secret" not in sent.stdout + sent.stderr + shown


def test_the_token_of_a_report_comes_from_the_environment_and_is_never_shown(
    rustbox: Rustbox, world: CheckWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "very-secret")
    write({"slug": "a", "report": {"github_status": {"token": "$GITHUB_TOKEN"}}})
    shown = rustbox("apply").stdout
    assert rustbox("plan").exit_code == 0
    assert rustbox("apply", "--send-env").stdout == "~ update check a\n"
    monkeypatch.delenv("GITHUB_TOKEN")
    write({"slug": "a", "report": {"github_status": {"token": "$GITHUB_TOKEN", "context": "tests"}}})
    shown += rustbox("plan").stdout
    assert rustbox("apply").exit_code == 0  # the service keeps the token
    other = {"token": "$GITHUB_TOKEN", "context": "tests", "api_url": "https://github.example.com/api/v3"}
    write({"slug": "a", "report": {"github_status": other}})
    refused = rustbox("apply")
    assert "report.github_status.token needs GITHUB_TOKEN in the environment" in refused.stderr
    (check,) = world.call("GET", "/api/checks").json["items"]
    assert check["report"] == {"github_status": {"token": "***", "context": "tests"}}
    assert "very-secret" not in shown + refused.stderr


def test_an_error_of_the_service_names_the_slug_and_the_field(rustbox: Rustbox, world: CheckWorld) -> None:
    write({"slug": "b"}, {"slug": "a", "report": {"github_status": {"token": "t", "api_url": "https://10.0.0.1/api"}}})
    refused = rustbox("apply")
    assert (refused.exit_code, listed(world)) == (65, [])  # nothing is done: b would not be refused
    assert refused.stderr.startswith("rustbox: check a: ")
    assert "  report.github_status.api_url: " in refused.stderr


def test_a_check_after_an_unknown_one_is_refused_before_anything_is_done(rustbox: Rustbox, world: CheckWorld) -> None:
    write({"slug": "b"}, {"slug": "a", "trigger": {"type": "check", "slug": "none"}})
    for command in ("plan", "apply"):
        refused = rustbox(command)
        assert (refused.exit_code, listed(world)) == (65, [])
        assert "rustbox: check a: neither the file nor the project has the check none.\n" in refused.stderr


def test_test_prints_progress_writes_junit_and_leaves_the_state(rustbox: Rustbox, world: CheckWorld) -> None:
    write(*({"slug": f"c{number}", "assertions": [{"type": "stdout", "equals": "42"}]} for number in range(7)))
    rustbox("apply")
    world.answer = prints("13\n")
    failed = rustbox("test", "--junit", "out.xml")
    assert failed.exit_code == 1
    assert "✗ c0 failed (" in failed.stdout
    assert "    stdout equals: expected 42, got 13\n" in failed.stdout
    assert failed.stdout.endswith("0 passed, 7 failed\n")
    suites = ET.parse("out.xml").getroot()  # noqa: S314 - our own text
    assert (suites.attrib["tests"], suites.attrib["failures"], suites.attrib["errors"]) == ("7", "7", "0")
    assert {case.attrib["name"] for case in suites.iter("testcase")} == {f"c{number}" for number in range(7)}
    assert next(suites.iter("failure")).text == "stdout equals: expected 42, got 13"
    world.answer = passes
    assert rustbox("test").exit_code == 0
    assert {check["state"] for check in world.call("GET", "/api/checks").json["items"]} == {"new"}


def test_test_names_the_runbook_of_a_failed_check(rustbox: Rustbox, world: CheckWorld) -> None:
    runbook = "https://wiki.example.com/runbooks/totals"
    write({"slug": "a", "assertions": [{"type": "stdout", "equals": "42"}], "runbook_url": runbook})
    rustbox("apply")
    world.answer = prints("13\n")
    assert f"    runbook: {runbook}\n" in rustbox("test", "--junit", "out.xml").stdout
    failure = next(ET.parse("out.xml").getroot().iter("failure"))  # noqa: S314 - our own text
    assert (failure.text or "").splitlines()[-1] == f"runbook: {runbook}"
    assert f'runbook_url: "{runbook}" → none' in plan_without_runbook(rustbox)


def plan_without_runbook(rustbox: Rustbox) -> str:
    write({"slug": "a", "assertions": [{"type": "stdout", "equals": "42"}]})
    return rustbox("plan").stdout


def test_a_platform_fault_is_an_error_in_junit(rustbox: Rustbox, world: CheckWorld) -> None:
    write({"slug": "a"})
    rustbox("apply")
    world.answer = breaks
    assert rustbox("test", "--junit", "out.xml").exit_code == 1
    suites = ET.parse("out.xml").getroot()  # noqa: S314 - our own text
    assert (suites.attrib["failures"], suites.attrib["errors"]) == ("0", "1")


def test_test_names_checks_that_are_not_applied(rustbox: Rustbox) -> None:
    write({"slug": "a"})
    ended = rustbox("test")
    assert (ended.exit_code, "rustbox checks apply" in ended.stderr) == (66, True)


def test_test_runs_those_with_the_tag_and_an_empty_selection_fails(rustbox: Rustbox) -> None:
    write({"slug": "a", "tags": ["deploy"]}, {"slug": "b"})
    rustbox("apply")
    assert rustbox("test", "--tag", "deploy").stdout.splitlines()[-1] == "1 passed, 0 failed"
    assert rustbox("test", "--tag", "none").exit_code == 1


def test_trigger_runs_the_checks_with_a_tag_and_their_state_follows(rustbox: Rustbox, world: CheckWorld) -> None:
    write({"slug": "a", "tags": ["deploy"]}, {"slug": "b"})
    rustbox("apply")
    assert rustbox("trigger", "--tag", "deploy").stdout.startswith("a started: run ")
    for _ in range(3):
        world.settle()
    states = {check["slug"]: check["state"] for check in world.call("GET", "/api/checks").json["items"]}
    assert states == {"a": "up", "b": "new"}
    assert rustbox("trigger", "--tag", "none").exit_code == 66


def commands_of(job: str) -> list[str]:
    workflow = yaml.safe_load((EXAMPLE / ".github" / "workflows" / "checks.yml").read_text())
    return [step["run"] for step in workflow["jobs"][job]["steps"] if "run" in step and "pipx" not in step["run"]]


def test_the_commands_of_the_workflow_work_as_they_stand(
    rustbox: Rustbox, world: CheckWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "rustbox"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m rustbox_cli "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def execute(line: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["/bin/bash", "-e", "-c", line], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
        )

    for source in filter(Path.is_file, EXAMPLE.iterdir()):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    world.answer = lambda program: prints('{"total": 4950}\n' if "total" in program else "a1 a2 b1 b2\n")(program)
    outputs = {}
    for line in (*commands_of("plan"), *commands_of("apply"), *commands_of("plan")):
        process = execute(line)
        while process.poll() is None:
            world.settle()
            time.sleep(0.05)  # the command needs the CPU too
        assert process.stdout is not None
        outputs[line] = process.stdout.read()
        process.stdout.close()
        assert process.returncode == 0, (line, outputs[line])
    assert "2 passed, 0 failed" in outputs["rustbox checks test --junit checks.xml"]
    assert ET.parse(tmp_path / "checks.xml").getroot().attrib["tests"] == "2"  # noqa: S314 - our own text
    assert "sorting started: run " in outputs["rustbox checks trigger --tag deploy"]


def test_programs_get_json(rustbox: Rustbox, world: CheckWorld) -> None:
    write({"slug": "a"})
    assert json.loads(rustbox("validate", "--json").stdout) == ["a"]
    planned = json.loads(rustbox("plan", "--json").stdout)
    assert [(change["action"], change["slug"]) for change in planned] == [("create", "a")]
    assert json.loads(rustbox("apply", "--json").stdout) == planned
    assert json.loads(rustbox("apply", "--json").stdout) == []
    world.answer = prints("42\n")
    shown = rustbox("test", "--json").stdout
    (run,) = json.loads(shown[shown.index("[\n") :])  # metrics of the functions stand before it
    assert (run["slug"], run["status"], run["affects_state"]) == ("a", "passed", False)
    write({"slug": "a", "tags": ["x"]})
    rustbox("apply")
    (started,) = json.loads(rustbox("trigger", "--tag", "x", "--json").stdout)
    assert started["check_id"] == run["check_id"]
