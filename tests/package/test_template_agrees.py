"""Template, OpenAPI file and settings models say the same."""

import dataclasses
import inspect
from typing import Any

import pytest

import functions.settings

# Which settings model is read by which function's entry point.
MODELS = {
    "SubmitFunction": functions.settings.SubmitSettings,
    "ResultFunction": functions.settings.ResultSettings,
    "ManageFunction": functions.settings.ManageSettings,
    "RecordFunction": functions.settings.RecordSettings,
    "WebhookFunction": functions.settings.WebhookSettings,
    "SweepFunction": functions.settings.SweepSettings,
    "EndpointsFunction": functions.settings.EndpointsSettings,
}


def _routes(template: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (event["Properties"]["Method"].lower(), event["Properties"]["Path"])
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
        for event in resource["Properties"].get("Events", {}).values()
        if event["Type"] == "HttpApi" and "Path" in event["Properties"]
    }


def test_openapi_has_exactly_the_routes_of_the_template(template: dict[str, Any], openapi: dict[str, Any]) -> None:
    documented = {(method, path) for path, operations in openapi["paths"].items() for method in operations}
    assert documented == _routes(template)


def test_every_unmatched_path_leads_to_our_own_answers(template: dict[str, Any]) -> None:
    defaults = [
        event
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
        for event in resource["Properties"].get("Events", {}).values()
        if event["Type"] == "HttpApi" and "Path" not in event["Properties"]
    ]
    assert len(defaults) == 1


@pytest.mark.parametrize("function", sorted(MODELS))
def test_template_gives_a_function_every_variable_its_settings_read(
    function: str, template: dict[str, Any], functions: dict[str, Any]
) -> None:
    given = set(template["Globals"]["Function"]["Environment"]["Variables"])
    given |= set(functions[function]["Environment"]["Variables"])
    read = {field.name.upper() for field in dataclasses.fields(MODELS[function])}
    assert read <= given


@pytest.mark.parametrize("function", sorted(MODELS))
def test_template_gives_a_function_no_variable_that_nobody_reads(function: str, functions: dict[str, Any]) -> None:
    read = {field.name.upper() for field in dataclasses.fields(MODELS[function])}
    assert set(functions[function]["Environment"]["Variables"]) <= read


def test_every_settings_model_belongs_to_a_function() -> None:
    models = {
        member
        for _, member in inspect.getmembers(functions.settings, inspect.isclass)
        if dataclasses.is_dataclass(member) and member.__name__.endswith("Settings")
    }
    assert models == {*MODELS.values(), functions.settings.RateSettings}


def test_every_function_with_keyed_routes_can_tell_what_is_left_of_a_quota(
    template: dict[str, Any], openapi: dict[str, Any]
) -> None:
    assert "QUOTAS_TABLE" in template["Globals"]["Function"]["Environment"]["Variables"]
    keyed = 0
    for resource in template["Resources"].values():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        routes = [event["Properties"] for event in resource["Properties"].get("Events", {}).values()]
        operations = [openapi["paths"][route["Path"]][route["Method"].lower()] for route in routes if "Path" in route]
        if not any({"ApiKey": []} in operation["security"] for operation in operations):
            continue
        keyed += 1
        statements = resource["Properties"]["Policies"][0]["Statement"]
        assert any(
            "dynamodb:GetItem" in statement.get("Action", []) and "QuotasTable" in str(statement["Resource"])
            for statement in statements
        )
    assert keyed >= 2
