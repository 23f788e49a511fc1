"""50 real HTTP clients at once on a project with a small quota."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from functions.projects.quota import DEFAULT_QUOTAS, Quota
from tests.system.local_stack import LocalStack, final_result, wait_until

CLIENTS = 50
PLENTY = 10_000
JOB = {"language": "python", "code": "print(3)"}


def _project(stack: LocalStack, quota: Quota) -> str:
    return stack.add_project(f"quota-{uuid.uuid4()}", quotas=dict.fromkeys(DEFAULT_QUOTAS, quota))


def _at_once(stack: LocalStack, key: str, headers: Callable[[int], dict[str, str]]) -> list[httpx.Response]:
    def submit(number: int) -> httpx.Response:
        with stack.client(key) as client:
            return client.post("/api/submit", json=JOB, headers=headers(number))

    with ThreadPoolExecutor(CLIENTS) as threads:
        return list(threads.map(submit, range(CLIENTS)))


def _spoofed(number: int) -> dict[str, str]:
    return {
        "X-Forwarded-For": f"198.51.100.{number}",
        "Forwarded": f"for=198.51.100.{number}",
        "X-Real-IP": f"{number}",
    }


# By the day, for a minute may end meanwhile. Every limit by itself: tests/adapters/projects/test_quotas_parallel.py.
@pytest.mark.parametrize("headers", [lambda _: {}, _spoofed, lambda number: {"Idempotency-Key": f"key {number}"}])
def test_of_50_clients_at_once_exactly_the_limit_is_accepted(
    stack: LocalStack, headers: Callable[[int], dict[str, str]]
) -> None:
    key = _project(stack, Quota(per_minute=PLENTY, per_day=12, in_flight=1_000))
    responses = _at_once(stack, key, headers)
    accepted = [response.json()["id"] for response in responses if response.status_code == 202]
    refused = [response for response in responses if response.status_code == 429]
    assert (len(set(accepted)), len(refused)) == (12, CLIENTS - 12)
    for response in refused:
        assert response.json()["error"] == "rate_limited"
        assert (response.headers["ratelimit-limit"], response.headers["ratelimit-remaining"]) == ("12", "0")
        assert 0 < int(response.headers["retry-after"]) == int(response.headers["ratelimit-reset"]) <= 86_400
    with stack.client(key) as client:
        assert {final_result(client, submission_id)["stdout"] for submission_id in accepted} == {"3\n"}
        assert len(client.get("/api/results").json()["items"]) == 12


def test_equal_keys_of_50_clients_at_once_take_one(stack: LocalStack) -> None:
    key = _project(stack, Quota(1, 1, 1))
    responses = _at_once(stack, key, lambda _: {"Idempotency-Key": "key"})
    assert {response.status_code for response in responses} <= {200, 202}
    assert len({response.json()["id"] for response in responses}) == 1


@pytest.mark.parametrize("params", [{}, {"wait": "true"}])
def test_one_at_a_time_is_enough_for_one_after_the_other(stack: LocalStack, params: dict[str, str]) -> None:
    key = _project(stack, Quota(PLENTY, PLENTY, in_flight=1))
    with stack.client(key) as client:
        for _ in range(5):
            response = client.post("/api/submit", json=JOB, params=params)
            assert response.status_code in {200, 202}, response.text
            assert final_result(client, response.json()["id"])["verdict"] == "AC"


def test_a_run_is_released_soon_after_every_end(stack: LocalStack) -> None:
    key = _project(stack, Quota(PLENTY, PLENTY, in_flight=2))
    with stack.client(key) as client:

        def free() -> bool:
            responses = [client.post("/api/submit", json=JOB) for _ in range(2)]
            return {response.status_code for response in responses} == {202}

        for code in ("while True: pass", "raise SystemExit(1)"):
            job = {**JOB, "code": code, "limits": {"cpu_time_secs": 0.2}}
            assert client.post("/api/submit", json=job, params={"wait": "true"}).json()["verdict"] in {"TLE", "RE"}
        wait_until(free, 30, "both places are free")
