"""Every answer that a test gets from the API is held against the OpenAPI document."""

import functools
import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from functions.handlers.api_document import openapi_text
from tests.api_routes import template_of


@functools.cache
def document() -> dict[str, Any]:
    loaded = json.loads(openapi_text())
    assert isinstance(loaded, dict)
    return loaded


def resolve(part: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference inside the document."""
    while "$ref" in part:
        found: Any = document()
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


@functools.cache
def validator(schema_text: str) -> Draft202012Validator:
    return Draft202012Validator({**json.loads(schema_text), "components": document()["components"]})


def check_answer(path: str, method: str, status: int, headers: Mapping[str, str], raw: bytes) -> None:
    """Fail if the document does not have this status, content type and body for this operation. JSON is UTF-8."""
    if (path, status) == ("/favicon.ico", 200):  # a picture, which the document leaves out
        return
    # Protocols of other services.
    if path.startswith(("/jobe", "/judge0", "/librechat", "/mcp", "/piston", "/sandboxfusion")):
        return
    operations = document()["paths"].get(template_of(path) or "", {})
    operation = operations.get(method.lower())
    if operation is None:
        assert status == (405 if operations else 404), f"{method} {path} answered {status}"
        validator('{"$ref": "#/components/schemas/Error"}').validate(json.loads(raw))
        return
    assert str(status) in operation["responses"], f"{method} {path} has no {status} in the document"
    described = resolve(operation["responses"][str(status)])
    content = described["content"]
    media_type = headers["Content-Type"]
    assert media_type in content, f"{method} {path} answered {media_type}"
    if media_type == "application/json":
        validator(json.dumps(content[media_type]["schema"])).validate(json.loads(raw.decode()))
    rate_headers = {name for name in described["headers"] if name.startswith("ratelimit-")}
    # What fits no route, for the characters of its id, is refused before anybody looks at the key.
    assert rate_headers <= headers.keys() or (status == 400 and b"not a UUID" in raw)
    assert ("retry-after" in headers) or status not in {429, 503} or b"not_ready" in raw


def check_webhook(headers: Mapping[str, str], raw: bytes) -> None:
    """Fail if the document does not have this request. Header names are lower case."""
    body = json.loads(raw)
    event = document()["webhooks"][body["type"]]["post"]
    for parameter in event["parameters"]:
        if parameter["required"] or parameter["name"] in headers:
            validator(json.dumps(parameter["schema"])).validate(headers[parameter["name"]])
    (media_type,) = event["requestBody"]["content"]
    assert headers["content-type"] == media_type
    validator(json.dumps(event["requestBody"]["content"][media_type]["schema"])).validate(body)
