"""Requests as events of Lambda, results as answers, and answers on the disk before they leave."""

from __future__ import annotations

import base64
import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from infra.embedded.errors import ServiceError
from infra.embedded.storage.files import Trouble
from infra.local.settings import ACCOUNT_ID

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from infra.embedded.storage.store import Store

# HTTP requests to Lambda events and answers back: payload format 2.0 of HTTP APIs.
#
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

_TEXT_TYPES = (
    "text/",
    "application/json",
    "application/javascript",
    "application/xml",
    "application/x-www-form-urlencoded",
)


type Scope = dict[str, Any]
type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[dict[str, Any]], Awaitable[None]]
"""Those of ASGI."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The answer to the client."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def to_event(scope: dict[str, Any], body: bytes, route_key: str, path_parameters: dict[str, str]) -> dict[str, Any]:
    """Build the event a function gets for a request. `scope`: of ASGI."""
    headers: dict[str, str] = {}
    cookies = []
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "cookie":
            cookies.extend(value.split("; "))
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    query = read_query(scope)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": scope["path"],
        "rawQueryString": scope["query_string"].decode("latin-1"),
        "headers": headers,
        "requestContext": _request_context(scope, route_key, headers),
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = query
    if path_parameters:
        event["pathParameters"] = path_parameters
    if body:
        event["body"], event["isBase64Encoded"] = _encode_body(body, headers.get("content-type", ""))
    return event


def read_query(scope: dict[str, Any]) -> dict[str, str]:
    """Return the parameters of the query. `scope`: of ASGI."""
    raw = scope["query_string"].decode("latin-1")
    query: dict[str, str] = {}
    for name, value in parse_qsl(raw, keep_blank_values=True, encoding="utf-8", errors="replace"):
        query[name] = f"{query[name]},{value}" if name in query else value
    return query


def _request_context(scope: dict[str, Any], route_key: str, headers: dict[str, str]) -> dict[str, Any]:
    now = time.time()
    host = headers.get("host", "127.0.0.1")
    return {
        "accountId": ACCOUNT_ID,
        "apiId": "local",
        "domainName": host,
        "domainPrefix": host.split(".", 1)[0],
        "http": {
            "method": scope["method"],
            "path": scope["path"],
            "protocol": "HTTP/1.1",
            "sourceIp": scope["client"][0] if scope.get("client") else "127.0.0.1",
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": str(uuid.uuid4()),
        "routeKey": route_key,
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }


def _encode_body(body: bytes, content_type: str) -> tuple[str, bool]:
    if content_type.lower().startswith(_TEXT_TYPES):
        try:
            return body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True


def from_result(result: Any) -> HttpAnswer:
    """Turn a handler's return value into an answer; ValueError or TypeError if the gateway could not use it."""
    if not isinstance(result, dict) or "statusCode" not in result:
        return HttpAnswer(200, [("content-type", "application/json")], json.dumps(result).encode())
    headers = [(name.lower(), str(value)) for name, value in (result.get("headers") or {}).items()]
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain; charset=utf-8"))
    headers.extend(("set-cookie", cookie) for cookie in result.get("cookies") or [])
    text = result.get("body") or ""
    body = base64.b64decode(text, validate=True) if result.get("isBase64Encoded") else text.encode("utf-8")
    return HttpAnswer(int(result["statusCode"]), headers, body)


def gateway_answer(status: int, message: str, retry_after_secs: int | None = None) -> HttpAnswer:
    """Return an answer of the gateway itself, in its own shape."""
    headers = [("content-type", "application/json")]
    if retry_after_secs is not None:
        headers.append(("retry-after", str(retry_after_secs)))
    return HttpAnswer(status, headers, json.dumps({"message": message}).encode())


# Answers of the HTTP API over the embedded engine: on the disk before they leave, and with the cause of a trouble.

_HEALTH: Final = "/api/health"
_READY: Final = "/api/health/ready"
_UNAVAILABLE: Final = 503
_RETRY_AFTER_SECS: Final = 10
_NODE_ID: Final = "local"


@dataclass(frozen=True, slots=True)
class DurableAnswers:
    """Every answer that may tell of the state passes `flush`, on the thread that made it, before it leaves."""

    store: Store

    def flush(self, path: str, answer: HttpAnswer) -> HttpAnswer:
        """Return the answer when everything that it may tell is on the disk.

        Returns 503 in its place while the state cannot be kept. `path`: of the request.
        """
        trouble = self._find_trouble()
        if trouble is None:
            return answer
        if path == _HEALTH:
            return _with_problem(answer, trouble.cause)
        is_write = path == _READY or answer.status == _UNAVAILABLE  # who is ready takes writes
        is_refused = trouble.stops == "all" or (trouble.stops == "writes" and is_write)
        return _unavailable(trouble.cause, path) if is_refused else answer

    def _find_trouble(self) -> Trouble | None:
        problem = ""
        try:
            self.store.flush()
        except ServiceError as error:
            problem = error.message
        trouble = self.store.find_trouble()
        if problem and (trouble is None or trouble.stops != "all"):  # such as too many open files
            return Trouble("the log cannot be flushed", problem)
        return trouble


def _unavailable(cause: str, path: str) -> HttpAnswer:
    text = f"The service cannot keep its state: {cause}. Repeat the request later, with the same Idempotency-Key."
    body = {"status": "not_ready", "error": text} if path == _READY else {"error": "unavailable", "message": text}
    headers = [("content-type", "application/json"), ("retry-after", str(_RETRY_AFTER_SECS))]
    return HttpAnswer(_UNAVAILABLE, headers, json.dumps(body).encode())


def _with_problem(answer: HttpAnswer, cause: str) -> HttpAnswer:
    body = json.loads(answer.body)
    problems = [*body.get("problems", []), {"node_id": _NODE_ID, "problem": cause}]
    changed = body | {"status": "degraded", "problems": problems}
    return HttpAnswer(answer.status, answer.headers, json.dumps(changed).encode())
