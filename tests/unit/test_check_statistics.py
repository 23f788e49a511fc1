import pytest

from functions.checks.runs.statistics import HistoryPoint, PointKind, summarise
from functions.percentile import percentile

DAY_MS = 86_400_000
NOW_MS = 100 * DAY_MS


def test_a_check_without_runs_has_no_figures() -> None:
    assert summarise([], NOW_MS) == {
        "p50_wall_secs": None,
        "p95_wall_secs": None,
        "uptime_7d": None,
        "uptime_30d": None,
    }


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([5.0], 50, 5.0), ([5.0], 95, 5.0), ([1.0, 2.0], 50, 1.0), ([1.0, 2.0, 3.0], 50, 2.0), ([1.0, 2.0], 95, 2.0)],
)
def test_a_percentile_is_the_nearest_rank(values: list[float], percent: int, expected: float) -> None:
    assert percentile(values, percent) == expected


def test_p95_of_a_hundred_is_the_ninety_fifth() -> None:
    found = summarise([HistoryPoint(NOW_MS, "passed", float(101 - value)) for value in range(1, 101)], NOW_MS)
    assert (found["p50_wall_secs"], found["p95_wall_secs"]) == (50.0, 95.0)


def test_uptime_counts_runs_of_the_period_that_say_something_about_the_program() -> None:
    kinds: tuple[tuple[int, PointKind], ...] = (
        *((1, "passed"), (1, "passed"), (2, "flaky"), (3, "failed")),
        *((3, "error"), (3, "missed"), (3, "skipped")),  # say nothing about the program
        *((8, "failed"), (20, "failed"), (31, "failed")),
    )
    found = summarise([HistoryPoint(NOW_MS - days * DAY_MS, kind) for days, kind in kinds], NOW_MS)
    assert found["uptime_7d"] == 0.75
    assert found["uptime_30d"] == 0.5
