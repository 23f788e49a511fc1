"""Errors that depend on the gateway. The others: tests/unit/test_api_request.py and tests/adapters/submissions."""

import uuid
from typing import Any

import httpx
import pytest

from tests.system.local_stack import LocalStack

SOME_ID = "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a1c"
GOOD = {"language": "python", "code": "print(1)"}


def _assert_error(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["error"]) == (status, code), response.text
    assert isinstance(body["message"], str)
    assert len(body["message"]) > 10
    assert response.headers["content-type"].startswith("application/json")
    assert response.headers["x-request-id"]
    assert not any(leak in response.text for leak in ("Traceback", "/work", "rb_live_", "site-packages", ".py"))
    return body


@pytest.mark.parametrize(
    ("content", "query"), [(b"", {}), (b"\xff\xfe", {}), (b'{"language":"python","code":"1"}', {"wait": ""})]
)
def test_broken_request_is_400(client: httpx.Client, content: bytes, query: dict[str, str]) -> None:
    response = client.post("/api/submit", content=content, params=query, headers={"content-type": "application/json"})
    _assert_error(response, 400, "bad_request")


@pytest.mark.parametrize("submission_id", ["x", "123", "not-a-uuid", "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a1", "%00"])
def test_id_that_is_no_uuid_is_400(client: httpx.Client, submission_id: str) -> None:
    _assert_error(client.get(f"/api/result/{submission_id}"), 400, "bad_request")


@pytest.mark.parametrize("key", [None, "", "rb_live_wrong", "x" * 5000])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/submit"), ("GET", f"/api/result/{SOME_ID}"), ("GET", "/api/results")]
)
def test_missing_or_unknown_key_is_401(stack: LocalStack, key: str | None, method: str, path: str) -> None:
    with stack.client(key) as stranger:
        _assert_error(stranger.request(method, path), 401, "unauthorized")


def test_unknown_id_and_id_of_another_project_are_the_same_404(
    client: httpx.Client, other_client: httpx.Client
) -> None:
    submission_id = client.post("/api/submit", json=GOOD).json()["id"]
    foreign = _assert_error(other_client.get(f"/api/result/{submission_id}"), 404, "not_found")
    unknown = _assert_error(other_client.get(f"/api/result/{uuid.uuid4()}"), 404, "not_found")
    assert foreign["message"].replace(submission_id, "") == foreign["message"]
    assert foreign == unknown
    for path in ("stdout", "stderr"):
        _assert_error(other_client.get(f"/api/result/{submission_id}/{path}"), 404, "not_found")
    _assert_error(other_client.delete(f"/api/result/{submission_id}"), 404, "not_found")


@pytest.mark.parametrize(
    "path", ["/api", "/console/0/app.js", "/api/submit/", "/api/results/1", "/nothing", "/api/result/a/b/c"]
)
def test_unknown_path_is_404(client: httpx.Client, path: str) -> None:
    _assert_error(client.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/submit"),
        ("PUT", "/api/submit"),
        ("POST", "/api/languages"),
        ("POST", "/api/results"),
        ("PATCH", f"/api/result/{SOME_ID}"),
    ],
)
def test_wrong_method_is_405(client: httpx.Client, method: str, path: str) -> None:
    _assert_error(client.request(method, path), 405, "method_not_allowed")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_body_that_is_not_json_is_415(client: httpx.Client, content_type: str) -> None:
    response = client.post(
        "/api/submit", content=b'{"language":"python","code":"1"}', headers={"content-type": content_type}
    )
    _assert_error(response, 415, "unsupported_media_type")


def test_body_over_one_mebibyte_is_413(client: httpx.Client) -> None:
    _assert_error(client.post("/api/submit", json={**GOOD, "padding": "x" * 1024 * 1024}), 413, "too_large")


def test_missing_fields_are_all_named(client: httpx.Client) -> None:
    body = _assert_error(client.post("/api/submit", json={}), 422, "invalid")
    assert {item["field"] for item in body["fields"]} == {"language", "code"}
