"""Counters of an endpoint, and the rule that degrades it and lets it recover."""

from __future__ import annotations

import dataclasses

import pytest

from functions.clock import to_rfc3339
from functions.webhooks.endpoints.model import (
    LEAST_DEGRADED_MS,
    SPREAD_MS,
    Endpoint,
    FailureStreak,
    Health,
    is_degraded,
)
from functions.webhooks.views import endpoint_body
from functions.webhooks.vocabulary import DAY_MS, HOUR_MS, Counter, Rate, Traffic

NOON_MS = 1_793_880_000_000  # a whole hour, twelve hours into a day
HOUR, DAY = NOON_MS // HOUR_MS, NOON_MS // DAY_MS
ENDPOINT = Endpoint(
    endpoint_id="1f0c5a3e-8d7b-4b52-9a3c-6e2d4f8b7c01",
    project_id="dev",
    url="https://hooks.example.com/",
    secret_box=b"",
    created_at=to_rfc3339(NOON_MS - DAY_MS),
    updated_at=to_rfc3339(NOON_MS - DAY_MS),
)


def endpoint(
    hour: tuple[int, int] = (0, 0), day: tuple[int, int] = (0, 0), *, degraded_ms: int | None = None, failing: int = 0
) -> Endpoint:
    """An endpoint with attempts and failures of this hour and day. `failing`: ms since its last success, 0: none."""
    streak = FailureStreak(NOON_MS - failing, NOON_MS, 2 if failing > SPREAD_MS else 1) if failing else None
    return dataclasses.replace(
        ENDPOINT,
        traffic=Traffic(Counter(HOUR, *hour), Counter(DAY, *day)),
        degraded_at=None if degraded_ms is None else to_rfc3339(NOON_MS - degraded_ms),
        failing=streak,
    )


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (0, Rate(10 + 30, 1 + 6)),
        (30, Rate(10 + 15, 1 + 3)),
        (45, Rate(10 + 7.5, 1 + 1.5)),
        (60, Rate(10, 1)),  # the hour has become the one before
        (90, Rate(5, 0.5)),
        (120, Rate()),
        (-5, Rate(10 + 2.5, 1 + 0.5)),  # a clock that is behind
    ],
)
def test_a_window_takes_the_share_of_the_period_before(minutes: int, expected: Rate) -> None:
    counter = Counter(HOUR, 10, 1, 30, 6)
    rate = counter.rate(NOON_MS + minutes * 60_000, HOUR_MS)
    assert (rate.attempts, rate.failures) == pytest.approx((expected.attempts, expected.failures))


def test_a_new_counter_is_empty_and_begins_with_the_present_period() -> None:
    assert Counter().rate(NOON_MS, HOUR_MS) == Rate()
    assert Counter().at(HOUR) == Counter(HOUR)
    assert Traffic().at(NOON_MS) == Traffic(Counter(HOUR), Counter(DAY))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(endpoint(), False, id="no attempts"),
        pytest.param(endpoint((9, 9), (9, 9)), False, id="too few attempts"),
        pytest.param(endpoint((6, 6), (6, 6), failing=1), True, id="six of six"),
        pytest.param(endpoint((0, 0), (5, 5), failing=HOUR_MS), True, id="all five of a day"),
        pytest.param(endpoint((4, 4), (4, 4), failing=1), False, id="all, but too few"),
        pytest.param(endpoint((6, 5), (6, 5), failing=1), False, id="one of six worked"),
        pytest.param(endpoint((10, 2), (10, 2)), False, id="few failures"),
        pytest.param(endpoint((10, 3), (10, 3)), True, id="a quarter of an hour's attempts"),
        pytest.param(endpoint((1000, 250), (9000, 250)), True, id="partly failing, with successes in between"),
        pytest.param(endpoint((1000, 249), (1000, 600)), False, id="the hour decides if it has attempts"),
        pytest.param(endpoint((3, 3), (12, 4)), True, id="else the day decides"),
        pytest.param(endpoint((0, 0), (12, 2)), False, id="a good day"),
        pytest.param(endpoint((2, 2), (2, 2), failing=int(2.6 * DAY_MS)), True, id="only failures for days"),
        pytest.param(endpoint((2, 2), (2, 2), failing=int(2.4 * DAY_MS)), False, id="not long enough"),
    ],
)
def test_a_rate_with_enough_attempts_degrades(made: Endpoint, *, expected: bool) -> None:
    assert is_degraded(made, NOON_MS) is expected


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(endpoint((100, 5), (100, 90), degraded_ms=HOUR_MS), False, id="a good hour"),
        pytest.param(endpoint((100, 6), (100, 6), degraded_ms=HOUR_MS), True, id="between the bounds"),
        pytest.param(endpoint((100, 5), (100, 5), degraded_ms=LEAST_DEGRADED_MS - 1), True, id="too soon"),
        pytest.param(endpoint((100, 5), (100, 5), degraded_ms=HOUR_MS, failing=1), True, id="failed just now"),
        pytest.param(endpoint((3, 0), (100, 5), degraded_ms=HOUR_MS), False, id="few in the hour, a good day"),
        pytest.param(endpoint((3, 0), (100, 6), degraded_ms=HOUR_MS), True, id="few in the hour, a bad day"),
        pytest.param(endpoint((1, 0), (3, 1), degraded_ms=HOUR_MS), True, id="few in the day, one failed"),
        pytest.param(endpoint((1, 0), (3, 0), degraded_ms=HOUR_MS), False, id="few in the day, none failed"),
        pytest.param(endpoint(degraded_ms=3 * DAY_MS, failing=DAY_MS), True, id="idle since a failure"),
        pytest.param(endpoint(degraded_ms=3 * DAY_MS), False, id="idle since a success"),
    ],
)
def test_a_degraded_endpoint_recovers_by_its_rate(made: Endpoint, *, expected: bool) -> None:
    assert is_degraded(made, NOON_MS) is expected


def test_an_outage_with_few_probes_degrades_within_the_hour_and_never_recovers_before_a_success() -> None:
    """The circuit breaker sends a probe every five minutes, after thousands of successes on that day."""
    probes = endpoint((12, 12), (10_012, 12), failing=HOUR_MS)
    assert is_degraded(probes, NOON_MS)
    later = dataclasses.replace(probes, degraded_at=to_rfc3339(NOON_MS), traffic=Traffic(day=probes.traffic.day))
    assert is_degraded(later, NOON_MS + 2 * HOUR_MS)  # few in the hour, and the day looks good
    assert not is_degraded(dataclasses.replace(later, failing=None), NOON_MS + 2 * HOUR_MS)


@pytest.mark.parametrize("attempts_per_minute", [1, 20, 1000])
def test_a_receiver_that_answers_to_raise_alerts_raises_few(attempts_per_minute: int) -> None:
    """It fails while its endpoint is active and succeeds while it is degraded, for a day."""
    seen, changes = ENDPOINT, 0
    for minute in range(24 * 60):
        now = NOON_MS + minute * 60_000
        traffic = seen.traffic.at(now)
        failures = attempts_per_minute if seen.degraded_at is None else 0
        counters = (
            dataclasses.replace(one, attempts=one.attempts + attempts_per_minute, failures=one.failures + failures)
            for one in (traffic.hour, traffic.day)
        )
        streak = FailureStreak(now, now) if failures else None
        seen = dataclasses.replace(seen, traffic=Traffic(*counters), failing=streak)
        if is_degraded(seen, now) != (seen.degraded_at is not None):
            seen = dataclasses.replace(seen, degraded_at=None if seen.degraded_at else to_rfc3339(now))
            changes += 1
    assert 1 <= changes <= 48


def test_the_views_show_rates_and_why_it_is_degraded() -> None:
    body = endpoint_body(endpoint((8, 2), (40, 10), degraded_ms=HOUR_MS), NOON_MS)
    assert body["stats"] == {
        "last_hour": {"attempts": 8, "failures": 2, "success_rate": 0.75},
        "last_day": {"attempts": 40, "failures": 10, "success_rate": 0.75},
    }
    assert (body["health"], body["degraded_at"]) == (Health.DEGRADED, to_rfc3339(NOON_MS - HOUR_MS))
    assert "at least 25% of the attempts failed" in (body["warning"] or "")
    fresh = endpoint_body(ENDPOINT, NOON_MS)
    assert fresh["stats"]["last_hour"] == {"attempts": 0, "failures": 0, "success_rate": None}
    assert (fresh["health"], fresh["warning"]) == (Health.ACTIVE, None)
