"""A large quota is spread over shards: no limit is exceeded, and each place comes back."""

import functools
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from botocore.exceptions import ClientError

from functions.aws.clients import Clients
from functions.handlers import submit
from functions.projects import model
from functions.projects.model import LEAKED_AFTER_MS, Quota, read_entry
from functions.submissions.model import Submission
from functions.submissions.store import SubmissionStore
from tests.adapters.aws_account import Aws
from tests.adapters.final_rows import write_final
from tests.adapters.http_calls import Answer, get, send
from tests.adapters.pipeline import Crash, crash_at
from tests.adapters.quota_projects import Quotas, on_time, rate, submit_with
from tests.choice import whole_but
from tests.submission_factory import completion

SIX = Quota(1000, 1000, 6)
"""Three shards of two runs."""
CLIENTS = 50


@pytest.fixture
def quotas(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Quotas:
    monkeypatch.setattr(model, "SHARD_RUNS", 2)
    return on_time(aws, monkeypatch)


def row(submission_id: str) -> Submission:
    found = submit.ENV[SubmissionStore].get(submission_id)
    assert found is not None
    return found


def open_rows(quotas: Quotas) -> set[str]:
    """Submissions that are not final."""
    return {each for each in quotas.rows() if not row(each).is_final}


def held(quotas: Quotas) -> dict[str, str]:
    """The shard of each submission in flight; each is in one."""
    found: dict[str, str] = {}
    for item in quotas.aws.items("QuotasTable"):
        for text in item.get("in_flight", {}).get("SS", ()):
            assert found.setdefault(read_entry(text).submission_id, item["pk"]["S"]) == item["pk"]["S"]
    return found


def fill(quotas: Quotas, key: str, most: int = 200) -> list[str]:
    """Submit until the quota is full; return the ids. Refused clients return after a second."""
    ids = []
    for _ in range(most):
        answer = submit_with(key)
        assert answer.status in {202, 429}, answer.raw
        ids += [answer.json["id"]] if answer.status == 202 else []
        quotas.time.advance(1)
    return ids


def delete(key: str, submission_id: str) -> int:
    return get(key, f"/api/result/{submission_id}", method="DELETE").status


def test_runs_are_spread_and_each_row_names_its_shard(quotas: Quotas) -> None:
    key = quotas.project(SIX)
    ids = fill(quotas, key, 20)
    assert len(ids) == 6
    shards = held(quotas)
    assert sorted(shards.values()) == [f"PROJECT#p#{number}/3" for number in (0, 0, 1, 1, 2, 2)]
    assert {f"PROJECT#p#{row(each).quota_shard}" for each in ids} == set(shards.values())
    assert all(shards[each] == f"PROJECT#p#{row(each).quota_shard}" for each in ids)


def test_a_small_quota_has_one_item_and_its_rows_name_no_shard(quotas: Quotas) -> None:
    key = quotas.project(Quota(1000, 1000, 2))
    (first, _) = fill(quotas, key, 5)
    assert set(held(quotas).values()) == {"PROJECT#p"}
    assert row(first).quota_shard is None


def test_a_refusal_names_the_limit_of_the_whole_quota(quotas: Quotas) -> None:
    key = quotas.project(SIX)
    fill(quotas, key, 20)
    answer = submit_with(key)
    assert (answer.status, rate(answer)) == (429, (6, 0, 1))
    assert "6 unfinished runs" in answer.json["message"]
    by_minute = quotas.project(Quota(300, 1000, 3000), "q")
    answers = [submit_with(by_minute) for _ in range(600)]
    refused = [answer for answer in answers if answer.status == 429]
    assert {(rate(answer)[:2], answer.json["message"].split(", ")[0]) for answer in refused} == {
        ((300, 0), "The quota of the judge profile is 300 runs per minute")
    }
    assert quotas.counts("q")[0] == 300


def test_headers_estimate_the_whole_quota_from_one_shard(quotas: Quotas) -> None:
    key = quotas.project(Quota(900, 100_000, 6))
    assert rate(submit_with(key)) == (900, 897, 60)
    for _ in range(3):
        submit_with(key)
    limit, remaining, _ = rate(get(key, "/api/results"))
    assert limit == 900
    assert 888 <= remaining <= 900


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("quota", whole_but([SIX, Quota(300, 1000, 1000), Quota(1000, 300, 1000)], [SIX]))
def test_of_many_at_once_no_more_than_the_limit_is_accepted(quotas: Quotas, quota: Quota, *, keyed: bool) -> None:
    key = quotas.project(quota)
    calls = [functools.partial(submit_with, key, f"key {number}" if keyed else None) for number in range(350)]
    with ThreadPoolExecutor(CLIENTS) as threads:
        answers = [future.result() for future in [threads.submit(call) for call in calls]]
    assert {answer.status for answer in answers} == {202, 429}
    accepted = sum(answer.status == 202 for answer in answers)
    most = min(quota.per_minute, quota.per_day, quota.in_flight)
    assert accepted == quotas.counts()[2] == len(quotas.rows())
    # Three shards are the candidates of each run without a key. A key has one, which may be full before the others.
    assert accepted == most if not keyed else most * 0.7 < accepted <= most


def test_equal_keys_at_once_are_one_run(quotas: Quotas) -> None:
    key = quotas.project(SIX)
    with ThreadPoolExecutor(CLIENTS) as threads:
        answers = list(threads.map(lambda number: submit_with(key, f"key {number % 2}"), range(CLIENTS)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == len(quotas.rows()) == len(held(quotas)) == 2


def test_a_repeat_of_a_request_that_died_overtakes_it_in_its_shard(quotas: Quotas) -> None:
    key = quotas.project(SIX)
    with crash_at("submit.after_take"), pytest.raises(Crash):
        submit_with(key, "key")
    (shard,) = held(quotas).values()
    again = submit_with(key, "key")
    assert again.status == 202
    assert held(quotas) == {again.json["id"]: shard}


def test_a_run_whose_row_is_not_written_is_refunded_in_its_shard(
    quotas: Quotas, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = quotas.project(SIX)

    def fail(**_: object) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "hidden"}}, "PutItem")

    with monkeypatch.context() as patched:
        patched.setattr(Clients.dynamodb(), "put_item", fail)
        assert submit_with(key).status == 503
    assert quotas.counts() == (0, 0, 0)


# --- the version of the project's endpoints, which no shard holds -----------------------------------------------------


def version_of(quotas: Quotas) -> str:
    (version,) = {
        item["endpoints_version"]["S"] for item in quotas.aws.items("QuotasTable") if "endpoints_version" in item
    }
    return str(version)


def test_a_row_has_the_version_of_the_endpoints_that_exist_when_it_is_charged(quotas: Quotas) -> None:
    key = quotas.project(SIX)
    assert row(submit_with(key).json["id"]).endpoints_version is None
    for _ in range(2):
        created = send(key, "POST", "/api/webhooks", {"url": "https://hooks.example.com/"})
        assert created.status == 200, created.raw
        assert row(submit_with(key).json["id"]).endpoints_version == version_of(quotas)


def test_a_version_that_cannot_be_read_refuses_and_refunds(quotas: Quotas, monkeypatch: pytest.MonkeyPatch) -> None:
    key = quotas.project(SIX)

    def fail(*_: str) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "hidden"}}, "GetItem")

    with monkeypatch.context() as patched:
        patched.setattr(quotas.store, "endpoints_version", fail)
        assert submit_with(key).status == 503
    assert quotas.counts() == (0, 0, 0)
    assert quotas.rows() == []


# --- changes of the limits, and rows of the revision before -----------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), [(SIX, Quota(1000, 1000, 10)), (Quota(1000, 1000, 2), SIX)])
def test_another_number_of_shards_starts_new_counts_and_releases_the_old_ones(
    quotas: Quotas, before: Quota, after: Quota
) -> None:
    key = quotas.project(before)
    old = fill(quotas, key, 30)
    assert len(old) == before.in_flight
    key = quotas.project(after)
    new = fill(quotas, key, 60)
    assert len(new) == after.in_flight  # so the bound of a change is both limits together
    for each in old:
        assert delete(key, each) == 200
    assert set(held(quotas)) == set(new)
    for each in new:
        assert delete(key, each) == 200
    assert held(quotas) == {}


def test_rows_of_the_revision_before_are_released_in_the_item_that_it_charged(quotas: Quotas) -> None:
    key = quotas.project(Quota(1000, 1000, 2))
    first, second = fill(quotas, key, 4)
    item = quotas.aws.items("SubmissionsTable")[0]
    assert "quota_shard" not in item  # so it is like a row of the revision before
    key = quotas.project(SIX)
    assert len(fill(quotas, key, 30)) == 6
    for each in (first, second):
        assert delete(key, each) == 200
    assert len(held(quotas)) == 6


def test_an_in_flight_entry_of_the_previous_revision_is_released(quotas: Quotas) -> None:
    key = quotas.project(SIX)
    ids = fill(quotas, key, 20)
    for each in ids:  # it releases in the undivided item, where the run is not
        write_final(submit.ENV[SubmissionStore], each, completion())
    assert len(held(quotas)) == 6
    again = fill(quotas, key, 60)
    assert len(again) == 6
    assert set(held(quotas)) == set(again)


# --- crashes at every step --------------------------------------------------------------------------------------------

STEPS = ("submit.after_take", "submit.after_create", "submit.before_send", "submit.after_send")


def submit_or_crash(random: Random, key: str) -> Answer | None:
    idempotency_key = f"key {random.randrange(8)}" if random.random() < 0.5 else None
    if random.random() < 0.6:
        return submit_with(key, idempotency_key)
    try:
        with crash_at(random.choice(STEPS)):
            return submit_with(key, idempotency_key)
    except Crash:
        return None


def act(random: Random, quotas: Quotas, key: str) -> None:
    choice = random.random()
    known = sorted(quotas.rows())
    if choice < 0.6 or not known:
        answer = submit_or_crash(random, key)
        assert answer is None or answer.status in {200, 202, 429}, answer.raw
    elif choice < 0.75:
        assert delete(key, random.choice(known)) == 200
    elif choice < 0.9:  # a process dies between the final row and the release, which two writes may be
        write_final(submit.ENV[SubmissionStore], random.choice(known), completion())
    else:
        quotas.time.advance(random.choice((0.1, 1, 20, 61)))


@pytest.mark.parametrize("seed", whole_but(range(6), range(2)))
def test_crashes_lose_no_in_flight_slot_and_exceed_no_limit(quotas: Quotas, seed: int) -> None:
    key, random = quotas.project(SIX), Random(seed)  # noqa: S311 - a plan that the test's name repeats
    for _ in range(120):
        act(random, quotas, key)
        places, unfinished = held(quotas), open_rows(quotas)
        assert unfinished <= places.keys()  # so each run that is not final counts
        assert len(unfinished) <= len(places) <= SIX.in_flight
    for each in quotas.rows():
        assert delete(key, each) == 200
    quotas.time.advance(LEAKED_AFTER_MS / 1000)
    assert len(fill(quotas, key, 60)) == SIX.in_flight
