"""Calls of the HTTP entry points as the gateway makes them."""

import base64
import functools
import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from functions.clock import now_ms
from tests.adapters.aws_account import load_template
from tests.adapters.openapi_check import check_answer
from tests.api_routes import function_of

REQUEST_ID = "request-of-a-test"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


def event(
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    body: str | bytes | None = None,
    stage: str = "$default",
) -> dict[str, Any]:
    """An event of an HTTP API, payload format 2.0; bytes travel base64-encoded."""
    prefix = "" if stage == "$default" else f"/{stage}"
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": prefix + path,
        "rawQueryString": "&".join(f"{name}={value}" for name, value in (query or {}).items()),
        "headers": {name.lower(): value for name, value in (headers or {}).items()},
        "requestContext": {
            "domainName": "api.example.com",
            "http": {"method": method, "path": prefix + path, "sourceIp": "192.0.2.1", "protocol": "HTTP/1.1"},
            "requestId": REQUEST_ID,
            "timeEpoch": now_ms(),
            "stage": stage,
        },
        "isBase64Encoded": isinstance(body, bytes),
    }
    if query:
        made["queryStringParameters"] = dict(query)
    if body is not None:
        made["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    return made


@functools.cache
def _module(method: str, path: str) -> str:
    """The module of the handler that gets a request."""
    template = load_template()
    handler: str = template["Resources"][function_of(template, method, path)]["Properties"]["Handler"]
    return handler.removesuffix(".handler")


@dataclass(frozen=True)
class Invocation:
    """The part of Lambda's context that routes read."""

    left_secs: Callable[[], float]

    def get_remaining_time_in_millis(self) -> int:
        return int(self.left_secs() * 1000)


def call(made: dict[str, Any], context: Invocation | None = None) -> Answer:
    """Send an event where the template's routes send it; the answer must fit the OpenAPI document."""
    http = made["requestContext"]["http"]
    path = http["path"].removeprefix(f"/{made['requestContext']['stage']}")
    answer = importlib.import_module(_module(http["method"], path)).handler(made, context)
    raw = base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
    check_answer(path, http["method"], answer["statusCode"], answer["headers"], raw)
    return Answer(answer["statusCode"], answer["headers"], raw)


def send(
    key: str | None,
    method: str,
    path: str,
    body: Any = None,
    *,
    query: Mapping[str, str] | None = None,
    content_type: str | None = "application/json",
) -> Answer:
    """Any call; `body` is sent as it is if it is text or bytes, else as JSON, and not at all if it is None."""
    headers = {"X-API-Key": key, "Content-Type": content_type if body is not None else None}
    sent = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
    present = {name: value for name, value in headers.items() if value is not None}
    return call(event(method, path, headers=present, query=query, body=sent))


def post(
    key: str | None,
    body: Any,
    *,
    query: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
    request_id: str | None = None,
    traceparent: str | None = None,
    content_type: str | None = "application/json",
) -> Answer:
    """POST /api/submit; `body` is sent as it is if it is text or bytes, else as JSON."""
    headers = {
        "X-API-Key": key,
        "Idempotency-Key": idempotency_key,
        "X-Request-Id": request_id,
        "traceparent": traceparent,
        "Content-Type": content_type,
    }
    present = {name: value for name, value in headers.items() if value is not None}
    sent = body if isinstance(body, str | bytes) else json.dumps(body)
    return call(event("POST", "/api/submit", headers=present, query=query, body=sent))


def admin(
    key: str | None, method: str, path: str, body: Any = None, *, query: Mapping[str, str] | None = None
) -> Answer:
    """A call with the administrator's key; `body` is sent as it is if it is text or bytes, else as JSON."""
    headers = {"Content-Type": "application/json"} | ({"X-Admin-Key": key} if key is not None else {})
    sent = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
    return call(event(method, path, headers=headers, query=query, body=sent))


def get(key: str | None, path: str, *, method: str = "GET", query: Mapping[str, str] | None = None) -> Answer:
    """Any other call."""
    return call(event(method, path, headers={"X-API-Key": key} if key is not None else {}, query=query))
