"""Events of checks: their bodies, and their publication from the row of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.checks.runs.model import Run, RunStatus, event_id_of
from functions.checks.state import State
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.event_log.cut_body import event_bytes
from functions.event_log.model import Event
from functions.http.paths import result_path
from functions.webhooks.vocabulary.event_types import EVENT_CHECK_CHANGED, EVENT_CHECK_MISSED, EVENT_CHECK_RUN

if TYPE_CHECKING:
    from functions.checks.settings.model import Check
    from functions.checks.state import Announcement

_NEXT = {
    State.UP: "Nothing: the check passes again.",
    State.FAILING: "Compare the failed assertions and the difference with the last good output, then open the run.",
    State.FLAKY: "A repeat passed. Look for a cause that comes and goes: time limits, order, other services.",
    State.LATE: "The schedule was not served in time. See the alarms of the deployment, and GET /api/health.",
    State.ERROR: "The platform could not run the check: it says nothing about your program. See the reason.",
    State.PAUSED: "POST /api/checks/{id}/resume starts it again.",
    State.NEW: "Nothing.",
}


def run_body(check: Check, run: Run, public_base_url: str) -> dict[str, Any]:
    """Return the fields about the run that every event has."""
    submission_id = run.submission_id
    return {
        "check_id": check.check_id,
        "check_slug": check.settings.slug,
        "check_name": check.settings.name,
        "tags": list(check.settings.tags),
        "run_id": run.run_id,
        "kind": run.kind.value,
        "status": run.status.value,
        "scheduled_at": to_rfc3339(run.scheduled_ms),
        "reason": run.reason,
        "verdict": run.verdict,
        "wall_time_secs": run.wall_time_secs,
        "submission_id": submission_id,
        "result_url": None if submission_id is None else public_base_url + result_path(submission_id),
    }


def run_event(check: Check, run: Run, at_ms: int, public_base_url: str) -> tuple[str, bytes]:
    """Return the event of a run that has ended or was missed."""
    event_type = EVENT_CHECK_MISSED if run.status is RunStatus.MISSED else EVENT_CHECK_RUN
    return event_type, _body(event_type, at_ms, run_body(check, run, public_base_url))


def state_event(
    check: Check, run: Run, announced: Announcement, difference: str, at_ms: int, public_base_url: str
) -> tuple[str, bytes]:
    """Return the event of a new state, or the reminder of one."""
    has_failed = run.status is RunStatus.FAILED  # a check that should fail passes without its assertions
    since_ms, outage_ms = announced.since_ms, announced.outage_ms
    body = {
        **run_body(check, run, public_base_url),
        "state": announced.state.value,
        "previous_state": announced.was.value,
        "is_reminder": announced.is_reminder,
        "since": None if since_ms is None else to_rfc3339(since_ms),
        "outage_secs": None if outage_ms is None else outage_ms // MS_PER_SEC,
        "failed": [dict(result) for result in run.results if not result["passed"]] if has_failed else [],
        "difference": difference,
        "next": _NEXT[announced.state],
    }
    return EVENT_CHECK_CHANGED, _body(EVENT_CHECK_CHANGED, at_ms, body)


def events_of(run: Run) -> list[Event]:
    """Return the stored events of a run, each with its constant id."""
    return [
        Event(event_id_of(run.run_id, event_type), event_type, run.project_id, body) for event_type, body in run.events
    ]


def _body(event_type: str, at_ms: int, body: dict[str, Any]) -> bytes:
    return event_bytes({"type": event_type, "timestamp": to_rfc3339(at_ms), **body})
