"""The local gateway makes and takes what an HTTP API makes and takes."""

import asyncio
import base64
import io
import json
from typing import Any

import pytest

from infra.local.console import Console, LogStream
from infra.local.http.answers import from_result, to_event
from infra.local.http.gateway import Router
from infra.local.template import Route
from infra.local.triggers import failed_ids
from tests.local_front import gateway, ok


def _scope(**fields: Any) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "method": "POST",
        "path": "/api/submit",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"host", b"127.0.0.1:4096")],
        "client": ("127.0.0.1", 50000),
    }
    return {**defaults, **fields}


def test_event_has_format_2_0() -> None:
    scope = _scope(query_string=b"a=1&a=2&b=&c=%C3%A9")
    event = to_event(scope, b'{"x":1}', "POST /api/submit", {"id": "7"})
    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "POST /api/submit", "/api/submit")
    assert event["rawQueryString"] == "a=1&a=2&b=&c=%C3%A9"
    assert event["queryStringParameters"] == {"a": "1,2", "b": "", "c": "é"}
    assert event["pathParameters"] == {"id": "7"}
    assert (event["body"], event["isBase64Encoded"]) == ('{"x":1}', False)
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["requestContext"]["stage"] == "$default"


def test_absent_parts_are_absent_keys() -> None:
    event = to_event(_scope(), b"", "$default", {})
    assert not {"body", "cookies", "queryStringParameters", "pathParameters"} & event.keys()


def test_repeated_headers_are_joined_and_cookies_are_a_list() -> None:
    scope = _scope(headers=[(b"X", b"1"), (b"x", b"2"), (b"cookie", b"a=b; c=d")])
    event = to_event(scope, b"", "$default", {})
    assert event["headers"] == {"x": "1,2"}
    assert event["cookies"] == ["a=b", "c=d"]


@pytest.mark.parametrize(
    ("content_type", "body"), [("application/octet-stream", b"{}"), ("application/json", b"\xff\xfe"), ("", b"{}")]
)
def test_body_that_is_no_text_is_base64(content_type: str, body: bytes) -> None:
    event = to_event(_scope(headers=[(b"content-type", content_type.encode())]), body, "$default", {})
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == body


def test_result_becomes_an_answer() -> None:
    answer = from_result(
        {"statusCode": 202, "headers": {"X-A": "1", "Content-Type": "text/csv"}, "body": "é", "cookies": ["a=b"]}
    )
    assert (answer.status, answer.body) == (202, "é".encode())
    assert answer.headers == [("x-a", "1"), ("content-type", "text/csv"), ("set-cookie", "a=b")]


def test_base64_result_becomes_bytes() -> None:
    encoded = base64.b64encode(b"\x00\xff").decode()
    assert from_result({"statusCode": 200, "body": encoded, "isBase64Encoded": True}).body == b"\x00\xff"


def test_result_without_a_status_is_a_json_answer() -> None:
    assert json.loads(from_result({"a": 1}).body) == {"a": 1}


@pytest.mark.parametrize(
    ("method", "path", "key", "parameters"),
    [
        ("GET", "/api/result/7", "GET /api/result/{id}", {"id": "7"}),
        ("GET", "/api/result/7/stdout", "GET /api/result/{id}/stdout", {"id": "7"}),
        ("GET", "/api/result/latest", "GET /api/result/latest", {}),
        ("POST", "/api/result/7", "$default", {}),
        ("GET", "/api/result/7/", "$default", {}),
        ("GET", "/api/resultX7", "$default", {}),
        ("PUT", "/any", "ANY /any", {}),
        ("PUT", "/any/7/keys", "ANY /any/{proxy+}", {"proxy": "7/keys"}),
        ("PUT", "/any/", "$default", {}),
        ("PUT", "/any/deep/7", "ANY /any/deep/{proxy+}", {"proxy": "7"}),
        ("GET", "/any/one", "GET /any/{id}", {"id": "one"}),
        ("PUT", "/any/one", "ANY /any/{proxy+}", {"proxy": "one"}),
        ("GET", "/both", "GET /both", {}),
        ("PUT", "/both", "ANY /both", {}),
    ],
)
def test_the_most_specific_route_is_found(method: str, path: str, key: str, parameters: dict[str, str]) -> None:
    routes = [
        Route("GET", "/api/result/{id}", "F"),
        Route("GET", "/api/result/{id}/stdout", "F"),
        Route("GET", "/api/result/latest", "F"),
        Route("ANY", "/both", "F"),
        Route("GET", "/both", "F"),
        Route("ANY", "/any/{proxy+}", "F"),
        Route("ANY", "/any/deep/{proxy+}", "F"),
        Route("GET", "/any/{id}", "F"),
        Route("ANY", "/any", "F"),
        Route("ANY", "$default", "F"),
    ]
    found = Router(routes).find(method, path)
    assert found is not None
    assert (found[0].key, found[1]) == (key, parameters)


def test_a_request_whose_body_breaks_off_reaches_no_function() -> None:
    seen, sent = list[Any](), list[dict[str, Any]]()
    received: list[dict[str, Any]] = [
        {"type": "http.request", "body": b'{"status": "failed",', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return received.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    def handler(event: Any, _context: object) -> dict[str, Any]:
        seen.append(event)
        return {"statusCode": 200}

    asyncio.run(gateway(handler)(_scope(), receive, send))
    assert (seen, sent, received) == ([], [], [])


@pytest.mark.parametrize(
    "path", ["/api/pings/SECRET", "/api/pings/SECRET/fail", "/status/SECRET", "/api/webhooks/recipients/SECRET"]
)
def test_the_console_line_of_a_request_holds_no_token(path: str) -> None:
    out = io.StringIO()

    async def send(_message: dict[str, Any]) -> None:
        pass

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    asyncio.run(gateway(ok, out=out)({**_scope(), "path": path}, receive, send))
    assert path.partition("SECRET")[0] in out.getvalue()
    assert "SECRET" not in out.getvalue()


def test_without_a_default_route_the_gateway_itself_answers() -> None:
    assert Router([Route("GET", "/a", "F")]).find("GET", "/b") is None


@pytest.mark.parametrize(
    ("result", "failed"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": "unknown"}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}),
        ({"batchItemFailures": [{}]}, {"a", "b"}),
    ],
)
def test_reported_failures_are_kept_and_a_bad_report_fails_the_batch(result: Any, failed: set[str]) -> None:
    assert failed_ids(result, {"a", "b"}) == failed


def test_json_logs_become_readable_lines_and_metrics_vanish() -> None:
    out = io.StringIO()
    stream = LogStream(Console(out), "function")
    stream.write('{"level":"INFO","message":"Submission acc')
    stream.write(
        'epted","service":"submit","submission_id":"7","cold_start":true,'
        '"_aws":{"CloudWatchMetrics":[{"Metrics":[{"Name":"Accepted"}]}]},"Accepted":[1.0]}\n{"_aws":{},"x":1}\nplain\n'
    )
    lines = [line.split(" ", 1)[1] for line in out.getvalue().splitlines()]
    assert lines == ["submit    Submission accepted submission_id=7", "function  plain"]
    assert "\x1b" not in out.getvalue()
