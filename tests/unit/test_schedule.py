import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.webhooks.deliveries.model import MAX_DELAY_SECS, Schedule, parse_retry_after

DEFAULT = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
NOW_MS = 1_445_412_480_000  # Wed, 21 Oct 2015 07:28:00 GMT, the date of RFC 9110


@pytest.mark.parametrize("delays_secs", [(), (5,), (1, 0), (0, -1), (-1,)])
def test_schedule_that_does_not_begin_at_once_is_refused(delays_secs: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="retry schedule"):
        Schedule(delays_secs)


def test_default_schedule_is_ten_attempts_in_75_h_35_min() -> None:
    schedule = Schedule(DEFAULT)
    delays_ms = [schedule.delay_ms(made, None, 0.5) for made in range(1, 10)]
    assert schedule.max_attempts == 10
    assert sum(delay or 0 for delay in delays_ms) == (75 * 3600 + 35 * 60 + 5) * 1000
    assert schedule.delay_ms(10, None, 0.5) is None


@given(st.integers(1, 9), st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_a_fifth(attempts_made: int, random: float) -> None:
    schedule = Schedule(DEFAULT)
    nominal_ms = schedule.delays_secs[attempts_made] * 1000
    delay_ms = schedule.delay_ms(attempts_made, None, random)
    assert delay_ms is not None
    assert math.floor(nominal_ms * 0.8) <= delay_ms <= nominal_ms * 1.2


def test_jitter_reaches_both_ends() -> None:
    schedule = Schedule((0, 100))
    assert schedule.delay_ms(1, None, 0.0) == 80_000
    assert schedule.delay_ms(1, None, 0.999999) == 119_999


@pytest.mark.parametrize(
    ("asked_secs", "delay_ms"), [(None, 100_000), (0, 100_000), (99, 100_000), (101, 101_000), (10**9, 86_400_000)]
)
def test_receiver_can_only_lengthen_the_delay_up_to_a_day(asked_secs: int | None, delay_ms: int) -> None:
    assert Schedule((0, 100)).delay_ms(1, asked_secs, 0.5) == delay_ms


def test_a_used_up_schedule_ignores_retry_after() -> None:
    assert Schedule((0, 1)).delay_ms(2, 60, 0.5) is None


@pytest.mark.parametrize(
    ("header", "secs"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("١٢", None),  # digits, but not those of HTTP
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("9" * 5000, MAX_DELAY_SECS),
        ("Wed, 21 Oct 2015 07:29:00 GMT", 60),
        ("Wed, 21 Oct 2015 07:29:00 -0000", 60),
        ("Wed, 21 Oct 2015 09:29:00 +0200", 60),
        ("Wed, 21 Oct 2015 07:27:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_DELAY_SECS),
        ("Fri, 32 Dec 2015 23:59:59 GMT", None),
        ("Wed, 21 Oct 99999999999 07:29:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, secs: int | None) -> None:
    assert parse_retry_after(header, NOW_MS) == secs
