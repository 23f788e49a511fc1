"""The simulation of webhook senders on AWS, and what was decided by it."""

import pytest

from functions.webhooks.sending import deliverer
from functions.webhooks.sending.lanes import SLOW_GUARD_MS
from tests.bench import senders
from tests.bench.senders import FIVE_SECS, HANGS, LONG, QUICK_SECS, RATES, SENDERS, SHORT, simulate


def test_the_senders_do_what_was_simulated() -> None:
    assert senders.Choice(deliverer.WAIT_SECS, SLOW_GUARD_MS // 1_000) == senders.SHORT
    assert (senders.SLOW_SECS, senders.CACHE_SECS * 1_000) == (deliverer.SLOW_SECS, deliverer.FRESH_TARGET_MS)


@pytest.mark.parametrize("needs_secs", [HANGS, FIVE_SECS])
@pytest.mark.parametrize("rate", RATES)
def test_nobody_waits_longer_than_an_unguarded_send(needs_secs: float, rate: int) -> None:
    assert simulate(SHORT, needs_secs, rate).longest_wait_secs <= SHORT.wait_secs == 3


def test_a_wait_of_15_seconds_would_let_others_wait_nearly_as_long() -> None:
    assert simulate(LONG, HANGS, RATES[-1]).longest_wait_secs > 14
    assert simulate(LONG, FIVE_SECS, RATES[-1]).longest_wait_secs > SHORT.wait_secs


def test_a_burst_that_stays_quick_delays_nobody() -> None:
    found = simulate(SHORT, QUICK_SECS, RATES[-1])
    assert (found.longest_wait_secs, found.late_share) == (0, 0)
    assert found.most_taken < SENDERS


def test_only_a_fast_burst_takes_all_senders_before_its_lane_is_guarded() -> None:
    assert [simulate(SHORT, HANGS, rate).most_taken for rate in (20, 500)] == [20, SENDERS]


def test_the_command_prints_a_line_for_each_burst_and_choice(capsys: pytest.CaptureFixture[str]) -> None:
    assert senders.main() == 0
    printed = capsys.readouterr().out
    assert senders.table() in printed
    assert len(senders.table().splitlines()) == 1 + 2 * len(RATES) * 2
    assert "guard of 86400 s: at most 1 times a day" in printed
