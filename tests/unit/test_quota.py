import pytest

from functions.projects.model import (
    DAY_MS,
    DEFAULT_QUOTAS,
    MAX_IN_FLIGHT,
    MINUTE_MS,
    InFlight,
    Limit,
    Project,
    Quota,
    Rate,
    Usage,
    Window,
    find_refusal,
    read_entry,
    tightest_rate,
)
from functions.submissions.model import idempotency_pk
from tests.submission_factory import START_MS, SUBMISSION_ID, new_submission

MINUTE = START_MS // MINUTE_MS
DAY = START_MS // DAY_MS
TO_MIDNIGHT_SECS = ((DAY + 1) * DAY_MS - START_MS) // 1000


def used(minute: int = 0, day: int = 0, in_flight: int = 0) -> Usage:
    return Usage(Window(MINUTE_MS, MINUTE, minute), Window(DAY_MS, DAY, day), in_flight)


@pytest.mark.parametrize(
    ("after_ms", "number", "count"),
    [
        (0, MINUTE, 7),
        (59_999, MINUTE, 7),
        (60_000, MINUTE + 1, 0),
        (600_000, MINUTE + 10, 0),
        (-1, MINUTE, 7),  # another machine's clock is ahead of ours
        (-60_000, MINUTE, 7),
        (-60_001, MINUTE - 2, 7),  # some clock was wrong: back, but nothing is given away
        (-86_400_000, MINUTE - 1440, 7),
    ],
)
def test_a_window_rolls_forward_and_never_empties_backward(after_ms: int, number: int, count: int) -> None:
    assert Window(MINUTE_MS, MINUTE, 7).at(START_MS + after_ms) == Window(MINUTE_MS, number, count)


@pytest.mark.parametrize(("before_ms", "day", "count"), [(0, DAY + 1, 0), (1, DAY, 7), (60_001, DAY, 7)])
def test_a_day_rolls_at_midnight_utc(before_ms: int, day: int, count: int) -> None:
    assert Window(DAY_MS, DAY, 7).at((DAY + 1) * DAY_MS - before_ms) == Window(DAY_MS, day, count)


@pytest.mark.parametrize(
    ("before_end_ms", "secs"),
    [(60_000, 60), (59_001, 60), (59_000, 59), (1_001, 2), (1_000, 1), (1, 1), (0, 1), (-5, 1)],
)
def test_a_reset_is_rounded_up_so_that_a_waiting_client_waits_long_enough(before_end_ms: int, secs: int) -> None:
    assert Window(MINUTE_MS, MINUTE, 0).reset_secs((MINUTE + 1) * MINUTE_MS - before_end_ms) == secs


@pytest.mark.parametrize(
    ("usage", "quota", "limit", "rate"),
    [
        (used(), Quota(1, 1, 1), None, None),
        (used(59, 999, 9), DEFAULT_QUOTAS["judge"], None, None),
        (used(60, 60), Quota(60, 1000, 10), Limit.PER_MINUTE, Rate(60, 0, 60)),
        (used(61, 61), Quota(60, 1000, 10), Limit.PER_MINUTE, Rate(60, 0, 60)),
        (used(5, 1000), Quota(60, 1000, 10), Limit.PER_DAY, Rate(1000, 0, TO_MIDNIGHT_SECS)),
        (used(5, 5, 10), Quota(60, 1000, 10), Limit.IN_FLIGHT, Rate(10, 0, 1)),
        # Of several, the one that lasts longest.
        (used(60, 1000, 10), Quota(60, 1000, 10), Limit.PER_DAY, Rate(1000, 0, TO_MIDNIGHT_SECS)),
        (used(60, 60, 10), Quota(60, 1000, 10), Limit.PER_MINUTE, Rate(60, 0, 60)),
        # A limit that was lowered below the count.
        (used(50, 50, 8), Quota(60, 20, 10), Limit.PER_DAY, Rate(20, 0, TO_MIDNIGHT_SECS)),
        (used(50, 50, 8), Quota(20, 1000, 10), Limit.PER_MINUTE, Rate(20, 0, 60)),
        (used(5, 5, 8), Quota(60, 1000, 4), Limit.IN_FLIGHT, Rate(4, 0, 1)),
        # A limit of nothing, also for one who has used nothing.
        (Usage(), Quota(0, 5, 5), Limit.PER_MINUTE, Rate(0, 0, 60)),
        (Usage(), Quota(5, 0, 5), Limit.PER_DAY, Rate(0, 0, TO_MIDNIGHT_SECS)),
        (Usage(), Quota(5, 5, 0), Limit.IN_FLIGHT, Rate(0, 0, 1)),
        (Usage(), Quota(5, 5, 5), None, None),
    ],
)
def test_the_limit_that_refuses_a_run(usage: Usage, quota: Quota, limit: Limit | None, rate: Rate | None) -> None:
    refusal = find_refusal(usage, quota, START_MS)
    assert (refusal and refusal.limit, refusal and refusal.rate) == (limit, rate)


def test_a_full_minute_is_over_when_the_next_begins_and_a_full_day_is_not() -> None:
    quota = Quota(60, 1000, 10)
    assert find_refusal(used(60, 60), quota, START_MS + 59_999) is not None
    assert find_refusal(used(60, 60), quota, START_MS + 60_000) is None
    assert find_refusal(used(60, 1000), quota, START_MS + 60_000) is not None
    assert find_refusal(used(60, 1000), quota, (DAY + 1) * DAY_MS) is None
    assert find_refusal(used(0, 0, 10), quota, (DAY + 1) * DAY_MS) is not None  # no window frees a place


@pytest.mark.parametrize(
    ("usage", "quota", "rate"),
    [
        (used(1, 1), Quota(60, 1000, 10), Rate(60, 59, 60)),
        (used(1, 990), Quota(60, 1000, 10), Rate(1000, 10, TO_MIDNIGHT_SECS)),
        (used(10, 10), Quota(60, 60, 10), Rate(60, 50, TO_MIDNIGHT_SECS)),  # equal: the longer one
        (used(70, 70), Quota(60, 1000, 10), Rate(60, 0, 60)),
        (Usage(), Quota(60, 1000, 10), Rate(60, 60, 60)),
    ],
)
def test_headers_are_those_of_the_window_with_the_fewest_left(usage: Usage, quota: Quota, rate: Rate) -> None:
    assert tightest_rate(usage, quota, START_MS) == rate
    assert rate.headers == {
        "ratelimit-limit": str(rate.limit),
        "ratelimit-remaining": str(rate.remaining),
        "ratelimit-reset": str(rate.reset_secs),
    }


@pytest.mark.parametrize(
    ("quota", "words"),
    [
        (Quota(0, 9, 9), ("judge", "0 runs per minute", "60 seconds")),
        (Quota(9, 0, 9), ("judge", "0 runs per day", f"{TO_MIDNIGHT_SECS} seconds")),
        (Quota(9, 9, 0), ("judge", "0 unfinished runs", "in 1 second.")),
    ],
)
def test_a_message_names_quota_limit_and_time(quota: Quota, words: tuple[str, ...]) -> None:
    refusal = find_refusal(Usage(), quota, START_MS)
    assert refusal is not None
    for word in words:
        assert word in refusal.message("judge")


def test_quotas_of_a_project_are_those_set_for_the_profile_else_the_contracts() -> None:
    project = Project("p", "P", quotas={"agent": Quota(7, 8, 9)})
    assert project.quota("judge") == Quota(60, 1000, 10)
    assert project.quota("agent") == Quota(7, 8, 9)
    assert Project("p", "P").quota("agent") == Quota(60, 20_000, 8)


def test_an_entry_is_found_from_its_row_and_read_from_its_text() -> None:
    plain, keyed = new_submission(), new_submission(idempotency_pk=idempotency_pk("dev", "key"))
    assert plain.quota_claim.entry == InFlight(START_MS, SUBMISSION_ID)
    assert len(keyed.quota_claim.entry.key) == 32
    assert (
        keyed.quota_claim.entry.key
        != new_submission(idempotency_pk=idempotency_pk("dev", "other")).quota_claim.entry.key
    )
    for row in (plain, keyed):
        assert read_entry(row.quota_claim.entry.text) == row.quota_claim.entry


def test_the_most_runs_in_flight_fit_into_one_table_item() -> None:
    entry = new_submission(idempotency_pk=idempotency_pk("dev", "key")).quota_claim.entry
    assert MAX_IN_FLIGHT * (len(entry.text) + len(entry.key)) < 0.9 * 400 * 1024
