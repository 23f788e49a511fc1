"""The published schema of checks.yaml and the request model of the API agree."""

import ast
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from functions.checks.settings.check_settings import ONLY_OF_PROGRAMS, CheckSettings
from functions.checks.settings.requests import file_schema, new_settings, schema_text
from functions.errors import ServiceError
from rustbox_cli.errors import CommandError
from rustbox_cli.project.file import read_checks
from tests.contract.project_schema import ROOT, SCHEMA_FILE, project_schema, project_schema_text

NOW_MS = 1_764_000_000_000
EXAMPLE = Path(__file__).parents[2] / "examples" / "checks" / "checks.yaml"
REFUSED: list[dict[str, Any]] = [
    {"network": {"allow": ["10.0.0.1"]}},
    {"network": {"allow": ["my_host.example.com"]}},
    {"network": {"allow": ["a.example:0"]}},
    {"network": {"allow": []}},
    {"network": {"allow": ["a.example"]}, "profile": "judge"},
    {"schedule": "every day"},
    {"schedule": "60 * * * *"},
    {"schedule": "cron(0 0 30 2 ? *)"},
    {"schedule": "0 5-1 * * *"},
    {"schedule": "rate(0 minutes)"},
    {"schedule": "0 2 * * *", "timezone": "Europe/Berlln"},
    {"timezone": "Mars"},
    {"faster_while_failing": "often"},
    {"quiet": [{"schedule": "rate(1 hour)", "minutes": 5}]},
    {"quiet": [{"schedule": "no", "minutes": 5}]},
    {"quiet": [{"schedule": "0 2 * * *", "minutes": 5, "timezone": "Mars"}]},
    {"language": "cobol"},
    {"env": {"PATH": "x"}},
    {"env": {"LD_PRELOAD": "x"}},
    {"env": {"lower": "x"}},
    {"fail_after": {"needed": 2}},
    {"fail_after": {"needed": 4, "of": 3}},
    {"limits": {"wall_time_secs": 26}},
    {"limits": {"memory_mb": 4096}},
    {"assertions": [{"type": "json", "path": "items", "equals": 1}]},
    {"assertions": [{"type": "json", "path": "$.a b", "equals": 1}]},
    {"assertions": [{"type": "stdout", "matches": "(a"}]},
    {"assertions": [{"type": "stdout", "matches": "(?=a)"}]},
    {"assertions": [{"type": "stdout", "matches": r"(a)\1"}]},
    {"muted_until": "tomorrow"},
    {"muted_until": "2027-02-31T00:00:00Z"},
    {"runbook_url": "ftp://x"},
    {"kind": "heartbeat"},
    {"name": "a\nb"},
    {"retries": 4},
    {"retry": 1},
]
"""Settings that the service refuses."""
TAKEN: list[dict[str, Any]] = [
    {"network": {"allow": ["API.example.com", "*.example.org:8443"]}},
    {
        "network": {"allow": ["a.example"]},
        "profile": "agent",
        "assertions": [{"type": "network", "allow_failed": True}],
    },
    {"schedule": "0 2 * * 1-5", "timezone": "America/Argentina/Buenos_Aires"},
    {"schedule": "cron(0 0 ? * TUE#2 2027)"},
    {"schedule": "rate(366 days)"},
    {"fail_after": {"needed": 3, "of": 3}},
    {"fail_after": {"of": 2}},
    {"limits": {"wall_time_secs": 30}, "profile": "agent"},
    {"limits": {"wall_time_secs": 25}},
    {"limits": None},
    {"assertions": [{"type": "json", "path": "$.items[0]['a key'][-1]", "exists": True}]},
    {"assertions": [{"type": "stdout", "matches": r"\\1 \d+\z"}]},
    {"muted_until": "2027-02-28T00:00:00+01:00"},
    {"language": "c++"},
    {"env": {"API_TOKEN": "x", "PATHS": "y"}},
]
PROGRAM = {"slug": "totals", "file": "totals.py"}


def test_the_command_line_has_the_schema_of_the_service() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == project_schema_text(), (
        "run: python -m tests.contract.project_schema"
    )


def test_project_yaml_takes_what_checks_yaml_takes() -> None:
    of_checks, whole = file_schema(), project_schema()
    Draft202012Validator.check_schema(whole)
    for name, model in of_checks["$defs"].items():
        before, after = model.get("properties", {}), whole["$defs"][name].get("properties", {})
        other = {each for each in before if before[each] != after.get(each)}
        assert other <= ({"notify"} if name in {"Check", "Defaults"} else set())
    assert of_checks["properties"]["defaults"] == whole["properties"]["defaults"]


def test_the_command_line_has_the_schedules_of_the_service() -> None:
    shared = ROOT / "functions" / "checks" / "schedule.py"
    assert (ROOT / "rustbox_cli" / "schedule.py").resolve() == shared
    imports = [
        node for node in ast.walk(ast.parse(shared.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    names = {name.split(".")[0] for node in imports for name in _imported(node)}
    assert names <= sys.stdlib_module_names


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def test_the_schema_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(file_schema())


def test_every_setting_of_the_request_is_in_the_file() -> None:
    fields = set(file_schema()["$defs"]["Check"]["properties"])
    assert fields == (set(CheckSettings.model_fields) - {"code"}) | {"file", "stdin_file"}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"schedule": "rate(5 minutes)", "timezone": "Europe/Berlin", "tags": ["a", "b:1"]},
        {"limits": {"memory_mb": 64}, "profile": "agent", "env": {"A": "b"}},
        {"assertions": [{"type": "json", "path": "$.a", "equals": None}, {"type": "stdout", "contains": "x"}]},
        {"fail_after": {"of": 3}, "retries": 3, "remind_hours": 24, "should_fail": True, "muted_until": None},
        {"slug": "With Spaces"},
        {"slug": None},
        {"tags": ["a b"]},
        {"retries": 4},
        {"retries": "1"},
        {"overlap": "queue"},
        {"shedule": "rate(1 hour)"},
        {"limits": {"memory": 64}},
        {"fail_after": {"needed": 0}},
        {"assertions": [{"type": "stdout"}]},
        {"assertions": [{"type": "stdout", "equals": "a", "contains": "b"}]},
        {"assertions": [{"type": "verdict", "equals": "WA"}]},
        {"assertions": [{"type": "stderr_empty"}] * 21},
        {"env": {"A": 1}},
        {"event_as": "stdin", "trigger": {"type": "check", "slug": "import", "statuses": ["passed"]}},
        {"trigger": {"type": "submission", "metadata": {"suite": "nightly"}}},
        {"trigger": {"type": "submission", "metadata": {}}},
        {"trigger": {"type": "check", "slug": "import", "statuses": []}},
        {"trigger": {"type": "check", "slug": "import", "metadata": {"a": "b"}}},
        {"event_as": "file"},
        {"quiet": [{"schedule": "0 2 * * *", "minutes": 5}]},
        {"quiet": [{"schedule": "0 2 * * *"}]},
        {"kind": "job"},
    ],
)
def test_both_accept_and_refuse_the_same(settings: dict[str, Any]) -> None:
    in_file = {"checks": [{**PROGRAM, **settings}]}
    accepted = Draft202012Validator(json.loads(schema_text())).is_valid(in_file)
    try:
        body = {"name": "totals", "slug": "totals", "language": "python", "code": "print(1)", **settings}
        CheckSettings.model_validate(body)
    except ValidationError:
        assert not accepted
    else:
        # The API derives a missing slug from the name. In a file it identifies the check, so it must be there.
        assert accepted == (settings.get("slug", "totals") is not None)


def service_takes(settings: dict[str, Any]) -> bool:
    body = {"name": "totals", "slug": "totals", "language": "python", "code": "print(1)", **settings}
    try:
        new_settings(json.dumps(body).encode(), NOW_MS)
    except ServiceError:
        return False
    return True


def command_line_takes(folder: Path, settings: dict[str, Any]) -> bool:
    (folder / "totals.py").write_text("print(1)")
    (folder / "checks.yaml").write_text(json.dumps({"checks": [{**PROGRAM, **settings}]}))
    try:
        read_checks(folder / "checks.yaml")
    except CommandError:
        return False
    return True


@pytest.mark.parametrize("settings", [*REFUSED, *TAKEN], ids=str)
def test_validate_refuses_what_apply_refuses(tmp_path: Path, settings: dict[str, Any]) -> None:
    assert service_takes(settings) == (settings in TAKEN)
    assert command_line_takes(tmp_path, settings) == (settings in TAKEN)


def test_a_heartbeat_has_the_settings_that_the_service_takes(tmp_path: Path) -> None:
    heartbeat = {"kind": "heartbeat", "slug": "job", "schedule": "rate(1 day)"}
    for name, field in CheckSettings.model_fields.items():
        if name in {"kind", "slug", "schedule", "name", "code"}:
            continue
        value = field.get_default()
        changed = {
            "bool": True,
            "int": 7,
            "list": [{"schedule": "0 2 * * *", "minutes": 5}] if name == "quiet" else ["a"],
        }.get(type(value).__name__)
        if name in ONLY_OF_PROGRAMS:
            (tmp_path / "checks.yaml").write_text(json.dumps({"checks": [{**heartbeat, name: value}]}))
            with pytest.raises(CommandError, match=f"{name}: a heartbeat has no program"):
                read_checks(tmp_path / "checks.yaml")
        elif changed is not None and name != "notify":
            (tmp_path / "checks.yaml").write_text(json.dumps({"checks": [{**heartbeat, name: changed}]}))
            assert read_checks(tmp_path / "checks.yaml")[0].settings[name] is not None
            assert new_settings(json.dumps({**heartbeat, "name": "job", name: changed}).encode(), NOW_MS)
