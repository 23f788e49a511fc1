"""Template, OpenAPI file and settings models say the same."""

import importlib
from typing import Any

import pytest

from tests.api_routes import function_of

HANDLERS = {
    "AnnounceFunction": "announce",
    "ManageFunction": "projects",
    "OperateFunction": "operations",
    "EventsFunction": "events",
    "EndpointsFunction": "webhooks",
    "WebhookFunction": "deliver",
    "ChecksFunction": "checks",
    "ScheduleFunction": "check_schedule",
    "SubmitFunction": "submit",
    "JudgeFunction": "judge",
    "DialectsFunction": "dialects",
    "ResultFunction": "result",
    "RecordFunction": "record",
    "SweepFunction": "sweep",
    "ReleaseFunction": "release",
}


def settings_of(function: str) -> set[str]:
    """Return the names of a function's settings, in upper case."""
    names: tuple[str, ...] = importlib.import_module(f"functions.handlers.{HANDLERS[function]}").SETTINGS
    return {name.upper() for name in names}


def test_every_function_has_settings(functions: dict[str, Any]) -> None:
    assert HANDLERS.keys() == functions.keys()


@pytest.mark.parametrize("function", sorted(HANDLERS))
def test_template_gives_a_function_every_variable_its_settings_read(
    function: str, template: dict[str, Any], functions: dict[str, Any]
) -> None:
    given = set(template["Globals"]["Function"]["Environment"]["Variables"])
    given |= set(functions[function]["Environment"]["Variables"])
    assert settings_of(function) <= given


@pytest.mark.parametrize("function", sorted(HANDLERS))
def test_template_gives_a_function_no_variable_that_nobody_reads(function: str, functions: dict[str, Any]) -> None:
    assert set(functions[function]["Environment"]["Variables"]) <= settings_of(function)


def test_every_function_with_keyed_routes_may_read_quotas(template: dict[str, Any], openapi: dict[str, Any]) -> None:
    assert "QUOTAS_TABLE" in template["Globals"]["Function"]["Environment"]["Variables"]
    keyed = {
        function_of(template, method.upper(), path)
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
        if {"ApiKey": []} in operation["security"]
    }
    assert len(keyed) >= 2
    for function in keyed:
        role = template["Resources"][f"{function}Role"]["Properties"]
        assert any(
            "dynamodb:GetItem" in statement.get("Action", []) and "QuotasTable" in str(statement["Resource"])
            for statement in role["Policies"][0]["PolicyDocument"]["Statement"]
        )
