"""Every row of the contract's error table that a client can bring about."""

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.system.local_stack import LocalStack, final_result, wait_for, wait_until

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
    ("content", "query"),
    [
        (b"{", {}),
        (b"", {}),
        (b"[1, 2", {}),
        (b"\xff\xfe", {}),
        (b'{"language":"python","code":"1"}', {"wait": "yes"}),
        (b'{"language":"python","code":"1"}', {"wait": ""}),
        (b'{"language":"python","code":"1"}', {"wait": "TRUE"}),
    ],
)
def test_broken_request_is_400(client: httpx.Client, content: bytes, query: dict[str, str]) -> None:
    response = client.post("/api/submit", content=content, params=query, headers={"content-type": "application/json"})
    _assert_error(response, 400, "bad_request")


@pytest.mark.parametrize("submission_id", ["x", "123", "not-a-uuid", "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a1", "%00"])
def test_id_that_is_no_uuid_is_400(client: httpx.Client, submission_id: str) -> None:
    _assert_error(client.get(f"/api/result/{submission_id}"), 400, "bad_request")


def test_unsupported_language_is_400_and_lists_the_offered_ones(client: httpx.Client) -> None:
    body = _assert_error(client.post("/api/submit", json={**GOOD, "language": "cobol"}), 400, "bad_request")
    assert all(language in body["message"] for language in ("python", "c", "javascript"))


@pytest.mark.parametrize(
    ("field", "text", "limit"),
    [("code", "#" * 65_537, "65,536"), ("stdin", "x" * 262_145, "262,144"), ("code", "é" * 40_000, "65,536")],
)
def test_too_large_field_is_400_and_names_its_limit(client: httpx.Client, field: str, text: str, limit: str) -> None:
    body = _assert_error(client.post("/api/submit", json={**GOOD, field: text}), 400, "bad_request")
    assert limit in body["message"] or limit.replace(",", "") in body["message"]


@pytest.mark.parametrize("key", [None, "", "rb_live_wrong", "x" * 5000])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/submit"), ("GET", f"/api/result/{SOME_ID}"), ("GET", "/api/results")]
)
def test_missing_or_unknown_key_is_401(stack: LocalStack, key: str | None, method: str, path: str) -> None:
    with stack.client(key) as stranger:
        _assert_error(stranger.request(method, path), 401, "unauthorized")


def test_key_that_may_not_use_the_profile_is_403(stack: LocalStack) -> None:
    with stack.client(stack.add_project("judge-only", ("judge",))) as restricted:
        _assert_error(restricted.post("/api/submit", json={**GOOD, "profile": "agent"}), 403, "forbidden")
        assert restricted.post("/api/submit", json=GOOD).status_code == 202


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


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"code": None}, "code"),
        ({"code": 7}, "code"),
        ({"code": ""}, "code"),
        ({"language": ["python"]}, "language"),
        ({"stdin": {}}, "stdin"),
        ({"profile": "root"}, "profile"),
        ({"limits": {"cpu_time_secs": 0}}, "cpu_time_secs"),
        ({"limits": {"wall_time_secs": -1}}, "wall_time_secs"),
        ({"limits": {"memory_mb": 4096}}, "memory_mb"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"webhook_url": "http://127.0.0.1:1/"}, "webhook_secret"),
        ({"webhook_url": "http://127.0.0.1:1/", "webhook_secret": ""}, "webhook_secret"),
        ({"webhook_url": "http://127.0.0.1:1/", "webhook_secret": "whsec_%"}, "webhook_secret"),
        ({"webhook_url": "http://127.0.0.1:1/", "webhook_secret": "whsec_short"}, "webhook_secret"),
        ({"webhook_url": "ftp://127.0.0.1/", "webhook_secret": "x"}, "webhook_url"),
    ],
)
def test_invalid_field_is_422_and_named(client: httpx.Client, fields: dict[str, Any], field: str) -> None:
    body = _assert_error(client.post("/api/submit", json={**GOOD, **fields}), 422, "invalid")
    assert any(field in item["field"] for item in body["fields"]), body
    assert all(item["message"] for item in body["fields"])


def test_missing_fields_are_all_named(client: httpx.Client) -> None:
    body = _assert_error(client.post("/api/submit", json={}), 422, "invalid")
    assert {item["field"] for item in body["fields"]} == {"language", "code"}


def test_limit_above_the_ceiling_names_the_ceiling(client: httpx.Client) -> None:
    body = _assert_error(client.post("/api/submit", json={**GOOD, "limits": {"cpu_time_secs": 16}}), 422, "invalid")
    assert "15" in body["fields"][0]["message"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_limit_that_is_no_number_of_json_is_refused(client: httpx.Client, number: str) -> None:
    content = f'{{"language":"python","code":"1","limits":{{"cpu_time_secs":{number}}}}}'
    response = client.post("/api/submit", content=content, headers={"content-type": "application/json"})
    assert response.status_code in {400, 422}, response.text


def test_wait_that_ends_before_the_run_is_408_and_the_run_goes_on(client: httpx.Client) -> None:
    job = {"language": "python", "code": "import time; time.sleep(4); print('late')"}
    response = client.post("/api/submit", params={"wait": "1"}, json=job)
    body = _assert_error(response, 408, "timeout")
    assert "verdict" not in body
    assert f"/api/result/{body['id']}" in body["message"] or "/api/result/{id}" in body["message"]
    assert final_result(client, body["id"])["stdout"] == "late\n"


def test_deleting_a_running_submission_is_409(client: httpx.Client) -> None:
    submission_id = client.post(
        "/api/submit", json={"language": "python", "code": "import time; time.sleep(4)"}
    ).json()["id"]
    response = client.get(f"/api/result/{submission_id}")
    while response.json()["status"] == "pending":
        response = client.get(f"/api/result/{submission_id}")
    _assert_error(client.delete(f"/api/result/{submission_id}"), 409, "conflict")
    assert final_result(client, submission_id)["verdict"] == "AC"
    assert client.delete(f"/api/result/{submission_id}").json() == {"id": submission_id, "deleted": True}


def test_full_queue_is_503_with_retry_after_and_leaves_no_claim(own_stack: Callable[..., LocalStack]) -> None:
    local = own_stack(RUSTBOX_PARAM_MaxQueueDepth="2", SLOTS="1")
    local.start()
    with local.client() as client:
        # The queue grows faster than it is worked off, on a slow machine too.
        job = {"language": "python", "code": "import time; time.sleep(0.2)"}
        answers: dict[str, httpx.Response] = {}

        def is_refused() -> bool:
            key = str(len(answers))
            answers[key] = client.post("/api/submit", json=job, headers={"Idempotency-Key": key})
            return answers[key].status_code == 503

        # The depth is read at most once a second, so some more get in.
        wait_until(is_refused, 30, "a refusal")
        key, response = answers.popitem()
        _assert_error(response, 503, "unavailable")
        assert int(response.headers["retry-after"]) > 0
        wait_until(lambda: _queue_depth(client) == 0, 60, "the queue is empty")

        def retry() -> httpx.Response | None:
            """Each process knows the depth of a second ago."""
            again = client.post("/api/submit", json=job, headers={"Idempotency-Key": key})
            return None if again.status_code == 503 else again

        retried = wait_for(retry, 20, "it is accepted")
        assert retried.status_code == 202, retried.text
        assert retried.json()["id"] not in {answer.json()["id"] for answer in answers.values()}
        assert final_result(client, retried.json()["id"])["verdict"] == "AC"


def _queue_depth(client: httpx.Client) -> int:
    depth: int = client.get("/api/health").json()["queue_depth"]
    return depth
