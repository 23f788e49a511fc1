"""Answers about checks and their runs."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from functions.checks.runs.model import FINAL_STATUSES
from functions.checks.runs.statistics import HistoryPoint
from functions.checks.settings.check_settings import without_program
from functions.clock import to_rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from functions.checks.runs.model import Run
    from functions.checks.settings.model import Check
    from functions.http.json_body import Body

SHOWN_SLOTS = 5


def check_body(check: Check, now_ms: int, *, with_program: bool = True) -> Body:
    """Return the body of one check. `with_program` False: without code and stdin, as in lists."""
    stored = check.settings.stored()
    optional = ("schedule", "faster_while_failing", "trigger", "muted_until", "limits")
    settings = dict.fromkeys(optional) | stored
    standing = check.standing
    return {
        "id": check.check_id,
        **(settings if with_program else without_program(settings)),
        "state": standing.state.value,
        "state_since": to_rfc3339(standing.since_ms) if standing.since_ms else None,
        "next_runs": next_runs(check, now_ms),
        "last_run": dict(check.last_run) if check.last_run is not None else None,
        "badge_url": f"/api/badges/{check.badge_token}.svg",
        "created_at": check.created_at,
        "updated_at": check.updated_at,
    }


def next_runs(check: Check, now_ms: int) -> list[str]:
    """Return when the next five runs are due, spread included, in the zone of the check."""
    first = check.next_slot_ms
    if first is None:
        return []
    slots = [first, *islice(check.slots_after(max(first, now_ms - check.spread_ms)), SHOWN_SLOTS - 1)]
    return [check.in_zone(slot + check.spread_ms) for slot in slots]


def history_points(runs: Iterable[Run]) -> Iterator[HistoryPoint]:
    """Return what statistics need of runs that have ended."""
    for run in runs:
        if run.affects_state and run.status in FINAL_STATUSES:
            yield HistoryPoint(run.scheduled_ms, run.status.value, run.wall_time_secs)  # type: ignore[arg-type]  # the final statuses are its kinds


def run_body(run: Run) -> Body:
    """Return the body of one run."""
    results: list[dict[str, Any]] = [dict(result) for result in run.results]
    return {
        "id": run.run_id,
        "check_id": run.check_id,
        "kind": run.kind.value,
        "status": run.status.value,
        "scheduled_at": to_rfc3339(run.scheduled_ms),
        "affects_state": run.affects_state,
        "attempt": run.attempt,
        "reason": run.reason,
        "submission_id": run.submission_id,
        "verdict": run.verdict,
        "wall_time_secs": run.wall_time_secs,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "assertions": results,
    }
