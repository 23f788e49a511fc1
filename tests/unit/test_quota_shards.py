"""A large quota is divided into shards, and one of them counts a run."""

from collections import Counter
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.projects.bodies import PER_DAY_MAX, PER_MINUTE_MAX
from functions.projects.model import MAX_IN_FLIGHT, SHARD_RUNS, InFlight, Project, Quota, candidate_shards, shard_name
from functions.projects.quota_store import quota_key

LARGEST = Quota(PER_MINUTE_MAX, PER_DAY_MAX, MAX_IN_FLIGHT)
quotas = st.builds(Quota, st.integers(0, PER_MINUTE_MAX), st.integers(0, PER_DAY_MAX), st.integers(0, MAX_IN_FLIGHT))


@given(quotas)
def test_the_shares_add_up_to_the_quota_and_differ_by_one_at_most(quota: Quota) -> None:
    shares = [quota.share(number) for number in range(quota.shards)]
    for limit in ("per_minute", "per_day", "in_flight"):
        values = [getattr(share, limit) for share in shares]
        assert sum(values) == getattr(quota, limit)
        assert max(values) - min(values) <= 1
        assert quota.shards == 1 or min(values) >= 1


@given(quotas)
def test_a_shard_has_few_runs_in_flight_unless_few_may_start(quota: Quota) -> None:
    share = quota.share(0)
    assert share.in_flight <= SHARD_RUNS or min(share.per_minute, share.per_day) < 200


@pytest.mark.parametrize(
    ("quota", "shards"),
    [
        (Project("p", "P").quota("judge"), 1),
        (Project("p", "P").quota("agent"), 1),
        (Quota(1_000, 10_000, 30), 1),
        (Quota(1_000, 10_000, 31), 2),
        (Quota(60, 1_000, 3_000), 1),  # one run a second: a large item costs little
        (Quota(100_000, 10_000_000, 10), 1),
        (Quota(100_000, 10_000_000, 150), 10),
        (LARGEST, 100),
    ],
)
def test_the_number_of_shards_follows_the_limits(quota: Quota, shards: int) -> None:
    assert quota.shards == shards


def test_runs_without_a_key_have_up_to_four_candidates_and_are_spread_evenly() -> None:
    first: Counter[int] = Counter()
    for number in range(3_000):
        candidates = candidate_shards(InFlight(0, str(UUID(int=number))), 10)
        assert len(set(candidates)) == len(candidates) == 4
        assert set(candidates) <= set(range(10))
        first[candidates[0]] += 1
    assert set(first) == set(range(10))
    assert 200 < min(first.values()) <= max(first.values()) < 400
    assert sorted(candidate_shards(InFlight(0, "id"), 3)) == [0, 1, 2]
    assert candidate_shards(InFlight(0, "id"), 1) == (0,)


def test_equal_keys_meet_in_one_shard() -> None:
    (shard,) = candidate_shards(InFlight(1, "id", "ab" * 16), 100)
    assert candidate_shards(InFlight(2, "other", "ab" * 16), 100) == (shard,)


def test_each_shard_of_each_number_of_shards_is_an_item_of_its_own() -> None:
    names = [shard_name(number, shards) for shards in (1, 2, 3) for number in range(shards)]
    assert names == [None, "0/2", "1/2", "0/3", "1/3", "2/3"]
    assert len({str(quota_key("p", "judge", name)) for name in names}) == 6
    assert quota_key("p", "judge", None) == quota_key("p", "judge")


@pytest.mark.parametrize(("keyed", "least"), [(False, 0.7), (True, 0.5)])
def test_the_largest_quota_takes_most_of_its_runs_before_it_refuses_one(least: float, *, keyed: bool) -> None:
    left = [LARGEST.share(number).in_flight for number in range(LARGEST.shards)]
    taken = 0
    for number in range(MAX_IN_FLIGHT):
        name = sha256(str(number).encode()).hexdigest()
        candidates = candidate_shards(InFlight(0, name, name if keyed else ""), LARGEST.shards)
        shard = next((each for each in candidates if left[each]), None)
        if shard is None:
            break
        left[shard] -= 1
        taken += 1
    assert least * MAX_IN_FLIGHT < taken < MAX_IN_FLIGHT
