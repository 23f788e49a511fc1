"""Dividing a limit between processes."""

import pytest

from infra.local.triggers import Share


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
@pytest.mark.parametrize("total", [1, 2, 8, 64])
def test_shares_add_up_to_the_total_and_are_even(total: int, processes: int) -> None:
    shares = [Share(number, processes).of(total) for number in range(processes)]
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1
