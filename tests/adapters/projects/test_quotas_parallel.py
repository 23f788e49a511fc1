"""Many clients at once, through the handlers, on the engine, which writes one after the other as DynamoDB does."""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.projects.model import Quota
from tests.adapters.aws_account import Aws
from tests.adapters.http_calls import Answer, get
from tests.adapters.quota_projects import Quotas, on_time, submit_with

CLIENTS = 50
PLENTY = 1_000
LIMITS = [Quota(17, PLENTY, PLENTY), Quota(PLENTY, 17, PLENTY), Quota(PLENTY, PLENTY, 17)]


@pytest.fixture
def quotas(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Quotas:
    return on_time(aws, monkeypatch)


def at_once(*calls: Callable[[], Answer]) -> list[Answer]:
    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result() for future in [threads.submit(one) for one in calls]]


def accepted(answers: list[Answer]) -> list[str]:
    """Ids; every other answer must be a refusal."""
    assert {answer.status for answer in answers} <= {202, 429}
    return [answer.json["id"] for answer in answers if answer.status == 202]


@pytest.mark.parametrize("quota", LIMITS)
@pytest.mark.parametrize("keyed", [False, True])
def test_of_50_at_once_exactly_the_limit_is_accepted(quotas: Quotas, quota: Quota, *, keyed: bool) -> None:
    key = quotas.project(quota)
    answers = at_once(
        *(functools.partial(submit_with, key, f"key {number}" if keyed else None) for number in range(CLIENTS))
    )
    assert len(set(accepted(answers))) == 17
    assert quotas.counts() == (17, 17, 17)
    assert len(quotas.rows()) == 17


@pytest.mark.parametrize("quota", LIMITS)
def test_when_the_windows_roll_under_50_exactly_the_limit_is_accepted(quotas: Quotas, quota: Quota) -> None:
    key = quotas.project(quota)
    first = submit_with(key).json["id"]
    quotas.time.advance(86_400)
    assert len(accepted(at_once(*[functools.partial(submit_with, key)] * CLIENTS))) == (
        16 if quota.in_flight == 17 else 17
    )
    assert first in quotas.rows()


@pytest.mark.parametrize("quota", [Quota(1, 1, 1), Quota(1, 9, 9), Quota(9, 9, 1), Quota(PLENTY, PLENTY, PLENTY)])
def test_50_equal_keys_at_once_are_one_run_and_none_is_refused(quotas: Quotas, quota: Quota) -> None:
    key = quotas.project(quota)
    answers = at_once(*[functools.partial(submit_with, key, "key")] * CLIENTS)
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == len(quotas.rows()) == 1
    assert quotas.counts() == (1, 1, 1)


@pytest.mark.parametrize("quota", [Quota(10, 10, 10), Quota(PLENTY, PLENTY, 10)])
def test_five_of_each_of_ten_keys_fill_a_limit_of_ten(quotas: Quotas, quota: Quota) -> None:
    """A repeat that held a token for a moment only would keep another key out."""
    key = quotas.project(quota)
    answers = at_once(*(functools.partial(submit_with, key, f"key {number % 10}") for number in range(CLIENTS)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == 10
    assert quotas.counts() == (10, 10, 10)


def test_places_that_come_free_while_50_wait_are_taken_by_as_many(quotas: Quotas) -> None:
    key = quotas.project(Quota(PLENTY, PLENTY, 10))
    ids = [submit_with(key).json["id"] for _ in range(10)]
    answers = at_once(
        *(functools.partial(get, key, f"/api/result/{submission_id}", method="DELETE") for submission_id in ids[:4]),
        *[functools.partial(submit_with, key)] * CLIENTS,
    )
    assert {answer.status for answer in answers[:4]} == {200}
    taken = accepted(answers[4:])
    assert len(taken) <= 4
    assert quotas.counts()[2] == 6 + len(taken)
    left = [submit_with(key).status for _ in range(5 - len(taken))]
    assert left == [202] * (4 - len(taken)) + [429]
