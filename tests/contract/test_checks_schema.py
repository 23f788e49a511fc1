"""The published schema of checks.yaml and the request model of the API agree."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from functions.checks.settings.check_settings import CheckSettings
from functions.checks.settings.file_schema import file_schema, schema_text
from tests.contract.checks_schema import SCHEMA_FILE

EXAMPLE = Path(__file__).parents[2] / "examples" / "checks" / "checks.yaml"
PROGRAM = {"slug": "totals", "file": "totals.py"}


def test_the_published_schema_is_that_of_the_request_model() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run: python -m tests.contract.checks_schema"


def test_the_schema_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(file_schema())


def test_every_setting_of_the_request_is_in_the_file() -> None:
    fields = set(file_schema()["$defs"]["Check"]["properties"])
    assert fields == (set(CheckSettings.model_fields) - {"code"}) | {"file"}


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
