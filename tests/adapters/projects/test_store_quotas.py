from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.errors import UnavailableError
from functions.ids import new_id
from functions.projects.model import DAY_MS, MINUTE_MS, Limit, Quota, Usage, Window
from functions.projects.quota_store import KeyInFlightError, QuotaRefusedError, QuotaStore, renew_endpoints_version
from functions.submissions.model import Submission, idempotency_pk
from tests.adapters.aws_account import Aws
from tests.submission_factory import START_MS, FakeTime, new_submission

pytestmark = pytest.mark.answered_by("engine", "moto")

PLENTY = Quota(1000, 1000, 10)


def run(key: str | None = None, **changes: Any) -> Submission:
    values = {"submission_id": new_id(), "idempotency_pk": idempotency_pk("dev", key) if key else None}
    return new_submission(**values | changes)


@pytest.fixture
def quotas(aws: Aws, time: FakeTime) -> QuotaStore:
    return QuotaStore(aws.names["QuotasTable"], aws.client("dynamodb"), time)


def counts(quotas: QuotaStore, profile: str = "judge") -> tuple[int, int, int]:
    usage = quotas.usage("dev", profile, PLENTY)
    return usage.minute.count, usage.day.count, usage.in_flight


def refused(quotas: QuotaStore, quota: Quota, row: Submission | None = None) -> Limit:
    with pytest.raises(QuotaRefusedError) as caught:
        quotas.charge((row or run()).quota_claim, quota)
    return caught.value.refusal.limit


@pytest.mark.parametrize(
    ("quota", "limit"),
    [(Quota(3, 9, 9), Limit.PER_MINUTE), (Quota(9, 3, 9), Limit.PER_DAY), (Quota(9, 9, 3), Limit.IN_FLIGHT)],
)
def test_each_limit_accepts_exactly_its_number_of_runs(quotas: QuotaStore, quota: Quota, limit: Limit) -> None:
    taken = [quotas.charge(run().quota_claim, quota).usage for _ in range(3)]
    assert [usage.minute.count for usage in taken] == [usage.day.count for usage in taken] == [1, 2, 3]
    assert refused(quotas, quota) is limit
    assert counts(quotas) == (3, 3, 3)


@pytest.mark.parametrize("quota", [Quota(0, 9, 9), Quota(9, 0, 9), Quota(9, 9, 0)])
def test_a_limit_of_nothing_takes_nothing_and_writes_nothing(aws: Aws, quotas: QuotaStore, quota: Quota) -> None:
    refused(quotas, quota)
    assert aws.items("QuotasTable") == []


def test_a_limit_that_was_lowered_below_the_count_refuses_and_one_that_was_raised_takes(quotas: QuotaStore) -> None:
    for _ in range(5):
        quotas.charge(run().quota_claim, PLENTY)
    assert refused(quotas, Quota(3, 1000, 10)) is Limit.PER_MINUTE
    assert refused(quotas, Quota(1000, 3, 10)) is Limit.PER_DAY
    assert refused(quotas, Quota(1000, 1000, 3)) is Limit.IN_FLIGHT
    assert quotas.charge(run().quota_claim, Quota(6, 6, 6)).usage.minute.count == 6


def test_windows_roll_each_by_itself(quotas: QuotaStore, time: FakeTime) -> None:
    quota = Quota(2, 3, 9)
    quotas.charge(run().quota_claim, quota)
    quotas.charge(run().quota_claim, quota)
    time.advance(59.999)
    assert refused(quotas, quota) is Limit.PER_MINUTE
    time.advance(0.001)
    assert quotas.charge(run().quota_claim, quota).usage == Usage(
        Window(MINUTE_MS, START_MS // MINUTE_MS + 1, 1), Window(DAY_MS, START_MS // DAY_MS, 3), 3
    )
    time.advance(60)
    assert refused(quotas, quota) is Limit.PER_DAY
    time.advance(86_400)
    assert quotas.charge(run().quota_claim, quota).usage.day.count == 1
    assert counts(quotas) == (1, 1, 4)  # places are no window's


def test_a_machine_whose_clock_is_behind_counts_in_the_window_of_the_others(aws: Aws, quotas: QuotaStore) -> None:
    time = FakeTime(START_MS - 5_000)
    behind, quota = QuotaStore(aws.names["QuotasTable"], aws.client("dynamodb"), time), Quota(3, 9, 9)
    assert [
        quotas.charge(run().quota_claim, quota).usage.minute.count,
        behind.charge(run().quota_claim, quota).usage.minute.count,
    ] == [1, 2]
    assert quotas.charge(run().quota_claim, quota).usage.minute.count == 3
    for store in (behind, quotas):
        assert refused(store, quota) is Limit.PER_MINUTE


def test_a_clock_that_was_far_ahead_locks_nobody_out_and_gives_nothing_away(quotas: QuotaStore, time: FakeTime) -> None:
    quota = Quota(3, 9, 9)
    time.advance(86_400 * 400)
    quotas.charge(run().quota_claim, quota)
    time.advance(-86_400 * 400)
    assert quotas.charge(run().quota_claim, quota).usage.minute == Window(MINUTE_MS, START_MS // MINUTE_MS, 2)
    quotas.charge(run().quota_claim, quota)
    assert refused(quotas, quota) is Limit.PER_MINUTE
    time.advance(60)
    assert quotas.charge(run().quota_claim, quota).usage.minute.count == 1


def test_profiles_and_projects_have_quotas_of_their_own(quotas: QuotaStore) -> None:
    quota = Quota(1, 1, 1)
    quotas.charge(run().quota_claim, quota)
    quotas.charge(run(profile="agent").quota_claim, quota)
    quotas.charge(run(project_id="other").quota_claim, quota)
    refused(quotas, quota)
    assert counts(quotas) == counts(quotas, "agent") == (1, 1, 1)


def test_a_run_is_released_once_and_windows_stay(quotas: QuotaStore) -> None:
    first, second = run(), run("key")
    for row in (first, second):
        quotas.charge(row.quota_claim, PLENTY)
    for _ in range(2):
        quotas.release(first.quota_claim)
        assert counts(quotas) == (2, 2, 1)
    quotas.release(second.quota_claim)
    assert counts(quotas) == (2, 2, 0)
    quotas.release(run(project_id="unknown").quota_claim)
    assert quotas.charge(run("key").quota_claim, Quota(9, 9, 1)).usage.in_flight == 1


@pytest.mark.parametrize("name", [None, "key"])
def test_a_run_that_took_long_counts_as_more_in_the_day_once(quotas: QuotaStore, aws: Aws, name: str | None) -> None:
    row = run(name) if name else run()
    quotas.charge(row.quota_claim, PLENTY)
    for _ in range(2):
        quotas.release(row.quota_claim, 7)
        assert counts(quotas) == (1, 8, 0)
    quotas.charge(row.quota_claim, PLENTY)
    aws.client("dynamodb").transact_write_items(TransactItems=[quotas.release_action(row.quota_claim, 2)])
    assert counts(quotas) == (2, 11, 0)
    with pytest.raises(QuotaRefusedError):
        quotas.charge(run().quota_claim, Quota(99, 11, 99))


def test_a_late_release_with_more_units_leaves_a_quota_that_still_works(quotas: QuotaStore) -> None:
    quotas.release(run().quota_claim, 5)
    assert quotas.charge(run().quota_claim, PLENTY).usage.in_flight == 1


def test_a_run_is_released_once(quotas: QuotaStore) -> None:
    row = run("key")
    taken = quotas.charge(row.quota_claim, PLENTY).usage
    quotas.charge(run().quota_claim, PLENTY)
    for _ in range(2):
        quotas.refund(row.quota_claim, taken)
        assert counts(quotas) == (1, 1, 1)


@pytest.mark.parametrize(("after_secs", "left"), [(60, (1, 1, 1)), (86_400, (1, 1, 1))])
def test_a_late_release_leaves_newer_windows_alone(
    quotas: QuotaStore, time: FakeTime, after_secs: int, left: tuple[int, int, int]
) -> None:
    row = run()
    taken = quotas.charge(row.quota_claim, PLENTY).usage
    time.advance(after_secs)
    quotas.charge(run().quota_claim, PLENTY)
    quotas.refund(row.quota_claim, taken)
    assert counts(quotas) == left


def test_a_key_takes_once_while_its_run_is_in_flight(quotas: QuotaStore) -> None:
    first = run("key")
    quotas.charge(first.quota_claim, Quota(1, 1, 1))
    with pytest.raises(KeyInFlightError) as caught:  # not refused, though every limit is reached
        quotas.charge(run("key").quota_claim, Quota(1, 1, 1))
    assert caught.value.held == first.quota_claim
    assert counts(quotas) == (1, 1, 1)
    quotas.charge(run("other key").quota_claim, PLENTY)
    quotas.release(first.quota_claim)
    quotas.charge(run("key").quota_claim, PLENTY)


def test_a_write_that_was_repeated_since_its_answer_was_lost_counts_once(quotas: QuotaStore) -> None:
    for row in (run(), run("key")):
        taken = quotas.charge(row.quota_claim, PLENTY).usage
        assert quotas.charge(row.quota_claim, PLENTY).usage == replace(taken)
    assert counts(quotas) == (2, 2, 2)


@pytest.mark.parametrize("others", [1, 3])
def test_charges_that_roll_the_windows_at_the_same_moment_are_all_counted(
    quotas: QuotaStore, time: FakeTime, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    quotas.charge(run().quota_claim, PLENTY)
    time.advance(60)
    begin, left = quotas._open_windows, [run() for _ in range(others)]

    def begin_late(*arguments: Any) -> Any:
        while left:
            quotas.charge(left.pop().quota_claim, PLENTY)
        return begin(*arguments)

    monkeypatch.setattr(quotas, "_open_windows", begin_late)
    assert quotas.charge(run().quota_claim, PLENTY).usage.minute.count == others + 1
    assert counts(quotas) == (others + 1, others + 2, others + 2)


def test_an_item_that_never_stands_still_is_unavailable_in_the_end(
    quotas: QuotaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "_open_windows", lambda *_: (None, {}))
    with pytest.raises(UnavailableError):
        quotas.charge(run().quota_claim, PLENTY)


def test_other_faults_are_passed_on(quotas: QuotaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "UpdateItem")

    with monkeypatch.context() as patched:
        patched.setattr(quotas._client, "update_item", fail)
        with pytest.raises(ClientError):
            quotas.charge(run().quota_claim, PLENTY)


def test_an_item_expires_days_after_its_last_run(aws: Aws, quotas: QuotaStore, time: FakeTime) -> None:
    for _ in range(2):
        quotas.charge(run().quota_claim, PLENTY)
        (item,) = aws.items("QuotasTable")
        assert int(item["ttl"]["N"]) == time() // 1000 + 3 * 86_400
        time.advance(3600)


def test_an_item_with_only_a_version_of_endpoints_counts_as_unused(aws: Aws, quotas: QuotaStore) -> None:
    renew = renew_endpoints_version(aws.names["QuotasTable"], "dev", START_MS)
    aws.client("dynamodb").transact_write_items(TransactItems=renew)
    (version,) = {item["endpoints_version"]["S"] for item in aws.items("QuotasTable")}
    assert counts(quotas) == (0, 0, 0)
    first = run()
    taken = quotas.charge(first.quota_claim, PLENTY).usage
    assert counts(quotas) == (1, 1, 1)
    quotas.charge(run().quota_claim, PLENTY)
    assert counts(quotas) == (2, 2, 2)
    quotas.refund(first.quota_claim, taken)
    assert counts(quotas) == (1, 1, 1)
    assert counts(quotas, "agent") == (0, 0, 0)
    assert {item["endpoints_version"]["S"] for item in aws.items("QuotasTable")} == {version}


def test_a_new_version_keeps_the_counts_and_the_runs_in_flight(aws: Aws, quotas: QuotaStore) -> None:
    kept = run()
    quotas.charge(kept.quota_claim, PLENTY)
    renew = renew_endpoints_version(aws.names["QuotasTable"], "dev", START_MS)
    aws.client("dynamodb").transact_write_items(TransactItems=renew)
    assert counts(quotas) == (1, 1, 1)
    quotas.release(kept.quota_claim)
    assert counts(quotas) == (1, 1, 0)
    assert len(aws.items("QuotasTable")) == 2
