import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from events.vocabulary import Language
from functions.handlers.api_document import openapi_text
from functions.http.validation import parse_body
from functions.ids import new_id
from functions.submissions.accept.requests import parse_submission
from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.endpoints.requests import (
    ChangeEndpointRequest,
    CreateEndpointRequest,
    new_settings,
    parse_recovery,
    parse_rotation,
)
from functions.webhooks.sending.requests import webhook_test
from functions.webhooks.vocabulary import FILTERABLE_EVENTS
from functions.webhooks.webhook_url import AddressRules
from tests.api_routes import template_of
from tests.submission_factory import START_MS

PUBLIC = AddressRules(allow_insecure=False, own_hosts=())
DOCUMENT = json.loads(openapi_text())


def references(part: Any) -> set[str]:
    if isinstance(part, dict):
        inner = set().union(*map(references, part.values())) if part else set()
        return inner | ({part["$ref"]} if "$ref" in part else set())
    if isinstance(part, list):
        return set().union(*map(references, part)) if part else set()
    return set()


def test_the_document_is_openapi_3_1_and_has_no_redirect_and_no_success_but_200_and_202() -> None:
    """The adapters' tests hold each answer against the document (tests/adapters/openapi_check.py)."""
    assert DOCUMENT["openapi"].startswith("3.1.")
    operations = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
    statuses = {int(status) for operation in operations for status in operation["responses"]}
    assert {status for status in statuses if status < 400} == {200, 202}


def test_every_reference_leads_somewhere() -> None:
    found = references(DOCUMENT)
    assert found
    for reference in found:
        part = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]


def test_every_webhook_documents_the_headers_by_which_it_is_verified() -> None:
    assert set(DOCUMENT["webhooks"]) == {"endpoint.disabled", "webhook.test", *FILTERABLE_EVENTS}
    for event in DOCUMENT["webhooks"].values():
        parameters = {parameter["name"]: parameter for parameter in event["post"]["parameters"]}
        assert parameters.keys() == {
            *("webhook-id", "webhook-timestamp", "webhook-signature", "webhook-api-version", "user-agent"),
            "traceparent",
        }
        assert {parameter["in"] for parameter in parameters.values()} == {"header"}
        assert [name for name, parameter in parameters.items() if not parameter["required"]] == ["traceparent"]
        assert all(Draft202012Validator.check_schema(parameter["schema"]) is None for parameter in parameters.values())
        assert {"2XX", "default"} <= event["post"]["responses"].keys()


def test_every_schema_is_a_json_schema() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_operation_documents_wrong_methods_and_keyed_ones_wrong_keys() -> None:
    for operations in DOCUMENT["paths"].values():
        for operation in operations.values():
            assert {"405", "429", "500"} <= operation["responses"].keys()
            assert not {"200", "202"}.isdisjoint(operation["responses"])
            assert bool(operation["security"]) == ("401" in operation["responses"])


def test_operation_ids_are_unique() -> None:
    places = [*DOCUMENT["paths"].values(), *DOCUMENT["webhooks"].values()]
    ids = [operation["operationId"] for operations in places for operation in operations.values()]
    assert len(ids) == len(set(ids))


def test_the_request_schema_refuses_the_same_values_as_the_service() -> None:
    schema = {"$ref": "#/components/schemas/SubmitRequest", "components": DOCUMENT["components"]}
    validator = Draft202012Validator(schema)
    validator.validate({"language": "python", "code": "x", "limits": {"memory_mb": 64}, "unknown": 1})
    for wrong in (
        {},
        {"language": "python", "code": ""},
        {"language": "python", "code": "x", "limits": {"memory": 64}},
        {"language": "python", "code": "x", "limits": {"cpu_time_secs": 0}},
        {"language": "python", "code": "x", "metadata": {"a": 1}},
    ):
        assert not validator.is_valid(wrong)


def test_every_example_is_a_request_that_the_service_takes() -> None:
    content = DOCUMENT["paths"]["/api/submit"]["post"]["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        parse_submission(json.dumps(example["value"]).encode(), offered=Language)


def test_every_request_has_examples_that_fit_its_schema() -> None:
    seen = 0
    for operations in DOCUMENT["paths"].values():
        for operation in operations.values():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is not None:
                validator = Draft202012Validator({**content["schema"], "components": DOCUMENT["components"]})
                assert content["examples"]
                for example in content["examples"].values():
                    validator.validate(example["value"])
                    seen += 1
    assert seen >= 5


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/api/result/x", "/api/result/{id}"),
        ("/api/result/x/stdout", "/api/result/{id}/stdout"),
        ("/api/result/", None),
        ("/api/result/x/y", None),
        ("/api/openapiXjson", None),
        ("/api/health\n", None),
        ("/api/projects/x/keys/y", "/api/projects/{id}/keys/{key_id}"),
        ("/api/projects/x/keys/y/z", None),
        ("", None),
    ],
)
def test_a_path_finds_its_template(path: str, template: str | None) -> None:
    assert template_of(path) == template


@pytest.mark.parametrize(
    ("path", "method", "parse"),
    [
        ("/api/webhooks", "post", lambda raw: new_settings(parse_body(CreateEndpointRequest, raw), PUBLIC)),
        ("/api/webhooks/{id}", "patch", lambda raw: parse_body(ChangeEndpointRequest, raw)),
        ("/api/webhooks/{id}/rotate", "post", parse_rotation),
        ("/api/webhooks/{id}/recover", "post", lambda raw: parse_recovery(raw, START_MS)),
    ],
)
def test_every_example_of_an_endpoints_call_is_taken(path: str, method: str, parse: Callable[[bytes], object]) -> None:
    content = DOCUMENT["paths"][path][method]["requestBody"]["content"]["application/json"]
    schema = {**content["schema"], "components": DOCUMENT["components"]}
    assert content["examples"]
    for example in content["examples"].values():
        Draft202012Validator(schema).validate(example["value"])
        assert parse(json.dumps(example["value"]).encode()) is not None


def test_the_test_event_has_its_documented_shape() -> None:
    endpoint = Endpoint(
        endpoint_id="0d4b6a34-58a1-4d4c-b1c5-7b0f5e1f9c02",
        project_id="dev",
        url="https://hooks.example.com/",
        secret_box=b"",
        created_at="2026-11-24T12:00:00.000Z",
        updated_at="2026-11-24T12:00:00.000Z",
    )
    body = DOCUMENT["webhooks"]["webhook.test"]["post"]["requestBody"]["content"]["application/json"]
    schema = {**body["schema"], "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(json.loads(webhook_test(endpoint, new_id(), START_MS).body))


def test_every_key_may_be_a_bearer_token() -> None:
    for operations in DOCUMENT["paths"].values():
        for operation in operations.values():
            own = [scheme for each in operation["security"] for scheme in each if scheme != "Bearer"]
            has_key = own in (["ApiKey"], ["AdminKey"])
            assert operation["security"] == [{scheme: []} for scheme in own] + [{"Bearer": []}] * has_key
    assert DOCUMENT["components"]["securitySchemes"]["Bearer"] == {"type": "http", "scheme": "bearer"}


def test_every_default_fits_its_own_schema() -> None:
    def check(part: Any) -> None:
        for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            check(inner)
        if isinstance(part, dict) and "default" in part and not isinstance(part["default"], dict):
            Draft202012Validator({**part, "components": DOCUMENT["components"]}).validate(part["default"])

    check(DOCUMENT)


def test_the_document_refuses_an_empty_cursor_as_the_service_does() -> None:
    cursors = [
        parameter["schema"]
        for operations in DOCUMENT["paths"].values()
        for operation in operations.values()
        for parameter in operation["parameters"]
        if parameter["name"] == "cursor"
    ]
    assert len(cursors) > 5
    assert all(schema == {"type": "string", "minLength": 1} for schema in cursors)
