"""Figures of a check's history: wall times and uptime. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from functions.percentile import percentile

type PointKind = Literal["passed", "failed", "flaky", "error", "missed", "skipped", "superseded"]

_DAY_MS = 86_400_000
_GOOD = ("passed", "flaky")


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """One row of the history."""

    at_ms: int
    kind: PointKind
    wall_time_secs: float | None = None


class Statistics(TypedDict):
    """Figures of the latest 1,000 runs of 30 days; null without data. Uptime: the share of runs that passed."""

    p50_wall_secs: float | None
    p95_wall_secs: float | None
    uptime_7d: float | None
    uptime_30d: float | None


def summarise(points: Iterable[HistoryPoint], now_ms: int) -> Statistics:
    """Return p50 and p95 of the wall time, and uptime as a share from 0 to 1; None without data.

    Uptime is the share of passed and flaky runs among those that ran. Platform faults, missed and skipped runs say
    nothing about the program, so they do not count.
    """
    kept = tuple(points)
    times = sorted(point.wall_time_secs for point in kept if point.wall_time_secs is not None)
    return {
        "p50_wall_secs": percentile(times, 50),
        "p95_wall_secs": percentile(times, 95),
        "uptime_7d": _uptime(kept, now_ms - 7 * _DAY_MS),
        "uptime_30d": _uptime(kept, now_ms - 30 * _DAY_MS),
    }


def _uptime(points: Sequence[HistoryPoint], since_ms: int) -> float | None:
    ran = [point.kind in _GOOD for point in points if point.at_ms >= since_ms and point.kind in (*_GOOD, "failed")]
    return round(sum(ran) / len(ran), 5) if ran else None
